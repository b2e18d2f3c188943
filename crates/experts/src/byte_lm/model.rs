//! The model itself: a small llama-shaped transformer over bytes, one forward pass for training and serving.
//!
//! Design: three pre-norm blocks (RMS norm, rotary attention, SwiGLU), output tied to the 256 byte
//! embeddings. Beside its byte, each position also looks up the hashes of the last two, three and four bytes
//! in one shared table. Those lookups cost no multiplications and hand the first block what an n-gram model
//! knows, which is most of what so few training steps could teach it otherwise.
//!
//! Hazard: the hash below is part of the weights' format. A changed hash makes every shipped file noise.

use std::collections::HashMap;

use candle_core::{D, DType, Device, Result, Tensor, bail};
use candle_nn::kv_cache::KvCache;

use super::ops::{self, Rotary};

/// Bytes a model can look back on.
pub const CONTEXT: usize = 256;
/// The byte that opens a document: every document of the training text follows one.
pub const DOCUMENT_START: u8 = 0;

/// Width of the residual stream.
pub(super) const WIDTH: usize = 128;
const HEADS: usize = 4;
const HEAD: usize = WIDTH / HEADS;
const HIDDEN: usize = 256;
const LAYERS: usize = 3;
/// Orders of the hashed n-grams.
const ORDERS: [usize; 3] = [2, 3, 4];
const NGRAM_ROWS: usize = 6144;
const NGRAM_WIDTH: usize = 64;

/// Bytes before the first of a pass that its n-grams reach back to.
pub(super) const REACH: usize = ORDERS[ORDERS.len() - 1] - 1;

/// Name and shape (input, output) of every parameter, in the order in which they are initialised.
#[must_use]
pub fn parameter_shapes() -> Vec<(String, [usize; 2])> {
    let mut shapes = vec![
        ("embed".to_owned(), [256, WIDTH]),
        ("ngram.table".to_owned(), [NGRAM_ROWS, NGRAM_WIDTH]),
        ("ngram.project".to_owned(), [NGRAM_WIDTH * ORDERS.len(), WIDTH]),
    ];
    for layer in 0..LAYERS {
        for (name, shape) in [
            ("q", [WIDTH, WIDTH]),
            ("k", [WIDTH, WIDTH]),
            ("v", [WIDTH, WIDTH]),
            ("o", [WIDTH, WIDTH]),
            ("gate", [WIDTH, HIDDEN]),
            ("up", [WIDTH, HIDDEN]),
            ("down", [HIDDEN, WIDTH]),
        ] {
            shapes.push((format!("block.{layer}.{name}"), shape));
        }
    }
    shapes
}

/// Parameters and tables of one model. Cloning shares them.
#[derive(Debug, Clone)]
pub struct ByteModel {
    embed: Tensor,
    table: Tensor,
    project: Tensor,
    blocks: Vec<Block>,
    rotary: Rotary,
}

#[derive(Debug, Clone)]
struct Block {
    q: Tensor,
    k: Tensor,
    v: Tensor,
    o: Tensor,
    gate: Tensor,
    up: Tensor,
    down: Tensor,
}

/// Keys and values of the bytes seen so far: one preallocated buffer per layer, [`CONTEXT`] bytes long.
#[derive(Debug)]
pub(super) struct Memory {
    layers: Vec<KvCache>,
    length: usize,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self { layers: vec![KvCache::new(2, CONTEXT); LAYERS], length: 0 }
    }

    /// Forgets everything; the next byte is the first of a window.
    pub(super) fn clear(&mut self) {
        self.layers.iter_mut().for_each(KvCache::reset);
        self.length = 0;
    }
}

/// One pass over `batch` rows of equal length, row after row.
#[derive(Debug, Clone, Copy)]
pub struct Pass<'a> {
    /// The bytes of all rows.
    pub bytes: &'a [u8],
    /// Number of rows; divides the length of `bytes`.
    pub batch: usize,
}

impl ByteModel {
    /// Builds a model around the tensors of [`parameter_shapes`]; they are shared, not copied, so that a
    /// trainer's variables stay visible.
    ///
    /// # Errors
    /// A missing parameter or one of another shape or type.
    pub fn new(parameters: &HashMap<String, Tensor>) -> Result<Self> {
        let expected: HashMap<_, _> = parameter_shapes().into_iter().collect();
        let take = |name: &str| -> Result<Tensor> {
            let (Some(tensor), Some(shape)) = (parameters.get(name), expected.get(name)) else {
                bail!("parameter {name} is missing");
            };
            if tensor.dims() != shape || tensor.dtype() != DType::F32 {
                bail!("parameter {name} is {:?} of {:?}", tensor.dtype(), tensor.dims());
            }
            Ok(tensor.clone())
        };
        let block = |layer: usize| -> Result<Block> {
            let part = |name: &str| take(&format!("block.{layer}.{name}"));
            Ok(Block {
                q: part("q")?,
                k: part("k")?,
                v: part("v")?,
                o: part("o")?,
                gate: part("gate")?,
                up: part("up")?,
                down: part("down")?,
            })
        };
        Ok(Self {
            embed: take("embed")?,
            table: take("ngram.table")?,
            project: take("ngram.project")?,
            blocks: (0..LAYERS).map(block).collect::<Result<_>>()?,
            rotary: Rotary::new(HEAD, CONTEXT),
        })
    }

