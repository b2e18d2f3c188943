//! Registrations, to which earned, measured and published values are bound.

use nervure_primitives::{BlockHeight, NodeId};
use nervure_protocol::{ExpertId, ExpertRecord};
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

/// An expert of a neuron: what scores and trust are about. A neuron's experts have nothing of each other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScoredExpert {
    /// The neuron that serves it.
    pub neuron: Registration,
    /// Its identity.
    pub expert: ExpertId,
}

impl ScoredExpert {
    /// The expert that `record` advertises, of a node that was registered in the record's subnet at `block`.
    pub fn of(record: &ExpertRecord, block: BlockHeight) -> Self {
        let neuron = Registration { node: record.node, block };
        Self { neuron, expert: ExpertId::of(record, block) }
    }
}
