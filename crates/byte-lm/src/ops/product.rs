//! Matrix products: candle's for many rows, a plain loop for one.
//!
//! Decoding multiplies one row at a time. Each of candle's products asks the system for the number of cores (a file
//! read, unless RAYON_NUM_THREADS is set) and packs its operands, which together cost several times the multiplication
//! itself. The product of a single row has no gradient: training never multiplies a single row.

use candle_core::{CpuStorage, CustomOp2, D, Layout, Result, Shape, Tensor, bail};

/// `a` (.., rows, k) times `b` (.., k, columns), batches alike.
pub(crate) fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dim(D::Minus2)? == 1 { a.apply_op2_no_bwd(b, &OneRow) } else { a.matmul(b) }
}

struct OneRow;

impl CustomOp2 for OneRow {
    fn name(&self) -> &'static str {
        "one-row-product"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let a = super::contiguous(s1, l1)?;
        let (depth, columns, batch) = shape(l1, l2)?;
        let b = s2.as_slice::<f32>()?;
        let rank = l2.stride().len();
        let (down, across) = (l2.stride()[rank - 2], l2.stride()[rank - 1]);
        let mut out = vec![0.0; batch * columns];
        for (index, out) in out.chunks_exact_mut(columns).enumerate() {
            let a = &a[index * depth..(index + 1) * depth];
            let b = &b[l2.start_offset() + batch_offset(l2, index)..];
            if across == 1 {
                for (k, scale) in a.iter().enumerate() {
                    let row = &b[k * down..k * down + columns];
                    out.iter_mut().zip(row).for_each(|(out, b)| *out += scale * b);
                }
            } else if down == 1 {
                for (column, out) in out.iter_mut().enumerate() {
                    *out = dot(a, &b[column * across..column * across + depth]);
                }
            } else {
                bail!("neither rows nor columns of the right side are contiguous");
            }
        }
        let mut dims = l1.dims().to_vec();
        dims[rank - 1] = columns;
        Ok((CpuStorage::F32(out), Shape::from(dims)))
    }
}

/// Depth, columns and number of products, when the shapes fit.
fn shape(l1: &Layout, l2: &Layout) -> Result<(usize, usize, usize)> {
    let (a, b) = (l1.dims(), l2.dims());
    let rank = a.len();
    if rank < 2 || b.len() != rank || a[..rank - 2] != b[..rank - 2] || a[rank - 1] != b[rank - 2] {
        bail!("cannot multiply {a:?} by {b:?}");
    }
    let columns = b[rank - 1];
    if columns == 0 {
        bail!("a product without columns");
    }
    Ok((a[rank - 1], columns, a[..rank - 2].iter().product()))
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

/// A dot product in eight partial sums, which the compiler turns into vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
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
