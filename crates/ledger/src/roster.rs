//! The validators' roster: which nodes have joined, which are jailed, and which heights those in office missed.
//!
//! A node makes blocks only after its owner said so ([`JoinValidators`](crate::transaction::JoinValidators)): stake of
//! others must not give a node power that does not run as a validator, because power that does not vote stops the
//! mesh.
//!
//! Invariants: everything here is bounded. [`Standing`]s are of nodes whose owner has the minimum self-stake (the
//! election removes the others), that were jailed in the last [`jail_time`](crate::params::Params::jail_time) blocks
//! before an election, or that were slashed; there is one [`Liveness`] for each member of the validator set, and one
//! [`Term`] for each key that was in it in the last [`evidence_window`](crate::params::Params::evidence_window) blocks.
//!
//! A [`Tombstone`] stays for ever: a node that equivocated cannot return, and each costs its node a part of the minimum
//! self-stake at least.
//!
//! Hazard: a proposer may leave signatures out of the block that it makes. It can do so in its own blocks alone, so that
//! less than a third of the power makes less than a third of a validator's heights look missed. That is below the half
//! that jails, and [`SILENT_HEIGHTS`] heights in a row have as many proposers.

mod missed;

use std::collections::BTreeMap;

use imbl::OrdMap;
use nervure_primitives::NodeId;
use serde::{Deserialize, Serialize};

use crate::nodes::NodeNumber;

pub use missed::{MAX_LIVENESS_WINDOW, MissedHeights};

/// A validator that missed this many heights in a row is silent: it proposes last until it signs again. Proposers that
/// leave its signatures out need so many blocks in a row.
pub const SILENT_HEIGHTS: u64 = 8;

/// Whether a node may make blocks. A node without a standing has not joined, or has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Standing {
    /// It makes blocks whenever it is elected.
    Joined {
        /// The block at which it joined.
        since: u64,
    },
    /// It missed too many heights and is not elected.
    Jailed {
        /// The block from which on it may join again.
        until: u64,
    },
    /// It equivocated: it never makes blocks again, under any key.
    Tombstoned(Tombstone),
}

/// That a node equivocated, and what answers for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tombstone {
    /// The height at which it equivocated; of several reported ones, the earliest.
    pub height: u64,
    /// The block of the first report, from which on what is unstaked answers for nothing more.
    pub reported: u64,
    /// What was unstaked after this block and before the first report is slashed, too: the election from which the node
    /// had its power.
    pub since: u64,
}

/// When a key of a node was in the validator set: what it signed at these heights can be evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// The node, whose key may be swapped later.
    pub node: NodeNumber,
    /// The first height. A node that was out of office in between keeps it: it signs nothing then.
    pub first: u64,
    /// The last height; none while it is in office.
    pub last: Option<u64>,
}

impl Term {
    /// Whether it was in office at `height`, as far as the ledger remembers.
    pub fn covers(&self, height: u64) -> bool {
        self.first <= height && self.last.is_none_or(|last| height <= last)
    }
}

/// What a member of the validator set signed and missed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Liveness {
    /// The node's key. After a swap it differs from the key in the set, which stays until the next election.
    pub node: NodeId,
    /// The first height that it had to sign with the key in the set.
    pub since: u64,
    /// How many heights in a row it has missed, up to the last one that was counted.
    pub silent: u64,
    /// Which of the last heights it missed.
    pub missed: MissedHeights,
}

impl Liveness {
    /// Whether it proposes last: it missed [`SILENT_HEIGHTS`] heights in a row.
    pub fn is_silent(&self) -> bool {
        self.silent >= SILENT_HEIGHTS
    }
}

/// Who joined, who is jailed, and how live those in office are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// By node key.
    pub(crate) standings: OrdMap<NodeId, Standing>,
    /// By the key in the validator set.
    pub(crate) liveness: OrdMap<NodeId, Liveness>,
    /// By the key in the validator set.
    pub(crate) terms: OrdMap<NodeId, Term>,
}

impl Roster {
    /// Whether `node` joined or is jailed.
    pub fn standing(&self, node: &NodeId) -> Option<Standing> {
        self.standings.get(node).copied()
    }

    /// Whether `node` has joined the validators.
    pub fn has_joined(&self, node: &NodeId) -> bool {
        matches!(self.standing(node), Some(Standing::Joined { .. }))
    }

    /// All nodes that joined or are jailed.
    pub fn standings(&self) -> impl Iterator<Item = (&NodeId, &Standing)> {
        self.standings.iter()
    }

    /// The tombstone of a node that equivocated.
    pub fn tombstone(&self, node: &NodeId) -> Option<Tombstone> {
        match self.standing(node) {
            Some(Standing::Tombstoned(tombstone)) => Some(tombstone),
            Some(Standing::Joined { .. } | Standing::Jailed { .. }) | None => None,
        }
    }

