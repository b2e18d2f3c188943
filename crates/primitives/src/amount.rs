//! Token amounts, counted in whole base units so that no amount is rounded.
//!
//! Arithmetic is checked: there is no `Add` implementation, because an overflow of tokens has to be an
//! error that the caller handles, not a wrap or a panic.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Excerpt;

/// Base units in one token (10^9).
pub const BASE_UNITS_PER_TOKEN: u64 = 1_000_000_000;

/// Decimal places of a token that base units can express.
const DECIMALS: usize = 9;

/// An amount of tokens, in base units (10^-9 of a token).
///
/// ```
/// use nervure_primitives::Amount;
///
/// let amount: Amount = "1.5".parse()?;
/// assert_eq!((amount.base_units(), amount.to_string()), (1_500_000_000, "1.5".to_owned()));
/// assert!("0.0000000001".parse::<Amount>().is_err());
/// # Ok::<(), nervure_primitives::AmountError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Amount(u64);

/// Why a text is not an [`Amount`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AmountError {
    /// Not a decimal number.
    #[error("'{0}' is not an amount: write tokens as a decimal number such as 12.5")]
    NotANumber(Excerpt),
    /// More than nine decimal places.
    #[error("'{0}' has more than 9 decimal places: the smallest unit is 0.000000001 token")]
    TooPrecise(Excerpt),
    /// Larger than 2^64 - 1 base units.
    #[error("'{0}' tokens are more than an amount can hold")]
    TooLarge(Excerpt),
}

impl Amount {
    /// No tokens.
    pub const ZERO: Self = Self(0);

    /// An amount of `units` base units.
    pub const fn from_base_units(units: u64) -> Self {
        Self(units)
    }

    /// An amount of whole `tokens`; `None` when it does not fit.
    pub const fn from_tokens(tokens: u64) -> Option<Self> {
        match tokens.checked_mul(BASE_UNITS_PER_TOKEN) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// The amount in base units.
    pub const fn base_units(self) -> u64 {
        self.0
    }

    /// Sum, or `None` on overflow.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// Difference, or `None` when `other` is larger.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// Difference, or zero when `other` is larger.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Whether it is zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Amount {
    /// Tokens with as many decimals as are needed: `12.5`, `100`, `0.000000001`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / BASE_UNITS_PER_TOKEN, self.0 % BASE_UNITS_PER_TOKEN);
        if part == 0 {
            return f.pad(&whole.to_string());
        }
        let decimals = format!("{part:09}");
        f.pad(&format!("{whole}.{}", decimals.trim_end_matches('0')))
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(part) || text.ends_with('.') {
            return Err(AmountError::NotANumber(text.into()));
        }
        if part.len() > DECIMALS {
            return Err(AmountError::TooPrecise(text.into()));
        }
        let too_large = || AmountError::TooLarge(text.into());
        let whole: u64 = whole.parse().map_err(|_| too_large())?;
        let part: u64 = format!("{part:0<DECIMALS$}").parse().map_err(|_| too_large())?;
        whole
            .checked_mul(BASE_UNITS_PER_TOKEN)
            .and_then(|units| units.checked_add(part))
            .map(Self)
            .ok_or_else(too_large)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prints_tokens_without_superfluous_zeros() {
        assert_eq!(Amount::from_base_units(12_500_000_000).to_string(), "12.5");
        assert_eq!(Amount::from_base_units(1).to_string(), "0.000000001");
        assert_eq!(Amount::from_tokens(7).unwrap().to_string(), "7");
    }

    #[test]
    fn refuses_invalid_amounts() {
        for bad in ["", ".", "1.", ".5", "-1", "1e3", "1,5", "0x10", " 1"] {
            assert!(matches!(bad.parse::<Amount>(), Err(AmountError::NotANumber(_))), "{bad}");
        }
        assert!(matches!("0.0000000001".parse::<Amount>(), Err(AmountError::TooPrecise(_))));
        assert!(matches!("18446744074".parse::<Amount>(), Err(AmountError::TooLarge(_))));
        assert!(matches!("99999999999999999999999".parse::<Amount>(), Err(AmountError::TooLarge(_))));
    }

    proptest! {
        #[test]
        fn text_round_trips(units: u64) {
            let amount = Amount::from_base_units(units);
            prop_assert_eq!(amount.to_string().parse::<Amount>().unwrap(), amount);
        }
    }
}
