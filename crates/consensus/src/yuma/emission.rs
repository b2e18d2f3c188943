//! Sharing out the emission: half by incentive, half by dividends, or by stake when nobody earned.

use crate::fixed::{I32F32, normalize_by, share_of};

/// Amounts by uid, in base units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Split {
    pub server: Vec<u64>,
    pub validator: Vec<u64>,
    pub combined: Vec<u64>,
}

/// What each uid earned, as shares of one.
pub(crate) struct Earned<'a> {
    /// As a miner.
    pub incentive: &'a [I32F32],
    /// As a validator.
    pub dividends: &'a [I32F32],
    /// The voting stake, the first fallback.
    pub active_stake: &'a [I32F32],
    /// All stake, the second.
    pub stake: &'a [I32F32],
}

/// Splits `emission`, every amount rounded down. Nothing says that the parts sum up to the whole: the
/// remainder stays with the caller.
pub(crate) fn split(emission: u64, earned: &Earned<'_>) -> Split {
    let mut server = earned.incentive.to_vec();
    let mut validator = earned.dividends.to_vec();
    let mut combined: Vec<I32F32> = server.iter().zip(&validator).map(|(i, d)| *i + *d).collect();
    let sum: I32F32 = combined.iter().copied().sum();
    for shares in [&mut server, &mut validator, &mut combined] {
        normalize_by(shares, sum);
    }
    if sum == I32F32::ZERO {
        let nobody_votes = earned.active_stake.iter().all(|stake| *stake == I32F32::ZERO);
        let fallback = if nobody_votes { earned.stake } else { earned.active_stake };
        validator = fallback.to_vec();
        combined = validator.clone();
    }
    let amounts = |shares: Vec<I32F32>| shares.into_iter().map(|share| share_of(emission, share)).collect();
    Split { server: amounts(server), validator: amounts(validator), combined: amounts(combined) }
}
