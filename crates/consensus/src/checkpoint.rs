//! Proof that the validators of a height decided a block.
//!
//! A [`ValidatorSet`] is the list of validators with their voting power. A [`CommitCertificate`]
//! carries precommits of more than two thirds of that power.
//!
//! Everything here decodes from canonical CBOR, is bounded by [`MAX_VALIDATORS`], and is a pure
//! function of its bytes: what verifies here verifies everywhere.

mod certificate;
mod quorum;
mod signatures;
mod validators;

pub use certificate::{CertificateError, CommitCertificate, MAX_CERTIFICATE_BYTES};
#[cfg(feature = "bft")]
pub(crate) use certificate::{require, signed_power};
pub use quorum::Quorum;
pub use signatures::{SignatureList, SignatureListError};
pub use validators::{MAX_TOTAL_POWER, MAX_VALIDATORS, Validator, ValidatorSet, ValidatorSetError};
