//! How far back the bodies and events of blocks are kept, and which certificates.
//!
//! What is deleted is what only replaying needs: the block with its transactions, and its events. The header
//! of every block stays, with the validator sets and the ends of epochs. Certificates behind the horizon are [thinned](thin):
//! light clients need only those of blocks that name other validators than their own, and every other block is linked by
//! headers to one of these. A transaction deletes what its block pushed behind the horizon, so that a crash leaves either
//! both or neither; the pages are used again by later blocks.
//!
//! Hazard: a horizon that is made shorter leaves many bodies behind it at once. Each later block deletes a bounded number
//! of them, so that no block waits long.

use std::num::NonZeroU64;

use nervure_ledger::{block::Header, chain::Next, params::Params};
use nervure_primitives::BlockHeight;
use redb::{ReadableTable, WriteTransaction};

use super::{
    Reader, StoreError, StoreOptions,
    reader::decode,
    tables::{self, BLOCKS, CERTIFICATES, EVENTS, HEADERS},
};

/// How many blocks are kept with their bodies and events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// All of them.
    Archive,
    /// The last ones, this many.
    Last(NonZeroU64),
    /// Those of the unbonding time, by the rules of the last block, and at least this many. A node that was off for longer
    /// has to begin with a state in any case, because what it trusts has expired.
    Unbonding(NonZeroU64),
}

impl History {
    /// How many of the last blocks are kept under these rules; none when all are.
    pub fn blocks(self, rules: &Params) -> Option<u64> {
        match self {
            Self::Archive => None,
            Self::Last(blocks) => Some(blocks.get()),
            Self::Unbonding(least) => Some(rules.unbonding.max(least.get())),
        }
    }
}

/// The lowest of the last `blocks` heights when `head` is the last one.
const fn horizon(head: BlockHeight, blocks: u64) -> BlockHeight {
    BlockHeight(head.0.saturating_sub(blocks).saturating_add(1))
}

/// Behind the horizon, the certificate of each height that this divides stays: every block is so many headers or fewer before
/// one with a certificate.
const KEPT_CERTIFICATE_INTERVAL: u64 = 256;

/// Certificates that one block looks at, to delete them or not.
const MAX_THINNED_PER_BLOCK: u64 = 64;

/// Bodies that one block deletes in any case: one stays where it is, two catch up.
const MIN_DELETIONS_PER_BLOCK: usize = 2;

/// Most bodies that one block deletes.
const MAX_DELETIONS_PER_BLOCK: usize = 64;

/// Bytes of bodies and events after which a block deletes no more of them.
const MAX_DELETED_BYTES_PER_BLOCK: usize = 8 << 20;

/// Deletes what the horizon of the block that is being written leaves behind, as much as a block may.
pub(super) fn prune(
    transaction: &WriteTransaction,
    next: &Next,
    options: &StoreOptions,
) -> Result<(), StoreError> {
    let (head, rules) = (next.block.header.height, next.state.params());
    let Some(blocks) = options.history.blocks(rules) else { return Ok(()) };
    bodies(transaction, horizon(head, blocks))?;
    // A light client begins with a block of the trusting period, which is shorter than the unbonding; and every state that
    // is kept can be proven under its own block.
    let certified = blocks.max(rules.unbonding).max(options.retain.saturating_add(1));
    thin(transaction, horizon(head, certified))
}

/// Deletes bodies and events below `horizon`.
fn bodies(transaction: &WriteTransaction, horizon: BlockHeight) -> Result<(), StoreError> {
    let horizon = horizon.0.to_be_bytes();
    let (mut blocks, mut events) = (transaction.open_table(BLOCKS)?, transaction.open_table(EVENTS)?);
    let mut bytes = 0;
    for deleted in 0..MAX_DELETIONS_PER_BLOCK {
        if deleted >= MIN_DELETIONS_PER_BLOCK && bytes >= MAX_DELETED_BYTES_PER_BLOCK {
            break;
        }
        // Heights are big-endian, so the first key is the lowest one.
        let lowest = blocks.first()?.map(|(key, _)| key.value().to_vec());
        let Some(lowest) = lowest.filter(|key| key.as_slice() < horizon.as_slice()) else { break };
        for table in [&mut blocks, &mut events] {
            bytes += table.remove(lowest.as_slice())?.map_or(0, |value| value.value().len());
        }
    }
    Ok(())
}

/// Deletes the certificates below `horizon` that no light client needs. From a block before a change of the validators to
/// one after it leads the block that names the new ones, and its own are those of the block before: so a chain of such
/// blocks can be verified from any of them on.
fn thin(transaction: &WriteTransaction, horizon: BlockHeight) -> Result<(), StoreError> {
    let headers = transaction.open_table(HEADERS)?;
    let mut certificates = transaction.open_table(CERTIFICATES)?;
    let from = match tables::thinned_below(transaction)? {
        Some(height) => height,
        None => match certificates.first()? {
            Some((key, _)) => tables::height(CERTIFICATES, key.value())?,
            None => return Ok(()),
        },
    };
    let to = horizon.0.min(from.0.saturating_add(MAX_THINNED_PER_BLOCK));
    if to <= from.0 {
        return Ok(());
    }
    for height in from.0..to {
        let key = height.to_be_bytes();
        let Some(bytes) = tables::get(&headers, HEADERS, &key)? else { continue };
        if !keeps_certificate(&decode::<Header>(HEADERS, &key, &bytes)?) {
            certificates.remove(key.as_slice())?;
        }
    }
    tables::set_thinned_below(transaction, BlockHeight(to))
}

/// Whether the certificate of an old block stays.
fn keeps_certificate(header: &Header) -> bool {
    header.validators != header.next_validators || header.height.0.is_multiple_of(KEPT_CERTIFICATE_INTERVAL)
}

impl Reader {
    /// The lowest block that is here with its body and events; one after the last when there is none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn blocks_from(&self) -> Result<BlockHeight, StoreError> {
        let lowest = self.table(BLOCKS)?.first()?.map(|(key, _)| tables::height(BLOCKS, key.value()));
        Ok(lowest.transpose()?.unwrap_or(BlockHeight(self.head().height.0.saturating_add(1))))
    }
}
