//! Root-mean-square norm without a gain, and its gradient.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

use super::{contiguous, stored};

/// Added to the mean square before the root, so that a row of zeros stays finite.
const RMS_EPS: f32 = 1e-5;

/// `x / sqrt(mean(x^2) + eps)` over the last dimension, without a gain: the next projection holds it.
pub(crate) fn rms_norm(x: &Tensor) -> Result<Tensor> {
    x.apply_op1(RmsNorm)
}

struct RmsNorm;

fn inverse_rms(row: &[f32]) -> f32 {
    let sum: f32 = row.iter().map(|v| v * v).sum();
    1.0 / (sum / row.len() as f32 + RMS_EPS).sqrt()
}

impl CustomOp1 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = layout.shape().dims().last().copied().unwrap_or(1).max(1);
        let mut out = contiguous(storage, layout)?.to_vec();
        for row in out.chunks_exact_mut(width) {
            let scale = inverse_rms(row);
            row.iter_mut().for_each(|v| *v *= scale);
        }
        Ok(stored(out, layout))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(arg.apply_op2_no_bwd(&grad.contiguous()?, &RmsNormGrad)?))
    }
}

struct RmsNormGrad;

impl CustomOp2 for RmsNormGrad {
    fn name(&self) -> &'static str {
        "rms-norm-grad"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let width = l1.shape().dims().last().copied().unwrap_or(1).max(1);
        let mut out = contiguous(s2, l2)?.to_vec();
        let rows = contiguous(s1, l1)?.chunks_exact(width);
        for (x, g) in rows.zip(out.chunks_exact_mut(width)) {
            let scale = inverse_rms(x);
            let dot: f32 = x.iter().zip(g.iter()).map(|(x, g)| x * g).sum();
            let pull = dot * scale * scale / width as f32;
            x.iter().zip(g.iter_mut()).for_each(|(x, g)| *g = scale * (*g - x * pull));
        }
        Ok(stored(out, l1))
    }
}
