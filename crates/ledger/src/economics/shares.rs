//! The subnets' shares of the emission: the stake-weighted median of all votes, approached in small steps.
//!
//! A vote gives each subnet a part. Stake that does not vote gives each subnet its present share. Of each subnet the
//! median is taken over all stake: no change happens that less than half of all stake wants, however few vote. The
//! medians are scaled to add up to [`WHOLE`]. The shares then move towards them, each by at most a tenth of itself or
//! [`MIN_MOVE`]. What one subnet gains, others lose: the sum of all shares never changes.

/// All shares together.
pub const WHOLE: u64 = 1_000_000_000_000;

/// A share can move by this part of itself at a time: one in so many.
const MOVE_PART: u64 = 10;

/// A share can always move by so much: a thousandth of the whole, so that a new subnet does not start from zero for ever.
pub const MIN_MOVE: u64 = WHOLE / 1_000;

/// A vote that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// The stake behind it, in base units.
    pub stake: u64,
    /// What it gives each subnet, of [`WHOLE`].
    pub parts: Vec<u64>,
}

/// Splits `whole` in proportion to `weights`: exactly, without a remainder. Nothing when all weights are zero.
pub fn apportion(weights: &[u64], whole: u64) -> Vec<u64> {
    let total: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let (mut before, mut done) = (0u128, 0u64);
    let part = |weight: &u64| {
        before += u128::from(*weight);
        // The sum so far is rounded, and not each part: the last sum is the whole.
        let sum = (u128::from(whole) * before).checked_div(total).unwrap_or(0) as u64;
        let part = sum - done;
        done = sum;
        part
    };
    weights.iter().map(part).collect()
}

/// The median of what `ballots` give each subnet, over them and `silent` stake, which gives each its `present` share. An
/// even split keeps what is nearest to the present share.
pub fn medians(present: &[u64], silent: u64, ballots: &[Ballot]) -> Vec<u64> {
    let one = |(subnet, now): (usize, &u64)| {
        let given =
            ballots.iter().map(|ballot| (ballot.parts.get(subnet).copied().unwrap_or(0), ballot.stake));
        let mut values: Vec<(u64, u64)> = given.chain([(*now, silent)]).collect();
        values.sort_unstable();
        median(&values, *now)
    };
    present.iter().enumerate().map(one).collect()
}

/// The weighted median of `(value, weight)`, ascending by value.
fn median(values: &[(u64, u64)], now: u64) -> u64 {
    let total: u128 = values.iter().map(|(_, weight)| u128::from(*weight)).sum();
    let reached = |enough: &dyn Fn(u128) -> bool| {
        let mut below = 0u128;
        let found = values.iter().find(|(_, weight)| {
            below += u128::from(*weight);
            enough(below * 2)
        });
        found.map_or(now, |(value, _)| *value)
    };
    let (lower, upper) = (reached(&|twice| twice >= total), reached(&|twice| twice > total));
    now.max(lower).min(upper)
}

/// The shares after one step from `present` towards `target`, both of which add up to [`WHOLE`].
pub fn step(present: &[u64], target: &[u64]) -> Vec<u64> {
    let most = |share: u64| (share / MOVE_PART).max(MIN_MOVE);
    let pairs = || present.iter().zip(target);
    let up: Vec<u64> = pairs().map(|(now, aim)| aim.saturating_sub(*now).min(most(*now))).collect();
    let down: Vec<u64> = pairs().map(|(now, aim)| now.saturating_sub(*aim).min(most(*now))).collect();
    // The lesser of both sums is moved, so that what is gained is what is lost.
    let moved = up.iter().sum::<u64>().min(down.iter().sum());
    let (gained, lost) = (apportion(&up, moved), apportion(&down, moved));
    present.iter().zip(gained).zip(lost).map(|((now, gain), loss)| now + gain - loss).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shares() -> impl Strategy<Value = Vec<u64>> {
        proptest::collection::vec(0u64..1_000, 1..20)
            .prop_filter("some weight", |weights| weights.iter().any(|weight| *weight > 0))
            .prop_map(|weights| apportion(&weights, WHOLE))
    }

    #[test]
    fn one_small_vote_changes_nothing() {
        let present = [WHOLE, 0];
        let lone = Ballot { stake: 1, parts: vec![0, WHOLE] };
        assert_eq!(medians(&present, 40_000, std::slice::from_ref(&lone)), present);
        assert_eq!(medians(&present, 1, std::slice::from_ref(&lone)), present, "half is not enough");
        assert_eq!(
            medians(&present, 0, &[lone]),
            [0, WHOLE],
            "if only votes counted, it would take everything"
        );
    }

    #[test]
    fn a_majority_moves_a_share_by_a_tenth_of_it_at_a_time() {
        let target = [0, WHOLE];
        let once = step(&[WHOLE, 0], &target);
        assert_eq!(once, [WHOLE - MIN_MOVE, MIN_MOVE], "the newcomer gains what it can");
        let steps = (1..).scan(vec![WHOLE, 0], |now, _| {
            *now = step(now, &target);
            Some(now.clone())
        });
        let halfway = steps.take_while(|now| now[1] < WHOLE / 2).count();
        assert!((40..80).contains(&halfway), "{halfway} steps to one half");
    }

    proptest! {
        #[test]
        fn a_whole_is_split_without_a_remainder(weights in proptest::collection::vec(0u64..1 << 40, 1..20), whole in 0..=WHOLE) {
            let parts = apportion(&weights, whole);
            let expected = if weights.iter().any(|weight| *weight > 0) { whole } else { 0 };
            prop_assert_eq!(parts.iter().sum::<u64>(), expected);
            prop_assert!(parts.iter().zip(&weights).all(|(part, weight)| *weight > 0 || *part == 0));
        }

        #[test]
        fn a_step_conserves_and_is_bounded(present in shares(), seed in shares()) {
            let weights: Vec<u64> = (0..present.len()).map(|at| seed[at % seed.len()]).collect();
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let target = apportion(&weights, WHOLE);
            let next = step(&present, &target);
            prop_assert_eq!(next.iter().sum::<u64>(), WHOLE);
            for ((now, next), aim) in present.iter().zip(&next).zip(&target) {
                prop_assert!(now.abs_diff(*next) <= (now / MOVE_PART).max(MIN_MOVE));
                prop_assert!(next.abs_diff(*aim) <= now.abs_diff(*aim), "never past the target");
            }
        }

        #[test]
        fn less_than_half_of_the_stake_changes_nothing(present in shares(), votes in proptest::collection::vec((0u64..1_000, shares()), 0..6)) {
            let ballot = |(stake, mut parts): (u64, Vec<u64>)| {
                parts.resize(present.len(), 0);
                Ballot { stake, parts }
            };
            let ballots: Vec<Ballot> = votes.into_iter().map(ballot).collect();
            let voting = ballots.iter().map(|ballot| ballot.stake).sum();
            prop_assert_eq!(medians(&present, voting, &ballots), present);
        }

        #[test]
        fn a_majority_of_one_mind_decides(present in shares(), aim in shares(), silent in 0u64..1_000) {
            let mut parts = aim;
            parts.resize(present.len(), 0);
            let ballots = [Ballot { stake: silent + 1, parts: parts.clone() }];
            prop_assert_eq!(medians(&present, silent, &ballots), parts);
        }
    }
}
