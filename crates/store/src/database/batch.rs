//! Many blocks in one transaction, for a node that was away: each follows the one before it, and the disk is waited for
//! once for all of them.
//!
//! Pushed blocks are visible only through the batch ([`Batch::tree`]) before [`Batch::commit`], which writes
//! all of it or nothing. A batch that is dropped leaves the store as it was. There is one at a time, and no other commit
//! beside it: that would wait for the batch, and forever on the same thread.

use std::{cell::RefCell, collections::HashMap, time::Instant};

use jmt::{
    KeyHash, OwnedValue, Version,
    storage::{LeafNode, Node, NodeKey, TreeReader},
};
use redb::{ReadableTable, Table, WriteTransaction};

use super::{
    Store, StoreError,
    coalesced::Coalesced,
    commit,
    tables::{self, HEADERS, NODES, VALUES},
    tree::StoredTree,
};
use crate::{
    fail_point::{Point, reach},
    metrics::Write,
};
use nervure_ledger::{
    chain::Next,
    tree::{Changes, Key, Record, StateProof, StateTree, TreeError, TreeUpdate, prove, update},
};

/// Blocks that are not written yet.
pub struct Batch<'a> {
    store: &'a Store,
    transaction: WriteTransaction,
    /// Nodes of the tree that were read or written: the next block needs most of them again.
    known: Known,
    /// The tree, when its states in between are not kept.
    coalesced: Option<Coalesced>,
}

/// Which states of a batch can still be read after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptStates {
    /// That of each block, as far back as the options say.
    All,
    /// That of the last block alone, and none from before the batch: far less is written. For blocks whose states no peer
    /// asks for, because they are old when the node has caught up.
    Last,
}

/// Nodes by their keys. As many as the batch's blocks touch.
type Known = RefCell<HashMap<NodeKey, Node>>;

impl Store {
    /// Begins a batch that keeps these `states`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn batch(&self, states: KeptStates) -> Result<Batch<'_>, StoreError> {
        Ok(Batch {
            store: self,
            transaction: commit::begin(self, self.options.durable)?,
            known: Known::default(),
            coalesced: (states == KeptStates::Last).then(Coalesced::default),
        })
    }
}

impl Batch<'_> {
    /// The tree after the last block that was pushed.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn tree(&self) -> Result<impl StateTree, StoreError> {
        let version = self.version()?;
        let nodes = self.transaction.open_table(NODES)?;
        let values = self.transaction.open_table(VALUES)?;
        let tree = StoredTree { nodes, values };
        Ok(BatchTree { tree, version, known: &self.known, coalesced: self.coalesced.as_ref() })
    }

    /// The version of the tree after the last block that was pushed.
    fn version(&self) -> Result<u64, StoreError> {
        let headers = self.transaction.open_table(HEADERS)?;
        let last = headers.last()?.ok_or_else(|| StoreError::damaged("table headers", "it is empty"))?;
        Ok(self.store.version(tables::height(HEADERS, last.0.value())?))
    }

    /// Adds the next block, with its certificate.
    ///
    /// # Errors
    /// When it does not follow the last one, or the disk fails; the batch is of no use any more then.
    pub fn push(&mut self, next: &Next, certificate: Option<&[u8]>) -> Result<(), StoreError> {
        if let Some(coalesced) = &mut self.coalesced {
            commit::entries(self.store, &self.transaction, next, certificate)?;
            coalesced.push(&next.update);
            let known = self.known.get_mut();
            next.update
                .batch
                .stale_node_index_batch
                .iter()
                .for_each(|stale| drop(known.remove(&stale.node_key)));
            return Ok(());
        }
        commit::write(self.store, &self.transaction, next, certificate)?;
        let (known, batch) = (self.known.get_mut(), &next.update.batch);
        known.extend(batch.node_batch.nodes().iter().map(|(key, node)| (key.clone(), node.clone())));
        for stale in &batch.stale_node_index_batch {
            // No later block of the batch reads a replaced node, and the map would grow with each block.
            known.remove(&stale.node_key);
        }
        Ok(())
    }

    /// Writes all of them.
    ///
    /// # Errors
    /// When the disk is full or fails; the store is then as it was before the batch.
    pub fn commit(self) -> Result<(), StoreError> {
        let began = Instant::now();
        if let Some(coalesced) = &self.coalesced {
            coalesced.write(&self.transaction, self.version()?)?;
        }
        reach(Point::StoreWritten);
        self.transaction.commit()?;
        reach(Point::StoreCommitted);
        self.store.metrics.wrote(Write::Batch, began);
        Ok(())
    }
}

/// The tree in a transaction that is being written.
struct BatchTree<'t> {
    tree: StoredTree<Table<'t, &'static [u8], &'static [u8]>>,
    version: u64,
    known: &'t Known,
    coalesced: Option<&'t Coalesced>,
}

impl TreeReader for BatchTree<'_> {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        if let Some(node) = self.coalesced.and_then(|coalesced| coalesced.node(key)) {
            return Ok(Some(node.clone()));
        }
        // This borrow ends before the insertion below, which borrows mutably.
        if let Some(node) = self.known.borrow().get(key) {
            return Ok(Some(node.clone()));
        }
        let found = self.tree.get_node_option(key)?;
        if let Some(node) = &found {
            self.known.borrow_mut().insert(key.clone(), node.clone());
        }
        Ok(found)
    }

    fn get_value_option(&self, version: Version, place: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        match self.coalesced.and_then(|coalesced| coalesced.value(&place.0, version)) {
            Some(value) => Ok(value.clone()),
            None => self.tree.get_value_option(version, place),
        }
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        self.tree.get_rightmost_leaf()
    }
}

impl StateTree for BatchTree<'_> {
    fn update(&self, changes: &Changes) -> Result<TreeUpdate, TreeError> {
        update(self, self.version.saturating_add(1), changes)
    }

    fn prove(&self, key: &Key) -> Result<(Option<Record>, StateProof), TreeError> {
        prove(self, self.version, key)
    }
}
