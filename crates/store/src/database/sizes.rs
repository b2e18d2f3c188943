//! How much of a file is what.

use redb::ReadableTableMetadata;

use super::{
    Reader, StoreError,
    tables::{
        BLOCKS, CERTIFICATES, CHECKPOINTS, Definition, EPOCHS, EVENTS, HEADERS, NODES, STALE, VALIDATORS,
        VALUES,
    },
};

/// Bytes of the pages of a chain on disk, by what they hold; unused pages are not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Bodies and events, which a node with a horizon deletes.
    pub bodies: u64,
    /// What light clients need: headers, certificates, validator sets and ends of epochs.
    pub proofs: u64,
    /// The state tree of all kept versions, and the inputs of the last epochs.
    pub state: u64,
}

impl Sizes {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.bodies.saturating_add(self.proofs).saturating_add(self.state)
    }
}

impl Reader {
    /// How much of the file is what. Reads all inner pages: for measurements.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn sizes(&self) -> Result<Sizes, StoreError> {
        Ok(Sizes {
            bodies: self.pages(&[BLOCKS, EVENTS])?,
            proofs: self.pages(&[HEADERS, CERTIFICATES, VALIDATORS, CHECKPOINTS])?,
            state: self.pages(&[NODES, VALUES, STALE, EPOCHS])?,
        })
    }

    fn pages(&self, tables: &[Definition]) -> Result<u64, StoreError> {
        let mut bytes = 0u64;
        for table in tables {
            let stats = self.table(*table)?.stats()?;
            let parts = [stats.stored_bytes(), stats.metadata_bytes(), stats.fragmented_bytes()];
            bytes = parts.into_iter().fold(bytes, u64::saturating_add);
        }
        Ok(bytes)
    }
}
