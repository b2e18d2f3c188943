//! The ledger, as a node that follows the chain answers about it.

use futures::{FutureExt, future::BoxFuture};
use nervure_api::{
    CheckpointPage, CheckpointView, EpochView, NodeView, ProposalPage, ServiceError, StateProofView,
    SubmissionView, SubnetDetail, SubnetPage, ValidatorPage,
};
use nervure_ledger::tree::Key;
use nervure_primitives::{BlockHeight, Netuid, NodeId};

/// The ledger of a node. Every method has a default for nodes that follow no chain: [`ServiceError::Unavailable`].
pub trait LedgerReader: Send + Sync {
    /// The latest checkpoints up to a height, the latest first.
    fn checkpoints(
        &self,
        _up_to: BlockHeight,
        _limit: usize,
    ) -> BoxFuture<'_, Result<CheckpointPage, ServiceError>> {
        no_chain()
    }

    /// A block with its certificate; without a height, the last checkpoint.
    fn checkpoint(
        &self,
        _height: Option<BlockHeight>,
    ) -> BoxFuture<'_, Result<CheckpointView, ServiceError>> {
        no_chain()
    }

    /// The block at `height` with its certificate, or the next one whose certificate is kept.
    fn checkpoint_from(&self, _height: BlockHeight) -> BoxFuture<'_, Result<CheckpointView, ServiceError>> {
        no_chain()
    }

    /// A checkpoint as it was sent to the outside chain, by its block.
    fn anchored(&self, _height: BlockHeight) -> BoxFuture<'_, Result<SubmissionView, ServiceError>> {
        no_chain()
    }

    /// A record of the state after a block, or after the last one, with its proof.
    fn state_proof(
        &self,
        _key: Key,
        _height: Option<BlockHeight>,
    ) -> BoxFuture<'_, Result<StateProofView, ServiceError>> {
        no_chain()
    }

    /// The proof of the last epoch of a node in a subnet.
    fn epoch(&self, _netuid: Netuid, _node: NodeId) -> BoxFuture<'_, Result<EpochView, ServiceError>> {
        no_chain()
    }

    /// All subnets.
    fn subnets(&self) -> BoxFuture<'_, Result<SubnetPage, ServiceError>> {
        no_chain()
    }

    /// A subnet and its neurons.
    fn subnet(&self, _netuid: Netuid) -> BoxFuture<'_, Result<SubnetDetail, ServiceError>> {
        no_chain()
    }

    /// The validators.
    fn validators(&self) -> BoxFuture<'_, Result<ValidatorPage, ServiceError>> {
        no_chain()
    }

    /// The proposals.
    fn proposals(&self) -> BoxFuture<'_, Result<ProposalPage, ServiceError>> {
        no_chain()
    }

    /// A node of the ledger.
    fn node(&self, _node: NodeId) -> BoxFuture<'_, Result<NodeView, ServiceError>> {
        no_chain()
    }
}

fn no_chain<T: Send + 'static>() -> BoxFuture<'static, Result<T, ServiceError>> {
    let reason = "this node follows no chain".into();
    std::future::ready(Err(ServiceError::Unavailable { reason })).boxed()
}
