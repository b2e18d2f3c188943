//! Whether the proposal of a round is prevoted: its block names the proposer of the round, and a time that is close to
//! our clock when the proposal arrived.
//!
//! Both are judged per proposal and not per block: the same block may be proposed by another validator, or at another
//! moment. A proposal that does not pass is treated as if it arrived after the propose timeout: the round is ended for
//! us with a prevote for nil *before* the core learns that the block is valid. The core is not changed, and safety does
//! not depend on clocks, because a proposal may arrive late anyway. The others may still decide the block.
//!
//! A proposal with the round of an earlier polka is not judged: in that round more than a third of the power was honest
//! and prevoted the block, so it was timely then. Without that rule a block on which validators are locked would become
//! too old to be decided.
//!
//! Proposals of later rounds wait here until their round runs, because the core prevotes such a proposal by itself as
//! soon as its round starts.

use std::collections::BTreeMap;

use nervure_primitives::{Hash, UnixMillis};

use super::{Engine, error::EngineError};
use crate::bft::{Effect, Round, SignedProposal, Timer, TimerKind, core};

/// Blocks of one round that wait: two are enough to prove that the proposer equivocated.
const MAX_PER_ROUND: usize = 2;

/// Verified proposals of new blocks in later rounds, with the times at which they arrived.
///
/// Bounded: the engine refuses proposals more than [`MAX_ROUNDS_AHEAD`](super::MAX_ROUNDS_AHEAD) rounds ahead.
#[derive(Default)]
pub(super) struct EarlyProposals(BTreeMap<Round, Vec<(SignedProposal, UnixMillis)>>);

impl EarlyProposals {
    /// Forgets everything, for the next height.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether the proposal waits already, with any signature.
    pub(super) fn contains(&self, proposal: &SignedProposal) -> bool {
        let waiting = self.0.get(&proposal.statement.round);
        waiting.is_some_and(|waiting| waiting.iter().any(|(one, _)| one.statement == proposal.statement))
    }

    /// Whether another block of this round would be one too many.
    pub(super) fn is_full(&self, round: Round) -> bool {
        self.0.get(&round).is_some_and(|waiting| waiting.len() >= MAX_PER_ROUND)
    }

    fn keep(&mut self, proposal: SignedProposal, at: UnixMillis) {
        self.0.entry(proposal.statement.round).or_default().push((proposal, at));
    }

    /// Removes a proposal of `round` or an earlier one.
    fn take_due(&mut self, round: Round) -> Option<(SignedProposal, UnixMillis)> {
        let mut first = self.0.first_entry().filter(|entry| *entry.key() <= round)?;
        let next = first.get_mut().pop();
        if first.get().is_empty() {
            first.remove();
        }
        next
    }
}

impl Engine {
    /// Takes a verified proposal of the current height by the proposer of its round, which arrived `at`.
    pub(super) fn receive_proposal(
        &mut self,
        proposal: &SignedProposal,
        at: UnixMillis,
    ) -> Result<(), EngineError> {
        let statement = &proposal.statement;
        if statement.valid_round.is_some() {
            return self.accept_proposal(proposal);
        }
        if self.position().is_some_and(|(_, round)| statement.round > round) {
            self.early.keep(*proposal, at);
            return Ok(());
        }
        self.candidates.note_receipt(statement.round, statement.value, at);
        self.accept_proposal(proposal)
    }

    /// Takes the proposals whose round has started.
    pub(super) fn release_early_proposals(&mut self) -> Result<(), EngineError> {
        while self.is_running()
            && let Some((_, round)) = self.position()
            && let Some((proposal, at)) = self.early.take_due(round)
        {
            self.receive_proposal(&proposal, at)?;
        }
        Ok(())
    }

    /// Ends the propose step with a prevote for nil, if the round's proposal is `value` as a new block, and the block
    /// is valid but not timely. Has to come before the core learns that the proposed block is valid.
    pub(super) fn end_untimely_round(&mut self, value: &Hash) -> Result<(), EngineError> {
        let (Some((height, round)), Some(state), Some(current)) =
            (self.position(), &self.state, &self.current)
        else {
            return Ok(());
        };
        let proposer = current.members.proposer(round.0);
        let Some((received, stamp)) = self.candidates.new_in_round(round, value) else { return Ok(()) };
        let is_accepted = stamp.is_some_and(|stamp| {
            stamp.proposer == proposer && self.synchrony.is_timely(stamp.time, received, round)
        });
        if is_accepted || !self.checks_time || !state.driver.step_is_propose() {
            return Ok(());
        }
        self.adapter.effects.push(Effect::Untimely { round, proposer, stamp, received });
        let timer = Timer { height, round, kind: TimerKind::Propose };
        core::core_timeout(timer).map_or(Ok(()), |timeout| self.feed(core::Input::TimeoutElapsed(timeout)))
    }
}
