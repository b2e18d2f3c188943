//! Who makes blocks: the validators with the largest stakes.
//!
//! Between two elections the set and its powers stay as they are, whatever happens to stakes, so that a
//! light client has few changes to follow. A validator is a node with a permit in some subnet: a node
//! that others staked to without its consent does not have to make blocks.

use std::{collections::BTreeSet, sync::Arc};

use nervure_consensus::checkpoint::{MAX_VALIDATORS, ValidatorSet};
use nervure_primitives::{Hash, NodeId};

use super::LedgerState;

impl LedgerState {
    /// The validators of the next block; `None` only in a mesh whose spec has no validators with stake.
    pub fn validators(&self) -> Option<&Arc<ValidatorSet>> {
        self.validators.as_ref()
    }

    /// The validators that agreed on the last block, whose certificate the next block carries; at genesis, those of
    /// the first block.
    pub fn last_validators(&self) -> Option<&Arc<ValidatorSet>> {
        self.last_validators.as_ref()
    }

    /// The hash of the next block's validators; 32 zero bytes without any.
    pub fn validators_hash(&self) -> Hash {
        self.validators.as_ref().map_or(Hash::from_bytes([0; 32]), |set| set.hash())
    }

    /// Those who were elected sign the checkpoint of the next election, as far as they have anchor keys.
    pub(super) fn hand_over(&mut self) {
        if let Some(elected) = self.validators.clone() {
            self.anchors.hand_over(&elected);
        }
    }

    /// Elects the permitted nodes with the largest stakes, each with its stake as its power. Without any,
    /// those in office stay: a mesh without validators could never have some again.
    pub(super) fn elect(&mut self) {
        // Collected once: a node can have a permit in several subnets.
        let permitted: BTreeSet<NodeId> = self
            .subnets
            .values()
            .flat_map(|subnet| &subnet.neurons)
            .filter(|neuron| neuron.permit)
            .map(|neuron| neuron.node)
            .collect();
        // Sorted by stake and then by key, so that every node cuts at the same place.
        let largest = self.nodes.by_stake().filter(|(node, _)| permitted.contains(node));
        let elected = largest.take(MAX_VALIDATORS).map(|(node, stake)| (node, stake.base_units()));
        if let Ok(elected) = ValidatorSet::from_stakes(elected)
            // The same set keeps its object: a comparison of two states sees at once that nothing changed.
            && self.validators.as_ref().is_none_or(|now| **now != elected)
        {
            self.validators = Some(Arc::new(elected));
        }
    }
}
