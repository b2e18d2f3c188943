//! The exponential function of byte-level experts.
//!
//! The standard library's comes from the system, which chooses another one for each kind of processor: its last bit
//! differs between machines. This one is a few multiplications and additions, each of which every processor rounds in the
//! same way, so that an answer can be repeated bit by bit on another machine.

/// `e^x` for `x <= 0`, at least `e^-87`; to about 2e-7 relative near 0 and 1e-5 far from it.
#[must_use]
#[inline]
pub fn exp_negative(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding and subtracting it rounds to an integer
    let x = x.max(-87.0) * std::f32::consts::LOG2_E;
    let whole = (x + ROUND) - ROUND;
    let f = x - whole;
    let p = 1.540_353e-4;
    let p = p * f + 1.333_355_8e-3;
    let p = p * f + 9.618_129e-3;
    let p = p * f + 5.550_411e-2;
    let p = p * f + 2.402_265e-1;
    let p = p * f + std::f32::consts::LN_2;
    let p = p * f + 1.0;
    let power = f32::from_bits(((whole as i32 + 127) as u32) << 23);
    p * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_exponential_function() {
        for step in 0..=8_700u16 {
            let x = -f32::from(step) / 100.0;
            let (exact, here) = (f64::from(x).exp(), f64::from(exp_negative(x)));
            assert!((here / exact - 1.0).abs() < 1e-5, "{x}: {here} and {exact}");
        }
        assert_eq!(exp_negative(0.0), 1.0);
        assert!(exp_negative(f32::NEG_INFINITY) > 0.0);
    }
}
