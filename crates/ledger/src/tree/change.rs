//! What differs between two states, as records of the tree.
//!
//! The maps of a state share their nodes with those of the state it came from, so that a comparison
//! skips whatever is the same object: its cost is that of the differences.

use std::{collections::BTreeMap, sync::Arc};

use imbl::{OrdMap, ordmap::DiffItem};
use nervure_consensus::checkpoint::ValidatorSet;
use nervure_primitives::{BlockHeight, Hash, Netuid, NodeId, Uid};

use super::record::{Chain, Key, Record};
use crate::{
    accounts::UnbondingKey,
    governance::{Proposal, ProposalId, StakeVoteKey},
    lane::LaneScope,
    nodes::{MovedKey, MovedStake, NodeNumber},
    proxies::{Announcement, Proxy},
    roster::Liveness,
    state::LedgerState,
    subnet::{Neuron, Subnet},
    vesting::VestingKey,
};

/// The records that a block wrote, and the keys whose records it removed (`None`).
pub type Changes = BTreeMap<Key, Option<Record>>;

/// What `after` has and `before` has not, or has otherwise. Without a state before it, all of it.
pub fn changes(before: Option<&LedgerState>, after: &LedgerState) -> Changes {
    let is_first = before.is_none();
    let nothing = LedgerState::nothing(after);
    let before = before.unwrap_or(&nothing);
    let mut changes = Changes::new();
    // Always: the height is in it, so every block changes the root.
    put(&mut changes, Record::Chain(after.chain()));
    if is_first || before.rules_differ(after) {
        put(&mut changes, after.rules_record());
    }
    accounts(&mut changes, before, after);
    nodes(&mut changes, before, after);
    validators(&mut changes, before, after);
    anchors(&mut changes, before, after);
    governance(&mut changes, before, after);
    others_keys(&mut changes, before, after);
    let vote = |node: &NodeId, vote: &_| Record::Vote { node: *node, vote: Clone::clone(vote) };
    compare(&mut changes, &before.votes, &after.votes, vote);
    let resting = |netuid: &Netuid, number: &_| Record::RestingNumber { netuid: *netuid, number: *number };
    compare(&mut changes, &before.resting, &after.resting, resting);
    subnets(&mut changes, &before.subnets, &after.subnets);
    changes
}

/// Balances, and what is unbonding.
fn accounts(changes: &mut Changes, before: &LedgerState, after: &LedgerState) {
    let account = |owner: &NodeId, account: &_| Record::Account { owner: *owner, account: *account };
    compare(changes, &before.accounts.held, &after.accounts.held, account);
    let unbonding = |key: &UnbondingKey, entry: &_| {
        let UnbondingKey { free, owner, node } = *key;
        Record::Unbonding { free, owner, node, unbonding: *entry }
    };
    compare(changes, before.accounts.all_unbonding(), after.accounts.all_unbonding(), unbonding);
}

/// Nodes, their former keys, and their stakes.
fn nodes(changes: &mut Changes, before: &LedgerState, after: &LedgerState) {
    let node = |key: &NodeId, node: &_| Record::of_node(*key, node);
    compare(changes, &before.nodes.active, &after.nodes.active, node);
    let stake = |(node, staker): &(NodeNumber, NodeId), shares: &_| Record::Stake {
        node: *node,
        staker: *staker,
        shares: *shares,
    };
    compare(changes, &before.nodes.stakes, &after.nodes.stakes, stake);
    let moved = |key: &MovedKey, entry: &MovedStake| {
        let MovedKey { free, staker, from, to } = *key;
        Record::Moved { free, staker, from, to, moved: *entry }
    };
    compare(changes, &before.nodes.moved.entries, &after.nodes.moved.entries, moved);
    let retired = |node: &NodeId, key: &_| Record::Retired { node: *node, key: *key };
    compare(changes, before.nodes.retired.keys(), after.nodes.retired.keys(), retired);
}

/// Who makes blocks, what validators missed, and their free transactions.
fn validators(changes: &mut Changes, before: &LedgerState, after: &LedgerState) {
    let standing = |node: &NodeId, standing: &_| Record::Validator { node: *node, standing: *standing };
    compare(changes, &before.roster.standings, &after.roster.standings, standing);
    let liveness = |member: &NodeId, one: &Liveness| Record::Liveness {
        member: *member,
        liveness: Box::new(one.clone()),
    };
    compare(changes, &before.roster.liveness, &after.roster.liveness, liveness);
    let term = |member: &NodeId, term: &_| Record::Term { member: *member, term: *term };
    compare(changes, &before.roster.terms, &after.roster.terms, term);
    let lane = |(scope, node): &(LaneScope, NodeId), used: &u16| Record::Lane {
        scope: *scope,
        node: *node,
        used: *used,
    };
    compare(changes, &before.lane.used, &after.lane.used, lane);
}

/// Anchor keys, and who signs checkpoints.
fn anchors(changes: &mut Changes, before: &LedgerState, after: &LedgerState) {
    let key = |node: &NodeId, key: &_| Record::AnchorKey { node: *node, key: *key };
    compare(changes, &before.anchors.keys, &after.anchors.keys, key);
    if before.anchors.sets != after.anchors.sets {
        // Once there, they are there for ever.
        after.anchors.sets.iter().for_each(|sets| put(changes, Record::of_sets(sets)));
    }
}

