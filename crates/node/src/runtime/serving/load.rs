//! How busy an expert is, as its record advertises it.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use nervure_protocol::AskerClass;

/// Queries at which an expert counts as fully loaded: the length of its queue for one class.
const FULL_LOAD_QUERIES: u32 = 16;

/// The most that queries of free keys add. They wait for others, who would find the expert free: with more, anyone could
/// make an expert look busy at no cost.
const MAX_FREE_LOAD_QUERIES: u32 = FULL_LOAD_QUERIES / 2;

/// The queries that an expert works on, or that wait for it. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExpertLoad(Arc<[AtomicU32; 2]>);

/// A query in progress; counted until it is dropped.
pub(super) struct InFlightGuard(ExpertLoad, usize);

impl ExpertLoad {
    /// Counts a query of an asker of `class`.
    pub(super) fn begin(&self, class: AskerClass) -> InFlightGuard {
        let free = usize::from(class.is_free());
        self.0[free].fetch_add(1, Ordering::Relaxed);
        InFlightGuard(self.clone(), free)
    }

    /// In percent of [`FULL_LOAD_QUERIES`].
    pub(super) fn percent(&self) -> u8 {
        let [paid, free] = [0, 1].map(|kind: usize| self.0[kind].load(Ordering::Relaxed));
        // The minimum comes first, so that the product cannot overflow.
        let busy = paid.saturating_add(free.min(MAX_FREE_LOAD_QUERIES)).min(FULL_LOAD_QUERIES);
        u8::try_from(busy * 100 / FULL_LOAD_QUERIES).unwrap_or(100)
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.0[self.1].fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_follows_the_queries_and_free_keys_add_half_of_it_at_most() {
        let load = ExpertLoad::default();
        let begin = |class, count: usize| (0..count).map(|_| load.begin(class)).collect::<Vec<_>>();
        assert_eq!(load.percent(), 0);
        let some = begin(AskerClass::Staked, 4);
        assert_eq!(load.percent(), 25);
        let strangers = begin(AskerClass::Stranger, 100);
        assert_eq!(load.percent(), 75);
        let many = begin(AskerClass::Validator, 100);
        assert_eq!(load.percent(), 100);
        drop((some, strangers, many));
        assert_eq!(load.percent(), 0);
    }
}
