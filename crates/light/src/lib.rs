//! What a client believes: headers, certificates, bisection, state proofs and score explanations.
//!
//! A [`LightClient`] trusts one header, and moves to a later one when validators that it trusts signed a certificate for
//! it. [`Bisection`] finds a way to a header that is too far for one step. A verified header names the root of the state,
//! under which [facts](nervure_ledger::tree::Fact) are checked and [scores](score::explain) are explained.
//!
//! Everything here is a pure function of bytes that came from an untrusted server: no input or output, no clock, no
//! randomness. What a hostile server can do is said where its bytes are checked.

mod bisection;
mod client;
pub mod score;

pub use bisection::{Bisection, BisectionError, MAX_STEPS};
pub use client::{LightClient, LightClientError};

#[cfg(test)]
mod testing;
