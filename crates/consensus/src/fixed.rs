//! Fixed point numbers whose every operation is pinned to the bit.
//!
//! Nodes agree on an epoch only if all of them compute exactly the same integers, so this crate uses
//! no floating point. There are three formats, those of Bittensor's chain:
//!
//! | format | type | used for |
//! |---|---|---|
//! | I32F32 | [`I32F32`] | everything after the stakes are normalised |
//! | I64F64 | [`I64F64`] | raw stakes and their sum |
//! | I96F32 | [`share_of`] | amounts: a share times an amount, rounded down |
//!
//! A product is rounded towards negative infinity, a quotient is truncated towards zero, a division
//! by zero gives zero, and every overflow saturates. The operators of the types follow these rules,
//! and no operation panics.
//!
//! A proportion leaves the module as a u16 by [`I32F32::to_proportion`] (rounded down) and enters it
//! by [`I32F32::from_proportion`]. [`max_upscale`] is the only place where rounding to nearest happens.

mod divisor;
mod exp;
mod i32f32;
mod i64f64;
mod upscale;

pub(crate) use divisor::Divisor;
pub use exp::{exp, sigmoid};
pub use i32f32::I32F32;
pub use i64f64::I64F64;
pub use upscale::{max_upscale, max_upscale_u16};

/// `amount * share`, rounded down, as in I96F32: a negative share gives zero, and an overflow
/// saturates.
pub fn share_of(amount: u64, share: I32F32) -> u64 {
    // The factors are below 2^63 and 2^64, so the product fits.
    let product = i128::from(share.to_bits()) * i128::from(amount);
    // Rounded down, so that parts whose shares sum to at most one never exceed the amount.
    u64::try_from((product >> I32F32::FRACTION_BITS).max(0)).unwrap_or(u64::MAX)
}

/// Divides every value by `sum`; leaves the values unchanged when `sum` is zero.
pub fn normalize_by(values: &mut [I32F32], sum: I32F32) {
    let sum = Divisor::new(sum);
    if !sum.is_zero() {
        for value in values {
            *value = sum.divide(*value);
        }
    }
}

/// Divides every value by their sum; leaves the values unchanged when it is zero.
pub fn normalize(values: &mut [I32F32]) {
    let sum = values.iter().copied().sum();
    normalize_by(values, sum);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same amount in I96F32 of the `fixed` crate.
    fn oracle(amount: u64, share: I32F32) -> u64 {
        use fixed::types::I96F32;
        let share = I96F32::from_num(fixed::types::I32F32::from_bits(share.to_bits()));
        share.saturating_mul(I96F32::from_num(amount)).saturating_to_num()
    }

    proptest! {
        #[test]
        fn share_of_agrees_with_i96f32(amount: u64, share: i64) {
            let share = I32F32::from_bits(share);
            prop_assert_eq!(share_of(amount, share), oracle(amount, share));
        }
    }

    #[test]
    fn shares_never_exceed_the_amount() {
        assert_eq!(share_of(u64::MAX, I32F32::ONE), u64::MAX);
        assert_eq!(share_of(1_000_000_000, I32F32::HALF), 500_000_000);
        assert_eq!(share_of(1, I32F32::from_bits(u32::MAX.into())), 0);
        assert_eq!(share_of(9, -I32F32::ONE), 0);
    }

    #[test]
    fn a_zero_sum_leaves_the_values_unchanged() {
        let mut values = [I32F32::ONE, -I32F32::ONE];
        normalize(&mut values);
        assert_eq!(values, [I32F32::ONE, -I32F32::ONE]);
    }
}
