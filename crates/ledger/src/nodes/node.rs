//! A node: its owner, its take, and the pool of its stake.

use nervure_primitives::{Amount, NodeId};

use super::{MAX_TAKE, NodeNumber, StakePool};

/// A node key that an owner key answers for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its number, under which its stakes are kept.
    pub number: NodeNumber,
    /// Who gets what it earns and may swap its key.
    pub owner: NodeId,
    /// What the owner keeps of the stakers' dividends, of 65,535.
    pub take: u16,
    /// The block at which the take was last raised.
    pub take_raised: u64,
    /// The nonce that the next transaction signed by the node key has to carry.
    pub nonce: u64,
    /// What its owner deposited for it; nothing for a node of the mesh spec.
    pub deposit: Amount,
    /// What stands behind it.
    pub(crate) pool: StakePool,
}

impl Node {
    /// A node of `owner` without stake, whose nonces begin at `nonce`.
    pub(crate) fn new(number: NodeNumber, owner: NodeId, block: u64, nonce: u64) -> Self {
        let pool = StakePool::new(block);
        Self { number, owner, take: MAX_TAKE, take_raised: block, nonce, deposit: Amount::ZERO, pool }
    }

    /// All that stands behind it, as of the last change of its stake or its last dividends. Dividends that were
    /// released since count from the next change on.
    pub fn stake(&self) -> Amount {
        Amount::from_base_units(self.pool.tokens)
    }

    /// Dividends that are not released to the stakers yet.
    pub fn unreleased(&self) -> Amount {
        Amount::from_base_units(self.pool.unreleased)
    }

    /// The sum of its stake over all blocks up to `block`, in base units times blocks: the difference of two such sums,
    /// divided by the blocks between them, is its average stake.
    pub(crate) fn stake_blocks(&self, block: u64) -> u128 {
        self.pool.stake_blocks_at(block)
    }
}
