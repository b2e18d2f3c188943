//! Where a light client gets checkpoints and proofs from.
//!
//! A source returns canonical bytes and does not interpret them: it may be an HTTP client, a peer, a file, or a hostile
//! test. Whatever it returns is decoded within bounds and verified by the [`Verifier`](crate::Verifier).

use std::future::Future;

use nervure_ledger::tree::Key;
use nervure_primitives::{BlockHeight, Netuid, NodeId, Uid};

/// An encoded [`Fact`](nervure_ledger::tree::Fact) and the encoded checkpoint under whose state root it is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactResponse {
    /// The checkpoint.
    pub checkpoint: Vec<u8>,
    /// The record, or its absence, with its proof.
    pub fact: Vec<u8>,
}

/// An encoded [`EpochProof`](crate::score::EpochProof) and the encoded checkpoint under whose state root it is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochResponse {
    /// The checkpoint.
    pub checkpoint: Vec<u8>,
    /// The epoch proof.
    pub proof: Vec<u8>,
}

/// A server of checkpoints and proofs. It need not be trusted.
///
/// A source should bound what it reads: the largest responses are
/// [`MAX_CHECKPOINT_LEN`](nervure_ledger::checkpoint::MAX_CHECKPOINT_LEN),
/// [`MAX_FACT_LEN`](nervure_ledger::tree::MAX_FACT_LEN) and
/// [`MAX_EPOCH_PROOF_LEN`](crate::score::MAX_EPOCH_PROOF_LEN) bytes.
///
/// The futures have no `Send` bound, because those of a browser are not `Send`; those of a concrete native source are.
pub trait Source {
    /// Why a request failed: no connection, an error response, or a response without the bytes.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The encoded [`Checkpoint`](nervure_ledger::checkpoint::Checkpoint) at `height`, or the last one that ended an
    /// epoch.
    fn checkpoint(&self, height: Option<BlockHeight>) -> impl Future<Output = Result<Vec<u8>, Self::Error>>;

    /// The encoded [`Checkpoint`](nervure_ledger::checkpoint::Checkpoint) at `height`; if its certificate is no longer kept,
    /// that of the next height that has one.
    fn checkpoint_from(&self, height: BlockHeight) -> impl Future<Output = Result<Vec<u8>, Self::Error>>;

    /// The encoded [`Checkpoint`](nervure_ledger::checkpoint::Checkpoint) of the last block, whether it ended an epoch or
    /// not.
    fn newest(&self) -> impl Future<Output = Result<Vec<u8>, Self::Error>>;

    /// The record of `key`, or its absence, in the state after the block at `height`.
    fn fact(&self, key: Key, height: BlockHeight) -> impl Future<Output = Result<FactResponse, Self::Error>>;

    /// The proof of the last epoch of `node` in subnet `netuid`.
    fn epoch(&self, netuid: Netuid, node: NodeId)
    -> impl Future<Output = Result<EpochResponse, Self::Error>>;

    /// The slot of `node` in subnet `netuid`, or `None`. Only a hint: the record in the slot is proven.
    fn uid(&self, netuid: Netuid, node: NodeId) -> impl Future<Output = Result<Option<Uid>, Self::Error>>;

    /// The encoded [`Submission`](nervure_anchor::Submission) of the anchored checkpoint at `height`.
    fn submission(&self, height: BlockHeight) -> impl Future<Output = Result<Vec<u8>, Self::Error>>;
}
