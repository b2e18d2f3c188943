//! The chain on disk: blocks, certificates, events, roots and the state tree in one redb file.
//!
//! A block is written in one durable transaction with everything that belongs to it ([`Store::commit`]),
//! so that a file holds the last committed block and never a part of the next one, wherever the process
//! was killed. Readers see the file as it was when they began ([`Store::read`]), and commits do not
//! disturb them.
//!
//! Every value carries a checksum over its table, its key and itself, and opening a store rebuilds the
//! state from its records and compares the root with that of the last header: what was changed on disk
//! is refused by name ([`StoreError::Damaged`]) and never served. A second process on the same file is
//! refused too.
//!
//! The state of old blocks is pruned, and, if the options say so ([`History`]), their bodies, events and most of their
//! certificates; headers, which name the root of the state, stay.
//!
//! Hazard: a checksum is not a signature. An attacker with write access can make a consistent other file; a
//! node that is handed a file should compare its head with a certificate.

mod batch;
mod coalesced;
mod commit;
mod error;
mod evidence;
mod history;
mod page;
mod prune;
mod reader;
mod sizes;
mod tables;
mod tree;

use std::path::{Path, PathBuf};

use nervure_primitives::{BlockHeight, MeshId};
use redb::{Database, ReadableDatabase, StorageBackend};

pub use batch::{Batch, KeptStates};
pub use error::StoreError;
pub use evidence::{EpochEnd, StoredEpoch};
pub use history::History;
pub use reader::Reader;
pub use sizes::Sizes;

use nervure_ledger::{
    block::Header,
    chain::{Next, Tip},
    spec::MeshSpec,
    tree::{MemoryTree, StateTree, TreeUpdate, changes},
};
use tables::Meta;

use crate::StoreMetrics;

/// The layout of the file. Files of another one are refused.
const VERSION: u64 = 4;

/// How a store behaves.
#[derive(Clone, Copy, Debug)]
pub struct StoreOptions {
    /// How many blocks back the state can still be read and proven; at least 1. More cost disk: what a
    /// block changes is kept that long. Default 1,000.
    pub retain: u64,
    /// How many blocks back bodies and events are kept. What is shorter than others' absences leaves them without a
    /// peer to replay from. Default all.
    pub history: History,
    /// Memory for the cache of the file, in bytes. Default 64 MiB.
    pub cache: usize,
    /// Whether a commit waits until the disk has it. Without, a power failure loses blocks; only for
    /// measurements. Default yes.
    pub durable: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { retain: 1_000, history: History::Archive, cache: 64 << 20, durable: true }
    }
}

/// What a chain on disk begins with.
struct First<'a> {
    tip: Tip,
    update: TreeUpdate,
    certificate: Option<&'a [u8]>,
}

/// A chain on disk.
#[derive(Debug)]
pub struct Store {
    db: Database,
    path: PathBuf,
    mesh: MeshId,
    /// The height whose tree is version 0: that of the genesis, or of the snapshot it began with.
    base: u64,
    options: StoreOptions,
    metrics: StoreMetrics,
    /// Bytes that were given back to the disk when the file was opened.
    reclaimed: u64,
}

impl Store {
    /// Opens the chain of `spec` at `path`, or begins it there with the genesis, and returns its last
    /// block.
    ///
    /// # Errors
    /// When the file is in use, of another mesh, damaged, or cannot be read or written.
    pub fn open(path: &Path, spec: &MeshSpec, options: StoreOptions) -> Result<(Self, Tip), StoreError> {
        let (db, reclaimed) = tables::open(path, options)?;
        let (store, tip) = Self::on(db, path, spec, options)?;
        Ok((Self { reclaimed, ..store }, tip))
    }

