//! Logarithms in integers, the same on every machine.
//!
//! The binary digits of a logarithm come out one by one when the mantissa is squared: it doubles the logarithm, and
//! the integer part that appears is the next digit.

/// Fractional bits of a logarithm.
pub(super) const FRACTION_BITS: u32 = 16;

/// The logarithm of `x` to base 2, rounded down, in 2^-16; 0 for 0.
pub(super) fn log2(x: u64) -> u64 {
    let Some(whole) = x.checked_ilog2() else { return 0 };
    // 1 <= mantissa < 2, with 63 fractional bits.
    let mut mantissa = u128::from(x) << (63 - whole);
    let mut digits = u64::from(whole);
    for _ in 0..FRACTION_BITS {
        mantissa = (mantissa * mantissa) >> 63;
        let digit = (mantissa >> 64) as u64;
        mantissa >>= digit;
        digits = digits << 1 | digit;
    }
    digits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn powers_are_exact() {
        for power in 0..64 {
            assert_eq!(log2(1 << power), power << FRACTION_BITS);
        }
        assert_eq!(log2(0), 0);
        assert_eq!(log2(3), 103_872, "1.58496 * 65536, rounded down");
    }

    proptest! {
        #[test]
        fn agrees_with_floats(x in 1u64..1 << 52) {
            let float = (x as f64).log2() * 65536.0;
            prop_assert!((log2(x) as f64 - float).abs() <= 1.01, "{} {}", log2(x), float);
        }
    }
}
