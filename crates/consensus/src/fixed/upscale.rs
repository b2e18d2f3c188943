//! Scaling a vector so that its largest value becomes 65,535: how submitted weights are stored.
//!
//! The only rounding to nearest (half away from zero) of the whole protocol happens here. Two paths
//! keep the product within range, and they differ in the last bit: up to a maximum of 32,768 a value
//! is multiplied first, above it the factor is divided out first. Both are part of the rules.

use super::I32F32;

/// The largest maximum for which `value * 65535` still fits.
const MULTIPLY_FIRST_UP_TO: I32F32 = I32F32::from_int(32_768);

/// 65,535.
const FULL: I32F32 = I32F32::from_int(65_535);

/// The values scaled so that the largest becomes 65,535; negative ones and all zeros become 0.
pub fn max_upscale(values: &[I32F32]) -> Vec<u16> {
    let max = values.iter().copied().max().unwrap_or_default();
    if max == I32F32::ZERO {
        return vec![0; values.len()];
    }
    let scale = |value: I32F32| {
        if max > MULTIPLY_FIRST_UP_TO { value * (FULL / max) } else { value * FULL / max }
    };
    values.iter().map(|value| scale(*value).round().to_u16()).collect()
}

/// [`max_upscale`] of u16 weights.
pub fn max_upscale_u16(values: &[u16]) -> Vec<u16> {
    let values: Vec<I32F32> = values.iter().map(|value| I32F32::from_int((*value).into())).collect();
    max_upscale(&values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_largest_becomes_full_and_order_stays(values: Vec<u16>) {
            let scaled = max_upscale_u16(&values);
            prop_assert_eq!(scaled.len(), values.len());
            if values.iter().any(|value| *value != 0) {
                prop_assert_eq!(scaled.iter().copied().max(), Some(u16::MAX));
            }
            for (a, b) in values.iter().zip(&scaled) {
                for (c, d) in values.iter().zip(&scaled) {
                    prop_assert!(a > c || b <= d);
                }
            }
            prop_assert_eq!(max_upscale_u16(&scaled), scaled, "scaling twice changes nothing");
        }
    }

    #[test]
    fn the_two_paths_round_as_the_rules_say() {
        assert_eq!(max_upscale_u16(&[1, 2]), [32_768, 65_535], "a half goes up");
        assert_eq!(max_upscale(&[-I32F32::ONE, I32F32::ONE]), [0, 65_535]);
    }
}