    /// Logits of shape (all bytes of the pass, 256): what follows each byte.
    ///
    /// # Errors
    /// Rows longer than [`CONTEXT`], or rows of unequal length.
    pub fn forward(&self, pass: Pass<'_>) -> Result<Tensor> {
        if pass.batch == 0 || !pass.bytes.len().is_multiple_of(pass.batch) {
            bail!("{} bytes do not make {} rows", pass.bytes.len(), pass.batch);
        }
        let time = pass.bytes.len() / pass.batch;
        let ngrams: Vec<u32> = pass.bytes.chunks(time.max(1)).flat_map(|row| ngram_rows(&[], row)).collect();
        let mut x = self.embed(pass.bytes, ngrams)?;
        for block in &self.blocks {
            x = block.forward(&x, (pass.batch, time), &self.rotary, None)?;
        }
        self.logits(&x)
    }

    /// Logits of shape (1, 256) after the last of `bytes`, which continue what `memory` holds; `before` are
    /// the bytes just before them (as many as are known).
    pub(super) fn extend(&self, memory: &mut Memory, before: &[u8], bytes: &[u8]) -> Result<Tensor> {
        let time = bytes.len();
        if time == 0 || memory.length + time > CONTEXT {
            bail!("{time} bytes do not fit after {} of {CONTEXT}", memory.length);
        }
        let mut x = self.embed(bytes, ngram_rows(before, bytes))?;
        for (block, cache) in self.blocks.iter().zip(&mut memory.layers) {
            x = block.forward(&x, (1, time), &self.rotary, Some((cache, memory.length)))?;
        }
        memory.length += time;
        self.logits(&x.narrow(0, time - 1, 1)?)
    }

    fn embed(&self, bytes: &[u8], ngrams: Vec<u32>) -> Result<Tensor> {
        let count = bytes.len();
        let ids = bytes.iter().map(|b| u32::from(*b)).collect::<Vec<_>>();
        let own = self.embed.index_select(&Tensor::from_vec(ids, count, &Device::Cpu)?, 0)?;
        let rows = Tensor::from_vec(ngrams, count * ORDERS.len(), &Device::Cpu)?;
        let grams = self.table.index_select(&rows, 0)?;
        let grams = grams.reshape((count, ORDERS.len() * NGRAM_WIDTH))?;
        own + ops::product(&grams, &self.project)?
    }

    fn logits(&self, x: &Tensor) -> Result<Tensor> {
        ops::product(&ops::rms_norm(&x.contiguous()?)?, &self.embed.t()?)
    }
}

impl Block {
    fn forward(
        &self,
        x: &Tensor,
        shape: (usize, usize),
        rotary: &Rotary,
        cache: Option<(&mut KvCache, usize)>,
    ) -> Result<Tensor> {
        let x = (x + self.attend(&ops::rms_norm(x)?, shape, rotary, cache)?)?;
        let h = ops::rms_norm(&x)?;
        let inner = (ops::product(&h, &self.gate)?.silu()? * ops::product(&h, &self.up)?)?;
        x + ops::product(&inner, &self.down)?
    }

    fn attend(
        &self,
        h: &Tensor,
        (batch, time): (usize, usize),
        rotary: &Rotary,
        cache: Option<(&mut KvCache, usize)>,
    ) -> Result<Tensor> {
        let heads = |w: &Tensor| -> Result<Tensor> {
            ops::product(h, w)?.reshape((batch, time, HEADS, HEAD))?.transpose(1, 2)?.contiguous()
        };
        let start = cache.as_ref().map_or(0, |(_, start)| *start);
        let q = rotary.apply(&heads(&self.q)?, start)?;
        let k = rotary.apply(&heads(&self.k)?, start)?;
        let v = heads(&self.v)?;
        let (k, v) = match cache {
            Some((cache, _)) => cache.append(&k, &v)?,
            None => (k, v),
        };
        let scores = ops::product(&q, &k.transpose(D::Minus2, D::Minus1)?)?;
        let weights = ops::causal_softmax(&scores, 1.0 / (HEAD as f32).sqrt())?;
        let mixed = ops::product(&weights, &v)?.transpose(1, 2)?.reshape((batch * time, WIDTH))?;
        ops::product(&mixed, &self.o)
    }
}

/// The rows of the n-gram table for each of `bytes`, one per order; what lies before `before` counts as
/// [`DOCUMENT_START`].
fn ngram_rows(before: &[u8], bytes: &[u8]) -> Vec<u32> {
    let known = &before[before.len().saturating_sub(REACH)..];
    let at = |position: usize, back: usize| match position.checked_sub(back) {
        Some(index) => bytes[index],
        None => {
            let back = back - position;
            known.len().checked_sub(back).map_or(DOCUMENT_START, |index| known[index])
        }
    };
    let mut rows = Vec::with_capacity(bytes.len() * ORDERS.len());
    for position in 0..bytes.len() {
        for order in ORDERS {
            let key = (0..order).fold(order as u64, |key, back| (key << 8) | u64::from(at(position, back)));
            let mixed = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            rows.push(((mixed >> 32) % NGRAM_ROWS as u64) as u32);
        }
    }
    rows
}

#[cfg(test)]
mod tests;
