//! What votes decide: the count at the end of a voting period, and the effect after the delay.
//!
//! All of it happens at the end of a block. A proposal that passed is checked again before it takes effect: what it
//! relies on may have changed. Then it fails with an event, and nothing of it happens.

use std::sync::Arc;

use nervure_primitives::{Amount, BlockHeight, UntrustedText};

use super::LedgerState;
use crate::{
    economics::ratio::permille_of,
    event::Event,
    governance::{
        Action, Counted, Governance, MAX_CHANGES, ParameterError, Proposal, ProposalId, ProposalStatus,
        Rulebook, Tally, Verdict,
    },
    spec::ConsensusSection,
    upgrade::{Upgrade, Upgrades},
};

/// Weight of a block for each vote that is removed in it: one in so many units of what a block may have. A removal costs
/// about a twentieth of it.
const WEIGHT_PER_REMOVAL: u64 = 32_000;

/// Why a proposal cannot take effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ActionError {
    /// A parameter that cannot have its new value.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// No parameters, or too many.
    #[error("a proposal changes 1 to {MAX_CHANGES} parameters")]
    Changes,
    /// A minimum that too many validators do not have.
    #[error(
        "with min_self_stake = {least}, less than two thirds of the present voting power could stay in office, and light \
         clients could not follow"
    )]
    SelfStake {
        /// The minimum, in base units.
        least: u64,
    },
    /// An unbonding time that ends before a decision that is under way.
    #[error("unbonding = {unbonding} blocks ends before proposal {proposal} can take effect")]
    Unbonding {
        /// The unbonding time.
        unbonding: u64,
        /// The proposal.
        proposal: ProposalId,
    },
    /// A higher price of state.
    #[error(
        "deposit_per_byte is {now}, and can only be lowered, to half of that at most: with {price}, accounts and stakes that \
         exist would be too small, or state would cost too little from now on"
    )]
    DepositPerByte {
        /// The proposed price, in base units.
        price: u64,
        /// The price now.
        now: u64,
    },
    /// Not the next version.
    #[error("the next version of the rules is {next}, and the proposal names {given}")]
    Version {
        /// The next version.
        next: u32,
        /// The version that was given.
        given: u32,
    },
    /// An upgrade too early.
    #[error("an upgrade that is voted now is active after block {after} at the earliest")]
    UpgradeHeight {
        /// The height that it has to exceed.
        after: BlockHeight,
    },
    /// More than the treasury holds.
    #[error("the treasury holds {holds} tokens")]
    Treasury {
        /// What it holds.
        holds: Amount,
    },
    /// A payment of nothing.
    #[error("a payment is more than zero")]
    NoPayment,
}

impl LedgerState {
    /// Proposals and the treasury.
    pub fn governance(&self) -> &Governance {
        &self.governance
    }

    /// `[consensus]` as it is now.
    pub fn consensus(&self) -> &ConsensusSection {
        &self.consensus
    }

    /// All parameters that the state has.
    pub fn rulebook(&self) -> Rulebook {
        Rulebook { economy: (*self.params).clone(), consensus: self.consensus.clone() }
    }

    /// What a proposal in the next block holds back. It doubles with each open proposal: to take all places costs many
    /// times the first one.
    pub fn proposal_deposit(&self) -> Amount {
        // At most eight are open.
        let times = 1u64.checked_shl(self.governance.open() as u32).unwrap_or(u64::MAX);
        Amount::from_base_units(self.params.governance.deposit.saturating_mul(times))
    }

    /// The count of the votes on a proposal, if it were made now.
    pub fn tally(&self, proposal: ProposalId) -> Tally {
        // By the present keys: the set keeps the keys of the election.
        let in_office = self.roster.liveness().filter_map(|(_, found)| self.nodes.get(&found.node));
        let counted = in_office.map(|node| Counted {
            pool: &node.pool,
            ballots: self.nodes.ballots.of_node(node.number, proposal),
        });
        Tally::count(self.height, counted)
    }

    /// Refuses what could not take effect at the end of block `effective` with everything else as it is.
    ///
    /// # Errors
    /// Why not.
    pub fn check_action(&self, action: &Action, effective: u64) -> Result<(), ActionError> {
        match action {
            Action::Text => Ok(()),
            Action::Params { values } => {
                if values.is_empty() || values.len() > MAX_CHANGES {
                    return Err(ActionError::Changes);
                }
                self.check_rulebook(&self.rulebook().with(values)?)
            }
            Action::Upgrade { upgrade } => self.check_upgrade(*upgrade, effective),
            Action::Payment { amount, .. } if amount.is_zero() => Err(ActionError::NoPayment),
            Action::Payment { amount, .. } => {
                let holds = Amount::from_base_units(self.governance.treasury);
                if *amount > holds { Err(ActionError::Treasury { holds }) } else { Ok(()) }
            }
        }
    }

