//! The node keys of the mesh: who owns each, who staked to it, what it keeps of what they earn.

use std::collections::{BTreeMap, BTreeSet};

use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

use crate::{
    accounts::add,
    economics::emission::{OWNER_SHARE, pro_rata, proportion_of},
};

/// The largest take, of 65,535, and that of a new node: 18 %.
pub const MAX_TAKE: u16 = OWNER_SHARE;

/// A node key that an owner key answers for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Who gets what it earns and may swap its key.
    pub owner: NodeId,
    /// What the owner keeps of the stakers' dividends, of 65,535.
    pub take: u16,
    /// The block at which the take was last raised.
    pub take_raised: u64,
    /// The nonce that the next transaction signed by the node key has to carry.
    pub nonce: u64,
    /// Who staked how much.
    stakes: BTreeMap<NodeId, Amount>,
}

impl Node {
    /// A node of `owner` without stake.
    pub(crate) fn new(owner: NodeId, block: u64) -> Self {
        Self { owner, take: MAX_TAKE, take_raised: block, nonce: 0, stakes: BTreeMap::new() }
    }

    /// What `staker` has on it.
    pub fn stake_of(&self, staker: &NodeId) -> Amount {
        self.stakes.get(staker).copied().unwrap_or_default()
    }

    /// All that stands behind it.
    pub fn stake(&self) -> Amount {
        let units = self.stakes.values().fold(0u64, |sum, stake| sum.saturating_add(stake.base_units()));
        Amount::from_base_units(units)
    }

    /// Who staked how much.
    pub fn stakes(&self) -> impl Iterator<Item = (&NodeId, &Amount)> {
        self.stakes.iter()
    }

    /// Adds to a stake.
    pub(crate) fn add_stake(&mut self, staker: NodeId, amount: u64) {
        if amount > 0 {
            add(self.stakes.entry(staker).or_default(), amount);
        }
    }

    /// Sets a stake that was checked to be there.
    pub(crate) fn set_stake(&mut self, staker: NodeId, amount: Amount) {
        if amount.is_zero() {
            self.stakes.remove(&staker);
        } else {
            self.stakes.insert(staker, amount);
        }
    }

    /// Adds dividends to the stakes they were earned by: the take to the owner, the rest pro rata.
    /// Returns what was paid, which rounding or the absence of any stake keeps below `dividends`.
    pub(crate) fn pay_dividends(&mut self, dividends: u64) -> u64 {
        let whole = self.stake().base_units();
        if whole == 0 {
            return 0;
        }
        let mut paid = proportion_of(dividends, self.take);
        let rest = dividends - paid;
        for stake in self.stakes.values_mut() {
            let share = pro_rata(rest, stake.base_units(), whole);
            add(stake, share);
            paid = paid.saturating_add(share);
        }
        self.add_stake(self.owner, proportion_of(dividends, self.take));
        paid
    }
}

/// All nodes, by node key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nodes {
    active: BTreeMap<NodeId, Node>,
    /// Keys that were swapped away: they never come back, so that no nonce of theirs comes twice.
    retired: BTreeSet<NodeId>,
}

impl Nodes {
    /// The node with this key.
    pub fn get(&self, key: &NodeId) -> Option<&Node> {
        self.active.get(key)
    }

    /// All nodes.
    pub fn iter(&self) -> impl Iterator<Item = (&NodeId, &Node)> {
        self.active.iter()
    }

    /// Whether this key is or ever was a node.
    pub fn is_known(&self, key: &NodeId) -> bool {
        self.active.contains_key(key) || self.retired.contains(key)
    }

    pub(crate) fn get_mut(&mut self, key: &NodeId) -> Option<&mut Node> {
        self.active.get_mut(key)
    }

    pub(crate) fn insert(&mut self, key: NodeId, node: Node) {
        self.active.insert(key, node);
    }

    /// Moves everything of `old` to `new`; the nonce of `new` begins at 0.
    pub(crate) fn swap(&mut self, old: NodeId, new: NodeId) {
        if let Some(node) = self.active.remove(&old) {
            self.retired.insert(old);
            self.active.insert(new, Node { nonce: 0, ..node });
        }
    }

    /// All stakes in base units.
    pub(crate) fn total(&self) -> u128 {
        self.active.values().map(|node| u128::from(node.stake().base_units())).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_owner_keeps_its_take_and_stakers_share_the_rest() {
        let [owner, a, b] = [1, 2, 3].map(|byte| NodeId::from_bytes([byte; 32]));
        let mut node = Node::new(owner, 0);
        node.take = u16::MAX / 5;
        node.add_stake(a, 300);
        node.add_stake(b, 100);
        assert_eq!(node.pay_dividends(1_000), 1_000);
        let stakes = [owner, a, b].map(|who| node.stake_of(&who).base_units());
        assert_eq!(stakes, [200, 300 + 600, 100 + 200]);
        assert_eq!(Node::new(owner, 0).pay_dividends(1_000), 0, "nobody to pay");
    }

    proptest! {
        #[test]
        fn dividends_grow_the_stakes_by_what_was_paid(dividends in 0u64..1 << 50, take: u16, stakes in proptest::collection::vec(0u64..1 << 50, 0..6)) {
            let mut node = Node::new(NodeId::from_bytes([9; 32]), 0);
            node.take = take;
            for (who, stake) in stakes.iter().enumerate() {
                node.add_stake(NodeId::from_bytes([who as u8; 32]), *stake);
            }
            let before = node.stake().base_units();
            let paid = node.pay_dividends(dividends);
            prop_assert!(paid <= dividends);
            prop_assert_eq!(node.stake().base_units(), before + paid);
        }
    }
}
