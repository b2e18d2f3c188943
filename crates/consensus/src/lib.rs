//! How the validators of a mesh come to agree.
//!
//! [`yuma`] turns stakes and weights into ranks, bonds and emission shares: pure functions over
//! exact integers, the same on every machine. [`fixed`] is the arithmetic that it is written in.
//!
//! Nothing here reads a clock, draws a random number or does I/O.

pub mod fixed;
pub mod yuma;
