//! How much weight a block may have: so much that a full block is carried out in a quarter of the block time.
//!
//! The limits follow from the block time of the mesh and are no settings of their own: a mesh whose blocks take longer
//! than they may falls behind its own schedule.

use serde::{Deserialize, Serialize};

use crate::{
    spec::MeshSpec,
    transaction::{InclusionRejection, Rejection},
};

/// Nanoseconds that the reference machine (docs/performance.md) takes for a unit of weight on one core. A second core
/// verifies half of the signatures, so that two cores take less.
const NANOSECONDS_PER_WEIGHT: u64 = 40;

/// The part of the block time in which a full block is carried out: one in so many.
const PART_OF_BLOCK_TIME: u64 = 4;

/// The part of a block's weight that is reserved for the lane of validators: one in so many.
const LANE_PART: u64 = 5;

/// The most weight of a block that pays, however long the block time is. With it, a full block has less bytes than
/// [`MAX_BLOCK_LEN`](crate::block::MAX_BLOCK_LEN) and fewer transactions than
/// [`MAX_TRANSACTIONS`](crate::block::MAX_TRANSACTIONS), so that weight alone decides what fits.
const MAX_PAID: u64 = 20_000_000;

/// Weight of a block: what pays, and what is in the lane of validators. Neither can use the place of the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockWeight {
    /// Of transactions that are paid for.
    pub paid: u64,
    /// Of free transactions of validators.
    pub lane: u64,
}

impl BlockWeight {
    /// The most that a block of the mesh may have.
    pub fn limit(spec: &MeshSpec) -> Self {
        let nanoseconds = u64::from(spec.consensus.block_milliseconds) * 1_000_000;
        let whole = nanoseconds / PART_OF_BLOCK_TIME / NANOSECONDS_PER_WEIGHT;
        let lane = (whole / LANE_PART).min(MAX_PAID / (LANE_PART - 1));
        Self { paid: (whole - whole / LANE_PART).min(MAX_PAID), lane }
    }

    /// The same with a transaction of `weight` more, unless a block of `limit` has no room for it.
    ///
    /// # Errors
    /// [`InclusionRejection::BlockFull`] when it has none.
    pub(crate) fn with(self, weight: u64, is_free: bool, limit: Self) -> Result<Self, Rejection> {
        let mut with = self;
        let (used, most) = match is_free {
            true => (&mut with.lane, limit.lane),
            false => (&mut with.paid, limit.paid),
        };
        *used = used.saturating_add(weight);
        if *used > most {
            return Err(
                InclusionRejection::BlockFull { weight, left: most - (*used - weight).min(most) }.into()
            );
        }
        Ok(with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        block::{MAX_BLOCK_LEN, MAX_TRANSACTIONS},
        spec::MIN_BLOCK_MILLISECONDS,
        transaction::{MAX_LEN, least_weight},
    };

    /// Bytes that an envelope adds to a body.
    const ENVELOPE_BYTES: u64 = 160;

    fn limit(block_milliseconds: u32) -> BlockWeight {
        let mut spec = MeshSpec::public("limits");
        spec.consensus.block_milliseconds = block_milliseconds;
        BlockWeight::limit(&spec)
    }

    #[test]
    fn a_full_block_takes_a_quarter_of_the_block_time_and_a_fifth_is_reserved() {
        assert_eq!(limit(1_000), BlockWeight { paid: 5_000_000, lane: 1_250_000 });
        for time in [MIN_BLOCK_MILLISECONDS, 333, 1_000, 12_000, u32::MAX] {
            let BlockWeight { paid, lane } = limit(time);
            assert!((paid + lane) * NANOSECONDS_PER_WEIGHT <= u64::from(time) * 1_000_000 / 4, "{time}");
            assert!(lane * 5 >= paid && lane * 3 < paid);
        }
    }

    #[test]
    fn weight_alone_decides_what_fits() {
        let BlockWeight { paid, lane } = limit(u32::MAX);
        for bytes in [0, 100, 200, 1_000, MAX_LEN] {
            let count = (paid + lane) / least_weight(bytes);
            assert!(
                count <= MAX_TRANSACTIONS as u64 * 2 && (bytes < 100 || count <= MAX_TRANSACTIONS as u64)
            );
            assert!(
                count * (bytes as u64 + ENVELOPE_BYTES) < MAX_BLOCK_LEN as u64,
                "{count} of {bytes} bytes"
            );
        }
    }

    #[test]
    fn neither_part_takes_from_the_other() {
        let limit = BlockWeight { paid: 100, lane: 10 };
        let full = BlockWeight::default().with(100, false, limit).unwrap();
        assert_eq!(
            full.with(1, false, limit),
            Err(InclusionRejection::BlockFull { weight: 1, left: 0 }.into())
        );
        let both = full.with(10, true, limit).unwrap();
        assert_eq!(both, limit);
        assert_eq!(
            both.with(5, true, limit),
            Err(InclusionRejection::BlockFull { weight: 5, left: 0 }.into())
        );
    }
}
