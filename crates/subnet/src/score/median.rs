//! The weighted median.

/// The smallest value such that at least half of the weight is on values up to it; `None` without weight.
///
/// While liars have less than half of the weight, it lies within the range of the honest values.
pub(crate) fn median<T: Ord + Copy>(mut values: Vec<(T, u64)>) -> Option<T> {
    values.sort_unstable_by_key(|(value, _)| *value);
    // 128 bits: stakes of 64 bits are summed and doubled.
    let total: u128 = values.iter().map(|(_, weight)| u128::from(*weight)).sum();
    let mut cumulative = 0u128;
    values.into_iter().find_map(|(value, weight)| {
        cumulative += u128::from(weight);
        (weight > 0 && cumulative * 2 >= total).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ends_and_ties() {
        assert_eq!(median::<u8>(vec![]), None);
        assert_eq!(median(vec![(5, 0)]), None);
        assert_eq!(median(vec![(7, 1), (5, 1)]), Some(5));
        assert_eq!(median(vec![(1, u64::MAX), (9, u64::MAX), (9, 1)]), Some(9));
    }

    proptest! {
        #[test]
        fn less_than_half_of_the_weight_cannot_move_it_out_of_the_honest_range(
            honest in proptest::collection::vec((any::<u32>(), 1u64..1000), 1..9),
            lies in proptest::collection::vec((any::<u32>(), 1u64..1000), 0..9),
        ) {
            let weight = |of: &[(u32, u64)]| of.iter().map(|(_, weight)| weight).sum::<u64>();
            prop_assume!(weight(&lies) < weight(&honest));
            let median = median([honest.clone(), lies].concat()).unwrap();
            let (least, most) = (honest.iter().min().unwrap().0, honest.iter().max().unwrap().0);
            prop_assert!((least..=most).contains(&median));
        }
    }
}
