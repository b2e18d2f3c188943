//! How often somebody may ask: a token bucket for each, and a bound on how many are remembered.

use std::{num::NonZeroUsize, time::Instant};

use lru::LruCache;
use nervure_primitives::NodeId;

/// Nodes whose buckets are remembered. A forgotten one starts with a full bucket, so that forgetting is
/// never a punishment; somebody with this many keys is bounded by connections instead.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// Token buckets by node: each fills at its rate and holds one second's worth.
pub(super) struct Rates(LruCache<NodeId, Bucket>);

struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Rates {
    pub(super) fn new() -> Self {
        Self(LruCache::new(REMEMBERED))
    }

    /// Takes one token of `node`, whose bucket fills with `per_second`. False when it is empty.
    pub(super) fn take(&mut self, node: NodeId, per_second: u32, now: Instant) -> bool {
        let most = f64::from(per_second);
        let bucket = self.0.get_or_insert_mut(node, || Bucket { tokens: most, filled: now });
        let elapsed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.tokens = (bucket.tokens + elapsed * most).min(most);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn node(number: u32) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        NodeId::from_bytes(bytes)
    }

    #[test]
    fn a_burst_is_one_second_and_time_refills_it() {
        let (mut rates, start) = (Rates::new(), Instant::now());
        assert_eq!((0..20).filter(|_| rates.take(node(1), 10, start)).count(), 10);
        assert!(rates.take(node(2), 10, start), "others are not concerned");
        let later = start + Duration::from_millis(300);
        assert_eq!((0..20).filter(|_| rates.take(node(1), 10, later)).count(), 3);
        let much_later = start + Duration::from_secs(3600);
        assert_eq!((0..20).filter(|_| rates.take(node(1), 10, much_later)).count(), 10);
    }

    #[test]
    fn the_number_of_buckets_is_bounded() {
        let (mut rates, now) = (Rates::new(), Instant::now());
        for number in 0..10_000 {
            rates.take(node(number), 1, now);
        }
        assert_eq!(rates.0.len(), REMEMBERED.get());
        assert!(rates.take(node(0), 1, now), "the first was forgotten and begins anew");
    }
}
