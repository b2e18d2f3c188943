//! The node keys of the mesh: who owns each, who staked to it, what it keeps of what they earn.
//!
//! A node has a number beside its key. Stakes are kept by that number, so that a swap of the key moves no stake. A stake
//! is a number of shares of the node's [`StakePool`]; dividends change the pool and no stake. Every operation here takes
//! the same time whatever the number of stakers.
//!
//! Stake changes only through [`Nodes`], which keeps the order by stake with it: who votes on subnets and who makes
//! blocks is asked in every block, so that they are kept sorted.

mod moved;
mod node;
mod number;
mod pool;
mod retired;

use std::cmp::Reverse;

use imbl::{OrdMap, OrdSet};
use nervure_primitives::{Amount, NodeId};

pub use moved::{MovedKey, MovedStake, MovedStakes};
pub use node::Node;
pub use number::NodeNumber;
pub use pool::StakePool;
pub use retired::RetiredKey;
pub(crate) use retired::{MAX_FORGOTTEN, RetiredKeys};

use crate::{
    economics::emission::{OWNER_SHARE, proportion_of},
    governance::{Ballots, StakeVote, StakeVoteKey},
};

/// The largest take, of 65,535, and that of a new node: 18 %.
pub const MAX_TAKE: u16 = OWNER_SHARE;

/// All nodes, by node key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nodes {
    pub(crate) active: OrdMap<NodeId, Node>,
    /// Keys that were swapped away.
    pub(crate) retired: RetiredKeys,
    /// The nonce that a new node key begins with: at least that of every node key that is none any more, so that no
    /// transaction of it is ever valid again.
    pub(crate) first_nonce: u64,
    /// The shares of each staker in the pool of each node. None is zero.
    pub(crate) stakes: OrdMap<(NodeNumber, NodeId), u128>,
    /// Stakes that were moved lately, and answer for another node, too.
    pub(crate) moved: MovedStakes,
    /// The votes of the stakes, which follow them.
    pub(crate) ballots: Ballots,
    /// The number of the next node.
    pub(crate) next_number: u64,
    /// The block that pools are settled at.
    pub(crate) block: u64,
    /// The key of each number.
    keys: OrdMap<NodeNumber, NodeId>,
    /// The nodes of each owner.
    by_owner: OrdSet<(NodeId, NodeNumber)>,
    /// `stakes` by staker.
    by_staker: OrdSet<(NodeId, NodeNumber)>,
    /// The nodes with stake, the largest first, equal ones by key.
    by_stake: OrdSet<(Reverse<Amount>, NodeId)>,
    /// The sum of all nodes' [`Node::stake`], in base units.
    staked: u64,
}

/// What was taken from the stakes on a node, in base units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SlashedStake {
    /// From all stakers.
    pub(crate) all: u64,
    /// From the node's owner.
    pub(crate) of_owner: u64,
}

impl Nodes {
    /// The node with this key.
    pub fn get(&self, key: &NodeId) -> Option<&Node> {
        self.active.get(key)
    }

    /// The key of the node with this number.
    pub fn key_of(&self, number: NodeNumber) -> Option<NodeId> {
        self.keys.get(&number).copied()
    }

    /// All nodes.
    pub fn iter(&self) -> impl Iterator<Item = (&NodeId, &Node)> {
        self.active.iter()
    }

    /// The nodes with stake, the largest first; of equal ones the lower key is first.
    pub fn by_stake(&self) -> impl Iterator<Item = (NodeId, Amount)> {
        self.by_stake.iter().map(|(Reverse(stake), key)| (*key, *stake))
    }

    /// The stake on all nodes.
    pub fn staked(&self) -> Amount {
        Amount::from_base_units(self.staked)
    }

    /// What `staker` has on the node `key` now, with the dividends that were released up to this block.
    pub fn stake_of(&self, key: &NodeId, staker: &NodeId) -> Amount {
        let worth = |node: &Node| {
            let held = self.stakes.get(&(node.number, *staker)).copied().unwrap_or(0);
            node.pool.at(self.block).worth(held)
        };
        Amount::from_base_units(self.active.get(key).map_or(0, worth))
    }

    /// The stakes of `staker`, by the numbers of the nodes. Costs as much as there are.
    pub fn stakes_of(&self, staker: NodeId) -> impl Iterator<Item = (NodeId, Amount)> {
        let all = (staker, NodeNumber(0))..=(staker, NodeNumber(u64::MAX));
        let of_staker = self.by_staker.range(all).filter_map(|(_, number)| self.key_of(*number));
        of_staker.map(move |key| (key, self.stake_of(&key, &staker)))
    }

