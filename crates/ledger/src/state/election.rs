//! Who makes blocks: the joined validators with the largest stakes.
//!
//! Between two elections the set and its powers stay as they are, whatever happens to stakes, so that a
//! light client has few changes to follow. A validator is a node that joined: its owner says with a transaction that it
//! runs as one, and has the minimum self-stake on it. Stake that others put on a node gives it no power without that,
//! because power that does not vote counts against the two thirds that every block needs.
//!
//! An election also jails. Who missed more than half of the liveness window is left out, but never a third of the power
//! or more in one election: a light client that trusts the set before finds two thirds of it in the set after, and
//! validators that are cut off together cannot be voted out by the rest within one interval. The worst come first;
//! the rest waits for the next election.

use std::{cmp::Reverse, collections::BTreeSet, sync::Arc};

use nervure_consensus::checkpoint::{MAX_VALIDATORS, ValidatorSet};
use nervure_primitives::{Amount, BlockHeight, Hash, NodeId};

use super::LedgerState;
use crate::{
    event::Event,
    nodes::Node,
    roster::{Liveness, Standing},
};

/// A member of the validator set that missed too many heights.
struct Absentee {
    node: NodeId,
    missed: u64,
    power: u64,
}

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

    /// The members of the validator set, by their keys in it, that missed the last
    /// [`SILENT_HEIGHTS`](crate::roster::SILENT_HEIGHTS) heights, equivocated, or whose node has another key by now: they
    /// propose last. A key is often replaced because it leaked, and a thief should make no blocks until the next election.
    pub fn silent_validators(&self) -> BTreeSet<NodeId> {
        let last = |(member, found): &(&NodeId, &Liveness)| {
            found.is_silent() || found.node != **member || self.roster.tombstone(&found.node).is_some()
        };
        self.roster.liveness().filter(last).map(|(member, _)| *member).collect()
    }

    /// The height of the next election that a transaction in the next block counts for.
    pub fn next_election(&self) -> BlockHeight {
        self.election_from(self.height.saturating_add(1))
    }

    /// The height of the first election at `height` or later.
    pub(crate) fn election_from(&self, height: u64) -> BlockHeight {
        let interval = self.params.election_interval.max(1);
        BlockHeight(height.div_ceil(interval).saturating_mul(interval))
    }

    /// What the owner of `node` has on it; nothing for a key that is no node.
    pub fn self_stake(&self, node: &NodeId) -> Amount {
        self.nodes.get(node).map_or(Amount::ZERO, |found| self.nodes.stake_of(node, &found.owner))
    }

    /// Those who were elected sign the checkpoint of the next election, as far as they have anchor keys.
    pub(crate) fn hand_over(&mut self) {
        if let Some(elected) = self.validators.clone() {
            self.anchors.hand_over(&elected);
        }
    }

    /// Elects the joined nodes with the largest stakes, each with its stake as its power. Without any,
    /// those in office stay: a mesh without validators could never have some again.
    pub(super) fn elect(&mut self, events: &mut Vec<Event>) {
        self.jail_absentees(events);
        self.remove_without_stake(events);
        self.roster.release(self.height);
        let mut joined: Vec<(NodeId, &Node)> = self
            .roster
            .standings()
            .filter(|(_, standing)| matches!(standing, Standing::Joined { .. }))
            .filter_map(|(key, _)| Some((*key, self.nodes.get(key)?)))
            .collect();
        // Of equal stakes, the node that registered first: a key can be ground until it is before all others.
        joined.sort_unstable_by_key(|(_, node)| (Reverse(node.stake()), node.number));
        let largest = joined.into_iter().take(MAX_VALIDATORS);
        let Ok(elected) =
            ValidatorSet::from_stakes(largest.map(|(key, node)| (key, node.stake().base_units())))
        else {
            return;
        };
        self.take_office(elected);
    }

    /// `elected` make blocks.
    pub(crate) fn take_office(&mut self, elected: ValidatorSet) {
        // From the next block on; this one was signed by those before.
        let members = || elected.members().iter().map(|member| member.node);
        let first = self.height.saturating_add(1);
        self.roster.take_office(members(), first);
        let terms = members().filter_map(|node| Some((node, self.nodes.get(&node)?.number)));
        let oldest = self.height.saturating_sub(self.params.evidence_window);
        self.roster.note_terms(terms, first, oldest);
        // The same set keeps its object: a comparison of two states sees at once that nothing changed.
        if self.validators.as_ref().is_none_or(|now| **now != elected) {
            self.validators = Some(Arc::new(elected));
        }
    }

    /// Jails the members of the set before that missed more than half of the window, the worst first, as long as their
    /// power together is less than a third.
    fn jail_absentees(&mut self, events: &mut Vec<Event>) {
        let Some(set) = self.validators.clone() else { return };
        let until = self.height.saturating_add(self.params.jail_time);
        let mut jailed: u128 = 0;
        for Absentee { node, missed, power } in self.absentees(&set) {
            let with = jailed.saturating_add(u128::from(power));
            if with.saturating_mul(3) < u128::from(set.total_power()) {
                jailed = with;
                self.roster.jail(node, until);
                events.push(Event::ValidatorJailed { node, missed, until: BlockHeight(until) });
            }
        }
    }

    /// The members of `set` that missed more than half of the window and are not jailed, the worst first.
    fn absentees(&self, set: &ValidatorSet) -> Vec<Absentee> {
        let half = self.params.liveness_window / 2;
        let mut absent: Vec<Absentee> = self
            .roster
            .liveness()
            .map(|(member, found)| Absentee {
                node: found.node,
                missed: found.missed.count(),
                power: set.power_of(member).unwrap_or(0),
            })
            .filter(|one| one.missed > half)
            // A set that stays in office because no other node joined can have jailed members.
            .filter(|one| {
                !matches!(
                    self.roster.standing(&one.node),
                    Some(Standing::Jailed { .. } | Standing::Tombstoned(_))
                )
            })
            .collect();
        absent.sort_unstable_by_key(|one| (Reverse(one.missed), one.node));
        absent
    }

    /// Removes the nodes that joined and whose owners' own stake is below the minimum: they have to join again. So the
    /// roster is never larger than the supply allows.
    fn remove_without_stake(&mut self, events: &mut Vec<Event>) {
        let least = Amount::from_base_units(self.params.min_self_stake);
        let short: Vec<(NodeId, Amount)> = self
            .roster
            .standings()
            .filter(|(_, standing)| matches!(standing, Standing::Joined { .. }))
            .map(|(node, _)| (*node, self.self_stake(node)))
            .filter(|(_, self_stake)| *self_stake < least)
            .collect();
        for (node, self_stake) in short {
            self.roster.leave(&node);
            events.push(Event::ValidatorRemoved { node, self_stake });
        }
    }
}
