//! What a node that follows the chain answers about the ledger.

use futures::{FutureExt, future::BoxFuture};
use nervure_api::{
    CheckpointPage, CheckpointView, EpochView, NodeView, ServiceError, StateProofView, SubmissionView,
    SubnetDetail, SubnetPage,
};
use nervure_ledger::tree::Key;
use nervure_primitives::{BlockHeight, Netuid, NodeId};

/// What a node that follows the chain can be asked about it. A node that follows none says so.
pub(crate) trait LedgerReader: Send + Sync {
    /// The latest checkpoints up to a height, the latest first.
    fn checkpoints(
        &self,
        _up_to: BlockHeight,
        _most: usize,
    ) -> BoxFuture<'_, Result<CheckpointPage, ServiceError>> {
        nowhere()
    }

    /// A block that can be believed; without a height, the last checkpoint.
    fn checkpoint(
        &self,
        _height: Option<BlockHeight>,
    ) -> BoxFuture<'_, Result<CheckpointView, ServiceError>> {
        nowhere()
    }

    /// The whole of an anchored checkpoint, by its block.
    fn anchored(&self, _height: BlockHeight) -> BoxFuture<'_, Result<SubmissionView, ServiceError>> {
        nowhere()
    }

    /// What the state after a block, or after the last one, says about a key.
    fn fact(
        &self,
        _key: Key,
        _height: Option<BlockHeight>,
    ) -> BoxFuture<'_, Result<StateProofView, ServiceError>> {
        nowhere()
    }

    /// What explains the last epoch of a node in a subnet.
    fn epoch(&self, _netuid: Netuid, _node: NodeId) -> BoxFuture<'_, Result<EpochView, ServiceError>> {
        nowhere()
    }

    /// All subnets.
    fn subnets(&self) -> BoxFuture<'_, Result<SubnetPage, ServiceError>> {
        nowhere()
    }

    /// A subnet and its neurons.
    fn subnet(&self, _netuid: Netuid) -> BoxFuture<'_, Result<SubnetDetail, ServiceError>> {
        nowhere()
    }

    /// A node of the ledger.
    fn node(&self, _node: NodeId) -> BoxFuture<'_, Result<NodeView, ServiceError>> {
        nowhere()
    }
}

fn nowhere<T: Send + 'static>() -> BoxFuture<'static, Result<T, ServiceError>> {
    let reason = "this node follows no chain".into();
    std::future::ready(Err(ServiceError::Unavailable { reason })).boxed()
}
