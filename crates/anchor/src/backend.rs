//! The interface of an anchor.
//!
//! One task uses an anchor and may wait for it; nothing in the mesh waits for that task. Every method may be
//! called again after any error, and after a crash: submitting a stored checkpoint is a success.

use std::{fmt, future::Future, pin::Pin};

use nervure_primitives::{BlockHeight, Hash};

use super::{AnchorDomain, CheckpointRejection, Submission};

/// The result of a method of an [`Anchor`]: boxed, so that a node can choose its backend when it starts.
pub type AnchorFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, AnchorError>> + Send + 'a>>;

/// A store of checkpoints outside of the mesh.
pub trait Anchor: Send + Sync + fmt::Debug {
    /// The domain that signatures have to name.
    fn domain(&self) -> AnchorDomain;

    /// Stores a checkpoint, and returns when that is final: on a chain, when the configured number of blocks
    /// follow it. Another node's submission of the same checkpoint is a success.
    fn submit<'a>(&'a self, submission: &'a Submission) -> AnchorFuture<'a, SubmissionReceipt>;

    /// The final checkpoint of a height.
    fn at(&self, height: BlockHeight) -> AnchorFuture<'_, Option<AnchoredCheckpoint>>;

    /// Final checkpoints from `height` on, at most `most`, by height.
    fn list(&self, height: BlockHeight, most: usize) -> AnchorFuture<'_, Vec<AnchoredCheckpoint>>;

    /// The height of the last final checkpoint and the hash of the set that signs the next one. Before the
    /// first checkpoint, the values that the anchor was created with.
    fn head(&self) -> AnchorFuture<'_, (BlockHeight, Hash)>;
}

/// A checkpoint that an anchor stores. The whole checkpoint comes from any peer; its id is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchoredCheckpoint {
    /// Its height.
    pub height: BlockHeight,
    /// Its id.
    pub id: Hash,
    /// The root of the state after the block.
    pub state: Hash,
    /// The transaction that stored it.
    pub reference: Option<TransactionRef>,
}

/// A transaction on a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionRef {
    /// Its hash.
    pub transaction: Hash,
    /// The number of its block.
    pub block: u64,
}

/// The result of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmissionReceipt {
    /// This submission stored it.
    Stored {
        /// The transaction, where there is one.
        reference: Option<TransactionRef>,
        /// The gas that it used, on a chain.
        gas: Option<u64>,
    },
    /// It was stored before.
    AlreadyStored,
}

/// Why an operation of an anchor failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorError {
    /// The rules reject it: trying again will not help.
    #[error(transparent)]
    Rejected(#[from] CheckpointRejection),
    /// The anchor cannot be reached, or timed out: try again later.
    #[error("the anchor cannot be reached: {0}")]
    Unavailable(String),
    /// It would cost more than the operator allows: try again later, or allow more.
    #[error("submitting to the anchor costs more than allowed: {0}")]
    TooExpensive(String),
    /// It has a cost, and there is no account to pay with: another node has to submit.
    #[error("no account is configured that pays for submissions")]
    NoAccount,
    /// A wrong chain or contract, or answers that contradict each other.
    #[error("the anchor's answers are not consistent: {0}")]
    Untrustworthy(String),
    /// The file of a local anchor.
    #[error(transparent)]
    Local(#[from] super::LocalAnchorError),
}

impl AnchorError {
    /// Whether the same may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::TooExpensive(_))
    }
}
