//! The split of the emission: half by incentive, half by dividends, or by stake when no uid shares.

use crate::fixed::{I32F32, normalize_by, share_of};

/// Amounts by uid, in base units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EmissionAmounts {
    pub server: Vec<u64>,
    pub validator: Vec<u64>,
    pub combined: Vec<u64>,
}

/// What the emission is split by: shares of one, by uid.
pub(crate) struct EmissionShares<'a> {
    /// For miners.
    pub incentive: &'a [I32F32],
    /// For validators.
    pub dividends: &'a [I32F32],
    /// The voting stake, the first fallback.
    pub active_stake: &'a [I32F32],
    /// All stake, the second.
    pub stake: &'a [I32F32],
}

/// Splits `emission`, every amount rounded down. The parts may sum to less than the whole; the
/// remainder stays with the caller.
pub(crate) fn split(emission: u64, shares: &EmissionShares<'_>) -> EmissionAmounts {
    let mut server = shares.incentive.to_vec();
    let mut validator = shares.dividends.to_vec();
    let mut combined: Vec<I32F32> = server.iter().zip(&validator).map(|(i, d)| *i + *d).collect();
    // Both halves are divided by one sum, so that miners and validators share in proportion to what
    // each side earned.
    let sum: I32F32 = combined.iter().copied().sum();
    for column in [&mut server, &mut validator, &mut combined] {
        normalize_by(column, sum);
    }
    // No incentive and no dividends: all goes to validators by stake, as in the reference chain's fallback.
    if sum == I32F32::ZERO {
        let no_votes = shares.active_stake.iter().all(|stake| *stake == I32F32::ZERO);
        let fallback = if no_votes { shares.stake } else { shares.active_stake };
        validator = fallback.to_vec();
        combined = validator.clone();
    }
    // `combined` is rounded by itself and can exceed the sum of both parts.
    let amounts = |shares: Vec<I32F32>| shares.into_iter().map(|share| share_of(emission, share)).collect();
    EmissionAmounts { server: amounts(server), validator: amounts(validator), combined: amounts(combined) }
}
