//! The kernels of the model, each with its own gradient: RMS norm without gain, rotary position, scaled causal softmax,
//! sigmoid linear unit, and a matrix product.
//!
//! candle's fused versions of these kernels have no backward pass. Its differentiable ones are chains of a dozen small
//! tensor operations, which cost more than the matrix products of a model this small. One kernel with a hand-written
//! gradient serves both training and inference.
//!
//! All of them compute the same bits on every machine, and the same for one position as for many: only additions,
//! multiplications, divisions and square roots, in an order that the code fixes, and no function of the system's library.
//! An audit relies on it. `RUNTIME` counts changes of these bits.
//!
//! Hazard: a model with a wrong gradient still trains, only worse. The tests compare every gradient with finite
//! differences.

mod norm;
mod product;
mod rotary;
mod silu;
mod softmax;

use candle_core::{CpuStorage, Layout, Result, Shape, bail};

pub(crate) use norm::rms_norm;
pub(crate) use product::Arithmetic;
#[cfg(test)]
pub(crate) use product::product;
pub(crate) use rotary::Rotary;
pub(crate) use silu::silu;
pub(crate) use softmax::causal_softmax;

/// The contiguous `f32` contents of a tensor.
fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("byte model kernels take contiguous tensors");
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

/// `values` in the shape of `layout`.
fn stored(values: Vec<f32>, layout: &Layout) -> (CpuStorage, Shape) {
    (CpuStorage::F32(values), layout.shape().clone())
}

#[cfg(test)]
mod tests;
