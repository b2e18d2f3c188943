//! Pruning the state of old blocks.
//!
//! Every entry of the tree that a version replaces is listed under that version. When no block needs the
//! versions before it any more, what is listed goes. A block so deletes about as much as it once wrote.

use redb::{ReadableTable, Table, WriteTransaction};

use super::{
    StoreError,
    tables::{self, NODES, STALE, VALUES},
};

/// The entry that says up to which version everything stale is gone. Its key sorts after all others.
pub(super) const DONE: &[u8] = &[0xff; 9];

/// Most entries that one block deletes. After an epoch there are more, which later blocks delete.
const MAX_DELETIONS_PER_BLOCK: usize = 20_000;

/// What kind of entry is stale.
const NODE: u8 = 0;
const VALUE: u8 = 1;

/// What one version makes stale.
pub(super) struct Stale<'a> {
    table: Table<'a, &'static [u8], &'static [u8]>,
    version: u64,
}

impl<'a> Stale<'a> {
    pub(super) fn open(transaction: &'a WriteTransaction, version: u64) -> Result<Self, StoreError> {
        Ok(Self { table: transaction.open_table(STALE)?, version })
    }

    /// A node of the tree is replaced.
    pub(super) fn node(&mut self, key: &[u8]) -> Result<(), StoreError> {
        self.list(NODE, key)
    }

    /// A value is replaced.
    pub(super) fn value(&mut self, key: &[u8]) -> Result<(), StoreError> {
        self.list(VALUE, key)
    }

    fn list(&mut self, kind: u8, key: &[u8]) -> Result<(), StoreError> {
        // The version comes first and is big-endian: pruning reads the table in order. Of one place the
        // former value sorts before the removal mark, so a bounded run never deletes a mark and keeps what
        // it hides.
        let listed = [&self.version.to_be_bytes(), [kind].as_slice(), key].concat();
        tables::put(&mut self.table, STALE, &listed, &[])
    }
}

/// Deletes what versions from `oldest` on do not need.
pub(super) fn run(transaction: &WriteTransaction, oldest: u64) -> Result<(), StoreError> {
    let mut stale = transaction.open_table(STALE)?;
    // A batch may have kept its last state alone, so that less is kept than the options say.
    let done =
        tables::get(&stale, STALE, DONE)?.and_then(|bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?)));
    let oldest = oldest.max(done.unwrap_or(0));
    // Version 0 replaces nothing.
    if oldest == 0 {
        return Ok(());
    }
    // What version `oldest` replaced, only versions before `oldest` read. So its own list goes, too.
    let last = oldest.saturating_add(1).to_be_bytes();
    // Collected first: the table cannot be changed while a range over it is open.
    let mut listed = Vec::new();
    for entry in stale.range::<&[u8]>(..last.as_slice())?.take(MAX_DELETIONS_PER_BLOCK) {
        listed.push(entry?.0.value().to_vec());
    }
    let (mut nodes, mut values) = (transaction.open_table(NODES)?, transaction.open_table(VALUES)?);
    for entry in &listed {
        match entry.get(8..).and_then(<[u8]>::split_first) {
            Some((&NODE, key)) => drop(nodes.remove(key)?),
            Some((&VALUE, key)) => drop(values.remove(key)?),
            _ => return Err(StoreError::damaged(tables::name(STALE, entry), "of no kind")),
        }
        stale.remove(entry.as_slice())?;
    }
    // Older versions may still be complete, but readers must not rely on them.
    tables::put(&mut stale, STALE, DONE, &oldest.to_be_bytes())
}
