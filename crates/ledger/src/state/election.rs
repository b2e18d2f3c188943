//! Who makes blocks: the validators with the largest stakes.
//!
//! Between two elections the set and its powers stay as they are, whatever happens to stakes, so that a
//! light client has few changes to follow. A validator is a node with a permit in some subnet: a node
//! that somebody staked to without being asked does not have to make blocks.

use std::collections::BTreeSet;

use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

use super::State;

/// Most validators that make blocks.
pub const MAX_VALIDATORS: usize = 64;

/// A node that makes blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validator {
    /// Its key.
    pub node: NodeId,
    /// Its voting power: its stake when it was elected.
    pub power: Amount,
}

impl State {
    /// Who makes the next block, ascending by key.
    pub fn validators(&self) -> &[Validator] {
        &self.validators
    }

    /// Elects the permitted nodes with the largest stakes. Without any, those in office stay: a mesh
    /// without validators could never have some again.
    pub(super) fn elect(&mut self) {
        let permitted: BTreeSet<NodeId> = self
            .subnets
            .values()
            .flat_map(|subnet| &subnet.neurons)
            .filter(|neuron| neuron.permit)
            .map(|neuron| neuron.node)
            .collect();
        let largest = self.nodes.by_stake().filter(|(node, _)| permitted.contains(node));
        let mut elected: Vec<Validator> =
            largest.take(MAX_VALIDATORS).map(|(node, power)| Validator { node, power }).collect();
        if !elected.is_empty() {
            elected.sort_unstable_by_key(|validator| validator.node);
            self.validators = elected;
        }
    }
}
