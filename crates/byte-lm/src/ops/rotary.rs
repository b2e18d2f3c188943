//! Rotary position embedding: the halves of each head turn by an angle that grows with the position.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::{contiguous, stored};

/// Sines and cosines of the rotary embedding, one pair of rows per position.
#[derive(Debug, Clone)]
pub(crate) struct Rotary {
    half: usize,
    cos: Arc<[f32]>,
    sin: Arc<[f32]>,
}

impl Rotary {
    /// Tables for `positions` positions of heads that are `head` wide (an even number), base 10,000.
    pub(crate) fn new(head: usize, positions: usize) -> Self {
        let half = head / 2;
        let angles: Vec<f32> = (0..positions)
            .flat_map(|p| (0..half).map(move |i| p as f32 * 10_000f32.powf(-(i as f32) / half as f32)))
            .collect();
        Self {
            half,
            cos: angles.iter().map(|a| a.cos()).collect(),
            sin: angles.iter().map(|a| a.sin()).collect(),
        }
    }

    /// Rotates `x` of shape (batch, heads, time, head) by its positions, the first being `start`.
    pub(crate) fn apply(&self, x: &Tensor, start: usize) -> Result<Tensor> {
        x.apply_op1(Rotate { tables: self.clone(), start, sign: 1.0 })
    }
}

struct Rotate {
    tables: Rotary,
    start: usize,
    sign: f32,
}

impl CustomOp1 for Rotate {
    fn name(&self) -> &'static str {
        "rotary"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, _, time, head) = layout.shape().dims4()?;
        let half = self.tables.half;
        let from = self.start * half;
        let to = from + time * half;
        if head != 2 * half || to > self.tables.cos.len() {
            bail!("rotary tables do not cover position {} of width {head}", self.start + time);
        }
        let (cos, sin) = (&self.tables.cos[from..to], &self.tables.sin[from..to]);
        let mut out = contiguous(storage, layout)?.to_vec();
        for (row, values) in out.chunks_exact_mut(head).enumerate() {
            let at = (row % time) * half;
            let (low, high) = values.split_at_mut(half);
            for i in 0..half {
                let (c, s) = (cos[at + i], sin[at + i] * self.sign);
                let (a, b) = (low[i], high[i]);
                low[i] = a * c - b * s;
                high[i] = a * s + b * c;
            }
        }
        Ok(stored(out, layout))
    }

    /// A rotation's gradient is the rotation back.
    fn bwd(&self, _arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let back = Rotate { tables: self.tables.clone(), start: self.start, sign: -self.sign };
        Ok(Some(grad.contiguous()?.apply_op1_no_bwd(&back)?))
    }
}
