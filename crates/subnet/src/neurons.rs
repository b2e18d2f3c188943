//! Registrations, to which earned, measured and published values are bound.

use nervure_primitives::{BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

/// A node's time in a subnet: from one registration to its end. What was earned, measured or
/// published about a node holds for one registration: a node that registers again, or takes over a slot, inherits
/// nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The node.
    pub node: NodeId,
    /// The block at which it was registered.
    pub block: BlockHeight,
}
