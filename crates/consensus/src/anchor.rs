//! Checkpoints kept outside of the mesh.
//!
//! An [`AnchorCheckpoint`] says what a block made final: its id, the root of the state, the metagraph
//! roots of the epochs that ended, and who signs the next checkpoint. Validators with more than two thirds
//! of the power of an [`AnchorSet`] sign it with their *anchor keys* (secp256k1, registered on the ledger),
//! and whoever holds enough of these [`Attestation`]s makes a [`Submission`] of them, which an [`Anchor`]
//! keeps: a contract on an EVM chain, or the file of [`LocalAnchor`].
//!
//! The rules of keeping are in [`Keeper`], once: the contract `contracts/CheckpointAnchor.sol` does the
//! same, and tests show both the same submissions. Everything that is hashed or signed here has the form that
//! the contract computes: keccak-256, EIP-712.
//!
//! **Claim.** What an anchor keeps was signed by more than two thirds of the power of the set that the
//! checkpoint before it named; so with less than a third of the power Byzantine there is one history.
//! **Hazard.** A former set, before its successors are anchored, is the set that counts: who was in
//! it has to stay bound by stake until the next checkpoint is anchored.

mod attestation;
mod backend;
mod checkpoint;
mod collector;
mod keeper;
mod key;
#[cfg(not(target_family = "wasm"))]
mod key_file;
mod local;
mod possession;
mod submission;
mod turn;
mod validators;
mod words;

pub use attestation::{Attestation, AttestationError, MAX_ATTESTATION_LEN};
pub use backend::{Anchor, AnchorError, AnchorFuture, Anchored, Receipt, Reference};
pub use checkpoint::{
    AnchorCheckpoint, AnchorDomain, AnchoredBlock, CheckpointError, MAX_CHECKPOINT_LEN, MAX_METAGRAPHS,
    Metagraph,
};
pub use collector::Collector;
pub use keeper::{Keeper, KeeperRefusal};
pub use key::{AnchorAddress, AnchorKey, AnchorSignature, NotASignature};
#[cfg(not(target_family = "wasm"))]
pub use key_file::AnchorKeyFileError;
pub use local::{LocalAnchor, LocalError};
pub use possession::Possession;
pub use submission::{MAX_SUBMISSION_LEN, Submission, SubmissionError};
pub use turn::{Turns, TurnsError};
pub use validators::{AnchorSet, AnchorSetError, AnchorValidator};

#[cfg(test)]
mod tests;
