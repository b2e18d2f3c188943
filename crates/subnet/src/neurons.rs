//! Who is who in a subnet, as the ledger has it, and what that makes of a node's past.

use nervure_primitives::{BlockHeight, Netuid, NodeId};
use serde::{Deserialize, Serialize};

/// A subnet's neurons, as of the state that the asker goes by.
pub trait Neurons {
    /// Whether `node` may set tasks and publish scores in `netuid`: it holds a validator permit there.
    fn may_validate(&self, node: &NodeId, netuid: Netuid) -> bool;

    /// The block at which `node` was registered in `netuid`; none when it is not.
    fn registered_at(&self, node: &NodeId, netuid: Netuid) -> Option<BlockHeight>;
}

/// A node's time in a subnet: from one registration to its end. Whatever was earned, measured or said about a node
/// holds for one registration; who registers again, or takes over a slot, begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Who.
    pub node: NodeId,
    /// Since which block.
    pub block: BlockHeight,
}
