//! The price of registering a neuron: it jumps with every registration and decays with every block.
//!
//! The decay of a block is a factor in 32 fraction bits, chosen once per half-life by bisection so
//! that its power over a whole half-life is at most one half. All products are floored.

/// The rule by which a price moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BurnRule {
    /// Blocks in which the price halves; 0 keeps it constant.
    pub half_life: u64,
    /// The factor of a registration, in thousandths.
    pub multiplier_milli: u64,
    /// The minimum price, in base units.
    pub floor: u64,
    /// The maximum price, in base units.
    pub ceiling: u64,
}

impl Default for BurnRule {
    fn default() -> Self {
        Self { half_life: 360, multiplier_milli: 1_260, floor: 500_000, ceiling: 100_000_000_000 }
    }
}

/// One, in 32 fraction bits.
const ONE: u64 = 1 << 32;

impl BurnRule {
    /// The price after one more registration.
    pub fn after_registration(&self, price: u64) -> u64 {
        // 128 bits: the product of two u64 does not fit into 64.
        let raised = u128::from(price) * u128::from(self.multiplier_milli) / 1_000;
        self.clamp(u64::try_from(raised).unwrap_or(u64::MAX))
    }

    /// The price one block later. `factor` is [`decay_factor`] of the half-life.
    pub fn after_block(&self, price: u64, factor: u64) -> u64 {
        self.clamp(multiply(price, factor))
    }

    fn clamp(&self, price: u64) -> u64 {
        // Not `Ord::clamp`, which panics when the bounds are crossed.
        price.max(self.floor).min(self.ceiling)
    }
}

/// The factor of a block, in 32 fraction bits: the largest factor whose power over
/// `half_life` blocks is at most one half, and one when `half_life` is 0.
pub fn decay_factor(half_life: u64) -> u64 {
    if half_life == 0 {
        return ONE;
    }
    // Invariant: the power of `low` is at most one half, that of `high` is above it. Floored products are
    // monotone in the base, so the bisection finds the border.
    let (mut low, mut high) = (0, ONE);
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if power(middle, half_life) > ONE / 2 {
            high = middle;
        } else {
            low = middle;
        }
    }
    low
}

/// `value * factor`, floored, saturating.
fn multiply(value: u64, factor: u64) -> u64 {
    u64::try_from((u128::from(value) * u128::from(factor)) >> 32).unwrap_or(u64::MAX)
}

/// `base` to the power of `exponent`, by squaring from the lowest bit; every product is floored.
fn power(mut base: u64, mut exponent: u64) -> u64 {
    let mut result = ONE;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = multiply(result, base);
        }
        // Cannot saturate: the base is at most one, and so is its square.
        base = multiply(base, base);
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_registration_costs_a_quarter_more_each_time() {
        assert_eq!(BurnRule::default().after_registration(1_000_000), 1_260_000);
    }

    #[test]
    fn crossed_bounds_do_not_panic() {
        let rule = BurnRule { floor: 9, ceiling: 3, ..BurnRule::default() };
        assert_eq!(rule.after_registration(5), 3);
    }

    proptest! {
        #[test]
        fn the_price_stays_within_its_bounds(price: u64, half_life in 0u64..10_000) {
            let rule = BurnRule { half_life, ..BurnRule::default() };
            for moved in [rule.after_registration(price), rule.after_block(price, decay_factor(half_life))] {
                prop_assert!((rule.floor..=rule.ceiling).contains(&moved));
            }
        }

        #[test]
        fn the_factor_is_the_largest_that_halves(half_life in 1u64..100_000) {
            let factor = decay_factor(half_life);
            prop_assert!(power(factor, half_life) <= ONE / 2);
            prop_assert!(factor + 1 == ONE || power(factor + 1, half_life) > ONE / 2);
        }
    }
}
