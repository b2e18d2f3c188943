//! Which peers send transactions that cost their senders nothing: no account pays for them, their nonce is used, they have
//! expired, or another one with their nonce stays.
//!
//! Each costs a signature check, or several: a call of a threshold account has up to 17. An honest peer forwards what its own
//! mempool took. A block or a transaction that one of two has and the other has not makes some of that worthless here, and a
//! hostile *user* can make it more: it sends the payment that drains an account to all nodes but one, and to that one others
//! that rely on it. So what a peer forwards says little of the peer, and must not cost it its score, with which all of its
//! messages would be ignored, votes too. A peer that had more than [`BURST`] signatures verified for nothing, and one per
//! [`REFILL_INTERVAL`], is *in debt*: what it sends is verified after what others send ([`Lane::InDebt`](super::inbox::Lane)),
//! and dropped first.

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use lru::LruCache;
use nervure_primitives::NodeId;
use parking_lot::Mutex;

/// Signatures that a peer can have verified for nothing at once: four accounts' worth of pending transactions.
const BURST: i64 = 64;

/// How often one more is.
const REFILL_INTERVAL: Duration = Duration::from_secs(1);

/// The deepest debt: ten minutes without another one.
const MAX_DEBT: i64 = 600;

/// Peers that are remembered; the one that was heard of least recently is forgotten.
const MAX_PEERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);

/// What a peer may still have verified.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    /// Signatures; below zero in debt.
    left: i64,
    /// When `left` was last raised.
    since: Instant,
}

impl Allowance {
    fn refill(&mut self, now: Instant) {
        let refills = now.saturating_duration_since(self.since).as_secs() / REFILL_INTERVAL.as_secs();
        if refills > 0 {
            self.left = self.left.saturating_add(i64::try_from(refills).unwrap_or(i64::MAX)).min(BURST);
            self.since = now;
        }
    }
}

/// What each peer may still have verified. The threads of the chain and of signatures share it.
#[derive(Debug)]
pub(super) struct UnfundedMeter(Mutex<LruCache<NodeId, Allowance>>);

impl Default for UnfundedMeter {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MAX_PEERS)))
    }
}

impl UnfundedMeter {
    /// A peer sent a transaction that costs its sender nothing, for which so many signatures were verified.
    pub(super) fn on_unfunded(&self, peer: NodeId, signatures: u32, now: Instant) {
        let mut peers = self.0.lock();
        let allowance = peers.get_or_insert_mut(peer, || Allowance { left: BURST, since: now });
        allowance.refill(now);
        allowance.left = allowance.left.saturating_sub(signatures.into()).max(-MAX_DEBT);
    }

    /// Whether what the peer sends has to wait for what others send.
    pub(super) fn is_in_debt(&self, peer: &NodeId, now: Instant) -> bool {
        let mut peers = self.0.lock();
        // Looked at without moving it to the front: a peer that sends nothing worthless is not remembered for it.
        peers.peek_mut(peer).is_some_and(|allowance| {
            allowance.refill(now);
            allowance.left <= 0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> NodeId {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&number.to_be_bytes());
        NodeId::from_bytes(id)
    }

    #[test]
    fn a_burst_and_one_a_second_are_free_and_more_is_debt() {
        let (meter, begun) = (UnfundedMeter::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        let send = |times: i64, seconds| (0..times).for_each(|_| meter.on_unfunded(peer(1), 1, at(seconds)));
        send(BURST - 1, 0);
        assert!(!meter.is_in_debt(&peer(1), at(0)));
        send(1, 0);
        assert!(meter.is_in_debt(&peer(1), at(0)) && !meter.is_in_debt(&peer(2), at(0)), "of each its own");
        assert!(!meter.is_in_debt(&peer(1), at(1)));
        send(3, 1);
        assert!(meter.is_in_debt(&peer(1), at(3)) && !meter.is_in_debt(&peer(1), at(4)));
        send(100_000, 4);
        assert!(meter.is_in_debt(&peer(1), at(4 + MAX_DEBT as u64)), "ten minutes");
        assert!(!meter.is_in_debt(&peer(1), at(5 + MAX_DEBT as u64)), "and no longer");
    }

    #[test]
    fn a_transaction_counts_as_often_as_it_has_signatures() {
        let now = Instant::now();
        // What a peer gets for nothing with calls of a threshold account of 16, each with 17 signatures.
        let verified = |counted: u32| {
            let meter = UnfundedMeter::default();
            let sent = (0..1_000).take_while(|_| {
                let is_free = !meter.is_in_debt(&peer(1), now);
                meter.on_unfunded(peer(1), counted, now);
                is_free
            });
            sent.count() as i64 * 17
        };
        assert!(verified(17) < BURST + 17);
        // Counted as messages, the same peer has seventeen times a burst verified.
        assert_eq!(verified(1), 17 * BURST);
    }

    #[test]
    fn the_peers_that_are_remembered_are_bounded() {
        let (meter, now) = (UnfundedMeter::default(), Instant::now());
        for number in 0..2 * MAX_PEERS.get() as u32 {
            meter.on_unfunded(peer(number), 1, now);
        }
        assert_eq!(meter.0.lock().len(), MAX_PEERS.get());
    }
}
