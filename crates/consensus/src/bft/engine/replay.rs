//! Bringing a fresh core to where the log ends.
//!
//! The entries go through the core as they once did, and it wishes for the same effects again.
//! Most of them were done long ago; what is left in force at the end is done: timers that still
//! run, our statements of the current round, a block still to be proposed, questions still open,
//! and the decision, if the log leads to one. Entries that the log already has are not appended
//! again; what the crash kept from being logged is.
//!
//! Our own statements in the log are sent as they are. One that is not in it was never sent, and
//! is signed now, if the signer agrees.

use std::{collections::BTreeMap, time::Duration};

use nervure_primitives::BlockHeight;

use super::{Engine, EngineError, start::start};
use crate::bft::{Effect, Message, Timer, WalEntry, core};

/// What is left in force of the effects of a replay.
#[derive(Default)]
struct Leftover {
    append: Vec<WalEntry>,
    timers: BTreeMap<Timer, Duration>,
    statements: Vec<Message>,
    propose: Option<Effect>,
    others: Vec<Effect>,
}

impl Leftover {
    fn take(&mut self, effects: Vec<Effect>, log: &[WalEntry]) {
        for effect in effects {
            match effect {
                Effect::Append(entry) if log.contains(&entry) => {}
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
                Effect::Propose { .. } => self.propose = Some(effect),
                Effect::Decided(_) | Effect::Evidence(_) | Effect::Contradicted(_) => {
                    self.others.push(effect);
                }
                // Questions are asked again from what is unanswered; the rest is past.
                _ => {}
            }
        }
    }
}

impl Engine {
    /// Starts `height` where `log` ends.
    pub(super) fn replay(
        &mut self,
        height: BlockHeight,
        members: core::Members,
        log: Vec<WalEntry>,
    ) -> Result<(), EngineError> {
        let log: Vec<_> = log.into_iter().filter(|entry| entry.height() == height).collect();
        let inputs: Vec<_> = log.iter().filter_map(input).collect();
        if let Some(state) = self.state.as_mut() {
            state.index_wal_entries(&inputs);
        }
        let mut left = Leftover::default();
        self.feed(start(height, members, true))?;
        left.take(self.drain_replayed(), &log);
        for entry in &log {
            if let WalEntry::Timeout(timer) = entry {
                left.timers.remove(timer);
            }
            self.replay_entry(entry)?;
            left.take(self.drain_replayed(), &log);
        }
        if let Some(state) = self.state.as_mut() {
            state.reset_entries_index();
        }
        self.resume(left);
        Ok(())
    }

    fn replay_entry(&mut self, entry: &WalEntry) -> Result<(), EngineError> {
        let node = self.node();
        match entry {
            WalEntry::Verdict(verdict) => drop(self.candidates.know(verdict.value, verdict.valid)),
            WalEntry::Vote(vote) if vote.signer == node && self.desk.verify_vote(vote) => {
                self.desk.signer.remember((*vote).into());
            }
            WalEntry::Proposal(ours) if ours.signer == node && self.desk.verify_proposal(ours) => {
                self.desk.signer.remember((*ours).into());
            }
            _ => {}
        }
        self.desk.remember_signature();
        if let Some(input) = input(entry) {
            self.feed(input)?;
        }
        match entry {
            WalEntry::Proposal(proposal) => self.look_at(proposal),
            _ => Ok(()),
        }
    }

    /// The effects of one entry, without the signer's record, which stays to be saved.
    fn drain_replayed(&mut self) -> Vec<Effect> {
        let effects = self.desk.outbox.drain();
        let (record, rest): (Vec<_>, Vec<_>) =
            effects.into_iter().partition(|effect| matches!(effect, Effect::SaveSigner(_)));
        if !record.is_empty() {
            self.desk.outbox.save(self.desk.signer.record());
        }
        rest
    }

    /// Puts what is left in force into the outbox.
    fn resume(&mut self, left: Leftover) {
        let position = self.position();
        let proposing = self.state.as_ref().is_some_and(|state| state.driver.step_is_propose());
        let outbox = &mut self.desk.outbox;
        left.append.into_iter().for_each(|entry| outbox.append(entry));
        outbox.push(Effect::CancelAll);
        for (timer, after) in left.timers {
            outbox.push(Effect::Schedule { timer, after });
        }
        for message in left.statements {
            if position == Some((message.height(), message.round())) {
                outbox.require_sync();
                outbox.push(Effect::Broadcast(message));
            }
        }
        if let Some(Effect::Propose { height, round, within }) = left.propose
            && proposing
            && position == Some((height, round))
            && self.desk.proposal.is_none_or(|proposal| proposal.statement.round != round)
        {
            outbox.push(Effect::Propose { height, round, within });
        }
        for candidate in self.candidates.unanswered() {
            outbox.push(Effect::Validate(candidate));
        }
        left.others.into_iter().for_each(|effect| outbox.push(effect));
    }
}

/// The core's input for an entry.
fn input(entry: &WalEntry) -> Option<core::Input<core::Agreement>> {
    Some(match entry {
        WalEntry::Vote(vote) => core::Input::Vote(core::core_vote(vote)),
        WalEntry::Proposal(proposal) => core::Input::Proposal(core::core_proposal(proposal)),
        WalEntry::Verdict(verdict) => core::Input::ProposedValue(
            core::ProposedValue {
                height: core::Height(verdict.height),
                round: core::core_round(verdict.round),
                valid_round: core::Round::Nil,
                proposer: core::Member(verdict.proposer),
                value: core::Block(verdict.value),
                validity: core::Validity::from_bool(verdict.valid),
            },
            core::ValueOrigin::Consensus,
        ),
        WalEntry::Timeout(timer) => core::Input::TimeoutElapsed(core::core_timeout(*timer)?),
        WalEntry::Polka(polka) => core::Input::PolkaCertificate(core::core_polka(polka)),
    })
}
