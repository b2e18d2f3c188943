//! Replay of the write-ahead log after a restart.
//!
//! The entries run through a new core in their order, and it emits the same effects again. Most of
//! them were performed before the crash. Those still pending at the end are performed: timers that
//! still run, our statements of the current round, a block still to be proposed, validations still
//! due, and the decision, if the log leads to one. Entries that the log already has are not
//! appended again; entries that the crash kept from being logged are.
//!
//! Our own statements in the log are sent as they are. A statement that is not in the log was never
//! sent; it is signed now, if the signer agrees.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use nervure_primitives::BlockHeight;

use super::{Engine, error::EngineError};
use crate::bft::{Effect, Message, Proposal, SignedProposal, Timer, WalEntry, core};

/// Effects of a replay that are still to be performed.
#[derive(Default)]
struct PendingEffects {
    append: Vec<WalEntry>,
    timers: BTreeMap<Timer, Duration>,
    statements: Vec<Message>,
    propose: Option<Effect>,
    others: Vec<Effect>,
}

impl PendingEffects {
    /// Adds the effects of one entry and drops those that they cancel.
    fn add(&mut self, effects: Vec<Effect>, logged: &BTreeSet<Vec<u8>>) {
        for effect in effects {
            match effect {
                // The replay makes the core append its inputs again; the file already has these.
                Effect::Append(entry) if entry.encode().is_ok_and(|bytes| logged.contains(&bytes)) => {}
                Effect::Append(entry) => self.append.push(entry),
                Effect::Schedule { timer, after } => {
                    self.timers.insert(timer, after);
                }
                Effect::Cancel(timer) => {
                    self.timers.remove(&timer);
                }
                Effect::CancelAll => self.timers.clear(),
                Effect::Broadcast(message @ (Message::Vote(_) | Message::Proposal(_))) => {
                    self.statements.push(message);
                }
                // Only the last one: a block is proposed in the current round alone.
                Effect::Propose { .. } => self.propose = Some(effect),
                Effect::Decided(_) | Effect::Evidence(_) | Effect::Contradicted(_) => {
                    self.others.push(effect);
                }
                // `resume` asks again about unanswered candidates. The rest concerns the past.
                _ => {}
            }
        }
    }
}

impl Engine {
    /// Starts `height` and brings the core to the end of `log`.
    pub(super) fn replay(
        &mut self,
        height: BlockHeight,
        members: core::CoreValidatorSet,
        log: Vec<WalEntry>,
    ) -> Result<(), EngineError> {
        // The file keeps earlier heights until it is replaced (`ROTATE_BYTES` of the store).
        let log: Vec<_> = log.into_iter().filter(|entry| entry.height() == height).collect();
        let inputs: Vec<_> = log.iter().filter_map(input).collect();
        // The core appends every entry again: a search through the log for each would cost its square, and other
        // validators choose how long a height's log gets.
        let logged: BTreeSet<Vec<u8>> = log.iter().filter_map(|entry| entry.encode().ok()).collect();
        if let Some(state) = self.state.as_mut() {
            // With this index the core takes our own votes from the log instead of signing them
            // again, and detects a replay that leads to other votes.
            state.index_wal_entries(&inputs);
        }
        let mut pending = PendingEffects::default();
        self.feed(start_height(height, members, true))?;
        pending.add(self.drain_replayed(), &logged);
        for entry in &log {
            // A logged timeout has fired, so its timer no longer runs.
            if let WalEntry::Timeout(timer) = entry {
                pending.timers.remove(timer);
            }
            self.replay_entry(entry)?;
            // After each entry, not at the end: a later entry may cancel the timer that this one scheduled.
            pending.add(self.drain_replayed(), &logged);
        }
        if let Some(state) = self.state.as_mut() {
            state.reset_entries_index();
        }
        self.resume(pending);
        Ok(())
    }

