//! The heights that a validator missed in a sliding window: one bit per height.
//!
//! The bit of a height is at its remainder by the window, so that a height takes the place of the one that leaves the
//! window, and a validator that signs everything has no bits and is never written.

use serde::{Deserialize, Serialize};

/// The longest window, in heights: 1,250 bytes for each validator in office.
pub const MAX_LIVENESS_WINDOW: u64 = 10_000;

/// Which heights of the window were missed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MissedHeights(#[serde(with = "serde_bytes")] Vec<u8>);

impl MissedHeights {
    /// How many heights of the window were missed.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|byte| u64::from(byte.count_ones())).sum()
    }

    /// Whether the height that has the place of `height` in the window was missed.
    pub(super) fn is_missed(&self, height: u64, window: u64) -> bool {
        let (byte, bit) = place(height, window);
        self.0.get(byte).is_some_and(|bits| bits & bit != 0)
    }

    /// Writes down `height` in place of the height that leaves the window.
    pub(super) fn record(&mut self, height: u64, window: u64, missed: bool) {
        let (byte, bit) = place(height, window);
        if missed && self.0.len() <= byte {
            self.0.resize(byte + 1, 0);
        }
        if let Some(bits) = self.0.get_mut(byte) {
            *bits = if missed { *bits | bit } else { *bits & !bit };
        }
        // Without trailing zeros, so that what was missed has one form, whatever the window saw before.
        let used = self.0.iter().rposition(|bits| *bits != 0).map_or(0, |last| last + 1);
        self.0.truncate(used);
    }
}

/// The byte and the bit of a height.
fn place(height: u64, window: u64) -> (usize, u8) {
    // The window is bounded by `MAX_LIVENESS_WINDOW`, so the place fits into any `usize`.
    let place = height % window.clamp(1, MAX_LIVENESS_WINDOW);
    ((place / 8) as usize, 1 << (place % 8))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_counts_the_last_heights_and_no_others(window in 1u64..40, heights in proptest::collection::vec(any::<bool>(), 0..120)) {
            let mut missed = MissedHeights::default();
            for (height, flag) in (1u64..).zip(&heights) {
                missed.record(height, window, *flag);
            }
            let last = heights.iter().rev().take(window as usize);
            prop_assert_eq!(missed.count(), last.filter(|flag| **flag).count() as u64);
            prop_assert!(missed.0.len() as u64 <= window.div_ceil(8));
            prop_assert_ne!(missed.0.last(), Some(&0));
        }
    }
}
