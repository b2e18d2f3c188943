//! Matrix products whose bits are the same on every machine, and the same for one row and for many.
//!
//! Each element of a product is a sum. Floating-point additions do not commute with rounding, so its bits depend on the
//! order; candle's products choose the order by the processor's vector units, and contract a multiplication and an addition
//! into one rounding where the processor can. Here the order is part of the code: where the rows of the right side are
//! contiguous, each element is summed from the first term to the last; where its columns are, in eight partial sums
//! ([`dot`]). The compiler may compute several elements at once, which changes none of them, and Rust never contracts.
//!
//! So an auditor that reads a whole text in one pass gets the same bits as a miner that wrote it byte by byte, on
//! another processor. `tests/bits.rs` holds the bits, and compares the vector units of this machine.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use pulp::{Arch, Simd, WithSimd};

/// Partial sums of a dot product.
const LANES: usize = 8;
/// Rows and columns of the left and the right side that are worked on together, so that their sums stay in registers.
const TILE_ROWS: usize = 4;
const TILE_COLUMNS: usize = 16;

/// Which products a model uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    /// Those of this module.
    #[default]
    Exact,
    /// Those of candle.
    Candle,
}

impl Arithmetic {
    /// `a` (.., rows, k) times `b` (.., k, columns), batches alike.
    pub(crate) fn product(self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        match self {
            Self::Exact => product(a, b),
            Self::Candle => a.matmul(b),
        }
    }
}

/// `a` (.., rows, k) times `b` (.., k, columns), batches alike.
pub(crate) fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.apply_op2(b, Product(Arch::new()))
}

/// The product, with these vector units.
pub(super) struct Product(pub(super) Arch);

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let a = super::contiguous(s1, l1)?;
        let Sizes { rows, depth, columns, batch } = Sizes::of(l1, l2)?;
        let b = s2.as_slice::<f32>()?;
        let rank = l2.stride().len();
        let (down, across) = (l2.stride()[rank - 2], l2.stride()[rank - 1]);
        if across != 1 && down != 1 {
            bail!("neither rows nor columns of the right side are contiguous");
        }
        let mut out = vec![0.0; batch * rows * columns];
        for (index, out) in out.chunks_exact_mut(rows * columns).enumerate() {
            let a = &a[index * rows * depth..(index + 1) * rows * depth];
            let b = &b[l2.start_offset() + batch_offset(l2, index)..];
            self.0.dispatch(OneProduct { a, b, out, sizes: (depth, columns), strides: (down, across) });
        }
        let mut dims = l1.dims().to_vec();
        dims[rank - 1] = columns;
        Ok((CpuStorage::F32(out), Shape::from(dims)))
    }

    /// Only training takes gradients, so that their bits need not be the same on every machine.
    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let left = grad.matmul(&b.t()?.contiguous()?)?;
        let right = a.t()?.contiguous()?.matmul(&grad)?;
        Ok((Some(left), Some(right)))
    }
}

/// One product of a batch, to be computed with the vector units of the processor.
struct OneProduct<'a> {
    a: &'a [f32],
    b: &'a [f32],
    out: &'a mut [f32],
    /// Depth and columns.
    sizes: (usize, usize),
    /// Elements from one row of `b` to the next, and from one column to the next; one of them is 1.
    strides: (usize, usize),
}

impl WithSimd for OneProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { a, b, out, sizes, strides: (down, across) } = self;
        match across {
            1 => by_rows(a, (b, down), out, sizes),
            _ => by_columns(a, (b, across), out, sizes),
        }
    }
}

/// The sizes of a product.
struct Sizes {
    rows: usize,
    depth: usize,
    columns: usize,
    /// How many products there are.
    batch: usize,
}