    /// How many nodes equivocated and were slashed.
    pub fn slashed(&self) -> usize {
        self.standings().filter(|(_, standing)| matches!(standing, Standing::Tombstoned(_))).count()
    }

    /// When the key `member` was in the validator set, if it was in the last
    /// [`evidence_window`](crate::params::Params::evidence_window) blocks.
    pub fn term(&self, member: &NodeId) -> Option<Term> {
        self.terms.get(member).copied()
    }

    /// What the members of the validator set signed and missed, by their keys in the set.
    pub fn liveness(&self) -> impl Iterator<Item = (&NodeId, &Liveness)> {
        self.liveness.iter()
    }

    /// What the member of the validator set that is now `node` signed and missed.
    pub fn liveness_of(&self, node: &NodeId) -> Option<&Liveness> {
        let unswapped = self.liveness.get(node).filter(|found| found.node == *node);
        unswapped.or_else(|| self.liveness.values().find(|found| found.node == *node))
    }

    /// `node` has joined at `block`.
    pub(crate) fn join(&mut self, node: NodeId, block: u64) {
        self.standings.insert(node, Standing::Joined { since: block });
    }

    /// `node` is not elected any more.
    pub(crate) fn leave(&mut self, node: &NodeId) {
        self.standings.remove(node);
    }

    /// `node` is not elected and may not join before block `until`.
    pub(crate) fn jail(&mut self, node: NodeId, until: u64) {
        self.standings.insert(node, Standing::Jailed { until });
    }

    /// `node` equivocated and is never elected again.
    pub(crate) fn tombstone_node(&mut self, node: NodeId, tombstone: Tombstone) {
        self.standings.insert(node, Standing::Tombstoned(tombstone));
    }

    /// Writes down who is in office from `first` on, and until when those were who are not any more. Forgets those whose
    /// last height is below `oldest`.
    pub(crate) fn note_terms(
        &mut self,
        members: impl Iterator<Item = (NodeId, NodeNumber)>,
        first: u64,
        oldest: u64,
    ) {
        let elected: BTreeMap<NodeId, NodeNumber> = members.collect();
        let last = first.saturating_sub(1);
        let left = |(key, term): &(&NodeId, &Term)| term.last.is_none() && !elected.contains_key(*key);
        let ended: Vec<(NodeId, Term)> = self
            .terms
            .iter()
            .filter(left)
            .map(|(key, term)| (*key, Term { last: Some(last), ..*term }))
            .collect();
        self.terms.extend(ended);
        for (key, node) in elected {
            let former = self.terms.get(&key).copied();
            // A member that stays costs no write.
            if former.is_none_or(|term| term.last.is_some()) {
                let first = former.map_or(first, |term| term.first);
                self.terms.insert(key, Term { node, first, last: None });
            }
        }
        let forgotten = |term: &Term| term.last.is_some_and(|last| last < oldest);
        let gone: Vec<NodeId> =
            self.terms.iter().filter(|(_, term)| forgotten(term)).map(|(key, _)| *key).collect();
        for key in gone {
            self.terms.remove(&key);
        }
    }

    /// Forgets those that may join again at `block`: they are like any node that has not joined.
    pub(crate) fn release(&mut self, block: u64) {
        let free = |(_, standing): &(&NodeId, &Standing)| matches!(standing, Standing::Jailed { until } if *until <= block);
        let released: Vec<NodeId> = self.standings.iter().filter(free).map(|(node, _)| *node).collect();
        released.iter().for_each(|node| self.leave(node));
    }

    /// Gives everything of `old` to `new`. The key in the validator set stays until the next election, and what it
    /// misses until then counts for `new`.
    pub(crate) fn swap(&mut self, old: NodeId, new: NodeId) {
        if let Some(standing) = self.standings.remove(&old) {
            self.standings.insert(new, standing);
        }
        let member = self.liveness.iter().find(|(_, found)| found.node == old).map(|(member, _)| *member);
        if let Some(found) = member.and_then(|member| self.liveness.get_mut(&member)) {
            found.node = new;
        }
    }

    /// Counts height `height` for all who had to sign it; `window` is the number of heights that count.
    pub(crate) fn count(&mut self, height: u64, window: u64, signed: impl Fn(&NodeId) -> bool) {
        let members: Vec<NodeId> = self.liveness.keys().copied().collect();
        for member in members {
            let missed = !signed(&member);
            let Some(found) = self.liveness.get(&member).filter(|found| found.since <= height) else {
                continue;
            };
            // Looked at before it is borrowed to be changed: a validator that signs every height costs no copy of its
            // record and no write.
            if (missed || found.silent > 0 || found.missed.is_missed(height, window))
                && let Some(found) = self.liveness.get_mut(&member)
            {
                found.silent = if missed { found.silent.saturating_add(1) } else { 0 };
                found.missed.record(height, window, missed);
            }
        }
    }

