//! The node keys of the mesh: who owns each, who staked to it, what it keeps of what they earn.
//!
//! Stake changes only through [`Nodes`], which keeps every node's total and the order by stake with it:
//! who votes on subnets and who makes blocks is asked in every block, so that they are kept sorted.

use std::cmp::Reverse;

use imbl::{OrdMap, OrdSet};
use nervure_primitives::{Amount, NodeId};

use crate::{
    accounts::add,
    economics::emission::{OWNER_SHARE, pro_rata, proportion_of},
};

/// The largest take, of 65,535, and that of a new node: 18 %.
pub const MAX_TAKE: u16 = OWNER_SHARE;

/// A node key that an owner key answers for.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    pub(crate) stakes: OrdMap<NodeId, Amount>,
    /// The sum of `stakes`.
    stake: Amount,
}

impl Node {
    /// A node of `owner` without stake.
    pub(crate) fn new(owner: NodeId, block: u64) -> Self {
        Self {
            owner,
            take: MAX_TAKE,
            take_raised: block,
            nonce: 0,
            stakes: OrdMap::new(),
            stake: Amount::ZERO,
        }
    }

    /// What `staker` has on it.
    pub fn stake_of(&self, staker: &NodeId) -> Amount {
        self.stakes.get(staker).copied().unwrap_or_default()
    }

    /// All that stands behind it.
    pub fn stake(&self) -> Amount {
        self.stake
    }

    /// Who staked how much.
    pub fn stakes(&self) -> impl Iterator<Item = (&NodeId, &Amount)> {
        self.stakes.iter()
    }

    fn add(&mut self, staker: NodeId, amount: u64) {
        if amount > 0 {
            add(self.stakes.entry(staker).or_default(), amount);
            add(&mut self.stake, amount);
        }
    }

    fn set(&mut self, staker: NodeId, amount: Amount) {
        let before = self.stake_of(&staker).base_units();
        let others = self.stake.base_units().saturating_sub(before);
        self.stake = Amount::from_base_units(others.saturating_add(amount.base_units()));
        if amount.is_zero() {
            self.stakes.remove(&staker);
        } else {
            self.stakes.insert(staker, amount);
        }
    }

    /// Adds dividends to the stakes they were earned by: the take to the owner, the rest pro rata.
    /// Returns what was paid, which rounding or the absence of any stake keeps below `dividends`.
    fn pay(&mut self, dividends: u64) -> u64 {
        // Before anything is added: shares follow the stakes that earned the dividends.
        let whole = self.stake.base_units();
        if whole == 0 {
            return 0;
        }
        let taken = proportion_of(dividends, self.take);
        let rest = dividends - taken;
        let shares: Vec<(NodeId, u64)> = self
            .stakes
            .iter()
            .map(|(staker, stake)| (*staker, pro_rata(rest, stake.base_units(), whole)))
            .collect();
        let mut paid = taken;
        for (staker, share) in shares {
            self.add(staker, share);
            paid = paid.saturating_add(share);
        }
        self.add(self.owner, taken);
        paid
    }
}

