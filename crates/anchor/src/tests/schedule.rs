//! The order of submitters.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(30);

#[test]
fn another_member_starts_after_each_timeout() {
    let schedule = SubmissionSchedule::new(&checkpoint(5, &four()), &four(), TIMEOUT).unwrap();
    for (passed, due) in [(0, 1), (29, 1), (30, 2), (89, 3), (90, 4), (1 << 40, 4)] {
        assert_eq!(schedule.due(Duration::from_secs(passed)).len(), due, "after {passed} s");
    }
    let all = schedule.due(Duration::MAX);
    for (place, member) in (0u32..).zip(all) {
        assert_eq!(schedule.wait(member), Some(TIMEOUT * place));
    }
    assert_eq!(schedule.wait(&key(9).address()), None);
    assert!(SubmissionSchedule::new(&checkpoint(5, &four()), &four(), Duration::ZERO).is_err());
}

#[test]
fn every_member_is_first_equally_often() {
    let mut first: BTreeMap<AnchorAddress, u32> = BTreeMap::new();
    let four = four();
    for height in 0..4_000 {
        let schedule = SubmissionSchedule::new(&checkpoint(height, &four), &four, TIMEOUT).unwrap();
        *first.entry(schedule.due(Duration::ZERO)[0]).or_default() += 1;
    }
    // A thousand each is expected, with a standard deviation of 27.
    assert!(first.len() == 4 && first.values().all(|count| (850..1_150).contains(count)), "{first:?}");
}

proptest! {
    /// Every member starts in the end, and all compute the same order.
    #[test]
    fn every_member_starts_in_the_end(height: u64, alive in 1u8..=16) {
        let member = |n: u8| (AnchorAddress::from_bytes([n; 20]), u64::from(n));
        let set = AnchorSet::new((1..=16).map(member)).unwrap();
        let schedule = SubmissionSchedule::new(&checkpoint(height, &set), &set, TIMEOUT).unwrap();
        prop_assert_eq!(&schedule, &SubmissionSchedule::new(&checkpoint(height, &set), &set, TIMEOUT).unwrap());
        let alive = member(alive).0;
        let wait = schedule.wait(&alive).unwrap();
        prop_assert!(wait < TIMEOUT * 16);
        prop_assert!(schedule.due(wait).contains(&alive));
        prop_assert!(wait.is_zero() || !schedule.due(wait - Duration::from_nanos(1)).contains(&alive));
    }
}
