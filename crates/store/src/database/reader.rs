//! A chain as it was at one moment.

use nervure_primitives::{
    BlockHeight, Hash,
    cbor::{self, Limits},
};
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable};
use serde::de::DeserializeOwned;

use super::{
    StoreError,
    tables::{self, BLOCKS, CERTIFICATES, Definition, EVENTS, HEADERS, NODES, VALUES},
    tree::{self, StoredTree},
};
use nervure_ledger::{
    block::{Block, Header, MAX_BLOCK_LEN},
    chain::Tip,
    event::Event,
    spec::MeshSpec,
    state::LedgerState,
    tree::{Changes, Key, MemoryTree, Record, StateProof, StateTree, TreeError, TreeUpdate, prove, update},
};

/// Largest stored entry in bytes. Events say a little more than the transactions that caused them.
const MAX_ENTRY_BYTES: usize = 4 * MAX_BLOCK_LEN;

/// A view of the chain that later commits do not change.
pub struct Reader {
    transaction: ReadTransaction,
    tree: StoredTree<ReadOnlyTable<&'static [u8], &'static [u8]>>,
    base: u64,
    tip: Header,
}

impl Reader {
    pub(super) fn new(transaction: ReadTransaction, base: u64) -> Result<Self, StoreError> {
        let tree =
            StoredTree { nodes: transaction.open_table(NODES)?, values: transaction.open_table(VALUES)? };
        let headers = transaction.open_table(HEADERS)?;
        let last = headers.last()?.ok_or_else(|| StoreError::damaged("table headers", "it is empty"))?;
        let tip = decode(HEADERS, last.0.value(), tables::unseal(HEADERS, last.0.value(), last.1.value())?)?;
        Ok(Self { transaction, tree, base, tip })
    }

    /// The header of the last block.
    pub fn head(&self) -> &Header {
        &self.tip
    }

    /// The header of a block; `None` when there is none at this height.
    ///
    /// # Errors
    /// When the entry is damaged. The same holds for the other entries.
    pub fn header(&self, height: BlockHeight) -> Result<Option<Header>, StoreError> {
        self.entry(HEADERS, height)
    }

    /// A block; `None` also for the first one of a chain that began with a snapshot.
    ///
    /// # Errors
    /// As for [`Self::header`].
    pub fn block(&self, height: BlockHeight) -> Result<Option<Block>, StoreError> {
        self.entry(BLOCKS, height)
    }

    /// What happened in a block.
    ///
    /// # Errors
    /// As for [`Self::header`].
    pub fn events(&self, height: BlockHeight) -> Result<Option<Vec<Event>>, StoreError> {
        self.entry(EVENTS, height)
    }

    /// The certificate that was committed with a block.
    ///
    /// # Errors
    /// As for [`Self::header`].
    pub fn certificate(&self, height: BlockHeight) -> Result<Option<Vec<u8>>, StoreError> {
        tables::get(&self.transaction.open_table(CERTIFICATES)?, CERTIFICATES, &height.0.to_be_bytes())
    }

    /// The root of the state after a block, also of one whose state was pruned.
    ///
    /// # Errors
    /// As for [`Self::header`].
    pub fn root(&self, height: BlockHeight) -> Result<Option<Hash>, StoreError> {
        Ok(self.header(height)?.map(|header| header.state))
    }

    /// The record of `key` after the block at `height`, or that there was none, with the proof of it.
    ///
    /// # Errors
    /// [`StoreError::NotKept`] when that state was pruned.
    pub fn prove_at(
        &self,
        height: BlockHeight,
        key: &Key,
    ) -> Result<(Option<Record>, StateProof), StoreError> {
        Ok(prove(&self.tree, self.kept(height)?, key)?)
    }

    /// The version of the tree after the block at `height`, if its state is kept.
    pub(super) fn kept(&self, height: BlockHeight) -> Result<u64, StoreError> {
        let oldest = self.oldest()?;
        if height < oldest || height > self.tip.height {
            return Err(StoreError::NotKept { height, oldest, newest: self.tip.height });
        }
        // Cannot underflow: `oldest` is at least `base`.
        Ok(height.0 - self.base)
    }