/// All nodes, by node key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nodes {
    pub(crate) active: OrdMap<NodeId, Node>,
    /// Keys that were swapped away: they never come back, so that no nonce of theirs comes twice.
    pub(crate) retired: OrdSet<NodeId>,
    /// The nodes with stake, the largest first, equal ones by key.
    by_stake: OrdSet<(Reverse<Amount>, NodeId)>,
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

    /// The nodes with stake, the largest first; of equal ones the lower key is first.
    pub fn by_stake(&self) -> impl Iterator<Item = (NodeId, Amount)> {
        self.by_stake.iter().map(|(Reverse(stake), key)| (*key, *stake))
    }

    /// Whether this key is or ever was a node.
    pub fn is_known(&self, key: &NodeId) -> bool {
        self.active.contains_key(key) || self.retired.contains(key)
    }

    /// Sets what a node keeps of its stakers' dividends; `raised` says when it kept more than before.
    pub(crate) fn set_take(&mut self, key: &NodeId, take: u16, raised: u64) {
        if let Some(node) = self.active.get_mut(key) {
            (node.take, node.take_raised) = (take, raised);
        }
    }

    /// Counts a transaction signed by the node key.
    pub(crate) fn advance_nonce(&mut self, key: &NodeId) {
        if let Some(node) = self.active.get_mut(key) {
            node.nonce = node.nonce.saturating_add(1);
        }
    }

    pub(crate) fn insert(&mut self, key: NodeId, node: Node) {
        self.rank(key, Amount::ZERO, node.stake);
        self.active.insert(key, node);
    }

    /// Adds to a stake.
    pub(crate) fn add_stake(&mut self, key: NodeId, staker: NodeId, amount: u64) {
        self.change(key, |node| node.add(staker, amount));
    }

    /// Sets a stake that was checked to be there.
    pub(crate) fn set_stake(&mut self, key: NodeId, staker: NodeId, amount: Amount) {
        self.change(key, |node| node.set(staker, amount));
    }

    /// Pays a node's dividends to its stakers. Returns what was paid: rounding keeps it below
    /// `dividends`, and without any stake it is nothing.
    pub(crate) fn pay_dividends(&mut self, key: NodeId, dividends: u64) -> u64 {
        if dividends == 0 {
            return 0;
        }
        self.change(key, |node| node.pay(dividends)).unwrap_or(0)
    }

    /// Moves everything of `old` to `new`; the nonce of `new` begins at 0.
    pub(crate) fn swap(&mut self, old: NodeId, new: NodeId) {
        if let Some(node) = self.active.remove(&old) {
            self.rank(old, node.stake, Amount::ZERO);
            self.retired.insert(old);
            // Zero is safe: `new` was never a node, so no signed transaction of it is old.
            self.insert(new, Node { nonce: 0, ..node });
        }
    }

    /// All stakes in base units.
    pub(crate) fn total(&self) -> u128 {
        self.active.values().map(|node| u128::from(node.stake.base_units())).sum()
    }

    /// The only way to change stakes: the order by stake follows.
    fn change<T>(&mut self, key: NodeId, change: impl FnOnce(&mut Node) -> T) -> Option<T> {
        let node = self.active.get_mut(&key)?;
        let before = node.stake;
        let result = change(node);
        let after = node.stake;
        self.rank(key, before, after);
        Some(result)
    }

    fn rank(&mut self, key: NodeId, before: Amount, after: Amount) {
        if before != after {
            // The stake is part of the key of the order, so the old entry goes by its old stake.
            self.by_stake.remove(&(Reverse(before), key));
            if !after.is_zero() {
                self.by_stake.insert((Reverse(after), key));
            }
        }
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
        node.add(a, 300);
        node.add(b, 100);
        assert_eq!(node.pay(1_000), 1_000);
        let stakes = [owner, a, b].map(|who| node.stake_of(&who).base_units());
        assert_eq!(stakes, [200, 300 + 600, 100 + 200]);
        assert_eq!(Node::new(owner, 0).pay(1_000), 0, "no staker to pay");
    }

    proptest! {
        #[test]
        fn dividends_grow_the_stakes_by_what_was_paid(dividends in 0u64..1 << 50, take: u16, stakes in proptest::collection::vec(0u64..1 << 50, 0..6)) {
            let mut node = Node::new(NodeId::from_bytes([9; 32]), 0);
            node.take = take;
            for (who, stake) in stakes.iter().enumerate() {
                node.add(NodeId::from_bytes([who as u8; 32]), *stake);
            }
            let before = node.stake().base_units();
            let paid = node.pay(dividends);
            prop_assert!(paid <= dividends);
            prop_assert_eq!(node.stake().base_units(), before + paid);
        }

        #[test]
        fn totals_and_order_follow_every_change(changes in proptest::collection::vec((0u8..4, 0u8..3, 0u64..50, any::<bool>()), 0..40)) {
            let key = |byte: u8| NodeId::from_bytes([byte; 32]);
            let mut nodes = Nodes::default();
            (0..4).for_each(|index| nodes.insert(key(index), Node::new(key(9), 0)));
            for (node, staker, amount, adds) in changes {
                match adds {
                    true => nodes.add_stake(key(node), key(staker), amount),
                    false => nodes.set_stake(key(node), key(staker), Amount::from_base_units(amount)),
                }
            }
            nodes.swap(key(0), key(7));
            let sum = |node: &Node| node.stakes().map(|(_, stake)| stake.base_units()).sum::<u64>();
            prop_assert!(nodes.iter().all(|(_, node)| node.stake().base_units() == sum(node)));
            let mut expected: Vec<_> = nodes.iter().map(|(key, node)| (*key, node.stake())).filter(|(_, stake)| !stake.is_zero()).collect();
            expected.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
            prop_assert_eq!(nodes.by_stake().collect::<Vec<_>>(), expected);
        }
    }
}
