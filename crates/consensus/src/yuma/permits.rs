//! Validator permits.

use nervure_primitives::Uid;

use super::EpochInput;
use crate::fixed::I32F32;

/// The permits in force: those that the previous epoch gave, and the owner's.
pub(crate) fn current(input: &EpochInput<'_>) -> Vec<bool> {
    input.neurons.iter().enumerate().map(|(uid, neuron)| neuron.permit || input.is_owner(uid)).collect()
}

/// The permits of the next epoch: the `max` largest non-zero shares, of equal ones the higher uid
/// first, and the owner in any case.
pub(crate) fn next(shares: &[I32F32], max: u32, owner: Option<Uid>) -> Vec<bool> {
    let mut permits: Vec<bool> = shares.iter().map(|share| *share != I32F32::ZERO).collect();
    let dropped = shares.len().saturating_sub(max as usize);
    if dropped > 0 {
        let mut order: Vec<usize> = (0..shares.len()).collect();
        // Equal shares are ordered by uid, so that the higher uid keeps its permit: the rule of the
        // reference chain, whose stable sort drops from the front.
        order.select_nth_unstable_by_key(dropped - 1, |uid| (shares[*uid], *uid));
        // The order within the dropped part does not matter, so a selection is enough.
        for uid in &order[..dropped] {
            permits[*uid] = false;
        }
    }
    // After the drop: the owner's permit does not cost another validator its own.
    if let Some(permit) = owner.and_then(|owner| permits.get_mut(usize::from(owner.0))) {
        *permit = true;
    }
    permits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(shares: &[i64], max: u32, owner: Option<u16>) -> Vec<bool> {
        let shares: Vec<I32F32> = shares.iter().map(|bits| I32F32::from_bits(*bits)).collect();
        next(&shares, max, owner.map(Uid))
    }

    #[test]
    fn ties_favour_the_higher_uid() {
        assert_eq!(permits(&[5, 5, 5, 5], 2, None), [false, false, true, true]);
        assert_eq!(permits(&[9, 5, 5, 1], 2, None), [true, false, true, false]);
    }

    #[test]
    fn zero_stake_gets_no_permit_and_the_owner_always_has_one() {
        assert_eq!(permits(&[0, 7, 0], 3, None), [false, true, false]);
        assert_eq!(permits(&[0, 7, 9], 1, Some(0)), [true, false, true]);
        assert_eq!(permits(&[3, 7], 0, Some(0)), [true, false]);
        assert_eq!(permits(&[], 64, None), [false; 0]);
    }
}
