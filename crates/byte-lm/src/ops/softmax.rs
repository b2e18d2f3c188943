//! Scale, causal mask and softmax in one pass over the scores, and their gradient.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use nervure_experts::byte_text::exp_negative;

use super::{contiguous, stored};

/// `softmax(scale * scores)` over the last dimension of (batch, heads, queries, keys), where the last query
/// sees every key and each earlier one sees one key less; unseen keys get weight 0.
pub(crate) fn causal_softmax(scores: &Tensor, scale: f32) -> Result<Tensor> {
    scores.apply_op1(CausalSoftmax { scale })
}

struct CausalSoftmax {
    scale: f32,
}

/// The number of keys that the query of row `row` sees.
fn seen(row: usize, queries: usize, keys: usize) -> usize {
    row % queries + 1 + keys - queries
}

impl CustomOp1 for CausalSoftmax {
    fn name(&self) -> &'static str {
        "causal-softmax"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, _, queries, keys) = layout.shape().dims4()?;
        if queries > keys {
            bail!("more queries ({queries}) than keys ({keys})");
        }
        let mut out = contiguous(storage, layout)?.to_vec();
        for (row, values) in out.chunks_exact_mut(keys).enumerate() {
            let (live, dead) = values.split_at_mut(seen(row, queries, keys));
            dead.fill(0.0);
            let top = live.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            live.iter_mut().for_each(|v| *v = exp_negative((*v - top) * self.scale));
            let inverse = 1.0 / live.iter().sum::<f32>();
            live.iter_mut().for_each(|v| *v *= inverse);
        }
        Ok(stored(out, layout))
    }

    fn bwd(&self, _arg: &Tensor, res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let op = CausalSoftmaxGrad { scale: self.scale };
        Ok(Some(res.apply_op2_no_bwd(&grad.contiguous()?, &op)?))
    }
}

struct CausalSoftmaxGrad {
    scale: f32,
}

impl CustomOp2 for CausalSoftmaxGrad {
    fn name(&self) -> &'static str {
        "causal-softmax-grad"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, _, queries, keys) = l1.shape().dims4()?;
        let mut out = contiguous(s2, l2)?.to_vec();
        let probabilities = contiguous(s1, l1)?.chunks_exact(keys);
        for (row, (p, g)) in probabilities.zip(out.chunks_exact_mut(keys)).enumerate() {
            let live = seen(row, queries, keys);
            g[live..].fill(0.0);
            let (p, g) = (&p[..live], &mut g[..live]);
            let dot: f32 = p.iter().zip(g.iter()).map(|(p, g)| p * g).sum();
            p.iter().zip(g.iter_mut()).for_each(|(p, g)| *g = self.scale * p * (*g - dot));
        }
        Ok(stored(out, l1))
    }
}