    /// Begins to count missed heights again: the places of heights depend on the window.
    pub(crate) fn forget_missed(&mut self) {
        let members: Vec<NodeId> = self.liveness.keys().copied().collect();
        for member in members {
            if let Some(found) = self.liveness.get_mut(&member) {
                found.missed = MissedHeights::default();
            }
        }
    }

    /// These nodes sign from `first` on. Who stays in office keeps its count; a new member begins without one.
    pub(crate) fn take_office(&mut self, members: impl Iterator<Item = NodeId>, first: u64) {
        let mut before = std::mem::take(&mut self.liveness);
        for node in members {
            let former = before.iter().find(|(_, found)| found.node == node).map(|(member, _)| *member);
            let kept = former.and_then(|member| before.remove(&member));
            let liveness = match kept {
                Some(kept) if former == Some(node) => kept,
                // Under another key: the heights until now were signed with the former one.
                Some(kept) => Liveness { since: first, ..kept },
                None => Liveness { node, since: first, silent: 0, missed: MissedHeights::default() },
            };
            self.liveness.insert(node, liveness);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId::from_bytes([1; 32]);
    const B: NodeId = NodeId::from_bytes([2; 32]);
    const C: NodeId = NodeId::from_bytes([3; 32]);

    fn in_office(members: &[NodeId]) -> Roster {
        let mut roster = Roster::default();
        roster.take_office(members.iter().copied(), 1);
        roster
    }

    fn missed(roster: &Roster, node: &NodeId) -> (u64, u64) {
        let found = roster.liveness_of(node).unwrap();
        (found.missed.count(), found.silent)
    }

    #[test]
    fn heights_are_counted_for_those_who_had_to_sign_them() {
        let mut roster = in_office(&[A, B]);
        (1..=9).for_each(|height| roster.count(height, 100, |node| *node == A));
        assert_eq!((missed(&roster, &A), missed(&roster, &B)), ((0, 0), (9, 9)));
        assert!(roster.liveness_of(&B).unwrap().is_silent());
        // B stays, C comes: height 9 is none of C's.
        roster.take_office([B, C].into_iter(), 10);
        roster.count(9, 100, |_| false);
        assert_eq!((missed(&roster, &B), missed(&roster, &C)), ((9, 10), (0, 0)));
        roster.count(10, 100, |node| *node == B);
        assert_eq!((missed(&roster, &B), missed(&roster, &C)), ((9, 0), (1, 1)));
        assert_eq!(roster.liveness_of(&A), None, "not in office");
    }

    #[test]
    fn a_swap_of_the_key_escapes_no_count() {
        let mut roster = in_office(&[A, B]);
        roster.join(A, 0);
        roster.count(1, 100, |_| false);
        roster.swap(A, C);
        assert!(roster.has_joined(&C) && !roster.has_joined(&A));
        // The set still has the former key.
        roster.count(2, 100, |node| *node != A);
        assert_eq!(missed(&roster, &C), (2, 2));
        roster.take_office([C].into_iter(), 3);
        roster.count(2, 100, |_| false);
        assert_eq!(missed(&roster, &C), (2, 2), "height 2 is not one of the new key");
        roster.count(3, 100, |node| *node == C);
        assert_eq!(missed(&roster, &C), (2, 0));
    }

    #[test]
    fn terms_are_known_for_the_window_and_then_forgotten() {
        let mut roster = Roster::default();
        let terms = |members: &[NodeId]| members.iter().map(|key| (*key, NodeNumber(7))).collect::<Vec<_>>();
        roster.note_terms(terms(&[A, B]).into_iter(), 1, 0);
        roster.note_terms(terms(&[B, C]).into_iter(), 11, 0);
        assert_eq!(roster.term(&A), Some(Term { node: NodeNumber(7), first: 1, last: Some(10) }));
        assert_eq!(roster.term(&B), Some(Term { node: NodeNumber(7), first: 1, last: None }));
        assert!(roster.term(&C).is_some_and(|term| term.covers(11) && !term.covers(10)));
        assert!(roster.term(&A).is_some_and(|term| term.covers(10) && !term.covers(11)));
        roster.note_terms(terms(&[A, B, C]).into_iter(), 21, 10);
        assert_eq!(roster.term(&A), Some(Term { node: NodeNumber(7), first: 1, last: None }));
        roster.note_terms(terms(&[B]).into_iter(), 31, 0);
        roster.note_terms(terms(&[B]).into_iter(), 41, 31);
        assert_eq!((roster.term(&A), roster.term(&C)), (None, None));
        assert_eq!(roster.term(&B).map(|term| term.first), Some(1));
    }

    #[test]
    fn a_rest_ends() {
        let mut roster = Roster::default();
        roster.jail(A, 5);
        roster.release(4);
        assert_eq!(roster.standing(&A), Some(Standing::Jailed { until: 5 }));
        roster.release(5);
        assert_eq!(roster.standing(&A), None);
    }
}