/// Proposals and votes.
fn governance(changes: &mut Changes, before: &LedgerState, after: &LedgerState) {
    let proposal =
        |id: &ProposalId, one: &Proposal| Record::Proposal { id: *id, proposal: Box::new(one.clone()) };
    compare(changes, &before.governance.proposals, &after.governance.proposals, proposal);
    let (before, after) = (&before.nodes.ballots, &after.nodes.ballots);
    let ballots =
        |node: &NodeNumber, ballots: &_| Record::Ballots { node: *node, ballots: Clone::clone(ballots) };
    compare(changes, &before.boxes, &after.boxes, ballots);
    let vote = |key: &StakeVoteKey, vote: &_| {
        let StakeVoteKey { proposal, node, staker } = *key;
        Record::StakeVote { proposal, node, staker, vote: *vote }
    };
    compare(changes, &before.votes, &after.votes, vote);
}

/// Proxies, what they announced, and vested amounts.
fn others_keys(changes: &mut Changes, before: &LedgerState, after: &LedgerState) {
    let proxy = |(owner, proxy): &(NodeId, NodeId), granted: &Proxy| Record::Proxy {
        owner: *owner,
        proxy: *proxy,
        granted: granted.clone(),
    };
    compare(changes, &before.proxies.active, &after.proxies.active, proxy);
    let announcement = |(owner, id): &(NodeId, Hash), one: &Announcement| Record::Announcement {
        owner: *owner,
        id: *id,
        announcement: one.clone(),
    };
    compare(changes, &before.proxies.announced, &after.proxies.announced, announcement);
    let vesting = |key: &VestingKey, vesting: &_| {
        let VestingKey { to, from, number } = *key;
        Record::Vesting { to, from, number, vesting: *vesting }
    };
    compare(changes, &before.accounts.vesting, &after.accounts.vesting, vesting);
}

fn put(changes: &mut Changes, record: Record) {
    changes.insert(record.key(), Some(record));
}

/// Two maps whose entries are records.
fn compare<K: Ord + Clone, V: PartialEq + Clone>(
    changes: &mut Changes,
    before: &OrdMap<K, V>,
    after: &OrdMap<K, V>,
    record: impl Fn(&K, &V) -> Record,
) {
    for difference in before.diff(after) {
        match difference {
            DiffItem::Add(key, value) | DiffItem::Update { new: (key, value), .. } => {
                put(changes, record(key, value));
            }
            // The removed value is only read for its key.
            DiffItem::Remove(key, value) => drop(changes.insert(record(key, value).key(), None)),
        }
    }
}

fn subnets(changes: &mut Changes, before: &OrdMap<Netuid, Subnet>, after: &OrdMap<Netuid, Subnet>) {
    for difference in before.diff(after) {
        let (netuid, old, new): (_, &[_], _) = match difference {
            DiffItem::Add(netuid, new) => (*netuid, &[], Some(new)),
            DiffItem::Update { old: (netuid, old), new: (_, new) } => (*netuid, &old.neurons, Some(new)),
            DiffItem::Remove(netuid, old) => (*netuid, &old.neurons, None),
        };
        let record = new.map(|subnet| Record::Subnet {
            netuid,
            // Neurons are records of their own: a change of one weight must not write the whole subnet.
            subnet: Box::new(Subnet { neurons: Vec::new(), ..subnet.clone() }),
        });
        changes.insert(Key::Subnet(netuid), record);
        neurons(changes, netuid, old, new.map_or(&[], |subnet| &subnet.neurons));
    }
}

fn neurons(changes: &mut Changes, netuid: Netuid, before: &[Arc<Neuron>], after: &[Arc<Neuron>]) {
    for uid in 0..before.len().max(after.len()) {
        let (old, new) = (before.get(uid), after.get(uid));
        // `Arc` compares the pointers first, so an unchanged neuron costs no comparison of its weights.
        if old != new {
            let uid = Uid(uid as u16);
            let neuron = |neuron: &Arc<Neuron>| Box::new(Neuron::clone(neuron));
            let record = new.map(|new| Record::Neuron { netuid, uid, neuron: neuron(new) });
            changes.insert(Key::Neuron(netuid, uid), record);
        }
    }
}

impl LedgerState {
    /// What the ledger has one of.
    fn chain(&self) -> Chain {
        // Two sets that are the same are nearly always the same object.
        let last = self.last_validators.as_ref().filter(|last| self.validators.as_ref() != Some(*last));
        Chain {
            height: BlockHeight(self.height),
            issuance: self.issuance,
            carry: self.carry,
            base_fee: self.base_fee,
            next_netuid: self.next_netuid,
            next_node: NodeNumber(self.nodes.next_number),
            account_nonce: self.accounts.first_nonce,
            node_nonce: self.nodes.first_nonce,
            last_lock: self.last_lock,
            validators: self.validators.as_deref().cloned(),
            last_validators: last.map(|last| ValidatorSet::clone(last)),
            next_proposal: self.governance.next,
            treasury: self.governance.treasury,
        }
    }

    /// Whether another state of the mesh has other parameters.
    fn rules_differ(&self, other: &Self) -> bool {
        // The same parameters are nearly always the same object, which `Arc` compares first.
        self.params != other.params
            || self.consensus != other.consensus
            || self.upgrades.voted() != other.upgrades.voted()
    }

    fn rules_record(&self) -> Record {
        Record::Params { rules: Box::new(self.rulebook()), upgrades: self.upgrades.voted().to_vec() }
    }
}

#[cfg(test)]
mod tests;
