//! [`I64F64`]: 128 bits, 64 of them fraction bits; wide enough for raw stakes.
//!
//! It has only what normalising stakes needs: sums and quotients of non-negative numbers. A stake
//! above 2^63 - 1 base units (four hundred times the supply) saturates, and so does a sum of them.

use std::{iter::Sum, ops::Add, ops::Div};

use super::I32F32;

/// A number of at least 0 and at most 2^63 - 2^-64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct I64F64(u128);

impl I64F64 {
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// The largest number, 2^63 - 2^-64.
    pub const MAX: Self = Self(u128::MAX >> 1);

    /// A whole number, saturating.
    pub fn from_int(value: u64) -> Self {
        if value >> 63 == 0 { Self(u128::from(value) << 64) } else { Self::MAX }
    }

    /// The representation: the number times 2^64.
    pub const fn to_bits(self) -> u128 {
        self.0
    }

    /// Whether all fraction bits are zero.
    const fn is_whole(self) -> bool {
        self.0 & u64::MAX as u128 == 0
    }

    /// The number truncated to 32 fraction bits, saturating.
    pub fn to_i32f32(self) -> I32F32 {
        // 64 fraction bits become 32.
        I32F32::from_bits(i64::try_from(self.0 >> 32).unwrap_or(i64::MAX))
    }
}

impl Add for I64F64 {
    type Output = Self;

    /// The sum, saturating.
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0)).min(Self::MAX)
    }
}

impl Sum for I64F64 {
    /// The sum from left to right, saturating at every step.
    fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
        values.fold(Self::ZERO, Add::add)
    }
}

impl Div for I64F64 {
    type Output = Self;

    /// The quotient, truncated, saturating; zero when `other` is zero.
    fn div(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        if b == 0 {
            return Self::ZERO;
        }
        if other.is_whole() {
            // (a << 64) / b equals a / (b >> 64).
            return Self(a / (b >> 64)).min(Self::MAX);
        }
        // Long division of a << 64, one bit at a time. Slow, but only saturated sums are not whole.
        let (mut quotient, mut rest) = (a / b, a % b);
        for _ in 0..64 {
            // The next doubling would pass 2^127, so the quotient is above MAX already.
            if quotient >> 126 != 0 {
                return Self::MAX;
            }
            rest <<= 1;
            quotient = quotient << 1 | u128::from(rest >= b);
            if rest >= b {
                rest -= b;
            }
        }
        Self(quotient).min(Self::MAX)
    }
}

#[cfg(test)]
mod tests {
    use fixed::types::I64F64 as Oracle;
    use proptest::prelude::*;

    use super::*;

    fn bits() -> impl Strategy<Value = u128> {
        prop_oneof![
            any::<u128>().prop_map(|bits| bits >> 1),
            (any::<u128>(), 1u32..127).prop_map(|(bits, shift)| bits >> shift),
            any::<u64>().prop_map(|whole| I64F64::from_int(whole).to_bits()),
            prop::sample::select(vec![0, 1, 1 << 64, u128::MAX >> 1]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn arithmetic_agrees_with_the_fixed_crate(a in bits(), b in bits(), whole: u64) {
            let (ox, oy) = (Oracle::from_bits(a as i128), Oracle::from_bits(b as i128));
            let same = |ours: I64F64, theirs: Oracle| ours.to_bits() as i128 == theirs.to_bits();
            prop_assert!(same(I64F64(a) + I64F64(b), ox.saturating_add(oy)));
            let quotient = if b == 0 { Oracle::ZERO } else { ox.saturating_div(oy) };
            prop_assert!(same(I64F64(a) / I64F64(b), quotient), "{} / {}", a, b);
            prop_assert!(same(I64F64::from_int(whole), Oracle::saturating_from_num(whole)));
            let narrow: fixed::types::I32F32 = ox.saturating_to_num();
            prop_assert_eq!(I64F64(a).to_i32f32().to_bits(), narrow.to_bits());
        }
    }
}
