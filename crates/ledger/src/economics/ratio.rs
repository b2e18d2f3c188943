//! Exact ratios of wide integers: what shares of a pool are worth.

use super::emission::pro_rata;

/// A value that a floored division gave, and what it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotient {
    /// The floored result.
    pub whole: u128,
    /// Whether the division left a remainder.
    pub rest: bool,
}

/// `floor(wide * factor / divisor)` without a loss in between; `None` when the divisor is zero or at least 2^126, or the
/// result does not fit.
pub fn mul_div(wide: u128, factor: u64, divisor: u128) -> Option<Quotient> {
    // Below this bound, twice a remainder and another remainder still fit into 128 bits.
    if divisor == 0 || divisor >= 1 << 126 {
        return None;
    }
    let (quotient, remainder) = (wide / divisor, wide % divisor);
    let (mut whole, mut rest) = (0u128, 0u128);
    // Long multiplication from the highest bit of the factor: `whole * divisor + rest` is the product so far.
    for bit in (0..u64::BITS - factor.leading_zeros()).rev() {
        whole = whole.checked_mul(2)?;
        rest *= 2;
        if factor >> bit & 1 == 1 {
            whole = whole.checked_add(quotient)?;
            rest += remainder;
        }
        whole = whole.checked_add(rest / divisor)?;
        rest %= divisor;
    }
    Some(Quotient { whole, rest: rest > 0 })
}

/// `permille` thousandths of `amount`, rounded down; at most all of it.
pub fn permille_of(amount: u64, permille: u64) -> u64 {
    pro_rata(amount, permille, 1_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_does_not_fit() {
        assert_eq!(mul_div(1, 1, 0), None);
        assert_eq!(mul_div(1, 1, 1 << 126), None);
        assert_eq!(mul_div(u128::MAX, 2, 1), None);
        assert_eq!(mul_div(u128::MAX, u64::MAX, (1 << 126) - 1).map(|found| found.rest), Some(true));
    }

    #[test]
    fn thousandths_are_rounded_down() {
        assert_eq!(permille_of(999, 1), 0);
        assert_eq!(permille_of(2_019, 50), 100);
        assert_eq!(permille_of(u64::MAX, 2_000), u64::MAX);
    }

    proptest! {
        #[test]
        fn agrees_with_the_native_product(wide in 0u128..1 << 64, factor: u64, divisor in 1u128..1 << 64) {
            let product = wide * u128::from(factor);
            let expected = Quotient { whole: product / divisor, rest: product % divisor > 0 };
            prop_assert_eq!(mul_div(wide, factor, divisor), Some(expected));
        }

        #[test]
        fn a_product_divides_without_a_rest(wide in 0u128..1 << 126, factor in 1u64..) {
            // (wide * factor) / wide
            if wide > 0 {
                prop_assert_eq!(mul_div(wide, factor, wide), Some(Quotient { whole: factor.into(), rest: false }));
            }
        }
    }
}
