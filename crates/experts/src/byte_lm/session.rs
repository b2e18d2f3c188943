//! One text being continued: incremental decoding, and a window that slides when it is full.
//!
//! The model sees at most [`CONTEXT`] bytes. When they are used up, the last [`KEEP`] are read again as a fresh
//! window: one pass over `KEEP` bytes for every `CONTEXT - KEEP` written. Rotary positions are relative, but
//! cached keys and values depend on everything that was visible when they were made, so that merely dropping the
//! oldest would give what no pass over any text gives. A text shorter than the window opens with
//! [`DOCUMENT_START`], as documents did in training.

use super::model::{ByteModel, CONTEXT, DOCUMENT_START, Memory, Pass};
use crate::ExpertError;

/// Bytes that stay visible when the window slides.
pub const KEEP: usize = 192;

/// One text being continued by one model.
#[derive(Debug)]
pub struct Session {
    model: ByteModel,
    memory: Memory,
    /// What the model sees, all of it in `memory`.
    window: Vec<u8>,
}

impl Session {
    /// A session without text.
    #[must_use]
    pub fn new(model: ByteModel) -> Self {
        Self { model, memory: Memory::new(), window: Vec::with_capacity(CONTEXT) }
    }

    /// Forgets what it holds, reads the end of `text` and returns the 256 logits of the next byte.
    ///
    /// # Errors
    /// A fault of the computation.
    pub fn start(&mut self, text: &[u8]) -> Result<Vec<f32>, ExpertError> {
        let window = opened(text, KEEP);
        self.restart(window)
    }

    /// [`Self::start`] with `text`, and [`Self::push`] with every byte of `written`, in one pass: the window is where it
    /// would be.
    ///
    /// # Errors
    /// A fault of the computation.
    pub fn resume(&mut self, text: &[u8], written: &[u8]) -> Result<Vec<f32>, ExpertError> {
        let mut window = opened(text, KEEP);
        for byte in written {
            if window.len() == CONTEXT {
                window = slid(&window);
            }
            window.push(*byte);
        }
        self.restart(window)
    }

    /// Adds one byte and returns the 256 logits of the next one.
    ///
    /// # Errors
    /// A fault of the computation.
    pub fn push(&mut self, byte: u8) -> Result<Vec<f32>, ExpertError> {
        if self.window.len() == CONTEXT {
            let mut window = slid(&self.window);
            window.push(byte);
            return self.restart(window);
        }
        self.extend(&[byte])
    }

    /// The same as [`Self::start`], with as much of `text` in sight as the model can see; what [`next_distribution`]
    /// sees.
    pub(super) fn read(&mut self, text: &[u8]) -> Result<Vec<f32>, ExpertError> {
        self.restart(opened(text, CONTEXT))
    }

    fn restart(&mut self, window: Vec<u8>) -> Result<Vec<f32>, ExpertError> {
        self.memory.clear();
        self.window.clear();
        self.extend(&window)
    }

    /// Adds bytes for which there is room.
    pub(super) fn extend(&mut self, bytes: &[u8]) -> Result<Vec<f32>, ExpertError> {
        let logits = self.model.extend(&mut self.memory, &self.window, bytes)?;
        self.window.extend_from_slice(bytes);
        Ok(logits.flatten_all()?.to_vec1()?)
    }
}

/// What stays of a full window when another byte comes.
fn slid(window: &[u8]) -> Vec<u8> {
    window[CONTEXT + 1 - KEEP..].to_vec()
}

/// The last `most` bytes of `text`, or all of it after [`DOCUMENT_START`].
fn opened(text: &[u8], most: usize) -> Vec<u8> {
    if text.len() >= most {
        return text[text.len() - most..].to_vec();
    }
    let mut window = vec![DOCUMENT_START];
    window.extend_from_slice(text);
    window
}

/// The probabilities of the byte after `context`, of which the last [`CONTEXT`] bytes count. They are positive and sum
/// to 1 up to rounding; temperature and top-p do not apply.
///
/// # Errors
/// A fault of the computation.
pub fn next_distribution(model: &ByteModel, context: &[u8]) -> Result<[f32; 256], ExpertError> {
    let window = opened(context, CONTEXT);
    let logits = model.forward(Pass { bytes: &window, batch: 1 })?;
    let last = logits.narrow(0, window.len() - 1, 1)?.flatten_all()?.to_vec1::<f32>()?;
    Ok(distribution(&last))
}

/// Probabilities of 256 logits.
pub(super) fn distribution(logits: &[f32]) -> [f32; 256] {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut out = [0.0; 256];
    for (slot, logit) in out.iter_mut().zip(logits) {
        *slot = (logit - top).exp().max(f32::MIN_POSITIVE);
    }
    let total: f32 = out.iter().sum();
    out.iter_mut().for_each(|p| *p /= total);
    out
}

#[cfg(test)]
mod tests;
