//! The lock of a subnet's registration: twice the last lock, decaying with time.

/// The rule by which the lock moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockRule {
    /// The minimum lock, in base units.
    pub floor: u64,
    /// Blocks in which an amount as large as the last lock decays; 0 decays everything at once.
    pub interval: u64,
}

impl Default for LockRule {
    fn default() -> Self {
        Self { floor: 100_000_000_000, interval: 100_800 }
    }
}

/// The lock of the last subnet that was registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LastLock {
    /// The lock, in base units.
    pub amount: u64,
    /// The block of the registration; 0 when no subnet was ever registered, and then the lock does not double.
    pub block: u64,
}

impl LockRule {
    /// The lock of a subnet that is registered at `block`:
    /// `max(floor, 2 * last - floor(last / interval) * elapsed)`.
    pub fn cost(&self, last: LastLock, block: u64) -> u64 {
        let times = if last.block == 0 { 1 } else { 2 };
        // 128 bits: twice a u64 amount does not fit into 64.
        let top = u128::from(last.amount) * times;
        let elapsed = u128::from(block.saturating_sub(last.block));
        let decayed =
            last.amount.checked_div(self.interval).map_or(top, |per_block| u128::from(per_block) * elapsed);
        // The floor last: without it, subnets would be free after a quiet time.
        u64::try_from(top.saturating_sub(decayed)).unwrap_or(u64::MAX).max(self.floor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_lock_only_falls_with_time_and_never_below_the_floor(amount: u64, block: u64, a: u64, b: u64, interval: u64) {
            let rule = LockRule { interval, ..LockRule::default() };
            let last = LastLock { amount, block };
            prop_assert!(rule.cost(last, a.min(b)) >= rule.cost(last, a.max(b)));
            prop_assert!(rule.cost(last, a) >= rule.floor);
        }
    }
}
