//! How the validators of a mesh agree: Yuma consensus and Byzantine agreement on blocks.
//!
//! [`yuma`] turns stakes and weights into ranks, bonds and emission shares: pure functions over
//! exact integers, the same on every machine. [`fixed`] is the arithmetic that it is written in.
//!
//! [`bft`] decides one block per height among the validators, whose voting power is their stake.
//! [`checkpoint`] has the proof of a decision: a certificate that anyone who knows the validators can
//! verify, and the light client that follows the validators from height to height.
//!
//! [`synchrony`] bounds how far the time of a block may be from a validator's clock.
//!
//! Nothing here reads a clock, draws a random number or does I/O.

#[cfg(feature = "bft")]
pub mod bft;
pub mod checkpoint;
pub mod fixed;
pub mod statement;
pub mod synchrony;
pub mod yuma;

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
