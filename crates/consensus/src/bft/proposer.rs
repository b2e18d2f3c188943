//! The proposer of each round of a height.
//!
//! Each height draws an order of its validators without replacement, where the probability of each
//! draw is the validator's share of the remaining power. Round r belongs to the r-th validator in
//! that order, modulo its length. The draw is a hash of mesh, height and position, so every node
//! computes the same order.
//!
//! Over many heights, each validator proposes first as often as its power says. Within a height, no
//! validator gets a second round before every other one had a round, so `f` crashed proposers cost
//! `f` rounds and not more. The order has no state between heights, so restarts, sync and light
//! clients need not replay one. Tendermint's weighted round robin is as fair but has state, and
//! restarted at every height it would always begin with the largest validator.
//!
//! **Silent validators** (the committed state says who was not heard in the last heights) are taken out of
//! the order. The rounds go through the others, then one round belongs to a silent one, then the rounds go
//! through the others again, and so on. So any number of dead validators costs one round in each pass, and a
//! validator that only seemed dead still gets its turn. The others keep their chances: a draw without
//! replacement, restricted to some of the drawn, is a draw among these.
//!
//! Hazard: the order is known in advance, so a proposer can be attacked in its turn. That costs
//! rounds, never safety.

use std::collections::BTreeSet;

use nervure_primitives::{BlockHeight, Hash, MeshId, NodeId};

use crate::checkpoint::ValidatorSet;

/// The proposers of a height, as places in its validator set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProposerOrder {
    /// Never empty.
    heard: Vec<usize>,
    silent: Vec<usize>,
}

impl ProposerOrder {
    /// Of the validators at `height`, of whom some are silent. If all are, nothing tells them apart.
    pub(super) fn new(
        mesh: &MeshId,
        height: BlockHeight,
        (validators, silent): (&ValidatorSet, &BTreeSet<NodeId>),
    ) -> Self {
        let is_silent =
            |at: &usize| validators.members().get(*at).is_some_and(|one| silent.contains(&one.node));
        let (silent, heard): (Vec<_>, Vec<_>) =
            order(mesh, height, validators).into_iter().partition(is_silent);
        if heard.is_empty() { Self { heard: silent, silent: heard } } else { Self { heard, silent } }
    }

    /// The place of the proposer of `round`.
    pub(super) fn at(&self, round: u32) -> usize {
        let (round, heard) = (round as usize, self.heard.len());
        if self.silent.is_empty() {
            return self.heard[round % heard];
        }
        let (pass, turn) = (round / (heard + 1), round % (heard + 1));
        self.heard.get(turn).copied().unwrap_or(self.silent[pass % self.silent.len()])
    }
}

/// The order in which the validators at `height` are drawn, as positions in the set.
fn order(mesh: &MeshId, height: BlockHeight, validators: &ValidatorSet) -> Vec<usize> {
    let mut left: Vec<usize> = (0..validators.len()).collect();
    let mut power = validators.total_power();
    let mut order = Vec::with_capacity(left.len());
    while power > 0 && !left.is_empty() {
        // The position in the order is the counter of the draw, so that no two draws of a height use one
        // hash.
        let drawn = draw(mesh, height, order.len()) % u128::from(power);
        // `left` stays sorted by node id: every node walks the same list.
        let at = position(drawn, &left, validators);
        let chosen = left.remove(at);
        power = power.saturating_sub(power_at(validators, chosen));
        order.push(chosen);
    }
    order
}

/// 128 pseudo-random bits for one position. Modulo a power of at most 2^60, their bias is below one
/// part in 2^68.
fn draw(mesh: &MeshId, height: BlockHeight, position: usize) -> u128 {
    let (height, position) = (height.0.to_be_bytes(), (position as u64).to_be_bytes());
    let hash = Hash::of("nervure/proposer", &[mesh.as_bytes(), &height, &position]);
    hash.as_bytes().iter().take(16).fold(0, |value, byte| value << 8 | u128::from(*byte))
}

/// The index in `left` of the validator whose share of the power contains `drawn`.
fn position(drawn: u128, left: &[usize], validators: &ValidatorSet) -> usize {
    let mut below = 0u128;
    for (at, member) in left.iter().enumerate() {
        below += u128::from(power_at(validators, *member));
        if drawn < below {
            return at;
        }
    }
    // Not reached: `drawn` is below the power of all that are left.
    left.len().saturating_sub(1)
}

