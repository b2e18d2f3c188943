//! Checkpoints on an outside chain: the rules and the file backend.
//!
//! An [`AnchorCheckpoint`] names what a block made final: its id, the state root, the metagraph roots of
//! the epochs that ended, and the set that signs the next checkpoint. Validators with more than two thirds
//! of the power of an [`AnchorSet`] sign it with their *anchor keys* (secp256k1, registered on the ledger).
//! Enough of these [`Attestation`]s make a [`Submission`], which an [`Anchor`] stores: a contract on an EVM
//! chain, or the file of [`LocalAnchor`].
//!
//! [`CheckpointStore`] has the rules, once: the contract `contracts/CheckpointAnchor.sol` follows the same
//! ones, and tests give the same submissions to both. Everything that is hashed or signed here has the form
//! that the contract computes: keccak-256, EIP-712.
//!
//! **Claim.** Every stored checkpoint was signed by more than two thirds of the power of the set that the
//! checkpoint before it named; so with less than a third of the power Byzantine there is one history.
//! **Hazard.** A former set counts until its successors are anchored: its members have to stay bound by
//! stake until the next checkpoint is anchored.

mod abi;
mod attestation;
mod attestation_set;
mod backend;
mod checkpoint;
mod key;
#[cfg(not(target_family = "wasm"))]
mod key_file;
mod local;
mod message;
mod possession;
mod schedule;
mod store;
mod submission;
mod validators;

pub use attestation::{Attestation, AttestationError, MAX_ATTESTATION_LEN};
pub use attestation_set::AttestationSet;
pub use backend::{Anchor, AnchorError, AnchorFuture, AnchoredCheckpoint, SubmissionReceipt, TransactionRef};
pub use checkpoint::{
    AnchorCheckpoint, AnchorDomain, AnchoredBlock, CheckpointError, MAX_CHECKPOINT_LEN, MAX_METAGRAPHS,
    MetagraphRoot,
};
pub use key::{AnchorAddress, AnchorKey, AnchorSignature, InvalidSignature};
#[cfg(not(target_family = "wasm"))]
pub use key_file::AnchorKeyFileError;
pub use local::{LocalAnchor, LocalAnchorError};
pub use message::{
    AttestationMessage, MAX_ATTESTATION_MESSAGE_LEN, MAX_SUBMISSIONS, MAX_SUBMISSIONS_REQUEST_LEN,
    MAX_SUBMISSIONS_RESPONSE_LEN, SubmissionsRequest, SubmissionsResponse,
};
pub use possession::ProofOfPossession;
pub use schedule::{ScheduleError, SubmissionSchedule};
pub use store::{CheckpointRejection, CheckpointStore};
pub use submission::{MAX_SUBMISSION_LEN, Submission, SubmissionError};
pub use validators::{AnchorSet, AnchorSetError, AnchorValidator};

#[cfg(test)]
mod tests;

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
