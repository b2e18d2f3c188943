//! The exponential function, and the sigmoid.
//!
//! The series and its peculiarities are those of the reference chain, and part of the consensus rules: the argument is clamped to [-20, 20],
//! the Taylor terms 2 to 31 are summed whatever they contribute, a negative argument is the
//! reciprocal of the positive one, and exactly 1 gives e with 23 fraction bits. (Exactly -1 uses the
//! series: the special case is checked before the sign is removed.)

use super::I32F32;

/// Arguments are clamped to this magnitude.
const MAX_ARGUMENT: I32F32 = I32F32::from_int(20);

/// The exponent of the last term of the series.
const LAST_TERM: i64 = 31;

/// e truncated to 23 fraction bits: floor(e * 2^23) * 2^9.
const E: I32F32 = I32F32::from_bits(22_802_600 << 9);

/// `e^x` for x clamped to [-20, 20].
pub fn exp(x: I32F32) -> I32F32 {
    let x = x.clamp(-MAX_ARGUMENT, MAX_ARGUMENT);
    if x == I32F32::ONE {
        return E;
    }
    // The series of a negative argument would lose its digits to cancellation.
    let power = if x < I32F32::ZERO { -x } else { x };
    let sum = series(power);
    if x < I32F32::ZERO { I32F32::ONE / sum } else { sum }
}

/// `1 + x + x^2/2! + ... + x^31/31!` for x in [0, 20]; no step of it can overflow there.
fn series(x: I32F32) -> I32F32 {
    let mut sum = I32F32::ONE + x;
    let mut term = x;
    for i in 2..=LAST_TERM {
        // Divided as an integer, which truncates like the operator but needs no conversion of `i`.
        term = I32F32::from_bits((term * x).to_bits() / i);
        sum += term;
        if term == I32F32::ZERO {
            // Every later term is zero too.
            break;
        }
    }
    sum
}

/// `1 / (1 + exp(-rho * (x - kappa)))`.
pub fn sigmoid(x: I32F32, rho: I32F32, kappa: I32F32) -> I32F32 {
    I32F32::ONE / (exp(-rho * (x - kappa)) + I32F32::ONE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn float(x: I32F32) -> f64 {
        x.to_bits() as f64 / 2f64.powi(32)
    }

    #[test]
    fn special_values_are_exact() {
        assert_eq!(exp(I32F32::ZERO), I32F32::ONE);
        assert_eq!(E.to_bits(), ((std::f64::consts::E * 2f64.powi(23)) as i64) << 9);
        assert_eq!(exp(I32F32::ONE), E);
        assert_ne!(exp(-I32F32::ONE), I32F32::ONE / E, "-1 uses the series");
        assert_eq!(exp(I32F32::MAX), exp(MAX_ARGUMENT));
        assert_eq!(exp(I32F32::MIN), exp(-MAX_ARGUMENT));
    }

    proptest! {
        #[test]
        fn approximates_the_real_function(bits in -(20i64 << 32)..(20i64 << 32)) {
            let x = I32F32::from_bits(bits);
            let (got, want) = (float(exp(x)), float(x).exp());
            // 31 terms underestimate e^20 by less than one per cent.
            prop_assert!((got - want).abs() <= 1e-8 + want * 0.01, "{got} {want}");
            if bits.abs() < 5 << 32 {
                prop_assert!((got - want).abs() <= 1e-7 * want.max(1.0), "{got} {want}");
            }
        }

        #[test]
        fn a_sigmoid_stays_within_zero_and_one(x: i64, rho: i64, kappa: i64) {
            let y = sigmoid(I32F32::from_bits(x), I32F32::from_bits(rho), I32F32::from_bits(kappa));
            prop_assert!(y >= I32F32::ZERO && y <= I32F32::ONE);
        }
    }
}
