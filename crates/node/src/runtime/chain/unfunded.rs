//! Which peers send transactions that no account pays for.
//!
//! An honest peer forwards what its own mempool took. A block that one of two has and the other has not makes some of that
//! unfunded here, but not much of it; a peer that sends more than [`BURST`] at once and one per [`REFILL_INTERVAL`] has
//! others verify signatures at no cost, and its messages count against it.

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use lru::LruCache;
use nervure_p2p::Verdict;
use nervure_primitives::NodeId;

/// Unfunded transactions of a peer that are ignored at once: four accounts' worth of pending ones.
const BURST: u32 = 64;

/// How often one more is.
const REFILL_INTERVAL: Duration = Duration::from_secs(1);

/// Peers that are remembered; the one that was heard of least recently is forgotten.
const MAX_PEERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);

/// What a peer may still send.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    left: u32,
    /// When `left` was last raised.
    since: Instant,
}

/// What each peer may still send.
#[derive(Debug)]
pub(super) struct UnfundedMeter(LruCache<NodeId, Allowance>);

impl Default for UnfundedMeter {
    fn default() -> Self {
        Self(LruCache::new(MAX_PEERS))
    }
}

impl UnfundedMeter {
    /// A peer sent an unfunded transaction: the verdict on it.
    pub(super) fn on_unfunded(&mut self, peer: NodeId, now: Instant) -> Verdict {
        let allowance = self.0.get_or_insert_mut(peer, || Allowance { left: BURST, since: now });
        let refills = now.saturating_duration_since(allowance.since).as_secs() / REFILL_INTERVAL.as_secs();
        if refills > 0 {
            allowance.left =
                allowance.left.saturating_add(u32::try_from(refills).unwrap_or(BURST)).min(BURST);
            allowance.since = now;
        }
        match allowance.left.checked_sub(1) {
            Some(left) => {
                allowance.left = left;
                Verdict::Ignore
            }
            None => Verdict::Reject,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_one_a_second_are_ignored_and_more_count_against_the_peer() {
        let (mut meter, begun) = (UnfundedMeter::default(), Instant::now());
        let [peer, other] = [1, 2].map(|byte| NodeId::from_bytes([byte; 32]));
        let rejected = |meter: &mut UnfundedMeter, times: u32, seconds| {
            let now = begun + Duration::from_secs(seconds);
            (0..times).filter(|_| meter.on_unfunded(peer, now) == Verdict::Reject).count()
        };
        assert_eq!(rejected(&mut meter, BURST, 0), 0);
        assert_eq!(rejected(&mut meter, 3, 0), 3);
        assert_eq!(rejected(&mut meter, 3, 2), 1);
        assert_eq!(rejected(&mut meter, 2 * BURST, 100_000), BURST as usize, "never more than a burst");
        assert_eq!(meter.on_unfunded(other, begun), Verdict::Ignore, "of each its own");
    }

    #[test]
    fn the_peers_that_are_remembered_are_bounded() {
        let (mut meter, now) = (UnfundedMeter::default(), Instant::now());
        for number in 0..2 * MAX_PEERS.get() as u32 {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&number.to_be_bytes());
            meter.on_unfunded(NodeId::from_bytes(id), now);
        }
        assert_eq!(meter.0.len(), MAX_PEERS.get());
    }
}
