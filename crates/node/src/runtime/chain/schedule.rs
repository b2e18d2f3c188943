//! What the chain's thread does at which moment: the engine's timers, and the beginning of the next height.

use std::{collections::BTreeMap, time::Instant};

use nervure_consensus::bft::{Timer, TimerKind};

/// Moments at which something is due.
#[derive(Debug)]
pub(super) struct Schedule {
    timers: BTreeMap<Timer, Instant>,
    /// When the next height begins, once the last one is committed; for a follower, when others are asked for it.
    begin_at: Option<Instant>,
}

impl Schedule {
    /// Nothing but the first height, at `begin_at`.
    pub(super) const fn new(begin_at: Instant) -> Self {
        Self { timers: BTreeMap::new(), begin_at: Some(begin_at) }
    }

    /// Starts or restarts a timer.
    pub(super) fn start(&mut self, timer: Timer, at: Instant) {
        self.timers.insert(timer, at);
    }

    /// Stops a timer. Returns whether it ran.
    pub(super) fn cancel(&mut self, timer: &Timer) -> bool {
        self.timers.remove(timer).is_some()
    }

    /// Stops all timers but that of the listening period, which can be longer than a height.
    pub(super) fn cancel_all(&mut self) {
        self.timers.retain(|timer, _| timer.kind == TimerKind::Listen);
    }

    /// The timers that are due. They run until they are cancelled.
    pub(super) fn due_timers(&self, now: Instant) -> Vec<Timer> {
        self.timers.iter().filter(|(_, at)| **at <= now).map(|(timer, _)| *timer).collect()
    }

    /// Plans the beginning of the next height.
    pub(super) const fn begin_at(&mut self, at: Instant) {
        self.begin_at = Some(at);
    }

    /// Whether the next height is planned and has not begun.
    pub(super) const fn awaits_height(&self) -> bool {
        self.begin_at.is_some()
    }

    /// Whether the next height is due. It is no longer planned then.
    pub(super) fn take_height(&mut self, now: Instant) -> bool {
        self.begin_at.take_if(|at| *at <= now).is_some()
    }

    /// The next moment at which something is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.timers.values().copied().chain(self.begin_at).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nervure_consensus::bft::{Round, TimerKind};
    use nervure_primitives::BlockHeight;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn timer(kind: TimerKind) -> Timer {
        Timer { height: BlockHeight(1), round: Round(0), kind }
    }

    #[test]
    fn the_next_moment_is_the_earliest_one() {
        let now = Instant::now();
        let mut schedule = Schedule::new(now + 3 * SECOND);
        assert_eq!(schedule.next(), Some(now + 3 * SECOND));
        schedule.start(timer(TimerKind::Propose), now + 2 * SECOND);
        schedule.start(timer(TimerKind::Prevote), now + 4 * SECOND);
        assert_eq!(schedule.next(), Some(now + 2 * SECOND));
        schedule.cancel_all();
        assert!(schedule.take_height(now + 3 * SECOND));
        assert_eq!(schedule.next(), None);
    }

    #[test]
    fn a_height_begins_once_and_not_before_its_moment() {
        let now = Instant::now();
        let mut schedule = Schedule::new(now + SECOND);
        assert!(!schedule.take_height(now) && schedule.awaits_height());
        assert!(schedule.take_height(now + SECOND) && !schedule.awaits_height());
        assert!(!schedule.take_height(now + SECOND), "it has begun");
    }

    #[test]
    fn a_timer_that_is_restarted_or_cancelled_is_not_due() {
        let now = Instant::now();
        let (propose, prevote) = (timer(TimerKind::Propose), timer(TimerKind::Prevote));
        let mut schedule = Schedule::new(now);
        schedule.start(propose, now);
        schedule.start(prevote, now);
        assert_eq!(schedule.due_timers(now), [propose, prevote]);
        schedule.start(propose, now + SECOND);
        assert_eq!(schedule.due_timers(now), [prevote]);
        assert!(schedule.cancel(&prevote) && !schedule.cancel(&prevote));
        assert_eq!(schedule.due_timers(now), []);
        assert_eq!(schedule.due_timers(now + SECOND), [propose]);
    }
}
