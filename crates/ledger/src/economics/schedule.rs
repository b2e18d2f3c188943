//! When epochs run.

/// Blocks from `block` until the next epoch is due, 0 when it is due now or overdue. A tempo of 0
/// means never: [`u64::MAX`].
pub fn blocks_until_epoch(last_epoch: u64, tempo: u64, block: u64) -> u64 {
    if tempo == 0 {
        return u64::MAX;
    }
    last_epoch.saturating_add(tempo).saturating_sub(block)
}

/// The first block after `registered` at which a new subnet's epoch runs. Subnets are staggered by
/// their numbers, so that the epochs of a mesh spread over the blocks of a tempo.
pub fn first_epoch(registered: u64, tempo: u64, netuid: u16) -> u64 {
    let Some(offset) = u64::from(netuid).checked_rem(tempo) else { return u64::MAX };
    // Blocks until the next height that leaves the remainder `offset`.
    let wait = (offset + tempo - registered % tempo) % tempo;
    registered.saturating_add(if wait == 0 { tempo } else { wait })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbours_run_one_block_apart() {
        assert_eq!(first_epoch(0, 360, 1), 1);
        assert_eq!(first_epoch(0, 360, 2), 2);
        assert_eq!(first_epoch(0, 360, 360), 360);
        assert_eq!(first_epoch(1, 360, 1), 361);
        assert_eq!(first_epoch(0, 0, 1), u64::MAX);
    }

    proptest! {
        #[test]
        fn the_first_epoch_comes_within_a_tempo(registered in 0u64..1 << 40, tempo in 1u64..10_000, netuid: u16) {
            let first = first_epoch(registered, tempo, netuid);
            prop_assert!(first > registered && first <= registered + tempo);
            prop_assert_eq!(first % tempo, u64::from(netuid) % tempo);
        }
    }
}