    /// [`Self::open`] on another storage than a file: for disks of tests, which fail when they are told to.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn open_on(
        storage: impl StorageBackend,
        spec: &MeshSpec,
        options: StoreOptions,
    ) -> Result<(Self, Tip), StoreError> {
        let path = Path::new("a storage without a name");
        let builder = || Database::builder().set_cache_size(options.cache).create_with_backend(storage);
        Self::on(tables::guarded(path, builder)?, path, spec, options)
    }

    /// [`Self::open`] on a file that is open.
    fn on(
        db: Database,
        path: &Path,
        spec: &MeshSpec,
        options: StoreOptions,
    ) -> Result<(Self, Tip), StoreError> {
        match Meta::read(&db)? {
            Some(meta) => Self::resume(db, path, spec, options, &meta),
            None => {
                let (tip, update) = Tip::genesis(spec)?;
                Self::begin(db, path, options, First { tip, update, certificate: None })
            }
        }
    }

    /// The height of the last block at `path`; none when there is no chain, or it cannot be opened now. Cheap: nothing is
    /// verified.
    pub fn last_height(path: &Path) -> Option<BlockHeight> {
        tables::last_height(path)
    }

    /// Begins a chain at `path` with a tip that was imported from a snapshot, and the certificate of its
    /// block.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is a chain at `path` already.
    pub fn import(
        path: &Path,
        tip: Tip,
        certificate: Option<&[u8]>,
        options: StoreOptions,
    ) -> Result<(Self, Tip), StoreError> {
        let (db, _) = tables::open(path, options)?;
        if Meta::read(&db)?.is_some() {
            return Err(StoreError::Exists { path: path.to_owned() });
        }
        let update = MemoryTree::default().update(&changes(None, &tip.state))?;
        // Before anything is written: a wrong snapshot leaves an empty file, which a later import can use.
        if update.root != tip.header.state {
            return Err(StoreError::Root { expected: tip.header.state, found: update.root });
        }
        Self::begin(db, path, options, First { tip, update, certificate })
    }

    /// Writes a block that follows the last one, with its certificate, durably.
    ///
    /// # Errors
    /// When the disk is full or fails; the store is then as before.
    pub fn commit(&self, next: &Next, certificate: Option<&[u8]>) -> Result<(), StoreError> {
        commit::next(self, next, certificate, self.options.durable)
    }

    /// [`Self::commit`] without waiting for the disk: durable with the next [`Self::commit`]. For blocks
    /// that others can be asked for again.
    ///
    /// # Errors
    /// As for [`Self::commit`].
    pub fn commit_soon(&self, next: &Next, certificate: Option<&[u8]>) -> Result<(), StoreError> {
        commit::next(self, next, certificate, false)
    }

    /// A view of the chain as it is now, which later commits do not change.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self) -> Result<Reader, StoreError> {
        Reader::new(self.db.begin_read()?, self.base)
    }

    /// What it measures.
    pub fn metrics(&self) -> &StoreMetrics {
        &self.metrics
    }

    /// Bytes that were given back to the disk when the file was opened: a store with a horizon is compacted then when
    /// most of a large file is unused.
    pub fn reclaimed(&self) -> u64 {
        self.reclaimed
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn resume(
        db: Database,
        path: &Path,
        spec: &MeshSpec,
        options: StoreOptions,
        meta: &Meta,
    ) -> Result<(Self, Tip), StoreError> {
        let mesh = spec.mesh_id();
        if meta.format != VERSION {
            return Err(StoreError::Format { path: path.to_owned(), found: meta.format, known: VERSION });
        }
        if meta.mesh != mesh {
            return Err(StoreError::OtherMesh { path: path.to_owned(), found: meta.mesh, expected: mesh });
        }
        let store = Self {
            db,
            path: path.to_owned(),
            mesh,
            base: meta.base,
            options,
            metrics: StoreMetrics::default(),
            reclaimed: 0,
        };
        // Rebuilds the state and compares its root: a store that cannot prove its own tip is not opened.
        let tip = store.read()?.tip(spec)?;
        Ok((store, tip))
    }

    fn begin(
        db: Database,
        path: &Path,
        options: StoreOptions,
        first: First<'_>,
    ) -> Result<(Self, Tip), StoreError> {
        let Header { mesh, height, .. } = first.tip.header;
        let store = Self {
            db,
            path: path.to_owned(),
            mesh,
            base: height.0,
            options,
            metrics: StoreMetrics::default(),
            reclaimed: 0,
        };
        commit::first(&store, &first)?;
        Ok((store, first.tip))
    }

    /// The version of the tree after the block at `height`.
    fn version(&self, height: BlockHeight) -> u64 {
        height.0.saturating_sub(self.base)
    }
}

#[cfg(test)]
mod tests;
