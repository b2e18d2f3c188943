//! Scores a given text: the probability that a model gives to each byte, and bits per byte.
//!
//! Design: a text is scored exactly as a [`Session`](super::Session) would see it while writing it. The first window
//! opens with [`DOCUMENT_START`]; when a window is full, its last [`RETAINED_BYTES`] stay visible. One pass scores all
//! bytes of several windows, which is far faster than a session that advances byte by byte.
//!
//! Hazard: the figures are meaningful only for text that no model was trained on. This module cannot check that.

use nervure_experts::byte_text::{CONTEXT_BYTES, DOCUMENT_START, RETAINED_BYTES};

use crate::ModelError;
use crate::model::{ByteModel, Pass};

/// Windows scored in one pass; more cost memory and are not faster.
const BATCH_WINDOWS: usize = 8;
/// Bytes by which a full window moves.
const STRIDE_BYTES: usize = CONTEXT_BYTES - RETAINED_BYTES + 1;

/// The probability that `model` gives to each byte of `text`, given the bytes before it: one value in (0, 1]
/// per byte of `text`.
///
/// # Errors
/// When the computation fails.
pub fn byte_probabilities(model: &ByteModel, text: &[u8]) -> Result<Vec<f64>, ModelError> {
    let mut stream = vec![DOCUMENT_START];
    stream.extend_from_slice(text);
    let mut out = Vec::with_capacity(text.len());
    for batch in
        windows(text.len()).chunk_by(|a, b| a.len() == b.len()).flat_map(|same| same.chunks(BATCH_WINDOWS))
    {
        let bytes: Vec<u8> = batch.iter().flat_map(|window| &stream[window.clone()]).copied().collect();
        let logits = model.forward(Pass { bytes: &bytes, batch: batch.len() })?;
        let logits = logits.flatten_all()?.to_vec1::<f32>()?;
        for (window, rows) in batch.iter().zip(logits.chunks_exact(256 * batch[0].len())) {
            // Windows overlap: the earlier ones have scored these bytes already.
            let known = out.len() - window.start;
            let targets = &stream[window.start + 1 + known..=window.end];
            let rows = rows.chunks_exact(256).skip(known);
            out.extend(targets.iter().zip(rows).map(|(byte, row)| probability(row, *byte)));
        }
    }
    Ok(out)
}

/// Mean cross-entropy of `probabilities` in bits per byte: less is better, a uniform guess has 8, an empty text 0.
#[must_use]
pub fn bits_per_byte(probabilities: &[f64]) -> f64 {
    let bits: f64 = probabilities.iter().map(|p| -p.log2()).sum();
    bits / probabilities.len().max(1) as f64
}

/// The windows of a text of `length` bytes; all but the last are [`CONTEXT_BYTES`] long.
fn windows(length: usize) -> Vec<std::ops::Range<usize>> {
    let mut windows = Vec::new();
    let (mut start, mut end) = (0, 0);
    while end < length {
        end = length.min(start + CONTEXT_BYTES);
        windows.push(start..end);
        start += STRIDE_BYTES;
    }
    windows
}

/// The softmax of one byte, in double precision: the probability of an unlikely byte must not round to 0.
fn probability(logits: &[f32], byte: u8) -> f64 {
    let top = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let weight = |logit: &f32| (f64::from(*logit) - top).exp();
    weight(&logits[usize::from(byte)]) / logits.iter().map(weight).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Session, builtin};

    #[test]
    fn windows_cover_every_byte_once() {
        for length in [0, 1, 255, 256, 257, 320, 321, 322, 1000] {
            let mut scored = 0;
            for window in windows(length) {
                assert!(window.len() <= CONTEXT_BYTES && window.start <= scored && scored < window.end);
                scored = window.end;
            }
            assert_eq!(scored, length);
        }
    }

    #[test]
    fn scores_a_text_as_a_session_would_write_it() {
        let expert = builtin::find("rust").unwrap();
        let model = expert.load().unwrap();
        let text = &builtin::tests::heldout("rust")[..CONTEXT_BYTES + STRIDE_BYTES + 40];
        let mut session = Session::new(model.clone());
        let mut logits = session.start(b"").unwrap();
        let scored = byte_probabilities(&model, text).unwrap();
        assert_eq!(scored.len(), text.len());
        for (place, (byte, scored)) in text.iter().zip(scored).enumerate() {
            let expected = probability(&logits, *byte);
            assert!((scored - expected).abs() < 1e-4, "byte {place}: {scored} and {expected}");
            logits = session.push(*byte).unwrap();
        }
    }

    #[test]
    fn bits_are_those_of_the_code() {
        assert_eq!(bits_per_byte(&[]), 0.0);
        assert_eq!(bits_per_byte(&[0.5, 0.125]), 2.0);
        let flat = probability(&[3.0; 256], 7);
        assert!((bits_per_byte(&[flat]) - 8.0).abs() < 1e-9);
    }
}
