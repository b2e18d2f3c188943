//! The network: a small llama-shaped transformer over bytes, with one forward pass for training and serving.
//!
//! Design: three pre-norm blocks (RMS norm, rotary attention, SwiGLU), with the output tied to the 256 byte embeddings.
//! In addition to its byte, each position looks up the hashes of the last two, three and four bytes in one shared table.
//! These lookups cost no multiplications and give the first block the knowledge of an n-gram model, which so few training
//! steps could hardly teach it otherwise.
//!
//! Hazard: the n-gram hash is part of the weights' format. With another hash, every shipped weights file is useless.

use std::collections::HashMap;

use candle_core::{D, DType, Device, Result, Tensor, bail};
use candle_nn::kv_cache::KvCache;

use nervure_experts::byte_text::{CONTEXT_BYTES, DOCUMENT_START};

use crate::ops::{self, Arithmetic, Rotary};

/// Width of the residual stream.
const WIDTH: usize = 128;
const HEADS: usize = 4;
const HEAD_WIDTH: usize = WIDTH / HEADS;
const HIDDEN_WIDTH: usize = 256;
const LAYERS: usize = 3;
/// Orders of the hashed n-grams, ascending.
const NGRAM_ORDERS: [usize; 3] = [2, 3, 4];
const NGRAM_ROWS: usize = 6144;
const NGRAM_WIDTH: usize = 64;

/// Bytes before the first byte of a pass that its n-grams include.
const NGRAM_REACH_BYTES: usize = NGRAM_ORDERS[NGRAM_ORDERS.len() - 1] - 1;

/// Name and shape (input, output) of every parameter, in the order in which they are initialised.
#[must_use]
pub fn parameter_shapes() -> Vec<(String, [usize; 2])> {
    let mut shapes = vec![
        ("embed".to_owned(), [256, WIDTH]),
        ("ngram.table".to_owned(), [NGRAM_ROWS, NGRAM_WIDTH]),
        ("ngram.project".to_owned(), [NGRAM_WIDTH * NGRAM_ORDERS.len(), WIDTH]),
    ];
    for layer in 0..LAYERS {
        for (name, shape) in [
            ("q", [WIDTH, WIDTH]),
            ("k", [WIDTH, WIDTH]),
            ("v", [WIDTH, WIDTH]),
            ("o", [WIDTH, WIDTH]),
            ("gate", [WIDTH, HIDDEN_WIDTH]),
            ("up", [WIDTH, HIDDEN_WIDTH]),
            ("down", [HIDDEN_WIDTH, WIDTH]),
        ] {
            shapes.push((format!("block.{layer}.{name}"), shape));
        }
    }
    shapes
}

/// The parameters of one model. Clones share them.
#[derive(Debug, Clone)]
pub struct ByteModel {
    arithmetic: Arithmetic,
    embed: Tensor,
    table: Tensor,
    project: Tensor,
    blocks: Vec<Block>,
    rotary: Rotary,
}

#[derive(Debug, Clone)]
struct Block {
    arithmetic: Arithmetic,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    o: Tensor,
    gate: Tensor,
    up: Tensor,
    down: Tensor,
}

/// Keys and values of the bytes of a window: one preallocated buffer per layer, for [`CONTEXT_BYTES`] positions.
#[derive(Debug)]
pub(crate) struct KeyValueCache {
    layers: Vec<KvCache>,
    length: usize,
}

impl KeyValueCache {
    pub(crate) fn new() -> Self {
        Self { layers: vec![KvCache::new(2, CONTEXT_BYTES); LAYERS], length: 0 }
    }

    /// Empties it; the next byte is the first of a window.
    pub(crate) fn clear(&mut self) {
        self.layers.iter_mut().for_each(KvCache::reset);
        self.length = 0;
    }
}

/// The input of one forward pass: `batch` rows of equal length, one after another.
#[derive(Debug, Clone, Copy)]
pub struct Pass<'a> {
    /// The bytes of all rows.
    pub bytes: &'a [u8],
    /// Number of rows; divides the length of `bytes`.
    pub batch: usize,
}