    /// Refuses parameters that do not fit to what is under way.
    fn check_rulebook(&self, next: &Rulebook) -> Result<(), ActionError> {
        let least = next.economy.min_self_stake;
        if least > self.params.min_self_stake {
            let (mut stays, mut total) = (0u128, 0u128);
            for (member, found) in self.roster.liveness() {
                let power = self.validators.as_ref().and_then(|set| set.power_of(member)).unwrap_or(0);
                total += u128::from(power);
                if self.self_stake(&found.node).base_units() >= least {
                    stays += u128::from(power);
                }
            }
            if stays * 3 < total * 2 {
                return Err(ActionError::SelfStake { least });
            }
        }
        let (price, now) = (next.economy.deposit_per_byte, self.params.deposit_per_byte);
        // By halves: a price that was lowered too far cannot be raised again.
        if price > now || price < now.div_ceil(2) {
            return Err(ActionError::DepositPerByte { price, now });
        }
        let unbonding = next.economy.unbonding;
        if unbonding < self.params.unbonding {
            let late = self.governance.proposals.iter().find(|(_, one)| match one.status {
                ProposalStatus::Voting => {
                    one.ends.saturating_add(one.rules.delay) > self.height.saturating_add(unbonding)
                }
                ProposalStatus::Passed { effective } => effective > self.height.saturating_add(unbonding),
                ProposalStatus::Refused { .. }
                | ProposalStatus::Done { .. }
                | ProposalStatus::Failed { .. } => false,
            });
            if let Some((proposal, _)) = late {
                return Err(ActionError::Unbonding { unbonding, proposal: *proposal });
            }
        }
        Ok(())
    }

    fn check_upgrade(&self, upgrade: Upgrade, effective: u64) -> Result<(), ActionError> {
        let last = self.upgrades.last();
        // One after the other: a version that no program will ever have would end the mesh's upgrades.
        let next = last.map_or(1, |last| last.version).saturating_add(1);
        if upgrade.version != next {
            return Err(ActionError::Version { next, given: upgrade.version });
        }
        let after = last.map_or(0, |last| last.height.0).max(effective);
        match upgrade.height.0 > after {
            true => Ok(()),
            false => Err(ActionError::UpgradeHeight { after: BlockHeight(after) }),
        }
    }

    /// Takes a base fee that was taken from its payer: a part goes to the treasury, the other can be minted again.
    pub(crate) fn take_base_fee(&mut self, base: u64) {
        let kept = permille_of(base, self.params.governance.treasury_permille);
        self.governance.treasury = self.governance.treasury.saturating_add(kept);
        self.recycle(base - kept);
    }

    /// What every block does for proposals, at its end.
    pub(super) fn govern(&mut self, events: &mut Vec<Event>) {
        let most = usize::try_from(self.limit.paid / WEIGHT_PER_REMOVAL).unwrap_or(usize::MAX).max(1);
        for (staker, deposit) in self.nodes.ballots.clear(most) {
            self.credit(staker, deposit.base_units());
        }
        let height = self.height;
        let due = |one: &Proposal| match one.status {
            ProposalStatus::Voting => one.ends <= height,
            ProposalStatus::Passed { effective } => effective <= height,
            ProposalStatus::Refused { .. } | ProposalStatus::Done { .. } | ProposalStatus::Failed { .. } => {
                false
            }
        };
        let due: Vec<(ProposalId, Proposal)> = self
            .governance
            .proposals
            .iter()
            .filter(|(_, one)| due(one))
            .map(|(id, one)| (*id, one.clone()))
            .collect();
        if due.is_empty() {
            return;
        }
        for (id, mut one) in due {
            match one.status == ProposalStatus::Voting {
                true => self.decide(id, &mut one, events),
                false => self.carry_out(id, &mut one, events),
            }
            self.governance.proposals.insert(id, one);
        }
        self.governance.prune();
    }

    /// Counts the votes on a proposal.
    fn decide(&mut self, proposal: ProposalId, one: &mut Proposal, events: &mut Vec<Event>) {
        let tally = self.tally(proposal);
        let verdict = tally.verdict(&one.rules);
        self.nodes.ballots.close(proposal);
        let deposit = std::mem::take(&mut one.deposit).base_units();
        match verdict.burns_deposit() {
            true => self.recycle(deposit),
            false => self.credit(one.proposer, deposit),
        }
        one.tally = Some(tally);
        one.status = match verdict {
            // At least one block later, by the check of the rules.
            Verdict::Passed => {
                ProposalStatus::Passed { effective: self.height.saturating_add(one.rules.delay) }
            }
            Verdict::NoQuorum | Verdict::Vetoed | Verdict::Refused => ProposalStatus::Refused { verdict },
        };
        events.push(Event::ProposalCounted { proposal, verdict, tally });
    }

    /// Does what a proposal says, if it still can be done.
    fn carry_out(&mut self, proposal: ProposalId, one: &mut Proposal, events: &mut Vec<Event>) {
        // It is not under way any more: an unbonding time does not have to wait for it.
        self.governance.proposals.remove(&proposal);
        let block = self.height;
        if let Err(error) = self.check_action(&one.action, block) {
            let why = UntrustedText::new(&error);
            one.status = ProposalStatus::Failed { block };
            events.push(Event::ProposalFailed { proposal, why });
            return;
        }
        match &one.action {
            Action::Text => {}
            Action::Params { values } => {
                // Checked above.
                if let Ok(next) = self.rulebook().with(values) {
                    self.adopt(next);
                }
            }
            Action::Upgrade { upgrade } => {
                let mut upgrades = Upgrades::clone(&self.upgrades);
                upgrades.vote(*upgrade);
                self.upgrades = Arc::new(upgrades);
            }
            Action::Payment { to, amount } => {
                let amount = amount.base_units().min(self.governance.treasury);
                // Otherwise it stays in the treasury: it is too little for a new account.
                if self.accounts.credit(*to, amount, self.params.existential_deposit()) {
                    self.governance.treasury -= amount;
                }
            }
        }
        one.status = ProposalStatus::Done { block };
        events.push(Event::ProposalDone { proposal });
    }

    /// Has these parameters from the next block on.
    fn adopt(&mut self, next: Rulebook) {
        let Rulebook { economy, consensus } = next;
        if economy.liveness_window != self.params.liveness_window {
            self.roster.forget_missed();
        }
        (self.params, self.consensus) = (Arc::new(economy), consensus);
    }
}
