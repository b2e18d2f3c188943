//! [`Matrix`]: rows of (uid, value) cells, the shape in which weights and bonds are computed.
//!
//! Compressed rows: all cells lie in two flat arrays, row after row, each row ascending by uid. A cell
//! that is present and zero is not the same as an absent one (an explicit zero weight keeps a bond
//! alive, an omitted one ends it), so operations document when they drop cells. Operations over whole
//! matrices are in [`ops`](self), two-matrix ones in `merge`.

mod merge;
mod ops;

pub(crate) use merge::merge_rows;

use crate::fixed::I32F32;

/// A sparse matrix of [`I32F32`]: a row per validator, a column per uid that it weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    /// How many columns there are; every uid of a cell is below it.
    columns: usize,
    /// Where each row starts, and where the last one ends: one longer than the number of rows.
    starts: Vec<usize>,
    /// The column of each cell.
    uids: Vec<u16>,
    /// The value of each cell.
    values: Vec<I32F32>,
}

impl Default for Matrix {
    fn default() -> Self {
        Self::with_capacity(0, 0, 0)
    }
}

impl Matrix {
    /// A matrix without rows, with room for some.
    pub(crate) fn with_capacity(rows: usize, columns: usize, cells: usize) -> Self {
        let mut starts = Vec::with_capacity(rows + 1);
        starts.push(0);
        Self { columns, starts, uids: Vec::with_capacity(cells), values: Vec::with_capacity(cells) }
    }

    /// Adds a cell to the row being built; uids must come ascending and below the columns.
    #[inline]
    pub(crate) fn push(&mut self, uid: u16, value: I32F32) {
        debug_assert!(usize::from(uid) < self.columns);
        self.uids.push(uid);
        self.values.push(value);
    }

    /// Ends the row being built.
    pub(crate) fn end_row(&mut self) {
        self.starts.push(self.uids.len());
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// How many columns there are.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How many cells are present.
    pub fn cells(&self) -> usize {
        self.uids.len()
    }

    /// The columns and values of row `row`; empty when there is no such row.
    pub fn row(&self, row: usize) -> (&[u16], &[I32F32]) {
        match (self.starts.get(row), self.starts.get(row + 1)) {
            (Some(&start), Some(&end)) => (&self.uids[start..end], &self.values[start..end]),
            _ => (&[], &[]),
        }
    }

    /// The cells of row `row` as (column, value).
    pub fn iter_row(&self, row: usize) -> impl Iterator<Item = (usize, I32F32)> + '_ {
        let (uids, values) = self.row(row);
        uids.iter().map(|uid| usize::from(*uid)).zip(values.iter().copied())
    }

    /// The value of a cell; `None` when it is absent.
    pub fn get(&self, row: usize, column: usize) -> Option<I32F32> {
        let (uids, values) = self.row(row);
        let column = u16::try_from(column).ok()?;
        uids.binary_search(&column).ok().map(|at| values[at])
    }

    /// The values of row `row`, to be changed in place.
    pub(crate) fn row_values_mut(&mut self, row: usize) -> &mut [I32F32] {
        let (start, end) = (self.starts[row], self.starts[row + 1]);
        &mut self.values[start..end]
    }
}
