//! [`Divisor`]: many exact divisions by the same number.
//!
//! An epoch spends most of its time dividing columns by their sums. A reciprocal is computed once per
//! divisor; a quotient is then two multiplications and a correction, equal to the division in every
//! bit: an estimate from a rounded-down reciprocal is never too large, and too small by at most one
//! (Granlund and Montgomery, "Division by invariant integers using multiplication", 1994).

use super::I32F32;

/// A number to divide by, with its reciprocal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Divisor {
    /// The number.
    value: I32F32,
    /// Divides `dividend << shift` by this.
    divisor: u64,
    /// `floor((2^64 - 1) / divisor)`.
    reciprocal: u64,
    /// 32, or 0 when the divisor is whole and its fraction bits are cut off instead.
    shift: u32,
    /// The largest dividend that the shift leaves within 64 bits.
    limit: i64,
}

impl Divisor {
    /// Prepares division by `value`.
    pub(crate) fn new(value: I32F32) -> Self {
        let bits = value.to_bits();
        if bits <= 0 {
            // Does not occur in an epoch. A limit below zero sends every dividend to the plain division.
            return Self { value, divisor: 1, reciprocal: 0, shift: 0, limit: -1 };
        }
        // A whole divisor needs no shift of the dividend, so every dividend fits into 64 bits.
        let whole = bits.trailing_zeros() >= I32F32::FRACTION_BITS;
        let (shift, limit) = if whole { (0, i64::MAX) } else { (I32F32::FRACTION_BITS, u32::MAX.into()) };
        let divisor = bits.unsigned_abs() >> (I32F32::FRACTION_BITS - shift);
        Self { value, divisor, reciprocal: u64::MAX / divisor, shift, limit }
    }

    /// Whether the divisor is zero. Callers then leave their values unchanged.
    pub(crate) fn is_zero(&self) -> bool {
        self.value == I32F32::ZERO
    }

    /// `dividend / self`, equal to the operator's result.
    #[inline]
    pub(crate) fn divide(&self, dividend: I32F32) -> I32F32 {
        let bits = dividend.to_bits();
        // Truncation towards zero differs from the floor of the estimate for negative dividends.
        if bits < 0 || bits > self.limit {
            return dividend / self.value;
        }
        let dividend = bits.unsigned_abs() << self.shift;
        // The high half of the product: dividend * floor((2^64 - 1) / divisor) / 2^64.
        let estimate = ((u128::from(dividend) * u128::from(self.reciprocal)) >> 64) as u64;
        // A remainder of at least the divisor means that the estimate is one too small.
        let rest = dividend - estimate * self.divisor;
        I32F32::from_bits(i64::try_from(estimate + u64::from(rest >= self.divisor)).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixed::i32f32::tests::bits;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn divides_as_the_operator_does(a in bits(), b in bits()) {
            let (a, b) = (I32F32::from_bits(a), I32F32::from_bits(b));
            prop_assert_eq!(Divisor::new(b).divide(a), a / b);
        }

        #[test]
        fn proportions_divide_as_the_operator_does(a in 0i64..1 << 33, b in 1i64..1 << 40) {
            let (a, b) = (I32F32::from_bits(a), I32F32::from_bits(b));
            prop_assert_eq!(Divisor::new(b).divide(a), a / b);
        }

        #[test]
        fn exact_multiples_are_not_too_small(q in 0i64..1 << 16, b in 1i64..1 << 40) {
            // The dividend is the smallest with this quotient, where an uncorrected estimate would be too small.
            let (a, b) = (I32F32::from_bits((q * b) >> 32), I32F32::from_bits(b));
            prop_assert_eq!(Divisor::new(b).divide(a), a / b);
        }
    }
}
