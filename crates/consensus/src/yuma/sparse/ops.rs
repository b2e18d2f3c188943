//! Operations on one [`Matrix`]: sums, normalising, scaling, clipping.
//!
//! Sums run in ascending order of rows and, within a row, of uids. They saturate, but cannot reach the
//! bound with weights and bonds of at most 65,535 in at most 32,768 rows, so the order of addition never matters.

use super::Matrix;
use crate::fixed::{Divisor, I32F32, normalize, normalize_by};

impl Matrix {
    /// The sum of each row.
    pub(crate) fn row_sums(&self) -> Vec<I32F32> {
        (0..self.rows()).map(|row| self.row(row).1.iter().copied().sum()).collect()
    }

    /// The sum of each column.
    pub(crate) fn column_sums(&self) -> Vec<I32F32> {
        let mut sums = vec![I32F32::ZERO; self.columns];
        for (uid, value) in self.uids.iter().zip(&self.values) {
            sums[usize::from(*uid)] += *value;
        }
        sums
    }

    /// `sum_i factor_i * m_ij` for each column j.
    pub(crate) fn weighted_column_sums(&self, factors: &[I32F32]) -> Vec<I32F32> {
        let mut sums = vec![I32F32::ZERO; self.columns];
        // A product with zero adds nothing, and most rows have no voting stake.
        for (row, factor) in factors.iter().enumerate().filter(|(_, factor)| **factor != I32F32::ZERO) {
            for (column, value) in self.iter_row(row) {
                sums[column] += *factor * value;
            }
        }
        sums
    }

    /// `sum_j m_ij * factor_j` for each row i.
    pub(crate) fn weighted_row_sums(&self, factors: &[I32F32]) -> Vec<I32F32> {
        let row_sum = |row| self.iter_row(row).map(|(column, value)| value * factors[column]).sum();
        (0..self.rows()).map(row_sum).collect()
    }

    /// [`weighted_row_sums`](Self::weighted_row_sums) of the matrix with normalised columns, without
    /// building that matrix.
    pub(crate) fn weighted_share_sums(&self, factors: &[I32F32]) -> Vec<I32F32> {
        let sums: Vec<Divisor> = self.column_sums().into_iter().map(Divisor::new).collect();
        let share = |(column, value): (usize, I32F32)| {
            let sum: &Divisor = &sums[column];
            // As `normalize_columns`: a column without a sum stays as it is.
            let share = if sum.is_zero() { value } else { sum.divide(value) };
            share * factors[column]
        };
        (0..self.rows()).map(|row| self.iter_row(row).map(share).sum()).collect()
    }

    /// Divides each row by its sum; a row that sums to zero stays.
    pub(crate) fn normalize_rows(&mut self) {
        for row in 0..self.rows() {
            normalize(self.row_values_mut(row));
        }
    }

    /// Divides each column by its sum; a column that sums to zero stays.
    pub(crate) fn normalize_columns(&mut self) {
        let sums = self.column_sums();
        self.divide_columns(&sums);
    }

    /// Divides each column by its largest value; a column without positive values stays.
    pub(crate) fn upscale_columns(&mut self) {
        let mut largest = vec![I32F32::ZERO; self.columns];
        for (uid, value) in self.uids.iter().zip(&self.values) {
            let largest = &mut largest[usize::from(*uid)];
            *largest = (*largest).max(*value);
        }
        self.divide_columns(&largest);
    }

    /// Divides each column by its divisor; a column whose divisor is zero stays.
    fn divide_columns(&mut self, divisors: &[I32F32]) {
        // One reciprocal per column instead of one division per cell: see `Divisor`.
        let divisors: Vec<Divisor> = divisors.iter().map(|divisor| Divisor::new(*divisor)).collect();
        for (uid, value) in self.uids.iter().zip(&mut self.values) {
            let divisor = &divisors[usize::from(*uid)];
            if !divisor.is_zero() {
                *value = divisor.divide(*value);
            }
        }
    }

    /// Divides every value by the same number, unless that is zero.
    pub(crate) fn divide(&mut self, divisor: I32F32) {
        normalize_by(&mut self.values, divisor);
    }

    /// Multiplies each row by its factor.
    pub(crate) fn scale_rows(&mut self, factors: &[I32F32]) {
        for (row, factor) in factors.iter().enumerate() {
            for value in self.row_values_mut(row) {
                *value = *value * *factor;
            }
        }
    }

    /// Lowers every cell to the limit of its column and drops those that end at zero or below.
    pub(crate) fn clipped(&self, limits: &[I32F32]) -> Self {
        let mut clipped = Self::with_capacity(self.rows(), self.columns, self.cells());
        for row in 0..self.rows() {
            for (column, value) in self.iter_row(row) {
                let value = value.min(limits[column]);
                if value > I32F32::ZERO {
                    clipped.push(column as u16, value);
                }
            }
            clipped.end_row();
        }
        clipped
    }
}