impl ByteModel {
    /// Builds a model from the tensors of [`parameter_shapes`]. The tensors are shared, not copied: a trainer's updates of
    /// its variables change the model.
    ///
    /// # Errors
    /// When a parameter is missing or has another shape or type.
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
                arithmetic: Arithmetic::default(),
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
            arithmetic: Arithmetic::default(),
            embed: take("embed")?,
            table: take("ngram.table")?,
            project: take("ngram.project")?,
            blocks: (0..LAYERS).map(block).collect::<Result<_>>()?,
            rotary: Rotary::new(HEAD_WIDTH, CONTEXT_BYTES),
        })
    }

    /// The same model with candle's products, whose bits depend on the processor: another program with the same weights,
    /// for measuring how often audits mistake rounding for another model.
    #[must_use]
    pub fn with_other_arithmetic(mut self) -> Self {
        self.arithmetic = Arithmetic::Candle;
        self.blocks.iter_mut().for_each(|block| block.arithmetic = Arithmetic::Candle);
        self
    }

    /// The logits of the byte that follows each byte of the pass, of shape (bytes of the pass, 256).
    ///
    /// # Errors
    /// When rows are longer than [`CONTEXT_BYTES`] or of unequal length.
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

    /// The logits after the last of `bytes`, of shape (1, 256). `bytes` continue the window in `cache`; `before` is that
    /// window, or at least its end.
    pub(crate) fn extend(&self, cache: &mut KeyValueCache, before: &[u8], bytes: &[u8]) -> Result<Tensor> {
        let time = bytes.len();
        if time == 0 || cache.length + time > CONTEXT_BYTES {
            bail!("{time} bytes do not fit after {} of {CONTEXT_BYTES}", cache.length);
        }
        let mut x = self.embed(bytes, ngram_rows(before, bytes))?;
        for (block, layer) in self.blocks.iter().zip(&mut cache.layers) {
            x = block.forward(&x, (1, time), &self.rotary, Some((layer, cache.length)))?;
        }
        cache.length += time;
        self.logits(&x.narrow(0, time - 1, 1)?)
    }

    fn embed(&self, bytes: &[u8], ngrams: Vec<u32>) -> Result<Tensor> {
        let count = bytes.len();
        let ids = bytes.iter().map(|b| u32::from(*b)).collect::<Vec<_>>();
        let byte_embeddings = self.embed.index_select(&Tensor::from_vec(ids, count, &Device::Cpu)?, 0)?;
        let rows = Tensor::from_vec(ngrams, count * NGRAM_ORDERS.len(), &Device::Cpu)?;
        let grams = self.table.index_select(&rows, 0)?;
        let grams = grams.reshape((count, NGRAM_ORDERS.len() * NGRAM_WIDTH))?;
        byte_embeddings + self.arithmetic.product(&grams, &self.project)?
    }

    fn logits(&self, x: &Tensor) -> Result<Tensor> {
        self.arithmetic.product(&ops::rms_norm(&x.contiguous()?)?, &self.embed.t()?)
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
        let inner = (ops::silu(&self.arithmetic.product(&h, &self.gate)?)?
            * self.arithmetic.product(&h, &self.up)?)?;
        x + self.arithmetic.product(&inner, &self.down)?
    }

    fn attend(
        &self,
        h: &Tensor,
        (batch, time): (usize, usize),
        rotary: &Rotary,
        cache: Option<(&mut KvCache, usize)>,
    ) -> Result<Tensor> {
        let heads = |w: &Tensor| -> Result<Tensor> {
            self.arithmetic
                .product(h, w)?
                .reshape((batch, time, HEADS, HEAD_WIDTH))?
                .transpose(1, 2)?
                .contiguous()
        };
        let start = cache.as_ref().map_or(0, |(_, start)| *start);
        let q = rotary.apply(&heads(&self.q)?, start)?;
        let k = rotary.apply(&heads(&self.k)?, start)?;
        let v = heads(&self.v)?;
        let (k, v) = match cache {
            Some((cache, _)) => cache.append(&k, &v)?,
            None => (k, v),
        };
        let scores = self.arithmetic.product(&q, &k.transpose(D::Minus2, D::Minus1)?)?;
        let weights = ops::causal_softmax(&scores, 1.0 / (HEAD_WIDTH as f32).sqrt())?;
        let mixed = self.arithmetic.product(&weights, &v)?.transpose(1, 2)?.reshape((batch * time, WIDTH))?;
        self.arithmetic.product(&mixed, &self.o)
    }
}

/// The rows of the n-gram table for each of `bytes`, one per order. Bytes before the start of `before` count as
/// [`DOCUMENT_START`].
fn ngram_rows(before: &[u8], bytes: &[u8]) -> Vec<u32> {
    let known = &before[before.len().saturating_sub(NGRAM_REACH_BYTES)..];
    let at = |position: usize, back: usize| match position.checked_sub(back) {
        Some(index) => bytes[index],
        None => {
            let back = back - position;
            known.len().checked_sub(back).map_or(DOCUMENT_START, |index| known[index])
        }
    };
    let mut rows = Vec::with_capacity(bytes.len() * NGRAM_ORDERS.len());
    for position in 0..bytes.len() {
        for order in NGRAM_ORDERS {
            let key = (0..order).fold(order as u64, |key, back| (key << 8) | u64::from(at(position, back)));
            // Fibonacci hashing (Knuth, TAOCP 3, 6.4): the multiplier is 2^64 divided by the golden ratio.
            let mixed = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            rows.push(((mixed >> 32) % NGRAM_ROWS as u64) as u32);
        }
    }
    rows
}

#[cfg(test)]
mod tests;