    fn replay_entry(&mut self, entry: &WalEntry) -> Result<(), EngineError> {
        let node = self.node();
        match entry {
            WalEntry::Verdict(verdict) => drop(self.candidates.set_verdict(verdict.value, verdict.valid)),
            WalEntry::Vote(vote) if vote.signer == node && self.adapter.verify_vote(vote) => {
                // The signature is verified first: the log is a file, and damage could otherwise raise the
                // record.
                self.adapter.signer.remember((*vote).into());
            }
            WalEntry::Proposal(ours) if ours.signer == node && self.adapter.verify_proposal(ours) => {
                self.adapter.signer.remember((*ours).into());
            }
            // The log does not say when it arrived. If its verdict is in the log too, so is what came of it.
            WalEntry::Proposal(proposal) if proposal.signer != node => self.note_replayed_receipt(proposal),
            _ => {}
        }
        self.adapter.save_signer_record();
        if let Some(input) = input(entry) {
            self.feed(input)?;
        }
        match entry {
            // The crash may have come between the proposal and its verdict.
            WalEntry::Proposal(proposal) => self.request_validation(proposal),
            _ => Ok(()),
        }
    }

    fn note_replayed_receipt(&mut self, proposal: &SignedProposal) {
        let Proposal { round, value, valid_round, .. } = proposal.statement;
        if let (None, Some(current)) = (valid_round, &self.current) {
            self.candidates.note_receipt(round, value, current.started);
        }
    }

    /// The effects of one entry. The signer's record stays in the buffer, to be saved at the end.
    fn drain_replayed(&mut self) -> Vec<Effect> {
        let effects = self.adapter.effects.drain();
        let (record, rest): (Vec<_>, Vec<_>) =
            effects.into_iter().partition(|effect| matches!(effect, Effect::SaveSigner(_)));
        if !record.is_empty() {
            self.adapter.effects.save(self.adapter.signer.record());
        }
        rest
    }

    /// Emits the pending effects.
    fn resume(&mut self, pending: PendingEffects) {
        let position = self.position();
        let proposing = self.state.as_ref().is_some_and(|state| state.driver.step_is_propose());
        let effects = &mut self.adapter.effects;
        // What the crash kept out of the file goes in before the statements that depend on it.
        pending.append.into_iter().for_each(|entry| effects.append(entry));
        effects.push(Effect::CancelAll);
        for (timer, after) in pending.timers {
            effects.push(Effect::Schedule { timer, after });
        }
        // Statements of earlier rounds were sent before and are of no use now.
        for message in pending.statements {
            if position == Some((message.height(), message.round())) {
                effects.require_sync();
                effects.push(Effect::Broadcast(message));
            }
        }
        if let Some(Effect::Propose { height, round, within }) = pending.propose
            && proposing
            && position == Some((height, round))
            // Our proposal of this round is signed already, and a second block in it would be an
            // equivocation.
            && self.adapter.proposal.is_none_or(|proposal| proposal.statement.round != round)
        {
            effects.push(Effect::Propose { height, round, within });
        }
        for candidate in self.candidates.unanswered() {
            effects.push(Effect::Validate(candidate));
        }
        pending.others.into_iter().for_each(|effect| effects.push(effect));
    }
}

/// The core's input for a new height. A height ends as soon as it is decided, so there is no target
/// time and no vote extension.
pub(super) fn start_height(
    height: BlockHeight,
    members: core::CoreValidatorSet,
    restart: bool,
) -> core::Input<core::BftContext> {
    let policy = core::VoteExtensionPolicy::Disabled;
    core::Input::StartHeight(core::Height(height), members, restart, None, policy)
}

/// The core's input for an entry.
fn input(entry: &WalEntry) -> Option<core::Input<core::BftContext>> {
    Some(match entry {
        WalEntry::Vote(vote) => core::Input::Vote(core::core_vote(vote)),
        WalEntry::Proposal(proposal) => core::Input::Proposal(core::core_proposal(proposal)),
        WalEntry::Verdict(verdict) => core::Input::ProposedValue(
            core::ProposedValue {
                height: core::Height(verdict.height),
                round: core::core_round(verdict.round),
                valid_round: core::Round::Nil,
                proposer: core::CoreAddress(verdict.proposer),
                value: core::Block(verdict.value),
                validity: core::Validity::from_bool(verdict.valid),
            },
            // The log does not keep commit certificates. A decision by certificate comes again from a peer.
            core::ValueOrigin::Consensus,
        ),
        WalEntry::Timeout(timer) => core::Input::TimeoutElapsed(core::core_timeout(*timer)?),
        WalEntry::Polka(polka) => core::Input::PolkaCertificate(core::core_polka(polka)),
    })
}
