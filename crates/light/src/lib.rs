//! A light client: it verifies headers, certificates, state proofs and score explanations of an untrusted server.
//!
//! A [`LightClient`] trusts one header, and moves to a later one when validators that it trusts signed a certificate
//! for it. [`Bisection`] finds a way to a header that is too far for one step. A verified header names the root of the
//! state, under which [facts](nervure_ledger::tree::Fact) are checked and [scores](score::explain) are explained. A
//! [`Verifier`] does all of that over a [`Source`], which fetches bytes and need not be trusted.
//!
//! A trusted header counts for a [`TrustingPeriod`] only; the clock is an argument.
//!
//! The crate has no I/O, no clock and no randomness, and builds for wasm32. Each module says what a hostile server can
//! do with the bytes that the module checks.

mod bisection;
mod client;
pub mod score;
mod source;
mod trust;
mod trusting;
mod verifier;

pub use bisection::{Bisection, BisectionError, MAX_STEPS};
pub use client::{GenesisError, LightClient, LightClientError};
pub use source::{EpochResponse, FactResponse, Source};
pub use trust::{ParseTrustedBlockError, TrustAnchor, TrustedBlock};
pub use trusting::{MAX_CLOCK_DRIFT, TrustingPeriod};
pub use verifier::{
    NewestBlock, ProvenProposal, ProvenValidator, StakeOpinion, VerifiedCheckpoint, Verifier, VerifierError,
    VerifyError,
};

#[cfg(test)]
mod testing;

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
