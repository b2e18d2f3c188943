//! What differs between two states, as records of the tree.
//!
//! The maps of a state share their nodes with those of the state it came from, so that a comparison
//! skips whatever is the same object: its cost is that of the differences.

use std::{collections::BTreeMap, sync::Arc};

use imbl::{OrdMap, ordmap::DiffItem, ordset};
use nervure_consensus::checkpoint::ValidatorSet;
use nervure_primitives::{BlockHeight, Netuid, NodeId, Uid};

use super::record::{Chain, Key, Record};
use crate::{
    accounts::UnbondingKey,
    lane::LaneScope,
    nodes::NodeNumber,
    roster::Liveness,
    state::LedgerState,
    subnet::{Neuron, Subnet},
};

/// The records that a block wrote, and the keys whose records it removed (`None`).
pub type Changes = BTreeMap<Key, Option<Record>>;

/// What `after` has and `before` has not, or has otherwise. Without a state before it, all of it.
pub fn changes(before: Option<&LedgerState>, after: &LedgerState) -> Changes {
    let nothing = LedgerState::nothing(after);
    let before = before.unwrap_or(&nothing);
    let mut changes = Changes::new();
    // Always: the height is in it, so every block changes the root.
    put(&mut changes, Record::Chain(after.chain()));
    let account = |owner: &NodeId, account: &_| Record::Account { owner: *owner, account: *account };
    compare(&mut changes, &before.accounts.held, &after.accounts.held, account);
    let unbonding = |key: &UnbondingKey, entry: &_| {
        let UnbondingKey { free, owner, node } = *key;
        Record::Unbonding { free, owner, node, unbonding: *entry }
    };
    compare(&mut changes, &before.accounts.unbonding, &after.accounts.unbonding, unbonding);
    for difference in before.nodes.retired.diff(&after.nodes.retired) {
        // No key ever comes back.
        if let ordset::DiffItem::Add(node) = difference {
            put(&mut changes, Record::Retired { node: *node });
        }
    }
    let vote = |node: &NodeId, vote: &_| Record::Vote { node: *node, vote: Clone::clone(vote) };
    compare(&mut changes, &before.votes, &after.votes, vote);
    let key = |node: &NodeId, key: &_| Record::AnchorKey { node: *node, key: *key };
    compare(&mut changes, &before.anchors.keys, &after.anchors.keys, key);
    if before.anchors.sets != after.anchors.sets {
        // Once there, they are there for ever.
        after.anchors.sets.iter().for_each(|sets| put(&mut changes, Record::of_sets(sets)));
    }
    let standing = |node: &NodeId, standing: &_| Record::Validator { node: *node, standing: *standing };
    compare(&mut changes, &before.roster.standings, &after.roster.standings, standing);
    let liveness = |member: &NodeId, one: &Liveness| Record::Liveness {
        member: *member,
        liveness: Box::new(one.clone()),
    };
    compare(&mut changes, &before.roster.liveness, &after.roster.liveness, liveness);
    let term = |member: &NodeId, term: &_| Record::Term { member: *member, term: *term };
    compare(&mut changes, &before.roster.terms, &after.roster.terms, term);
    let node = |key: &NodeId, node: &_| Record::of_node(*key, node);
    compare(&mut changes, &before.nodes.active, &after.nodes.active, node);
    let stake = |(node, staker): &(NodeNumber, NodeId), shares: &_| Record::Stake {
        node: *node,
        staker: *staker,
        shares: *shares,
    };
    compare(&mut changes, &before.nodes.stakes, &after.nodes.stakes, stake);
    let lane = |(scope, node): &(LaneScope, NodeId), used: &u16| Record::Lane {
        scope: *scope,
        node: *node,
        used: *used,
    };
    compare(&mut changes, &before.lane.used, &after.lane.used, lane);
    subnets(&mut changes, &before.subnets, &after.subnets);
    changes
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
            last_lock: self.last_lock,
            validators: self.validators.as_deref().cloned(),
            last_validators: last.map(|last| ValidatorSet::clone(last)),
        }
    }
}

#[cfg(test)]
mod tests;
