//! Writing a block with all that belongs to it, in one transaction.

use std::time::Instant;

use nervure_primitives::{BlockHeight, cbor};
use redb::{Durability, ReadableTable, WriteTransaction};
use serde::Serialize;

use super::{
    First, Meta, Store, StoreError, VERSION, evidence, history, prune,
    tables::{self, BLOCKS, CERTIFICATES, Definition, EVENTS, HEADERS, NODES, VALUES},
    tree::{stored, value_key},
};
use crate::{
    fail_point::{Point, reach},
    metrics::Write,
};
use nervure_ledger::{chain::Next, tree::TreeUpdate};

/// The first block: its header and state, and what the file is.
pub(super) fn first(store: &Store, first: &First<'_>) -> Result<(), StoreError> {
    let header = &first.tip.header;
    let transaction = begin(store, true)?;
    Meta { format: VERSION, mesh: store.mesh, base: store.base }.write(&transaction)?;
    entry(&transaction, HEADERS, header.height, header)?;
    raw(&transaction, CERTIFICATES, header.height, first.certificate)?;
    evidence::validators(&transaction, &first.tip.state)?;
    tree(&transaction, 0, &first.update)?;
    transaction.commit()?;
    Ok(())
}

/// The next block.
pub(super) fn next(
    store: &Store,
    next: &Next,
    certificate: Option<&[u8]>,
    durable: bool,
) -> Result<(), StoreError> {
    let began = Instant::now();
    let transaction = begin(store, durable)?;
    write(store, &transaction, next, certificate)?;
    reach(Point::StoreWritten);
    transaction.commit()?;
    reach(Point::StoreCommitted);
    if durable {
        store.metrics.wrote(Write::Block, began);
    }
    Ok(())
}

/// Writes the next block into a transaction.
pub(super) fn write(
    store: &Store,
    transaction: &WriteTransaction,
    next: &Next,
    certificate: Option<&[u8]>,
) -> Result<(), StoreError> {
    entries(store, transaction, next, certificate)?;
    let version = store.version(next.block.header.height);
    tree(transaction, version, &next.update)?;
    // In the same transaction: after a crash either the block and its pruning are there or neither.
    prune::run(transaction, version.saturating_sub(store.options.retain.max(1)))
}

/// Writes the next block into a transaction, without what it does to the state tree.
pub(super) fn entries(
    store: &Store,
    transaction: &WriteTransaction,
    next: &Next,
    certificate: Option<&[u8]>,
) -> Result<(), StoreError> {
    let height = next.block.header.height;
    // Read inside the transaction: it also sees the blocks of a batch that is not committed.
    follows(transaction, height)?;
    entry(transaction, HEADERS, height, &next.block.header)?;
    entry(transaction, BLOCKS, height, &next.block)?;
    entry(transaction, EVENTS, height, &next.events)?;
    raw(transaction, CERTIFICATES, height, certificate)?;
    evidence::write(transaction, next)?;
    history::prune(transaction, next, &store.options)
}

/// A transaction.
pub(super) fn begin(store: &Store, durable: bool) -> Result<WriteTransaction, StoreError> {
    let mut transaction = store.db.begin_write()?;
    let durability = if durable { Durability::Immediate } else { Durability::None };
    transaction.set_durability(durability).map_err(|error| StoreError::damaged("the file", error))?;
    Ok(transaction)
}

/// Refuses a block that is not the next one.
fn follows(transaction: &WriteTransaction, given: BlockHeight) -> Result<(), StoreError> {
    let headers = transaction.open_table(HEADERS)?;
    // Heights are big-endian, so the last key is the highest one.
    let last = headers.last()?.ok_or_else(|| StoreError::damaged("table headers", "it is empty"))?;
    let last = tables::height(HEADERS, last.0.value())?;
    let expected = BlockHeight(last.0.saturating_add(1));
    if given == expected { Ok(()) } else { Err(StoreError::Order { expected, given }) }
}

fn entry(
    transaction: &WriteTransaction,
    of: Definition,
    height: BlockHeight,
    value: &impl Serialize,
) -> Result<(), StoreError> {
    let key = height.0.to_be_bytes();
    let bytes = cbor::encode(value).map_err(|error| StoreError::damaged(tables::name(of, &key), error))?;
    raw(transaction, of, height, Some(&bytes))
}

fn raw(
    transaction: &WriteTransaction,
    of: Definition,
    height: BlockHeight,
    value: Option<&[u8]>,
) -> Result<(), StoreError> {
    let Some(value) = value else { return Ok(()) };
    tables::put(&mut transaction.open_table(of)?, of, &height.0.to_be_bytes(), value)
}

/// The new nodes and values of the tree, and what they make stale.
fn tree(transaction: &WriteTransaction, version: u64, update: &TreeUpdate) -> Result<(), StoreError> {
    // Listed under the version that replaces: readers of the version before still need the entry.
    let mut stale = prune::Stale::open(transaction, version)?;
    let mut nodes = transaction.open_table(NODES)?;
    for (key, node) in update.batch.node_batch.nodes() {
        tables::put(&mut nodes, NODES, &borsh::to_vec(key)?, &borsh::to_vec(node)?)?;
    }
    for index in &update.batch.stale_node_index_batch {
        stale.node(&borsh::to_vec(&index.node_key)?)?;
    }
    let mut values = transaction.open_table(VALUES)?;
    for ((_, place), value) in update.batch.node_batch.values() {
        // The tree's library reports stale nodes and no stale values, so the former value is looked up.
        let former = {
            let (first, last) = (value_key(&place.0, 0), value_key(&place.0, version));
            let mut before = values.range::<&[u8]>(first.as_slice()..last.as_slice())?;
            before.next_back().transpose()?.map(|(key, _)| key.value().to_vec())
        };
        if let Some(former) = former {
            stale.value(&former)?;
        }
        let key = value_key(&place.0, version);
        tables::put(&mut values, VALUES, &key, &stored(value.as_deref()))?;
        if value.is_none() {
            // The removal mark itself is pruned with the versions before it.
            stale.value(&key)?;
        }
    }
    Ok(())
}
