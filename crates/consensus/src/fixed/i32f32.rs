//! [`I32F32`]: 64 bits, 32 of them fraction bits.
//!
//! Operators saturate: an epoch over hostile numbers must give the same (useless) result on every
//! node, and no panic on any. Division takes the shortest exact path for its operands, because it
//! dominates the time of an epoch.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, AddAssign, Div, Mul, Neg, Sub},
};

/// A signed number with 31 integer bits and 32 fraction bits: -2^31 to 2^31 - 2^-32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct I32F32(i64);

/// The mask of the fraction bits.
const FRACTION_MASK: i64 = (1 << I32F32::FRACTION_BITS) - 1;

impl I32F32 {
    /// The number of fraction bits.
    pub const FRACTION_BITS: u32 = 32;
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// One half.
    pub const HALF: Self = Self(1 << (Self::FRACTION_BITS - 1));
    /// One.
    pub const ONE: Self = Self(1 << Self::FRACTION_BITS);
    /// The largest number, 2^31 - 2^-32.
    pub const MAX: Self = Self(i64::MAX);
    /// The smallest number, -2^31.
    pub const MIN: Self = Self(i64::MIN);

    /// The number whose representation is `bits`, that is `bits / 2^32`.
    pub const fn from_bits(bits: i64) -> Self {
        Self(bits)
    }

    /// The representation: the number times 2^32.
    pub const fn to_bits(self) -> i64 {
        self.0
    }

    /// A whole number.
    pub const fn from_int(value: i32) -> Self {
        Self((value as i64) << Self::FRACTION_BITS)
    }

    /// A proportion of 65,535: `value / 65535`, truncated.
    pub fn from_proportion(value: u16) -> Self {
        Self::from_int(value.into()) / Self::from_int(u16::MAX.into())
    }

    /// A proportion as a u16: `floor(self * 65535)`, within 0 and 65,535.
    pub fn to_proportion(self) -> u16 {
        (self * Self::from_int(u16::MAX.into())).to_u16()
    }

    /// The integer part, rounded down, within 0 and 65,535.
    pub fn to_u16(self) -> u16 {
        // The shift is arithmetic, so a negative number is floored too and then becomes zero.
        let floor = self.0 >> Self::FRACTION_BITS;
        u16::try_from(floor.max(0)).unwrap_or(u16::MAX)
    }

    /// The nearest whole number; half away from zero.
    #[must_use]
    pub const fn round(self) -> Self {
        // Rounds the magnitude, so that halves move away from zero on both sides.
        let magnitude = self.0.unsigned_abs();
        let rounded = (magnitude + Self::HALF.0.unsigned_abs()) & !(FRACTION_MASK.unsigned_abs());
        match (rounded <= i64::MAX.unsigned_abs(), self.0 < 0) {
            (true, false) => Self(rounded as i64),
            (true, true) => Self(-(rounded as i64)),
            (false, false) => Self::MAX,
            (false, true) => Self::MIN,
        }
    }

    /// Saturates a 128-bit representation.
    #[inline]
    fn saturate(bits: i128) -> Self {
        match i64::try_from(bits) {
            Ok(bits) => Self(bits),
            Err(_) if bits < 0 => Self::MIN,
            Err(_) => Self::MAX,
        }
    }
}

impl Add for I32F32 {
    type Output = Self;

