//! What tasks are made of: a validator's private texts, the cells of them that were asked, and what users ask.

use std::{collections::BTreeSet, sync::Arc};

use nervure_primitives::Hash;

use super::Corpus;
use crate::task::Traffic;

/// A piece of private text, by a part of its hash: 64 bits, so that a million cells have a chance of 1 in 37 million that
/// any two are taken for one, which then is one cell fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CellId(pub u64);

impl CellId {
    /// The id of a piece of text. The same text has the same id wherever it stands: a text that occurs twice is asked
    /// once.
    pub fn of(cell: &[u8]) -> Self {
        let hash = Hash::of("nervure/cell", &[cell]);
        let first = hash.as_bytes().iter().take(8);
        Self(first.fold(0, |id, byte| id << 8 | u64::from(*byte)))
    }
}

/// The cells that were asked and are not asked again. The validator keeps them on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetiredCells(BTreeSet<CellId>);

impl RetiredCells {
    /// Retires these cells.
    pub fn retire(&mut self, cells: impl IntoIterator<Item = CellId>) {
        self.0.extend(cells);
    }

    /// Whether this cell was asked.
    pub fn contains(&self, cell: CellId) -> bool {
        self.0.contains(&cell)
    }

    /// The number of retired cells.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no cell was asked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<CellId> for RetiredCells {
    fn from_iter<I: IntoIterator<Item = CellId>>(cells: I) -> Self {
        Self(cells.into_iter().collect())
    }
}

/// What a mechanism draws a task from, besides its seed.
#[derive(Clone, Debug, Default)]
pub struct Material {
    /// Private texts.
    pub corpus: Corpus,
    /// What of them was asked before.
    pub retired: Arc<RetiredCells>,
    /// The fields of users' queries.
    pub traffic: Arc<Traffic>,
}

impl From<Corpus> for Material {
    /// These texts, of which nothing was asked, and the default distribution of queries.
    fn from(corpus: Corpus) -> Self {
        Self { corpus, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_retired_by_its_text() {
        let mut retired = RetiredCells::default();
        assert!(retired.is_empty());
        retired.retire([CellId::of(b"abc"), CellId::of(b"abc")]);
        assert!(retired.contains(CellId::of(b"abc")) && !retired.contains(CellId::of(b"abd")));
        assert_eq!(retired.len(), 1);
    }
}
