//! The pool of a node's stake.
//!
//! Stakers hold shares of the pool's tokens. A dividend raises the tokens and leaves the shares, so that it costs the
//! same whatever the number of stakers; so would a slash, which lowers the tokens. Reading, raising and lowering one
//! stake touch that stake and the pool.
//!
//! **Rounding** always favours the pool: a deposit gets its shares rounded down, a withdrawal gives up shares rounded
//! up, and a stake is worth its part of the tokens rounded down. What remains belongs to all shares; the last staker
//! takes it. A first deposit gets [`SHARES_PER_UNIT`] shares per base unit. All tokens that can exist are fewer than
//! 2^55 base units, so that one share stays worth less than 2^-9 base units even in a pool that began with one unit
//! and then earned every token of the mesh: no staker can make shares so dear that a deposit rounds to none.
//!
//! **Time.** The dividends of an epoch are released block by block over as many blocks as the epoch had. Who stakes for
//! one block therefore gets that block's part and not the epoch's. While there are no shares, nothing is released. The
//! pool also sums its tokens over blocks, for the average stake of an epoch.

use nervure_primitives::{Amount, BlockHeight};
use serde::{Deserialize, Serialize};

use crate::economics::{
    emission::pro_rata,
    ratio::{mul_div, permille_of},
};

/// Shares that the first deposit of a pool gets per base unit.
const SHARES_PER_UNIT: u128 = 1 << 64;

/// Most shares of a pool: the products above it need more than 128 bits.
const MAX_SHARES: u128 = (1 << 126) - 1;

/// The stake behind a node: tokens, the shares of its stakers in them, and dividends that are not released yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StakePool {
    /// What all shares are worth at `settled`, in base units.
    pub tokens: u64,
    /// All shares.
    #[serde(with = "crate::wide")]
    pub shares: u128,
    /// Dividends that are not released yet, in base units.
    pub unreleased: u64,
    /// The block at which the last of `unreleased` is released.
    pub until: u64,
    /// The block up to which dividends are released and `stake_blocks` is summed.
    pub settled: u64,
    /// The sum of `tokens` over all blocks up to `settled`.
    #[serde(with = "crate::wide")]
    pub stake_blocks: u128,
}

impl StakePool {
    /// A pool without stake, of a node that was registered at `block`.
    pub(crate) fn new(block: u64) -> Self {
        Self { settled: block, ..Self::default() }
    }

    /// The pool as it is at `block`, at or after [`Self::settled`].
    #[must_use]
    pub(crate) fn at(mut self, block: u64) -> Self {
        let passed = block.saturating_sub(self.settled);
        if passed == 0 {
            return self;
        }
        self.stake_blocks = self.stake_blocks_at(block);
        let left = self.until.saturating_sub(self.settled);
        if self.shares == 0 {
            // The clock stands while there is no staker.
            self.until = block.saturating_add(left);
        } else {
            let released = match passed >= left {
                true => self.unreleased,
                false => pro_rata(self.unreleased, passed, left),
            };
            self.unreleased -= released;
            self.tokens = self.tokens.saturating_add(released);
        }
        self.settled = block;
        self
    }

    /// The sum of its tokens over all blocks up to `block`. Dividends that were released since it was settled
    /// are not in it.
    pub(crate) fn stake_blocks_at(&self, block: u64) -> u128 {
        let passed = block.saturating_sub(self.settled);
        self.stake_blocks.saturating_add(u128::from(self.tokens) * u128::from(passed))
    }

    /// What `held` shares are worth, in base units, rounded down.
    pub(crate) fn worth(&self, held: u128) -> u64 {
        if held > 0 && held >= self.shares {
            return self.tokens;
        }
        // A part of the tokens, so it fits.
        mul_div(held, self.tokens, self.shares).and_then(|part| u64::try_from(part.whole).ok()).unwrap_or(0)
    }

    /// What `held` shares are worth at `block`, with the dividends that were released until then.
    pub fn worth_at(&self, block: BlockHeight, held: u128) -> Amount {
        Amount::from_base_units(self.at(block.0).worth(held))
    }

    /// Takes in `amount` base units; returns the shares that they get. `None`, and nothing happens, when no number of
    /// shares is worth them: what the shares were worth was lost.
    pub(crate) fn deposit(&mut self, amount: u64) -> Option<u128> {
        let minted = match self.shares {
            0 => SHARES_PER_UNIT.checked_mul(amount.into())?,
            shares => mul_div(shares, amount, self.tokens.into())?.whole,
        };
        let shares = self.shares.checked_add(minted).filter(|shares| *shares <= MAX_SHARES)?;
        self.tokens = self.tokens.checked_add(amount)?;
        self.shares = shares;
        Some(minted)
    }

    /// Gives out `amount` base units to the holder of `held` shares, whose [worth](Self::worth) is at least that.
    /// Returns the shares that are left to the holder.
    pub(crate) fn withdraw(&mut self, held: u128, amount: u64) -> u128 {
        let amount = amount.min(self.worth(held));
        let given_up = match amount == self.worth(held) {
            true => held,
            false => mul_div(self.shares, amount, self.tokens.into())
                .map_or(held, |part| part.whole.saturating_add(u128::from(part.rest)).min(held)),
        };
        self.tokens -= amount;
        self.shares = self.shares.saturating_sub(given_up);
        held - given_up
    }

    /// Adds dividends that are released over the next `blocks`. Earlier ones that are not released yet are put together
    /// with them: the time that is left is the mean of both, weighted by amount.
    pub(crate) fn release_over(&mut self, amount: u64, blocks: u64) {
        let left = u128::from(self.until.saturating_sub(self.settled));
        let weighted = u128::from(self.unreleased) * left + u128::from(amount) * u128::from(blocks);
        self.unreleased = self.unreleased.saturating_add(amount);
        let mean = weighted.div_ceil(u128::from(self.unreleased.max(1)));
        self.until = self.settled.saturating_add(u64::try_from(mean).unwrap_or(u64::MAX));
    }

    /// Takes `permille` thousandths of the tokens and of the dividends that are not released yet, each rounded down, so
    /// that something is left of a pool below 1,000. Returns what was taken, in base units.
    pub(crate) fn slash(&mut self, permille: u64) -> u64 {
        let (tokens, unreleased) =
            (permille_of(self.tokens, permille), permille_of(self.unreleased, permille));
        self.tokens -= tokens;
        self.unreleased -= unreleased;
        tokens.saturating_add(unreleased)
    }

    /// All that it holds, in base units.
    pub(crate) fn held(&self) -> u128 {
        u128::from(self.tokens) + u128::from(self.unreleased)
    }
}

#[cfg(test)]
mod tests;
