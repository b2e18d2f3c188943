//! Scaling of a vector so that its largest value becomes 65,535: how submitted weights are stored.
//!
//! This is the only rounding to nearest (half away from zero) in the protocol. Two paths keep the
//! product within range, and they differ in the last bit: up to a maximum of 32,768 the value is
//! multiplied first, above it the factor is computed first. Both are part of the consensus rules
//! (`vec_max_upscale_to_u16` of the reference chain).

use super::I32F32;

/// The largest maximum for which `value * 65535` fits.
const MAX_MULTIPLIED_FIRST: I32F32 = I32F32::from_int(32_768);

/// The largest u16 weight.
const MAX_WEIGHT: I32F32 = I32F32::from_int(65_535);

/// The values scaled so that the largest becomes 65,535; negative ones and all zeros become 0.
pub fn max_upscale(values: &[I32F32]) -> Vec<u16> {
    let max = values.iter().copied().max().unwrap_or_default();
    if max == I32F32::ZERO {
        return vec![0; values.len()];
    }
    let scale = |value: I32F32| {
        if max > MAX_MULTIPLIED_FIRST { value * (MAX_WEIGHT / max) } else { value * MAX_WEIGHT / max }
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
        fn the_largest_becomes_65535_and_the_order_stays(values: Vec<u16>) {
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
    fn halves_round_away_from_zero() {
        assert_eq!(max_upscale_u16(&[1, 2]), [32_768, 65_535], "a half goes up");
        assert_eq!(max_upscale(&[-I32F32::ONE, I32F32::ONE]), [0, 65_535]);
    }
}
