//! What others need to believe a block or an epoch without having followed the chain.
//!
//! Validator sets by their hash, the blocks that ended epochs, and of each subnet what its last epoch was computed from. The
//! first two grow by a few hundred bytes per election and epoch; the third is bounded by the number of subnets.

use nervure_consensus::checkpoint::{CommitCertificate, ValidatorSet};
use nervure_primitives::{BlockHeight, Hash, Netuid, cbor};
use redb::{ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::{
    Reader, StoreError,
    reader::decode,
    tables::{self, CERTIFICATES, CHECKPOINTS, EPOCHS, VALIDATORS},
};
use nervure_ledger::{
    chain::Next, checkpoint::Checkpoint, event::Event, state::LedgerState, subnet::MetagraphRoot,
};

/// A block that ended epochs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The block.
    pub height: BlockHeight,
    /// The subnets whose epochs it ended, and the metagraph roots that these left.
    pub metagraphs: Vec<(Netuid, MetagraphRoot)>,
}

/// What the last epoch of a subnet was computed from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredEpoch {
    /// The block at whose end it was computed.
    pub block: BlockHeight,
    /// The encoded [`EpochInputs`](nervure_ledger::subnet::EpochInputs).
    #[serde(with = "serde_bytes")]
    pub inputs: Vec<u8>,
}

/// Writes what a block leaves of the kind.
pub(super) fn write(transaction: &WriteTransaction, next: &Next) -> Result<(), StoreError> {
    validators(transaction, &next.state)?;
    let block = next.block.header.height;
    let ended = next.events.iter().filter_map(|event| match event {
        Event::Epoch { netuid, .. } => Some((*netuid, next.state.subnets().get(netuid)?.metagraph?)),
        _ => None,
    });
    let metagraphs: Vec<(Netuid, MetagraphRoot)> = ended.collect();
    if !metagraphs.is_empty() {
        put(transaction, CHECKPOINTS, &block.0.to_be_bytes(), &metagraphs)?;
    }
    for epoch in &next.epochs {
        let kept = StoredEpoch { block, inputs: epoch.inputs.clone() };
        put(transaction, EPOCHS, &epoch.netuid.0.to_be_bytes(), &kept)?;
    }
    Ok(())
}

/// Writes the validators of the next block, unless they are known.
pub(super) fn validators(transaction: &WriteTransaction, state: &LedgerState) -> Result<(), StoreError> {
    let Some(set) = state.validators() else { return Ok(()) };
    let key = set.hash();
    // The set changes at elections only; its key is its hash, so one entry serves all heights.
    if transaction.open_table(VALIDATORS)?.get(key.as_bytes().as_slice())?.is_some() {
        return Ok(());
    }
    put(transaction, VALIDATORS, key.as_bytes(), set.as_ref())
}

fn put(
    transaction: &WriteTransaction,
    of: tables::Definition,
    key: &[u8],
    value: &impl Serialize,
) -> Result<(), StoreError> {
    let bytes = cbor::encode(value).map_err(|error| StoreError::damaged(tables::name(of, key), error))?;
    tables::put(&mut transaction.open_table(of)?, of, key, &bytes)
}

impl Reader {
    /// A block with what it takes to believe it; `None` when it is not here, or came without its certificate.
    ///
    /// # Errors
    /// When an entry is damaged. The same holds for the others.
    pub fn checkpoint(&self, height: BlockHeight) -> Result<Option<Checkpoint>, StoreError> {
        let (Some(header), Some(certificate)) = (self.header(height)?, self.certificate(height)?) else {
            return Ok(None);
        };
        let certificate = CommitCertificate::decode(&certificate)
            .map_err(|error| StoreError::damaged(format!("the certificate of block {height}"), error))?;
        let Some(validators) = self.validators(&header.validators)? else { return Ok(None) };
        let mut next_validators = None;
        if header.next_validators != header.validators {
            next_validators = self.validators(&header.next_validators)?;
            if next_validators.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(Checkpoint { header, certificate, validators, next_validators }))
    }

    /// The block at `height`, as [`Self::checkpoint`] gives it; if its certificate is no longer here, that of the next block
    /// that has one. `None` when the block was never here.
    ///
    /// # Errors
    /// As for [`Self::checkpoint`].
    pub fn checkpoint_from(&self, height: BlockHeight) -> Result<Option<Checkpoint>, StoreError> {
        if self.header(height)?.is_none() {
            return Ok(None);
        }
        match self.certified_from(height)? {
            Some(height) => self.checkpoint(height),
            None => Ok(None),
        }
    }

    /// The lowest height from `height` on that has a certificate here.
    ///
    /// # Errors
    /// As for [`Self::checkpoint`].
    pub fn certified_from(&self, height: BlockHeight) -> Result<Option<BlockHeight>, StoreError> {
        let table = self.table(CERTIFICATES)?;
        let first = height.0.to_be_bytes();
        let found = table.range::<&[u8]>(first.as_slice()..)?.next().transpose()?;
        found.map(|(key, _)| tables::height(CERTIFICATES, key.value())).transpose()
    }

    /// The validator set with this hash.
    ///
    /// # Errors
    /// As for [`Self::checkpoint`].
    pub fn validators(&self, hash: &Hash) -> Result<Option<ValidatorSet>, StoreError> {
        self.decoded(VALIDATORS, hash.as_bytes())
    }

    /// The epochs that the block at `height` ended; `None` when it ended none.
    ///
    /// # Errors
    /// As for [`Self::checkpoint`].
    pub fn epoch_end(&self, height: BlockHeight) -> Result<Option<EpochEnd>, StoreError> {
        let metagraphs = self.decoded(CHECKPOINTS, &height.0.to_be_bytes())?;
        Ok(metagraphs.map(|metagraphs| EpochEnd { height, metagraphs }))
    }

    /// The latest `most` checkpoints up to `height`, the latest first.
    ///
    /// # Errors
    /// As for [`Self::checkpoint`].
    pub fn epoch_ends(&self, height: BlockHeight, most: usize) -> Result<Vec<EpochEnd>, StoreError> {
        let table = self.table(CHECKPOINTS)?;
        let last = height.0.to_be_bytes();
        let mut ends = Vec::new();
        for entry in table.range::<&[u8]>(..=last.as_slice())?.rev().take(most) {
            let (key, sealed) = entry?;
            let bytes = tables::unseal(CHECKPOINTS, key.value(), sealed.value())?;
            let height = <[u8; 8]>::try_from(key.value()).map(u64::from_be_bytes);
            let height = height
                .map_err(|_| StoreError::damaged(tables::name(CHECKPOINTS, key.value()), "not a height"))?;
            let metagraphs = decode(CHECKPOINTS, key.value(), bytes)?;
            ends.push(EpochEnd { height: BlockHeight(height), metagraphs });
        }
        Ok(ends)
    }

    /// What the last epoch of a subnet was computed from; `None` when it had none since this chain began here.
    ///
    /// # Errors
    /// As for [`Self::checkpoint`].
    pub fn last_epoch(&self, netuid: Netuid) -> Result<Option<StoredEpoch>, StoreError> {
        self.decoded(EPOCHS, &netuid.0.to_be_bytes())
    }
}
