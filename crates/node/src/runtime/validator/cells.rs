//! The pieces of private text that this validator has asked, on disk: they are not asked again after a restart.
//!
//! One file for all subnets, eight bytes for each cell, appended before the cell is asked. A record that was cut by a crash
//! is dropped: its cell was not asked.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use nervure_subnet::mechanism::{CellId, RetiredCells};

/// Bytes of one cell's id.
const ID_BYTES: usize = 8;

/// Cells that are remembered: 64 MiB. A validator that has asked more asks some of them again.
const MAX_CELLS: usize = 8 << 20;

/// The retired cells and the file that keeps them.
pub(crate) struct CellStore {
    file: File,
    retired: Arc<RetiredCells>,
}

impl CellStore {
    /// Opens the file at `path`, or makes it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let bytes = std::fs::read(path)?;
        let whole = bytes.len() / ID_BYTES * ID_BYTES;
        if whole < bytes.len() {
            file.set_len(whole as u64)?;
        }
        let id = |bytes: &[u8]| CellId(bytes.iter().fold(0, |id, byte| id << 8 | u64::from(*byte)));
        let retired = bytes.chunks_exact(ID_BYTES).take(MAX_CELLS).map(id).collect();
        Ok(Self { file, retired: Arc::new(retired) })
    }

    /// The cells that were asked.
    pub(crate) fn retired(&self) -> Arc<RetiredCells> {
        self.retired.clone()
    }

    /// Retires these cells.
    ///
    /// # Errors
    /// When they cannot be written; they must not be asked then.
    pub(crate) fn retire(&mut self, cells: &[CellId]) -> io::Result<()> {
        let new: Vec<CellId> = cells.iter().copied().filter(|cell| !self.retired.contains(*cell)).collect();
        if new.is_empty() || self.retired.len() >= MAX_CELLS {
            return Ok(());
        }
        let bytes: Vec<u8> = new.iter().flat_map(|cell| cell.0.to_be_bytes()).collect();
        self.file.write_all(&bytes)?;
        self.file.sync_data()?;
        Arc::make_mut(&mut self.retired).retire(new);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retired_cells_survive_a_restart_and_a_cut_record() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("validator/cells");
        let mut store = CellStore::open(&path).unwrap();
        store.retire(&[CellId(7), CellId(u64::MAX)]).unwrap();
        store.retire(&[CellId(7)]).unwrap();
        drop(store);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(&[1, 2, 3]).unwrap();
        let mut store = CellStore::open(&path).unwrap();
        assert_eq!(store.retired().len(), 2);
        store.retire(&[CellId(8)]).unwrap();
        let again = CellStore::open(&path).unwrap();
        assert!(again.retired().contains(CellId(8)) && again.retired().contains(CellId(u64::MAX)));
    }
}