    /// The sum, saturating.
    #[inline]
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for I32F32 {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for I32F32 {
    type Output = Self;

    /// The difference, saturating.
    #[inline]
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for I32F32 {
    type Output = Self;

    /// The opposite, saturating.
    #[inline]
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Mul for I32F32 {
    type Output = Self;

    /// The product, rounded towards negative infinity, saturating.
    #[inline]
    fn mul(self, other: Self) -> Self {
        // The product has 64 fraction bits. The arithmetic shift floors: the rule of the `fixed` crate.
        Self::saturate((i128::from(self.0) * i128::from(other.0)) >> Self::FRACTION_BITS)
    }
}

impl Div for I32F32 {
    type Output = Self;

    /// The quotient, truncated towards zero, saturating; zero when `other` is zero.
    #[inline]
    fn div(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        if b == 0 {
            return Self::ZERO;
        }
        // Almost every dividend of an epoch is a proportion below one: one 64-bit division is enough.
        if b > 0 && (0..=FRACTION_MASK).contains(&a) {
            return Self::saturate_unsigned((a.unsigned_abs() << Self::FRACTION_BITS) / b.unsigned_abs());
        }
        // A whole divisor: (a << 32) / b equals a / (b >> 32).
        if b > 0 && b & FRACTION_MASK == 0 {
            return Self(a / (b >> Self::FRACTION_BITS));
        }
        // Rust's integer division truncates towards zero: the rule of the `fixed` crate for quotients.
        Self::saturate((i128::from(a) << Self::FRACTION_BITS) / i128::from(b))
    }
}

impl I32F32 {
    /// Saturates an unsigned representation.
    #[inline]
    fn saturate_unsigned(bits: u64) -> Self {
        Self(i64::try_from(bits).unwrap_or(i64::MAX))
    }
}

impl Sum for I32F32 {
    /// The sum from left to right, saturating at every step.
    fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
        values.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for I32F32 {
    /// Decimal digits, truncated after six places or as many as the format asks for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = f.precision().unwrap_or(6).min(32);
        let magnitude = self.0.unsigned_abs();
        let mut text = (magnitude >> Self::FRACTION_BITS).to_string();
        let mut fraction = magnitude & FRACTION_MASK.unsigned_abs();
        if places > 0 {
            text.push('.');
        }
        for _ in 0..places {
            fraction *= 10;
            text.push(char::from(b'0' + (fraction >> Self::FRACTION_BITS) as u8));
            fraction &= FRACTION_MASK.unsigned_abs();
        }
        f.pad_integral(self.0 >= 0, "", &text)
    }
}

impl serde::Serialize for I32F32 {
    /// Decimal text with ten places, enough to distinguish all u16 proportions.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:.10}"))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use fixed::types::I32F32 as Oracle;
    use proptest::prelude::*;

    use super::*;

    /// Numbers of all sizes: uniform bits, small ones, whole ones and the corners.
    pub(in crate::fixed) fn bits() -> impl Strategy<Value = i64> {
        prop_oneof![
            any::<i64>(),
            (any::<i64>(), 0u32..63).prop_map(|(bits, shift)| bits >> shift),
            any::<i32>().prop_map(|whole| i64::from(whole) << 32),
            prop::sample::select(vec![0, 1, -1, 1 << 32, -(1i64 << 32), i64::MAX, i64::MIN, u32::MAX.into()]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn arithmetic_agrees_with_the_fixed_crate(a in bits(), b in bits()) {
            let (x, y) = (I32F32(a), I32F32(b));
            let (ox, oy) = (Oracle::from_bits(a), Oracle::from_bits(b));
            prop_assert_eq!((x + y).0, ox.saturating_add(oy).to_bits());
            prop_assert_eq!((x - y).0, ox.saturating_sub(oy).to_bits());
            prop_assert_eq!((x * y).0, ox.saturating_mul(oy).to_bits());
            prop_assert_eq!((-x).0, ox.saturating_neg().to_bits());
            prop_assert_eq!(x.round().0, ox.saturating_round().to_bits());
            let quotient = if b == 0 { Oracle::ZERO } else { ox.saturating_div(oy) };
            prop_assert_eq!((x / y).0, quotient.to_bits());
            prop_assert_eq!(x.to_u16(), ox.saturating_to_num::<u16>());
        }

        #[test]
        fn a_proportion_loses_at_most_one_step(value: u16) {
            let back = I32F32::from_proportion(value).to_proportion();
            prop_assert!(back == value || back + 1 == value, "{value} came back as {back}");
        }
    }

    #[test]
    fn a_product_is_floored_and_a_quotient_truncated() {
        let (tiny, half) = (I32F32(1), I32F32::HALF);
        assert_eq!(tiny * half, I32F32::ZERO);
        assert_eq!(-tiny * half, I32F32(-1), "floor, not truncation");
        assert_eq!(-tiny / I32F32::from_int(2), I32F32::ZERO, "truncation, not floor");
    }

    #[test]
    fn prints_exact_decimals() {
        assert_eq!(I32F32::HALF.to_string(), "0.500000");
        assert_eq!(format!("{:.2}", -I32F32::from_int(3)), "-3.00");
        assert_eq!(format!("{:.0}", I32F32::MAX), "2147483647");
        assert_eq!(format!("{:8.3}|", I32F32::from_proportion(1)), "   0.000|");
        assert_eq!(I32F32::MIN.to_string(), "-2147483648.000000");
    }
}
