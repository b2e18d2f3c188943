//! This node's own observations of experts: latency, failures and queries in flight.
//!
//! Kept for a bounded number of experts; the least recently used is dropped first.

use std::{collections::VecDeque, num::NonZeroUsize, time::Duration};

use lru::LruCache;
use nervure_primitives::{NodeId, UnixMillis};

/// Upper bound for experts.
const MAX_EXPERTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);

/// Weight of a new latency in the moving average: 1/4.
const SMOOTHING: u32 = 4;

/// Latencies kept per expert, 256 bytes.
const MAX_LATENCIES: usize = 64;

/// Latencies needed before a percentile is computed.
const MIN_LATENCIES: usize = 8;

/// Failures in a row after which an expert is paused.
const MIN_FAILURES: u32 = 3;

/// The first pause; doubles with each further failure.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// The observations of one expert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// Smoothed milliseconds to the first byte; none before the first answer.
    pub latency_ms: Option<u32>,
    /// Milliseconds within which 95 % of its last 64 answers began; none before the eighth.
    pub late_ms: Option<u32>,
    /// Queries of this node in flight.
    pub in_flight: u32,
    /// Failures since the last success.
    pub failures: u32,
    /// It is paused until then.
    pub paused_until: UnixMillis,
}

impl Observation {
    /// Whether it is paused at `now`. After a pause it gets one query at a time until one is answered.
    pub fn is_paused(&self, now: UnixMillis) -> bool {
        self.paused_until > now || (self.failures >= MIN_FAILURES && self.in_flight > 0)
    }
}

/// The history of one expert.
#[derive(Debug, Default)]
struct Memory {
    seen: Observation,
    /// The last latencies, in milliseconds, at most [`MAX_LATENCIES`].
    latencies: VecDeque<u32>,
}

/// The observations of all experts.
#[derive(Debug)]
pub struct Observations(LruCache<(NodeId, String), Memory>);

impl Default for Observations {
    fn default() -> Self {
        Self(LruCache::new(MAX_EXPERTS))
    }
}

impl Observations {
    /// The observations of an expert.
    pub fn of(&self, node: &NodeId, expert: &str) -> Observation {
        self.0.peek(&(*node, expert.to_owned())).map(|memory| memory.seen).unwrap_or_default()
    }

    /// Counts a query that is sent to an expert. Exactly one of the other three has to follow.
    pub fn begin(&mut self, node: NodeId, expert: &str) {
        let seen = &mut self.entry(node, expert).seen;
        seen.in_flight = seen.in_flight.saturating_add(1);
    }

    /// Records that the first byte came after `latency`. The query is still in flight.
    pub fn first_byte(&mut self, node: NodeId, expert: &str, latency: Duration) {
        let new = u32::try_from(latency.as_millis()).unwrap_or(u32::MAX);
        let memory = self.entry(node, expert);
        memory.remember(new);
        let seen = &mut memory.seen;
        // In whole numbers: the old value loses a quarter and the new one gives a quarter, both rounded down.
        let smoothed = |old: u32| old - old / SMOOTHING + new / SMOOTHING;
        seen.latency_ms = Some(seen.latency_ms.map_or(new, smoothed));
        (seen.failures, seen.paused_until) = (0, UnixMillis(0));
    }

    /// Records that another expert was faster, and that this one had not begun after `latency`. Without this, only fast
    /// answers would count, and a slow expert would seem fast.
    pub fn overtaken(&mut self, node: NodeId, expert: &str, latency: Duration) {
        let latency = u32::try_from(latency.as_millis()).unwrap_or(u32::MAX);
        self.entry(node, expert).remember(latency);
    }

    /// Records the end of a query, with or without success.
    pub fn end(&mut self, node: NodeId, expert: &str) {
        let seen = &mut self.entry(node, expert).seen;
        seen.in_flight = seen.in_flight.saturating_sub(1);
    }

    /// Records that the expert failed, before its first byte or within an answer. During a pause this changes nothing:
    /// all queries in flight when it failed are one failure.
    pub fn failed(&mut self, node: NodeId, expert: &str, now: UnixMillis) {
        let seen = &mut self.entry(node, expert).seen;
        if seen.paused_until > now {
            return;
        }
        seen.failures = seen.failures.saturating_add(1);
        if let Some(further) = seen.failures.checked_sub(MIN_FAILURES) {
            // The exponent is capped because a shift by 32 or more would overflow.
            let pause = MIN_PAUSE.saturating_mul(1 << further.min(16)).min(MAX_PAUSE);
            seen.paused_until = now.plus(pause);
        }
    }

    /// Records that the expert is asked at another place from now on: failures at the former one say nothing about the new
    /// one, so its pause ends. Its failures count on: one that only claims to have moved is asked once for each such
    /// record, and each time is paused for longer.
    pub fn moved(&mut self, node: NodeId, expert: &str) {
        if let Some(memory) = self.0.get_mut(&(node, expert.to_owned())) {
            memory.seen.paused_until = UnixMillis(0);
        }
    }