    /// What `staker` moved lately, before slashes, by the block from which on it can be moved or unstaked again. Costs as
    /// much as there are of all stakers.
    pub fn moved_by(&self, staker: NodeId) -> impl Iterator<Item = (MovedKey, MovedStake)> {
        self.moved.of(staker)
    }

    /// Who staked to the node `key`, by key of the staker.
    pub fn stakers(&self, key: &NodeId) -> impl Iterator<Item = NodeId> {
        let number = self.active.get(key).map(|node| node.number);
        let all = number.map(|number| {
            let (least, most) = (NodeId::from_bytes([0; 32]), NodeId::from_bytes([0xff; 32]));
            self.stakes.range((number, least)..=(number, most))
        });
        all.into_iter().flatten().map(|((_, staker), _)| *staker)
    }

    /// The nodes of `owner`, in the order of their registrations.
    pub fn of_owner(&self, owner: NodeId) -> impl Iterator<Item = (NodeId, &Node)> {
        let all = (owner, NodeNumber(0))..=(owner, NodeNumber(u64::MAX));
        let keys = self.by_owner.range(all).filter_map(|(_, number)| self.key_of(*number));
        keys.filter_map(|key| Some((key, self.active.get(&key)?)))
    }

    /// Why this key cannot be registered now, if it was swapped away.
    pub fn retired(&self, key: &NodeId) -> Option<&RetiredKey> {
        self.retired.get(key)
    }

    /// The keys that nodes of `owner` had before.
    pub fn retired_of(&self, owner: NodeId) -> impl Iterator<Item = (NodeId, RetiredKey)> {
        self.retired.of_owner(owner)
    }

    /// Whether this key is a node, or was one and is not free yet.
    pub fn is_known(&self, key: &NodeId) -> bool {
        self.active.contains_key(key) || self.retired.get(key).is_some()
    }

    /// Sets what a node keeps of its stakers' dividends; `raised` says when it kept more than before.
    pub(crate) fn set_take(&mut self, key: &NodeId, take: u16, raised: u64) {
        if let Some(node) = self.active.get_mut(key) {
            (node.take, node.take_raised) = (take, raised);
        }
    }

    /// Gives a node to another owner. Its stakes stay with their stakers.
    pub(crate) fn set_owner(&mut self, key: &NodeId, owner: NodeId) {
        if let Some(node) = self.active.get_mut(key) {
            self.by_owner.remove(&(node.owner, node.number));
            self.by_owner.insert((owner, node.number));
            node.owner = owner;
        }
    }

    /// Counts a transaction signed by the node key.
    pub(crate) fn advance_nonce(&mut self, key: &NodeId) {
        if let Some(node) = self.active.get_mut(key) {
            node.nonce = node.nonce.saturating_add(1);
        }
    }

    /// Makes `key` a node of `owner`, with the next number.
    pub(crate) fn register(&mut self, key: NodeId, owner: NodeId) {
        let number = NodeNumber(self.next_number);
        self.next_number = self.next_number.saturating_add(1);
        self.insert(key, Node::new(number, owner, self.block, self.first_nonce));
    }

    /// Notes what was deposited for a node.
    pub(crate) fn set_deposit(&mut self, key: &NodeId, deposit: Amount) {
        if let Some(node) = self.active.get_mut(key) {
            node.deposit = deposit;
        }
    }

    /// Removes a node without stake.
    pub(crate) fn remove(&mut self, key: &NodeId) -> Option<Node> {
        let node = self.active.remove(key)?;
        self.rank(*key, node.stake(), Amount::ZERO);
        self.keys.remove(&node.number);
        self.by_owner.remove(&(node.owner, node.number));
        self.first_nonce = self.first_nonce.max(node.nonce);
        Some(node)
    }

    /// Puts a node in that has its number already.
    pub(crate) fn insert(&mut self, key: NodeId, node: Node) {
        self.rank(key, Amount::ZERO, node.stake());
        self.keys.insert(node.number, key);
        self.by_owner.insert((node.owner, node.number));
        self.active.insert(key, node);
    }

    /// Adds to a stake. `false`, and nothing happens, when there is no such node or its pool takes nothing any more:
    /// see [`StakePool::deposit`].
    #[must_use]
    pub(crate) fn add_stake(&mut self, key: NodeId, staker: NodeId, amount: u64) -> bool {
        let deposit = |node: &mut Node| node.pool.deposit(amount).map(|minted| (node.number, minted));
        let Some((number, minted)) = self.change(key, deposit).flatten() else { return false };
        let held = self.stakes.get(&(number, staker)).copied().unwrap_or(0);
        self.set_shares(number, staker, held.saturating_add(minted));
        true
    }

