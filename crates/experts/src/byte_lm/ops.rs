//! The kernels of the model, each with its own gradient: scale-free RMS norm, rotary position, scaled causal
//! softmax; and a matrix product that is quick for a single row.
//!
//! candle's fused versions of these have no backward pass, and its differentiable ones are chains of a dozen
//! small tensor operations that cost more than the matrix products of a model this small. One kernel
//! with a hand-written gradient serves training and inference alike, so there is no second model to drift.
//!
//! Hazard: a wrong gradient still trains, only worse. The tests compare every gradient with finite
//! differences.

mod norm;
mod product;
mod rotary;
mod softmax;

use candle_core::{CpuStorage, Layout, Result, Shape, bail};

pub(super) use norm::rms_norm;
pub(super) use product::product;
pub(super) use rotary::Rotary;
pub(super) use softmax::causal_softmax;

/// The contiguous `f32` contents of a tensor.
fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("byte model kernels take contiguous tensors");
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

fn stored(values: Vec<f32>, layout: &Layout) -> (CpuStorage, Shape) {
    (CpuStorage::F32(values), layout.shape().clone())
}

#[cfg(test)]
mod tests;