    fn entry(&mut self, node: NodeId, expert: &str) -> &mut Memory {
        self.0.get_or_insert_mut((node, expert.to_owned()), Memory::default)
    }
}

impl Memory {
    /// Adds a latency, by the nearest rank (the smallest that 95 % do not exceed).
    fn remember(&mut self, latency: u32) {
        if self.latencies.len() == MAX_LATENCIES {
            self.latencies.pop_front();
        }
        self.latencies.push_back(latency);
        if self.latencies.len() < MIN_LATENCIES {
            return;
        }
        let mut sorted: Vec<u32> = self.latencies.iter().copied().collect();
        sorted.sort_unstable();
        self.seen.late_ms = sorted.get((sorted.len() * 95).div_ceil(100).saturating_sub(1)).copied();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId::from_bytes([1; 32]);
    const NOW: UnixMillis = UnixMillis(1000);

    #[test]
    fn an_expert_that_moved_is_asked_again_one_query_at_a_time() {
        let mut all = Observations::default();
        (0..3).for_each(|_| all.failed(NODE, "a", NOW));
        assert!(all.of(&NODE, "a").is_paused(NOW), "without a move it waits");
        all.moved(NODE, "a");
        assert!(!all.of(&NODE, "a").is_paused(NOW));
        all.begin(NODE, "a");
        assert!(all.of(&NODE, "a").is_paused(NOW), "the place is not proven yet");
        all.end(NODE, "a");
        all.failed(NODE, "a", NOW);
        let longer = NOW.plus(MIN_PAUSE.saturating_mul(2));
        assert_eq!(
            all.of(&NODE, "a").paused_until,
            longer,
            "to claim a move does not shorten the next pause"
        );
        all.moved(NODE, "unknown");
        assert_eq!(all.of(&NODE, "unknown"), Observation::default());
    }

    #[test]
    fn three_failures_pause_and_a_first_byte_forgives() {
        let mut all = Observations::default();
        for _ in 0..2 {
            all.failed(NODE, "a", NOW);
        }
        assert_eq!(all.of(&NODE, "a").paused_until, UnixMillis(0));
        all.failed(NODE, "a", NOW);
        assert_eq!(all.of(&NODE, "a").paused_until, NOW.plus(MIN_PAUSE));
        (0..50).for_each(|_| all.failed(NODE, "a", NOW));
        assert_eq!(all.of(&NODE, "a").paused_until, NOW.plus(MIN_PAUSE), "one death fails many queries");
        let mut now = NOW;
        for _ in 0..100 {
            now = all.of(&NODE, "a").paused_until;
            all.failed(NODE, "a", now);
        }
        assert_eq!(all.of(&NODE, "a").paused_until, now.plus(MAX_PAUSE));
        all.first_byte(NODE, "a", Duration::from_millis(8));
        assert_eq!(all.of(&NODE, "a").paused_until, UnixMillis(0));
    }

    #[test]
    fn after_a_pause_one_query_at_a_time() {
        let mut all = Observations::default();
        (0..3).for_each(|_| all.failed(NODE, "a", NOW));
        assert!(all.of(&NODE, "a").is_paused(NOW));
        let later = NOW.plus(MIN_PAUSE);
        assert!(!all.of(&NODE, "a").is_paused(later));
        all.begin(NODE, "a");
        assert!(all.of(&NODE, "a").is_paused(later), "one is on its way");
        all.first_byte(NODE, "a", Duration::from_millis(8));
        assert!(!all.of(&NODE, "a").is_paused(later));
    }

    #[test]
    fn latency_follows_slowly_and_counts_return_to_zero() {
        let mut all = Observations::default();
        all.begin(NODE, "a");
        all.first_byte(NODE, "a", Duration::from_millis(100));
        all.first_byte(NODE, "a", Duration::from_millis(20));
        assert_eq!(all.of(&NODE, "a").latency_ms, Some(80));
        all.end(NODE, "a");
        all.end(NODE, "a");
        assert_eq!(all.of(&NODE, "a").in_flight, 0);
    }

    #[test]
    fn late_is_what_one_in_twenty_is() {
        let mut all = Observations::default();
        let mut late = |latencies: std::ops::RangeInclusive<u64>| {
            latencies.for_each(|ms| all.first_byte(NODE, "a", Duration::from_millis(ms)));
            all.of(&NODE, "a").late_ms
        };
        assert_eq!(late(1..=7), None, "too few to tell");
        assert_eq!(late(8..=20), Some(19));
        assert_eq!(late(101..=164), Some(161), "of the last 64 only");
        let before = all.of(&NODE, "a");
        (0..3).for_each(|_| all.overtaken(NODE, "a", Duration::from_millis(161)));
        assert_eq!(all.of(&NODE, "a"), before, "it stays as late as it was");
    }

    #[test]
    fn memory_is_bounded() {
        let mut all = Observations::default();
        for number in 0..20_000 {
            all.begin(NODE, &number.to_string());
        }
        assert_eq!(all.0.len(), MAX_EXPERTS.get());
    }
}