    /// The oldest block whose state is kept.
    ///
    /// # Errors
    /// As for [`Self::header`].
    pub fn oldest(&self) -> Result<BlockHeight, StoreError> {
        let table = self.transaction.open_table(tables::STALE)?;
        // Until something was pruned, everything since the beginning is kept.
        let pruned = tables::get(&table, tables::STALE, super::prune::DONE)?;
        let pruned = pruned.and_then(|bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?)));
        Ok(BlockHeight(self.base.saturating_add(pruned.unwrap_or(0))))
    }

    /// The records of the last block's state, in the order of the tree.
    ///
    /// # Errors
    /// When one of them is damaged.
    pub fn records(&self) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::new();
        let mut newest: Option<(Vec<u8>, Vec<u8>)> = None;
        for entry in self.tree.values.range::<&[u8]>(..)? {
            let (key, sealed) = entry?;
            let (place, _) = key
                .value()
                .split_at_checked(32)
                .ok_or_else(|| StoreError::damaged(tables::name(VALUES, key.value()), "a short key"))?;
            let stored = tables::unseal(VALUES, key.value(), sealed.value())?;
            // Versions of one place follow each other, so the last one before another place is the newest.
            if newest.as_ref().is_some_and(|(former, _)| former != place) {
                push(&mut records, newest.take())?;
            }
            newest = Some((place.to_vec(), stored.to_vec()));
        }
        push(&mut records, newest)?;
        Ok(records)
    }

    /// The last block, its state rebuilt from its records and compared with its root.
    ///
    /// # Errors
    /// When anything of it is not what was written.
    pub fn tip(&self, spec: &MeshSpec) -> Result<Tip, StoreError> {
        let state = LedgerState::from_records(spec, self.records()?)?;
        let root = MemoryTree::of(&state)?.root();
        let (expected, found) = (self.tip.state, root.unwrap_or(Hash::from_bytes([0; 32])));
        // Checksums show damage of single entries. Only the root shows that the records are complete.
        if expected != found {
            return Err(StoreError::Root { expected, found });
        }
        if state.height() != self.tip.height {
            return Err(StoreError::damaged("the record of the chain", "another height than its header"));
        }
        Ok(Tip { header: self.tip.clone(), state })
    }

    fn entry<T: DeserializeOwned>(
        &self,
        of: Definition,
        height: BlockHeight,
    ) -> Result<Option<T>, StoreError> {
        self.decoded(of, &height.0.to_be_bytes())
    }

    /// The decoded value of a key.
    pub(super) fn decoded<T: DeserializeOwned>(
        &self,
        of: Definition,
        key: &[u8],
    ) -> Result<Option<T>, StoreError> {
        let found = tables::get(&self.table(of)?, of, key)?;
        found.map(|bytes| decode(of, key, &bytes)).transpose()
    }

    pub(super) fn table(
        &self,
        of: Definition,
    ) -> Result<ReadOnlyTable<&'static [u8], &'static [u8]>, StoreError> {
        Ok(self.transaction.open_table(of)?)
    }
}

pub(super) fn decode<T: DeserializeOwned>(of: Definition, key: &[u8], bytes: &[u8]) -> Result<T, StoreError> {
    let decoded = cbor::decode(bytes, Limits::new(MAX_ENTRY_BYTES));
    decoded.map_err(|error| StoreError::damaged(tables::name(of, key), error))
}

fn push(records: &mut Vec<Record>, newest: Option<(Vec<u8>, Vec<u8>)>) -> Result<(), StoreError> {
    if let Some((place, stored)) = newest
        && let Some(value) = tree::value(&stored)
    {
        let record = Record::decode(value);
        records.push(record.map_err(|error| StoreError::damaged(tables::name(VALUES, &place), error))?);
    }
    Ok(())
}

impl StateTree for Reader {
    fn update(&self, changes: &Changes) -> Result<TreeUpdate, TreeError> {
        update(&self.tree, (self.tip.height.0 - self.base).saturating_add(1), changes)
    }

    fn prove(&self, key: &Key) -> Result<(Option<Record>, StateProof), TreeError> {
        prove(&self.tree, self.tip.height.0 - self.base, key)
    }
}
