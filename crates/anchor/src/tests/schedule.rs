//! Who submits.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(30);

#[test]
fn one_begins_and_another_takes_over_after_each_time_out() {
    let turns = SubmissionSchedule::new(&checkpoint(5, &four()), &four(), TIMEOUT).unwrap();
    for (passed, due) in [(0, 1), (29, 1), (30, 2), (89, 3), (90, 4), (1 << 40, 4)] {
        assert_eq!(turns.due(Duration::from_secs(passed)).len(), due, "after {passed} s");
    }
    let all = turns.due(Duration::MAX);
    for (place, member) in (0u32..).zip(all) {
        assert_eq!(turns.wait(member), Some(TIMEOUT * place));
    }
    assert_eq!(turns.wait(&key(9).address()), None);
    assert!(SubmissionSchedule::new(&checkpoint(5, &four()), &four(), Duration::ZERO).is_err());
}

#[test]
fn everybody_gets_a_fair_share() {
    let mut first: BTreeMap<AnchorAddress, u32> = BTreeMap::new();
    let four = four();
    for height in 0..4_000 {
        let turns = SubmissionSchedule::new(&checkpoint(height, &four), &four, TIMEOUT).unwrap();
        *first.entry(turns.due(Duration::ZERO)[0]).or_default() += 1;
    }
    // A thousand each is expected, with a standard deviation of 27.
    assert!(first.len() == 4 && first.values().all(|count| (850..1_150).contains(count)), "{first:?}");
}

proptest! {
    /// Whoever is alive comes to its turn, and everybody computes the same order.
    #[test]
    fn any_one_that_is_alive_submits_in_the_end(height: u64, alive in 1u8..=16) {
        let member = |n: u8| (AnchorAddress::from_bytes([n; 20]), u64::from(n));
        let set = AnchorSet::new((1..=16).map(member)).unwrap();
        let turns = SubmissionSchedule::new(&checkpoint(height, &set), &set, TIMEOUT).unwrap();
        prop_assert_eq!(&turns, &SubmissionSchedule::new(&checkpoint(height, &set), &set, TIMEOUT).unwrap());
        let alive = member(alive).0;
        let wait = turns.wait(&alive).unwrap();
        prop_assert!(wait < TIMEOUT * 16);
        prop_assert!(turns.due(wait).contains(&alive));
        prop_assert!(wait.is_zero() || !turns.due(wait - Duration::from_nanos(1)).contains(&alive));
    }
}
