//! Operations on two matrices at once, row by row over the cells of both.

use std::cmp::Ordering;

use super::Matrix;
use crate::fixed::I32F32;

/// Calls `visit(uid, left, right)` for every uid that is present in row `row` of either matrix, in
/// ascending order; `None` stands for an absent cell.
#[inline]
pub(crate) fn merge_rows(
    (left, right): (&Matrix, &Matrix),
    row: usize,
    mut visit: impl FnMut(u16, Option<I32F32>, Option<I32F32>),
) {
    let ((left_uids, left), (right_uids, right)) = (left.row(row), right.row(row));
    let (mut l, mut r) = (0, 0);
    while l < left_uids.len() && r < right_uids.len() {
        let (a, b) = (left_uids[l], right_uids[r]);
        match a.cmp(&b) {
            Ordering::Less => visit(a, Some(left[l]), None),
            Ordering::Equal => visit(a, Some(left[l]), Some(right[r])),
            Ordering::Greater => visit(b, None, Some(right[r])),
        }
        // Without a branch: on equal uids both sides advance.
        l += usize::from(a <= b);
        r += usize::from(b <= a);
    }
    for at in l..left_uids.len() {
        visit(left_uids[at], Some(left[at]), None);
    }
    for at in r..right_uids.len() {
        visit(right_uids[at], None, Some(right[at]));
    }
}

impl Matrix {
    /// Applies `combine` to every pair of cells of which at least one is present (an absent one counts
    /// as zero) and keeps the results above zero.
    fn combined(left: &Self, right: &Self, combine: impl Fn(I32F32, I32F32) -> I32F32) -> Self {
        // A guess: weights and bonds of a validator name mostly the same uids.
        let capacity = left.cells().max(right.cells());
        let mut result = Self::with_capacity(left.rows(), left.columns(), capacity);
        for row in 0..left.rows() {
            merge_rows((left, right), row, |uid, a, b| {
                let value = combine(a.unwrap_or_default(), b.unwrap_or_default());
                if value > I32F32::ZERO {
                    result.push(uid, value);
                }
            });
            result.end_row();
        }
        result
    }

    /// `from + ratio * (to - from)`, keeping results above zero. The ratios 0 and 1 give `from` and
    /// `to` unchanged, with their explicit zeros.
    pub(crate) fn interpolated(from: Self, to: Self, ratio: I32F32) -> Self {
        if ratio == I32F32::ZERO {
            return from;
        }
        // The default penalty is one, so this shortcut is the common path; `from + (to - from)` would drop
        // zeros.
        if ratio == I32F32::ONE {
            return to;
        }
        Self::combined(&from, &to, |from, to| from + ratio * (to - from))
    }

    /// The moving average `alpha * new + (1 - alpha) * old`, keeping results above zero.
    pub(crate) fn averaged(new: &Self, old: &Self, alpha: I32F32) -> Self {
        let keep = I32F32::ONE - alpha;
        Self::combined(new, old, |new, old| alpha * new + keep * old)
    }
}