fn power_at(validators: &ValidatorSet, member: usize) -> u64 {
    validators.members().get(member).map_or(0, |member| member.power)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MESH: MeshId = MeshId::from_bytes([3; 32]);

    fn set(powers: &[u64]) -> ValidatorSet {
        let node = |n: usize| NodeId::from_bytes([n as u8; 32]);
        ValidatorSet::from_stakes(powers.iter().enumerate().map(|(n, power)| (node(n), *power))).unwrap()
    }

    proptest! {
        #[test]
        fn the_order_contains_every_validator_once(powers in proptest::collection::vec(1u64..1 << 50, 1..64), height: u64) {
            let mut order = order(&MESH, BlockHeight(height), &set(&powers));
            order.sort_unstable();
            prop_assert_eq!(order, (0..powers.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn validators_propose_first_in_proportion_to_their_power() {
        let set = set(&[1, 2, 7]);
        let mut first = [0u32; 3];
        for height in 0..10_000 {
            first[order(&MESH, BlockHeight(height), &set)[0]] += 1;
        }
        for (count, expected) in first.into_iter().zip([1_000, 2_000, 7_000]) {
            assert!(count.abs_diff(expected) < 200, "{first:?}");
        }
    }

    fn nodes(places: &[usize]) -> BTreeSet<NodeId> {
        places.iter().map(|place| NodeId::from_bytes([*place as u8; 32])).collect()
    }

    proptest! {
        #[test]
        fn silent_validators_get_one_round_of_each_pass(
            powers in proptest::collection::vec(1u64..1 << 50, 2..20),
            height: u64,
            picks in proptest::collection::btree_set(0usize..20, 1..19),
        ) {
            let set = set(&powers);
            let silent: Vec<usize> = picks.into_iter().filter(|place| *place < powers.len()).collect();
            prop_assume!(!silent.is_empty() && silent.len() < powers.len());
            let order = ProposerOrder::new(&MESH, BlockHeight(height), (&set, &nodes(&silent)));
            let heard = powers.len() - silent.len();
            let rounds = (heard + 1) * silent.len();
            let all: Vec<usize> = (0..rounds as u32).map(|round| order.at(round)).collect();
            for pass in all.chunks(heard + 1) {
                let (last, others) = pass.split_last().unwrap();
                prop_assert!(silent.contains(last));
                prop_assert!(others.iter().all(|place| !silent.contains(place)));
                prop_assert_eq!(others.iter().collect::<BTreeSet<_>>().len(), heard);
            }
            // No validator is left out for ever.
            prop_assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), powers.len());
        }
    }

    #[test]
    fn those_heard_propose_first_in_proportion_to_their_power_among_them() {
        let set = set(&[1, 2, 7, 90]);
        let mut first = [0u32; 4];
        for height in 0..10_000 {
            first[ProposerOrder::new(&MESH, BlockHeight(height), (&set, &nodes(&[3]))).at(0)] += 1;
        }
        for (count, expected) in first.into_iter().zip([1_000, 2_000, 7_000, 0]) {
            assert!(count.abs_diff(expected) < 200, "{first:?}");
        }
    }

    #[test]
    fn without_a_silent_validator_and_with_silent_ones_only_the_order_is_the_draw() {
        let set = set(&[1, 2, 3, 4, 5]);
        let drawn = super::order(&MESH, BlockHeight(1), &set);
        for silent in [nodes(&[]), nodes(&[0, 1, 2, 3, 4]), nodes(&[9])] {
            let order = ProposerOrder::new(&MESH, BlockHeight(1), (&set, &silent));
            assert_eq!((0..5).map(|round| order.at(round)).collect::<Vec<_>>(), drawn);
        }
    }

    /// Rounds that are lost in 1,000 heights until a live validator proposes, from round `begin` of each on: 24 live
    /// validators have a power of 1,000 each, and 40 dead ones `dead` each.
    fn lost_rounds(silent: &BTreeSet<NodeId>, dead: u64, begin: u32) -> u64 {
        let powers: Vec<u64> = (0..64).map(|place| if place < 24 { 1_000 } else { dead }).collect();
        let set = set(&powers);
        let lost = |height: u64| {
            let order = ProposerOrder::new(&MESH, BlockHeight(height), (&set, silent));
            (begin..).take_while(|round| order.at(*round) >= 24).count() as u64
        };
        (0..1_000).map(lost).sum()
    }

    #[test]
    fn dead_validators_cost_one_round_and_not_one_each() {
        let (known, unknown) = (nodes(&(24..64).collect::<Vec<_>>()), BTreeSet::new());
        // With 32 % of the power, every third height would begin with a lost round or more.
        let before = lost_rounds(&unknown, 280, 0);
        assert!((400..550).contains(&before), "{before} in 1,000 heights");
        assert_eq!(lost_rounds(&known, 280, 0), 0);
        // With next to no power they come after the live ones, as after a partition in which these agreed on nothing:
        // then they cost 40 rounds, each longer than the one before.
        assert!(lost_rounds(&unknown, 1, 24) > 30_000);
        assert_eq!(lost_rounds(&known, 1, 24), 1_000);
    }

    #[test]
    fn the_order_is_frozen() {
        let set = set(&[1, 2, 3, 4, 5]);
        let orders: Vec<_> = (1..=3).map(|height| order(&MESH, BlockHeight(height), &set)).collect();
        assert_eq!(format!("{orders:?}"), FROZEN, "a change here stops every running mesh");
    }

    /// Computed independently from the description above.
    const FROZEN: &str = "[[3, 4, 2, 0, 1], [4, 1, 2, 3, 0], [4, 3, 2, 1, 0]]";
}
