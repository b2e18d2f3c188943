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
//! Hazard: the order is known in advance, so a proposer can be attacked in its turn. That costs
//! rounds, never safety.

use nervure_primitives::{BlockHeight, Hash, MeshId};

use crate::checkpoint::ValidatorSet;

/// The order of proposers at `height`, as positions in the set.
pub(super) fn order(mesh: &MeshId, height: BlockHeight, validators: &ValidatorSet) -> Vec<usize> {
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
    use nervure_primitives::NodeId;
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

    #[test]
    fn the_order_is_frozen() {
        let set = set(&[1, 2, 3, 4, 5]);
        let orders: Vec<_> = (1..=3).map(|height| order(&MESH, BlockHeight(height), &set)).collect();
        assert_eq!(format!("{orders:?}"), FROZEN, "a change here stops every running mesh");
    }

    /// Computed independently from the description above.
    const FROZEN: &str = "[[3, 4, 2, 0, 1], [4, 1, 2, 3, 0], [4, 3, 2, 1, 0]]";
}
