//! The node's local index of expert records: what gossip and the directory brought, verified.
//!
//! A lock around a pure structure: every method is short, none waits while it holds the lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use nervure_primitives::{MeshId, NodeId, UnixMillis};
use nervure_subnet::{Find, Index, Inserted, Page, RecordError, SignedRecord};

use super::{clock, registry::SpecRegistry};

/// Shared by gossip, directory, router and the HTTP API.
pub(crate) struct ExpertCatalog {
    mesh: MeshId,
    registry: SpecRegistry,
    index: Mutex<Index>,
}

impl ExpertCatalog {
    /// An empty catalog.
    pub(crate) fn new(mesh: MeshId, registry: SpecRegistry, index: Index) -> Self {
        Self { mesh, registry, index: Mutex::new(index) }
    }

    /// Verifies a record and files it.
    pub(crate) fn ingest(&self, bytes: &[u8]) -> Result<Inserted, RecordError> {
        let now = clock::now();
        let record = SignedRecord::verify(bytes, &self.mesh, now, &self.registry)?;
        Ok(self.index().insert(record, now))
    }

    /// Files a record that was verified already.
    pub(crate) fn insert(&self, record: SignedRecord) -> Inserted {
        self.index().insert(record, clock::now())
    }

    /// A page of records.
    pub(crate) fn find(&self, find: &Find) -> Page {
        self.index().find(find, clock::now())
    }

    /// Drops what has expired; returns how many records are left.
    pub(crate) fn expire(&self) -> usize {
        let mut index = self.index();
        index.expire(clock::now());
        index.len()
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
