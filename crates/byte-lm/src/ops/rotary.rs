//! Rotary position embedding: the halves of each head turn by an angle that grows with the position.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::{contiguous, stored};

/// The position at which the slowest frequency has turned by one radian.
const BASE: f64 = 10_000.0;

/// Sines and cosines of the rotary embedding, one pair of rows per position.
#[derive(Debug, Clone)]
pub(crate) struct Rotary {
    half: usize,
    cos: Arc<[f32]>,
    sin: Arc<[f32]>,
}

impl Rotary {
    /// Tables for `positions` positions of heads that are `head` wide (an even number). The angles do not come from the system's
    /// library, whose last bit differs between machines.
    pub(crate) fn new(head: usize, positions: usize) -> Self {
        let half = head / 2;
        // The first angle of each frequency, as a point on the unit circle; the next positions turn it further.
        let steps: Vec<(f64, f64)> = (0..half).map(|i| circle_point(frequency(i, half))).collect();
        let mut points = vec![(1.0, 0.0); half];
        let (mut cos, mut sin) = (Vec::new(), Vec::new());
        for _ in 0..positions {
            for ((c, s), (step_c, step_s)) in points.iter_mut().zip(&steps) {
                cos.push(*c as f32);
                sin.push(*s as f32);
                (*c, *s) = (*c * step_c - *s * step_s, *c * step_s + *s * step_c);
            }
        }
        Self { half, cos: cos.into(), sin: sin.into() }
    }

    /// Rotates `x` of shape (batch, heads, time, head) by its positions, the first being `start`.
    pub(crate) fn apply(&self, x: &Tensor, start: usize) -> Result<Tensor> {
        x.apply_op1(Rotate { tables: self.clone(), start, sign: 1.0 })
    }
}

/// `BASE^(-i / half)` by square roots and multiplications, which every processor rounds alike: the bits of `i / half` are
/// the square roots that belong to it. Exact powers of two for `half`, near enough for others.
fn frequency(i: usize, half: usize) -> f64 {
    const BITS: u32 = 24;
    let mut part = (i << BITS) / half;
    let (mut root, mut power) = (1.0 / BASE, 1.0);
    for _ in 0..BITS {
        root = f64::sqrt(root);
        part <<= 1;
        if part >> BITS & 1 == 1 {
            power *= root;
        }
    }
    power
}

/// Cosine and sine of an angle from 0 to 1, by their power series.
fn circle_point(angle: f64) -> (f64, f64) {
    let (mut cos, mut sin, mut term) = (0.0, 0.0, 1.0);
    for n in 0..24u32 {
        match n % 4 {
            0 => cos += term,
            1 => sin += term,
            2 => cos -= term,
            _ => sin -= term,
        }
        term *= angle / f64::from(n + 1);
    }
    (cos, sin)
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
