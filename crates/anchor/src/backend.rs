//! What an anchor does, whichever it is.
//!
//! An anchor is asked by one task that may wait for it; nothing of the mesh waits for that task. Every
//! method may be called again after any error, and after a crash: submitting what is kept already is a
//! success.

use std::{fmt, future::Future, pin::Pin};

use nervure_primitives::{BlockHeight, Hash};

use super::{AnchorDomain, CheckpointRejection, Submission};

/// What a method of an [`Anchor`] returns: boxed, so that a node can choose its backend when it starts.
pub type AnchorFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, AnchorError>> + Send + 'a>>;

/// A place outside of the mesh that keeps checkpoints.
pub trait Anchor: Send + Sync + fmt::Debug {
    /// What signatures have to be for.
    fn domain(&self) -> AnchorDomain;

    /// Has a checkpoint kept, and returns when it is kept for good: on a chain, when it is behind the
    /// configured number of blocks. Somebody else's submission of the same checkpoint is a success.
    fn submit<'a>(&'a self, submission: &'a Submission) -> AnchorFuture<'a, SubmissionReceipt>;

    /// What is kept for a height, for good.
    fn at(&self, height: BlockHeight) -> AnchorFuture<'_, Option<AnchoredCheckpoint>>;

    /// What is kept for good, from `height` on and at most `most`, by height.
    fn list(&self, height: BlockHeight, most: usize) -> AnchorFuture<'_, Vec<AnchoredCheckpoint>>;

    /// The height of the last checkpoint that is kept for good and the hash of the set that signs the
    /// next one. Before the first checkpoint, what the anchor was made with.
    fn head(&self) -> AnchorFuture<'_, (BlockHeight, Hash)>;
}

/// A checkpoint that an anchor keeps. Whoever needs all of it gets it from any peer, and compares the id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchoredCheckpoint {
    /// Its height.
    pub height: BlockHeight,
    /// Its id.
    pub id: Hash,
    /// The root of the state after the block.
    pub state: Hash,
    /// Where it can be looked up.
    pub reference: Option<TransactionRef>,
}

/// A transaction on a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionRef {
    /// The hash of the transaction.
    pub transaction: Hash,
    /// The number of the block that it is in.
    pub block: u64,
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmissionReceipt {
    /// It is kept because of this submission.
    Stored {
        /// The transaction, where there is one.
        reference: Option<TransactionRef>,
        /// What it used, where that costs something.
        gas: Option<u64>,
    },
    /// It was kept already.
    AlreadyStored,
}

/// Why an anchor does not answer, or not as hoped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorError {
    /// The rules of keeping refuse it: trying again will not help.
    #[error(transparent)]
    Rejected(#[from] CheckpointRejection),
    /// The anchor cannot be reached, or does not get to it in time: try again later.
    #[error("the anchor cannot be reached: {0}")]
    Unavailable(String),
    /// It would cost more than the operator allows: try again later, or allow more.
    #[error("the anchor asks for too much: {0}")]
    TooExpensive(String),
    /// It costs something, and there is no account to pay with: somebody else has to submit.
    #[error("no account is configured that could pay for it")]
    NoAccount,
    /// The anchor says what cannot be: a wrong chain or contract, or answers that contradict each other.
    #[error("the anchor cannot be believed: {0}")]
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
