//! Stakes as shares: of all stake, and of the stake that votes in this epoch.

use super::EpochInput;
use crate::fixed::{I32F32, I64F64, normalize};

/// Each uid's share of all stake at or above the threshold (the owner's counts in any case), computed
/// in I64F64 and cut to I32F32: a share below 2^-32 vanishes.
pub(crate) fn shares(input: &EpochInput<'_>) -> Vec<I32F32> {
    let threshold = input.params.stake_threshold;
    let counted = |(uid, stake): (usize, u64)| {
        let counts = stake >= threshold || input.is_owner(uid);
        if counts { I64F64::from_int(stake) } else { I64F64::ZERO }
    };
    // I64F64 because raw stakes do not fit into the 31 integer bits of I32F32.
    let stakes = input.neurons.iter().map(|neuron| neuron.stake).enumerate();
    normalized(stakes.map(counted).collect())
}

/// Divides by the sum; without a sum the stakes stay as they are, which is zero.
fn normalized(stakes: Vec<I64F64>) -> Vec<I32F32> {
    let sum: I64F64 = stakes.iter().copied().sum();
    let share = |stake: I64F64| if sum == I64F64::ZERO { stake } else { stake / sum };
    // Truncated once, after the division.
    stakes.into_iter().map(|stake| share(stake).to_i32f32()).collect()
}

/// The shares of those that are active and hold a permit, renormalised to one.
pub(crate) fn active(input: &EpochInput<'_>, shares: &[I32F32], permits: &[bool]) -> Vec<I32F32> {
    let votes = |uid: usize| permits[uid] && input.is_active(uid);
    let mut active: Vec<I32F32> = shares
        .iter()
        .enumerate()
        .map(|(uid, share)| if votes(uid) { *share } else { I32F32::ZERO })
        .collect();
    // Inactive stake drops out of the denominator: it must not block the majority kappa.
    normalize(&mut active);
    active
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stakes_beyond_the_format_saturate_instead_of_failing() {
        let huge = I64F64::from_int(u64::MAX);
        assert_eq!(normalized(vec![huge, huge]), [I32F32::ONE, I32F32::ONE], "the sum saturates too");
        assert_eq!(normalized(vec![I64F64::ZERO; 2]), [I32F32::ZERO; 2]);
        let half = I64F64::from_int(1 << 62);
        assert_eq!(normalized(vec![half, half])[0], I32F32::HALF, "the sum, 2^63, saturates by 2^-64 only");
    }
}
