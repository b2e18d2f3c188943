//! What the ledger knows about nodes, as far as messages are checked against it.

use nervure_primitives::{BlockHeight, Netuid, NodeId};

/// Which nodes may advertise.
pub trait Registry {
    /// Whether `node` may advertise experts in `netuid`.
    fn may_advertise(&self, node: &NodeId, netuid: Netuid) -> bool;
}

/// A subnet's neurons, as of the state that the asker goes by.
pub trait Neurons {
    /// Whether `node` may set tasks and publish scores in `netuid`: it holds a validator permit there.
    fn may_validate(&self, node: &NodeId, netuid: Netuid) -> bool;

    /// The block at which `node` was registered in `netuid`; none when it is not.
    fn registered_at(&self, node: &NodeId, netuid: Netuid) -> Option<BlockHeight>;
}
