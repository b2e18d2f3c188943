//! What an equivocation costs.
//!
//! A validator that equivocated loses a part of everything that was staked on it, with its stakers: they chose whom to
//! trust with their power. That is
//!
//! * its pool, with the dividends that are not released yet. Stake that came after the offence is in it too: the pool
//!   knows no single stakes, and evidence is mostly reported within a few blocks;
//! * what was unstaked since the election that gave it its power. Powers stay between elections whatever happens to
//!   stakes, so that a validator could otherwise unstake right after the election, equivocate, and lose nothing. This part
//!   is taken when the amount is released ([`Accounts::release`](crate::accounts::Accounts)).
//!
//! Stake that was moved to another node since then answers like unstaked one, where it is now, and stays there until it
//! does not any more ([`MovedStakes`](crate::nodes::MovedStakes)).
//!
//! The first report of a node decides what is slashed from the pool. Later ones only reach back further, if they are of
//! an earlier offence: a validator cannot report a cheap offence itself to be spared for an earlier one. What is unstaked
//! after the first report answers for nothing more.
//!
//! Who is guilty: the state remembers which keys were in office in the evidence window ([`Term`](crate::roster::Term)).
//! A node that was not in office signed what no validator counted, and is not slashed for it.

use nervure_consensus::statement::Equivocation;
use nervure_primitives::{Amount, BlockHeight, NodeId};

use super::LedgerState;
use crate::{
    accounts::{Unbonding, UnbondingKey},
    economics::ratio::permille_of,
    nodes::{NodeNumber, Nodes},
    roster::{Roster, Tombstone},
    transaction::{Rejection, ValidatorRejection},
};

/// What the reporter's owner gets of what the equivocator's owner loses at once, in thousandths. A share of what the
/// owner itself loses, and not of what its stakers lose: otherwise an owner with little stake of its own and many
/// stakers would gain by reporting itself.
pub const REPORTER_PERMILLE: u64 = 250;

/// An equivocation that can be punished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offence {
    /// The node, by its present key.
    pub node: NodeId,
    /// The key that signed, which it may have had before.
    member: NodeId,
    /// The height at which it equivocated.
    pub height: BlockHeight,
    /// The election from which it had its power.
    since: u64,
}

/// What a report of an equivocation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Punishment {
    /// Taken from stakes at once.
    pub(crate) slashed: Amount,
    /// Paid to the reporter's owner.
    pub(crate) reward: Amount,
}

impl LedgerState {
    /// The offence that `evidence` proves in the next block or this one.
    ///
    /// # Errors
    /// Those of [`Self::alleged_offence`], or its signatures are invalid. These are verified last.
    pub fn offence(&self, evidence: &Equivocation) -> Result<Offence, Rejection> {
        let offence = self.alleged_offence(evidence)?;
        evidence.verify(&self.mesh).map_err(|error| Rejection::evidence(&error))?;
        Ok(offence)
    }

    /// The offence that `evidence` proves if its signatures are valid, which is not verified.
    ///
    /// # Errors
    /// When it proves none: the key was not in office at that height, the evidence window is over, or the node was slashed
    /// for it.
    pub fn alleged_offence(&self, evidence: &Equivocation) -> Result<Offence, Rejection> {
        let (member, height) = (evidence.culprit(), evidence.position().height);
        let oldest = self.height.saturating_sub(self.params.evidence_window);
        if height.0 < oldest {
            return Err(ValidatorRejection::EvidenceTooOld { oldest: BlockHeight(oldest) }.into());
        }
        let out_of_office = Rejection::from(ValidatorRejection::NotInOffice { node: member, height });
        let term = self.roster.term(&member).filter(|term| height.0 <= self.height && term.covers(height.0));
        let number = term.ok_or_else(|| out_of_office.clone())?.node;
        let node = self.nodes.key_of(number).ok_or(out_of_office)?;
        let since = self.election_before(height.0);
        if self.roster.tombstone(&node).is_some_and(|tombstone| tombstone.since <= since) {
            return Err(ValidatorRejection::AlreadyReported { node }.into());
        }
        Ok(Offence { node, member, height, since })
    }

    /// The block of the election that gave the validators of `height` their power.
    fn election_before(&self, height: u64) -> u64 {
        let interval = self.params.election_interval.max(1);
        height.saturating_sub(1) / interval * interval
    }

