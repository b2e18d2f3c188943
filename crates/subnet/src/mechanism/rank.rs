//! Which of a task's contents goes into which of its questions: the larger ones where users' texts are longer.

/// The items in such an order that the largest one, by `size`, stands where `rooms` has the largest number, the second
/// largest where it has the second largest, and so on. Items without a room are left out.
pub(super) fn ranked<T>(mut items: Vec<T>, size: impl Fn(&T) -> usize, rooms: &[usize]) -> Vec<T> {
    items.truncate(rooms.len());
    let mut places: Vec<(usize, usize)> = rooms.iter().copied().zip(0..).collect();
    // Where there are fewer items than rooms, the last rooms stay empty.
    places.truncate(items.len());
    places.sort_unstable();
    items.sort_by_key(size);
    let mut placed: Vec<(usize, T)> = places.into_iter().map(|(_, place)| place).zip(items).collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, item)| item).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_largest_stands_where_most_room_is() {
        assert_eq!(ranked(vec![5, 1, 9], |size| *size, &[10, 30, 20]), [1, 9, 5]);
        assert_eq!(ranked(vec![5, 1, 9], |size| *size, &[10]), [5], "the first ones are kept");
        assert!(ranked(Vec::<usize>::new(), |size| *size, &[10]).is_empty());
    }

    proptest! {
        #[test]
        fn no_item_is_lost(pairs in proptest::collection::vec((0usize..50, 0usize..50), 0..20)) {
            let (items, rooms): (Vec<usize>, Vec<usize>) = pairs.into_iter().unzip();
            let mut placed = ranked(items.clone(), |size| *size, &rooms);
            let mut items = items;
            placed.sort_unstable();
            items.sort_unstable();
            prop_assert_eq!(placed, items);
        }
    }
}
