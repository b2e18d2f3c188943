//! The guard against signing twice: when to listen, and how far the other validators are.
//!
//! See [`Signer`](crate::bft::Signer) for what this protects against. Once the signer's record has
//! proven old, the heights that other validators have reached extend the suspension, but only as
//! far as more than a third of the power has reached. A Byzantine minority can therefore not
//! suspend a validator for long.

use std::{collections::BTreeMap, time::Duration};

use nervure_primitives::{BlockHeight, NodeId};

use crate::{
    bft::Timer,
    checkpoint::{Quorum, ValidatorSet},
};

/// The listening period and the heights of the other validators.
pub(super) struct DoubleSignGuard {
    /// How long to listen before the first signature; none once that is done.
    pub(super) listen: Option<Duration>,
    /// The timer of the listening period that runs, set for the height at which it began.
    pub(super) timer: Option<Timer>,
    /// The highest height of a statement by each validator. Bounded by the size of the set.
    heights: BTreeMap<NodeId, BlockHeight>,
}

impl DoubleSignGuard {
    pub(super) fn new(listen: Duration) -> Self {
        Self {
            listen: Some(listen).filter(|listen| !listen.is_zero()),
            timer: None,
            heights: BTreeMap::new(),
        }
    }

    /// Notes that `validator` was at `height`; forgets nodes outside `validators`.
    pub(super) fn note(&mut self, validator: NodeId, height: BlockHeight, validators: &ValidatorSet) {
        // Keeps the map as small as the set, however often elections change it.
        self.heights.retain(|node, _| validators.contains(node));
        let highest = self.heights.entry(validator).or_insert(height);
        // A peer can replay an old statement of a validator; it must not lower the height.
        *highest = height.max(*highest);
    }

    /// Whether a verified statement of `validator` was at `height` or above.
    pub(super) fn has_reached(&self, validator: &NodeId, height: BlockHeight) -> bool {
        self.heights.get(validator).is_some_and(|highest| *highest >= height)
    }

    /// The highest height that more than a third of the power has reached, so that at least one
    /// honest validator has.
    pub(super) fn honest_height(&self, validators: &ValidatorSet) -> Option<BlockHeight> {
        let mut heights: Vec<_> = self.heights.iter().map(|(node, height)| (*height, node)).collect();
        // From the highest height down: power adds up until more than a third is at this height or above.
        heights.sort_unstable_by(|a, b| b.cmp(a));
        let mut power = 0u64;
        heights.into_iter().find_map(|(height, node)| {
            power = power.saturating_add(validators.power_of(node).unwrap_or(0));
            Quorum::ONE_THIRD.is_met(power, validators.total_power()).then_some(height)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_of_the_power_cannot_raise_the_height() {
        let node = |n: u8| NodeId::from_bytes([n; 32]);
        let set = ValidatorSet::from_stakes((1..=6).map(|n| (node(n), 10))).unwrap();
        let mut guard = DoubleSignGuard::new(Duration::ZERO);
        guard.note(node(1), BlockHeight(u64::MAX), &set);
        guard.note(node(2), BlockHeight(1 << 40), &set);
        assert_eq!(guard.honest_height(&set), None);
        guard.note(node(3), BlockHeight(9), &set);
        guard.note(node(3), BlockHeight(7), &set);
        assert_eq!(guard.honest_height(&set), Some(BlockHeight(9)));
        guard.note(node(9), BlockHeight(9), &set);
        assert!(guard.heights.len() <= 4, "unknown nodes are not kept");
    }
}