    /// Slashes for an offence that [`Self::offence`] found, and pays `reporter`, the owner of the node that reported it.
    pub(crate) fn punish(&mut self, offence: &Offence, reporter: NodeId) -> Punishment {
        let Offence { node, member, height, since } = *offence;
        // A key that equivocated does not come back as another node.
        self.nodes.retired.keep_for_good(member);
        if let Some(former) = self.roster.tombstone(&node) {
            // Its stakes were slashed before; what was unstaked before the later offence was not.
            let earlier = Tombstone { height: former.height.min(height.0), since, ..former };
            self.roster.tombstone_node(node, earlier);
            return Punishment::default();
        }
        self.roster.tombstone_node(node, Tombstone { height: height.0, reported: self.height, since });
        let slashed = self.nodes.slash(node, self.params.slash_permille);
        let reward = permille_of(slashed.of_owner, REPORTER_PERMILLE).min(slashed.all);
        self.credit(reporter, reward);
        self.recycle(slashed.all - reward);
        Punishment { slashed: Amount::from_base_units(slashed.all), reward: Amount::from_base_units(reward) }
    }

    /// Pays out what is unbonded at this height, less what is slashed of it, which is recycled, as is what would make an
    /// account that is too small.
    pub(super) fn release_unbonded(&mut self) {
        let Self { accounts, nodes, roster, params, height, .. } = self;
        let guilt = Guilt { nodes, roster, permille: params.slash_permille };
        let least = params.existential_deposit();
        let kept = accounts.release(*height, least, |key, entry| guilt.slash_of(key, entry));
        self.recycle(kept);
    }

    /// Ends the liability of stakes that were moved so long ago, and takes what is slashed of them, which is recycled.
    pub(super) fn release_moved(&mut self) {
        while let Some((key, entry)) = self.nodes.moved.release(self.height) {
            let Self { nodes, roster, params, .. } = self;
            let guilt = Guilt { nodes, roster, permille: params.slash_permille };
            let slash = guilt.slash(Some(key.from), (entry.amount, entry.moved));
            let Some(to) = self.nodes.key_of(key.to).filter(|_| slash > 0) else { continue };
            // A slash of the node that it is on may have left less.
            let taken = slash.min(self.nodes.stake_of(&to, &key.staker).base_units());
            self.nodes.take_stake(to, key.staker, taken);
            self.recycle(taken);
        }
    }

    /// What `owner` gets back of what it unstaked, after slashes, by the block at which it does.
    pub fn unbonding_of(&self, owner: &NodeId) -> impl Iterator<Item = (BlockHeight, Amount)> {
        let Self { nodes, roster, params, .. } = self;
        let guilt = Guilt { nodes, roster, permille: params.slash_permille };
        self.accounts.unbonding(owner).map(move |(key, entry)| {
            let left = entry.amount.base_units().saturating_sub(guilt.slash_of(&key, &entry));
            (BlockHeight(key.free), Amount::from_base_units(left))
        })
    }

    /// What an unstaked amount answers for: the node that it was staked on, unless that was slashed before.
    pub(crate) fn answers_for(&self, node: &NodeId) -> Option<NodeNumber> {
        let found = self.nodes.get(node)?;
        self.roster.tombstone(node).is_none().then_some(found.number)
    }
}

/// Whom a slash of unstaked amounts depends on.
struct Guilt<'a> {
    nodes: &'a Nodes,
    roster: &'a Roster,
    permille: u64,
}

impl Guilt<'_> {
    /// What is slashed of an unstaked amount, in base units.
    fn slash_of(&self, key: &UnbondingKey, entry: &Unbonding) -> u64 {
        self.slash(key.node, (entry.amount, entry.unstaked))
    }

    /// What is slashed of an amount that left a node in a block, in base units.
    fn slash(&self, node: Option<NodeNumber>, (amount, left): (Amount, u64)) -> u64 {
        let node = node.and_then(|number| self.nodes.key_of(number));
        match node.and_then(|node| self.roster.tombstone(&node)) {
            Some(tombstone) if left > tombstone.since => permille_of(amount.base_units(), self.permille),
            Some(_) | None => 0,
        }
    }
}