    /// Takes from a stake, at most what it is worth.
    pub(crate) fn take_stake(&mut self, key: NodeId, staker: NodeId, amount: u64) {
        let Some(number) = self.active.get(&key).map(|node| node.number) else { return };
        let held = self.stakes.get(&(number, staker)).copied().unwrap_or(0);
        if let Some(left) = self.change(key, |node| node.pool.withdraw(held, amount)) {
            self.set_shares(number, staker, left);
        }
    }

    /// Pays a node's dividends: the owner's take at once, as stake of the owner, and the rest to the stakers over the
    /// next `blocks`, as many as they were earned in. Returns what was paid: all of it, or nothing without any stake.
    pub(crate) fn pay_dividends(&mut self, key: NodeId, dividends: u64, blocks: u64) -> u64 {
        let Some(node) = self.active.get(&key) else { return 0 };
        if dividends == 0 || node.pool.shares == 0 {
            return 0;
        }
        let (owner, taken) = (node.owner, proportion_of(dividends, node.take));
        // Before the release: the owner's shares cost what they were worth without these dividends.
        let taken = if taken > 0 && self.add_stake(key, owner, taken) { taken } else { 0 };
        self.change(key, |node| node.pool.release_over(dividends - taken, blocks));
        dividends
    }

    /// Slashes `permille` thousandths of all that is staked on the node `key`: its pool changes and no stake, so that it
    /// costs the same whatever the number of stakers.
    pub(crate) fn slash(&mut self, key: NodeId, permille: u64) -> SlashedStake {
        let Some(owner) = self.active.get(&key).map(|node| node.owner) else {
            return SlashedStake::default();
        };
        let before = self.stake_of(&key, &owner).base_units();
        let all = self.change(key, |node| node.pool.slash(permille)).unwrap_or(0);
        let of_owner = before.saturating_sub(self.stake_of(&key, &owner).base_units());
        SlashedStake { all, of_owner }
    }

    /// Gives the node `old` the key `new`, and retires `old`. No stake changes.
    pub(crate) fn swap(&mut self, old: NodeId, new: NodeId, retired: RetiredKey) {
        if let Some(node) = self.remove(&old) {
            let _ = self.retired.insert(old, retired);
            // `new` may have been a node before: it begins behind all nonces that were used.
            self.insert(new, Node { nonce: self.first_nonce, ..node });
        }
    }

    /// Takes the vote of the stake that `key` names, in place of its former one.
    pub(crate) fn cast(&mut self, key: StakeVoteKey, vote: StakeVote) {
        let held = self.stakes.get(&(key.node, key.staker)).copied().unwrap_or(0);
        self.ballots.cast(key, vote, held);
    }

    /// The votes of the stakes on open proposals.
    pub fn ballots(&self) -> &Ballots {
        &self.ballots
    }

    /// All stakes, dividends that are not released yet, and deposits, in base units. Costs as much as there are nodes.
    pub fn total_held(&self) -> u128 {
        let of_node = |node: &Node| node.pool.held() + u128::from(node.deposit.base_units());
        let retired = self.retired.keys().values().map(|key| u128::from(key.deposit.base_units()));
        self.active.values().map(of_node).chain(retired).sum()
    }

    /// Sets the shares of a staker; none are no entry.
    pub(crate) fn set_shares(&mut self, number: NodeNumber, staker: NodeId, shares: u128) {
        let before = self.stakes.get(&(number, staker)).copied().unwrap_or(0);
        self.ballots.follow((number, staker), before, shares);
        if shares == 0 {
            self.stakes.remove(&(number, staker));
            self.by_staker.remove(&(staker, number));
        } else {
            self.stakes.insert((number, staker), shares);
            self.by_staker.insert((staker, number));
        }
    }

    /// The only way to change a pool: it is settled first, and the order by stake follows.
    fn change<T>(&mut self, key: NodeId, change: impl FnOnce(&mut Node) -> T) -> Option<T> {
        let block = self.block;
        let node = self.active.get_mut(&key)?;
        let before = node.stake();
        node.pool = node.pool.at(block);
        let result = change(node);
        let after = node.stake();
        self.rank(key, before, after);
        Some(result)
    }

    fn rank(&mut self, key: NodeId, before: Amount, after: Amount) {
        if before != after {
            self.staked = self.staked.saturating_sub(before.base_units()).saturating_add(after.base_units());
            // The stake is part of the key of the order, so the old entry goes by its old stake.
            self.by_stake.remove(&(Reverse(before), key));
            if !after.is_zero() {
                self.by_stake.insert((Reverse(after), key));
            }
        }
    }
}

#[cfg(test)]
mod tests;
