//! Rate limits: one token bucket per key, and a bound on the number of buckets.

use std::{hash::Hash, num::NonZeroUsize, time::Instant};

use lru::LruCache;

/// Buckets that are kept. An evicted bucket starts full again, so that eviction never punishes a peer. An adversary
/// with more keys than this is bounded by the limits on connections instead.
const MAX_BUCKETS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// Token buckets by key: each fills at its rate and holds one second's worth.
pub(crate) struct Rates<K: Hash + Eq>(LruCache<K, Bucket>);

struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl<K: Hash + Eq> Rates<K> {
    pub(crate) fn new() -> Self {
        Self(LruCache::new(MAX_BUCKETS))
    }

    /// Takes one token of `key`, whose bucket fills with `per_second`. False when it is empty.
    pub(crate) fn take(&mut self, key: K, per_second: u32, now: Instant) -> bool {
        let most = f64::from(per_second);
        let bucket = self.0.get_or_insert_mut(key, || Bucket { tokens: most, filled: now });
        let elapsed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.tokens = (bucket.tokens + elapsed * most).min(most);
        bucket.filled = now;
        let enough = bucket.tokens >= 1.0;
        if enough {
            bucket.tokens -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_takes_the_tokens_of_one_second_and_time_refills_them() {
        let (mut rates, start) = (Rates::new(), Instant::now());
        assert_eq!((0..20).filter(|_| rates.take("a", 10, start)).count(), 10);
        assert!(rates.take("b", 10, start), "other keys have their own bucket");
        let later = start + Duration::from_millis(300);
        assert_eq!((0..20).filter(|_| rates.take("a", 10, later)).count(), 3);
        let much_later = start + Duration::from_secs(3600);
        assert_eq!((0..20).filter(|_| rates.take("a", 10, much_later)).count(), 10);
    }

    #[test]
    fn the_number_of_buckets_is_bounded() {
        let (mut rates, now) = (Rates::new(), Instant::now());
        for key in 0..10_000 {
            rates.take(key, 1, now);
        }
        assert_eq!(rates.0.len(), MAX_BUCKETS.get());
        assert!(rates.take(0, 1, now), "the evicted bucket starts full");
    }
}
