//! Timers that fired, and what is sent again when nothing moves.
//!
//! Messages get lost, and nobody acknowledges any. So as long as a height is undecided, a
//! validator sends again from time to time what the others may lack: its votes of this round, the
//! certificate that brought it into the round, its proposal, and the polka of the block that it
//! holds to be valid. Whoever hears that is as far as it is; heights that were left behind are
//! caught up with by certificates ([`Effect::Behind`](crate::bft::Effect::Behind)).

use super::{Engine, EngineError, Phase};
use crate::bft::{Message, Timer, TimerKind, core};

impl Engine {
    /// A timer fired.
    pub(super) fn on_elapsed(&mut self, timer: Timer) -> Result<(), EngineError> {
        let Some(current) = &self.current else { return Ok(()) };
        if timer.kind == TimerKind::Listen {
            return self.has_listened(timer);
        }
        if timer.height != current.height {
            return Ok(());
        }
        match (&current.phase, timer.kind) {
            (Phase::Running, TimerKind::Rebroadcast) => {
                self.send_again(timer);
                self.feed_timeout(timer)
            }
            (Phase::Running, _) => self.feed_timeout(timer),
            _ => Ok(()),
        }
    }

    /// The time of listening is over; a height that was followed without signing meanwhile is left at that.
    fn has_listened(&mut self, timer: Timer) -> Result<(), EngineError> {
        if self.hearing.timer.take_if(|awaited| *awaited == timer).is_none() {
            return Ok(());
        }
        self.hearing.listen = None;
        let listening = self.current.as_ref().is_some_and(|c| matches!(c.phase, Phase::Listening(_)));
        if listening { self.begin() } else { Ok(()) }
    }

    /// Feeds a timer to the core, which ignores those of other rounds.
    pub(super) fn feed_timeout(&mut self, timer: Timer) -> Result<(), EngineError> {
        match core::core_timeout(timer) {
            Some(timeout) => self.feed(core::Input::TimeoutElapsed(timeout)),
            None => Ok(()),
        }
    }

    /// What the core does not send again by itself.
    fn send_again(&mut self, timer: Timer) {
        let Some(state) = &self.state else { return };
        if core::round_of(state.round()) != timer.round {
            return;
        }
        let polka = state.driver.valid_value().and_then(|valid| {
            let polka = state.polka_certificate(valid.round, &valid.value)?;
            core::polka_of(polka).map(Message::Polka)
        });
        let proposal = self.desk.proposal.filter(|proposal| proposal.statement.round == timer.round);
        for message in polka.into_iter().chain(proposal.map(Message::Proposal)) {
            self.desk.outbox.broadcast(message);
        }
    }
}
