//! One text that a model continues: incremental decoding, and a window that slides when it is full.
//!
//! The model sees at most [`CONTEXT_BYTES`]. When the window is full, its last [`RETAINED_BYTES`] are read again as a new
//! window: one pass over `RETAINED_BYTES` for every `CONTEXT_BYTES - RETAINED_BYTES` written. Dropping the oldest cached
//! keys and values would be wrong: rotary positions are relative, but keys and values depend on all bytes that were
//! visible when they were computed. A text shorter than the window opens with [`DOCUMENT_START`], as in training.

use nervure_experts::byte_text::{CONTEXT_BYTES, DOCUMENT_START, RETAINED_BYTES, exp_negative};

use crate::ModelError;
use crate::model::{ByteModel, KeyValueCache, Pass};

/// One text that one model continues.
#[derive(Debug)]
pub struct Session {
    model: ByteModel,
    cache: KeyValueCache,
    /// The bytes that the model sees; the cache holds the keys and values of all of them.
    window: Vec<u8>,
}

impl Session {
    /// A session without text.
    #[must_use]
    pub fn new(model: ByteModel) -> Self {
        Self { model, cache: KeyValueCache::new(), window: Vec::with_capacity(CONTEXT_BYTES) }
    }

    /// Drops its text, reads the end of `text` and returns the 256 logits of the next byte.
    ///
    /// # Errors
    /// When the computation fails.
    pub fn start(&mut self, text: &[u8]) -> Result<Vec<f32>, ModelError> {
        let window = opening_window(text, RETAINED_BYTES);
        self.restart(window)
    }

    /// The same as [`Self::start`] with `text` and then [`Self::push`] with each byte of `written`, in one pass.
    ///
    /// # Errors
    /// When the computation fails.
    pub fn resume(&mut self, text: &[u8], written: &[u8]) -> Result<Vec<f32>, ModelError> {
        self.restart(resumed_window(text, written))
    }

    /// Adds one byte and returns the 256 logits of the next one.
    ///
    /// # Errors
    /// When the computation fails.
    pub fn push(&mut self, byte: u8) -> Result<Vec<f32>, ModelError> {
        if self.window.len() == CONTEXT_BYTES {
            let mut window = slide(&self.window);
            window.push(byte);
            return self.restart(window);
        }
        self.extend(&[byte])
    }

    /// The same as [`Self::start`], but with a full window of `text`, as in [`next_distribution`].
    pub(crate) fn read(&mut self, text: &[u8]) -> Result<Vec<f32>, ModelError> {
        self.restart(opening_window(text, CONTEXT_BYTES))
    }

    fn restart(&mut self, window: Vec<u8>) -> Result<Vec<f32>, ModelError> {
        self.cache.clear();
        self.window.clear();
        self.extend(&window)
    }

    /// Adds bytes for which the window has room.
    pub(crate) fn extend(&mut self, bytes: &[u8]) -> Result<Vec<f32>, ModelError> {
        let logits = self.model.extend(&mut self.cache, &self.window, bytes)?;
        self.window.extend_from_slice(bytes);
        Ok(logits.flatten_all()?.to_vec1()?)
    }
}

/// The window after `text` was read and `written` was added byte by byte.
pub(crate) fn resumed_window(text: &[u8], written: &[u8]) -> Vec<u8> {
    let mut window = opening_window(text, RETAINED_BYTES);
    for byte in written {
        if window.len() == CONTEXT_BYTES {
            window = slide(&window);
        }
        window.push(*byte);
    }
    window
}

/// The bytes of a full window that stay when another byte comes.
pub(crate) fn slide(window: &[u8]) -> Vec<u8> {
    window[CONTEXT_BYTES + 1 - RETAINED_BYTES..].to_vec()
}

/// The last `max_bytes` bytes of `text`, or all of a shorter text after [`DOCUMENT_START`].
fn opening_window(text: &[u8], max_bytes: usize) -> Vec<u8> {
    if text.len() >= max_bytes {
        return text[text.len() - max_bytes..].to_vec();
    }
    let mut window = vec![DOCUMENT_START];
    window.extend_from_slice(text);
    window
}

/// The probabilities of the byte after `context`, of which the last [`CONTEXT_BYTES`] count. They are positive and sum
/// to 1 up to rounding; temperature and top-p do not apply.
///
/// # Errors
/// When the computation fails.
pub fn next_distribution(model: &ByteModel, context: &[u8]) -> Result<[f32; 256], ModelError> {
    let window = opening_window(context, CONTEXT_BYTES);
    let logits = model.forward(Pass { bytes: &window, batch: 1 })?;
    let last = logits.narrow(0, window.len() - 1, 1)?.flatten_all()?.to_vec1::<f32>()?;
    Ok(distribution(&last))
}

/// The softmax of 256 logits; no probability is 0, so that a mixture never rules a byte out. Its bits are the same on
/// every machine.
pub(crate) fn distribution(logits: &[f32]) -> [f32; 256] {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut out = [0.0; 256];
    for (probability, logit) in out.iter_mut().zip(logits) {
        *probability = exp_negative(logit - top);
    }
    let total: f32 = out.iter().sum();
    out.iter_mut().for_each(|p| *p /= total);
    out
}

#[cfg(test)]
mod tests;