impl Sizes {
    /// Those of these two sides, when they fit.
    fn of(l1: &Layout, l2: &Layout) -> Result<Self> {
        let (a, b) = (l1.dims(), l2.dims());
        let rank = a.len();
        if rank < 2 || b.len() != rank || a[..rank - 2] != b[..rank - 2] || a[rank - 1] != b[rank - 2] {
            bail!("cannot multiply {a:?} by {b:?}");
        }
        let (rows, depth, columns) = (a[rank - 2], a[rank - 1], b[rank - 1]);
        if rows * columns == 0 {
            bail!("a product without elements");
        }
        Ok(Self { rows, depth, columns, batch: a[..rank - 2].iter().product() })
    }
}

/// Where the matrix of batch `index` begins, in elements from the first.
fn batch_offset(layout: &Layout, index: usize) -> usize {
    let batch = layout.dims().len() - 2;
    let mut rest = index;
    let mut offset = 0;
    for (dim, stride) in layout.dims()[..batch].iter().zip(layout.stride()).rev() {
        offset += rest % dim * stride;
        rest /= dim;
    }
    offset
}

/// `out` (rows, columns) of `a` (rows, depth) and rows of `b` that begin `down` elements after each other.
#[inline(always)]
fn by_rows(a: &[f32], b: (&[f32], usize), out: &mut [f32], (depth, columns): (usize, usize)) {
    let many = a.chunks_exact(TILE_ROWS * depth);
    let (left, whole) = (many.remainder(), many.len() * TILE_ROWS * columns);
    let (tiled, rest) = out.split_at_mut(whole);
    for (a, out) in many.zip(tiled.chunks_exact_mut(TILE_ROWS * columns)) {
        row_tile::<TILE_ROWS>(a, b, out, (depth, columns));
    }
    for (a, out) in left.chunks_exact(depth).zip(rest.chunks_exact_mut(columns)) {
        match left.len() == a.len() {
            // One row alone, as in decoding: its sums fit into the fastest cache, and `b` is read in order.
            true => one_row(a, b, out),
            false => row_tile::<1>(a, b, out, (depth, columns)),
        }
    }
}

/// `out` of one row: each element is summed from the first term to the last.
#[inline(always)]
fn one_row(a: &[f32], (b, down): (&[f32], usize), out: &mut [f32]) {
    let columns = out.len();
    for (k, scale) in a.iter().enumerate() {
        let row = &b[k * down..k * down + columns];
        out.iter_mut().zip(row).for_each(|(out, b)| *out += scale * b);
    }
}

/// The same for `ROWS` rows: the order of each element's sum is that of [`one_row`].
#[inline(always)]
fn row_tile<const ROWS: usize>(
    a: &[f32],
    (b, down): (&[f32], usize),
    out: &mut [f32],
    (depth, columns): (usize, usize),
) {
    let tiled = columns - columns % TILE_COLUMNS;
    for start in (0..tiled).step_by(TILE_COLUMNS) {
        let mut sums = [[0.0f32; TILE_COLUMNS]; ROWS];
        for k in 0..depth {
            let b = &b[k * down + start..k * down + start + TILE_COLUMNS];
            for (row, sums) in sums.iter_mut().enumerate() {
                let scale = a[row * depth + k];
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum += scale * b;
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            out[row * columns + start..row * columns + start + TILE_COLUMNS].copy_from_slice(sums);
        }
    }
    for column in tiled..columns {
        for row in 0..ROWS {
            let mut sum = 0.0;
            for k in 0..depth {
                sum += a[row * depth + k] * b[k * down + column];
            }
            out[row * columns + column] = sum;
        }
    }
}

/// `out` (rows, columns) of `a` (rows, depth) and columns of `b` that begin `across` elements after each other.
#[inline(always)]
fn by_columns(a: &[f32], (b, across): (&[f32], usize), out: &mut [f32], (depth, columns): (usize, usize)) {
    for (a, out) in a.chunks_exact(depth).zip(out.chunks_exact_mut(columns)) {
        for (column, out) in out.iter_mut().enumerate() {
            *out = dot(a, &b[column * across..column * across + depth]);
        }
    }
}

/// A dot product in eight partial sums, which the compiler turns into vector instructions.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + tail
}

#[cfg(test)]
mod tests;
