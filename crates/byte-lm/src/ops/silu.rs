//! The sigmoid linear unit `x / (1 + e^-x)`, and its gradient.
//!
//! candle's calls the system's exponential function, whose last bit differs between processors.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};
use nervure_experts::byte_text::exp_negative;

use super::{contiguous, stored};

/// `x` times its sigmoid, for each element.
pub(crate) fn silu(x: &Tensor) -> Result<Tensor> {
    x.apply_op1(Silu)
}

fn sigmoid(x: f32) -> f32 {
    let small = exp_negative(-x.abs());
    let part = if x >= 0.0 { 1.0 } else { small };
    part / (1.0 + small)
}

struct Silu;

impl CustomOp1 for Silu {
    fn name(&self) -> &'static str {
        "silu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let out = contiguous(storage, layout)?.iter().map(|x| x * sigmoid(*x)).collect();
        Ok(stored(out, layout))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(arg.apply_op2_no_bwd(&grad.contiguous()?, &SiluGrad)?))
    }
}

struct SiluGrad;

impl CustomOp2 for SiluGrad {
    fn name(&self) -> &'static str {
        "silu-grad"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let gradient = |(x, grad): (&f32, &f32)| {
            let sigmoid = sigmoid(*x);
            grad * sigmoid * (1.0 + x * (1.0 - sigmoid))
        };
        let out = contiguous(s1, l1)?.iter().zip(contiguous(s2, l2)?).map(gradient).collect();
        Ok(stored(out, l1))
    }
}
