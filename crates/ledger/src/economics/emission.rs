//! The block reward, its halvings, and the split of an epoch's pot.
//!
//! The reward follows the issuance, not the height: tokens that are recycled lower the issuance and
//! so delay the next halving. With `c` the cap, the reward is `floor(10^9 / 2^k)` base units where
//! `k = floor(log2(1 / (1 - issuance / c)))`, computed here without a logarithm: `k` is the largest
//! number for which what is left, doubled `k` times, still fits under the cap.

/// The maximum supply in base units: 21 million tokens.
pub const CAP: u64 = 21_000_000_000_000_000;

/// The block reward before the first halving, in base units.
pub const FIRST_REWARD: u64 = 1_000_000_000;

/// The owner's part of a subnet's emission, of 65,535: 18 %.
pub const OWNER_SHARE: u16 = 11_796;

/// The block reward at this issuance, in base units; 0 at the cap.
pub fn block_reward(issuance: u64) -> u64 {
    let left = CAP.saturating_sub(issuance);
    if left == 0 {
        return 0;
    }
    // The quotient is at least one, so its logarithm exists.
    // Flooring the quotient does not change the floor of its logarithm, because powers of two are whole.
    // The cap is below 2^55, so that the shift stays below the 64 bits of the reward.
    FIRST_REWARD >> (CAP / left).ilog2()
}

/// The smallest issuance at which `halvings` halvings have happened, in base units.
pub fn halving_threshold(halvings: u32) -> u64 {
    // A shift by 64 or more leaves nothing: the threshold is then the cap.
    CAP - CAP.checked_shr(halvings).unwrap_or(0)
}

/// Whole blocks of undiminished rewards between the `halvings`-th halving and the one after it;
/// `None` once a block mints nothing.
pub fn blocks_of_era(halvings: u32) -> Option<u64> {
    let reward = FIRST_REWARD.checked_shr(halvings).unwrap_or(0);
    let minted = halving_threshold(halvings.saturating_add(1)) - halving_threshold(halvings);
    minted.checked_div(reward)
}

/// `floor(amount * share / 65535)`: a u16 proportion of an amount.
pub fn proportion_of(amount: u64, share: u16) -> u64 {
    // A proportion is at most one, so that the result fits wherever the amount does.
    (u128::from(amount) * u128::from(share) / u128::from(u16::MAX)) as u64
}

/// `floor(amount * part / whole)`, at most `amount`; nothing when `whole` is zero.
pub fn pro_rata(amount: u64, part: u64, whole: u64) -> u64 {
    let share = u128::from(amount) * u128::from(part);
    share.checked_div(u128::from(whole)).map_or(0, |share| share.min(u128::from(amount)) as u64)
}

/// The split of an epoch's pot: `(owner, rest)`, adding up to `pot` exactly.
///
/// Yuma consensus splits the rest, half by incentive and half by dividends: 41 % and 41 % of the pot.
pub fn split(pot: u64) -> (u64, u64) {
    let owner = proportion_of(pot, OWNER_SHARE);
    // The rest is a difference and not a second product, so that both parts add up to the pot.
    (owner, pot - owner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_minted_at_the_cap_nor_just_below() {
        assert_eq!(block_reward(CAP), 0);
        assert_eq!(block_reward(CAP - 1), 0, "2^54 exceeds the first reward");
        assert_eq!(block_reward(u64::MAX), 0);
    }

    #[test]
    fn the_split_is_18_41_41() {
        let (owner, rest) = split(100_000_000);
        assert_eq!(owner, 17_999_542, "11,796 of 65,535");
        assert_eq!(rest, 82_000_458);
    }

    proptest! {
        #[test]
        fn a_reward_never_passes_the_cap(issuance in 0..=CAP) {
            prop_assert!(issuance + block_reward(issuance) <= CAP);
        }

        #[test]
        fn rewards_never_rise(a in 0..=CAP, b in 0..=CAP) {
            prop_assert!(block_reward(a.min(b)) >= block_reward(a.max(b)));
        }

        #[test]
        fn a_split_loses_nothing(pot: u64) {
            let (owner, rest) = split(pot);
            prop_assert_eq!(owner.checked_add(rest), Some(pot));
        }

        #[test]
        fn shares_of_a_whole_fit_into_it(amount: u64, parts in proptest::collection::vec(0..u64::MAX / 8, 1..8)) {
            let whole = parts.iter().sum();
            let paid: u128 = parts.iter().map(|part| u128::from(pro_rata(amount, *part, whole))).sum();
            prop_assert!(paid <= u128::from(amount));
        }
    }
}
