//! Timers that fired, and rebroadcasts.
//!
//! Messages get lost and are not acknowledged. While a height is undecided, a validator therefore
//! repeats what its peers may lack: its votes of this round, the certificate that brought it into
//! the round, its proposal, and the polka of its valid value. A peer that receives them reaches the
//! same round and step. A peer at an earlier height catches up by certificates
//! ([`Effect::Behind`](crate::bft::Effect::Behind)).

use super::{Engine, Phase, error::EngineError};
use crate::bft::{Message, Timer, TimerKind, core};

impl Engine {
    /// Handles a timer that fired.
    pub(super) fn on_elapsed(&mut self, timer: Timer) -> Result<(), EngineError> {
        let Some(current) = &self.current else { return Ok(()) };
        // The listening period can be longer than a height, so its timer may carry an earlier one.
        if timer.kind == TimerKind::Listen {
            return self.on_listen_elapsed(timer);
        }
        if timer.height != current.height {
            return Ok(());
        }
        match (&current.phase, timer.kind) {
            (Phase::Running, TimerKind::Rebroadcast) => {
                self.rebroadcast(timer);
                self.feed_timeout(timer)
            }
            (Phase::Running, _) => self.feed_timeout(timer),
            _ => Ok(()),
        }
    }

    /// Ends the listening period. A height that already runs without signing is not started again.
    fn on_listen_elapsed(&mut self, timer: Timer) -> Result<(), EngineError> {
        // A timer of an earlier period may still fire after it was replaced.
        if self.guard.timer.take_if(|awaited| *awaited == timer).is_none() {
            return Ok(());
        }
        self.guard.listen = None;
        let listening = self.current.as_ref().is_some_and(|c| matches!(c.phase, Phase::Listening(_)));
        if listening { self.run_height() } else { Ok(()) }
    }

    /// Feeds a timer to the core, which ignores timers of other rounds.
    pub(super) fn feed_timeout(&mut self, timer: Timer) -> Result<(), EngineError> {
        match core::core_timeout(timer) {
            Some(timeout) => self.feed(core::Input::TimeoutElapsed(timeout)),
            None => Ok(()),
        }
    }

    /// Sends what the core does not repeat by itself: the polka of its valid value and our proposal.
    fn rebroadcast(&mut self, timer: Timer) {
        let Some(state) = &self.state else { return };
        // The round changed while the timer was on its way: the messages of the old round help no peer.
        if core::round_of(state.round()) != timer.round {
            return;
        }
        let polka = state.driver.valid_value().and_then(|valid| {
            let polka = state.polka_certificate(valid.round, &valid.value)?;
            core::polka_of(polka).map(Message::Polka)
        });
        let proposal = self.adapter.proposal.filter(|proposal| proposal.statement.round == timer.round);
        for message in polka.into_iter().chain(proposal.map(Message::Proposal)) {
            self.adapter.effects.broadcast(message);
        }
    }
}
