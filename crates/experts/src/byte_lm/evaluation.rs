//! What a model makes of a given text: the probability of each of its bytes, and bits per byte.
//!
//! Design: a text is scored exactly as a [`Session`](super::Session) would see it while writing it. The first window
//! opens with [`DOCUMENT_START`]; when it is full, the last [`KEEP`] bytes stay visible. All bytes of a window are
//! scored in one pass and several windows in one batch, which is far quicker than a session, byte by byte.
//!
//! Hazard: the figures are worth something only on text that no model was trained on. Nothing here can know that.

use super::model::{ByteModel, CONTEXT, DOCUMENT_START, Pass};
use super::session::KEEP;
use crate::ExpertError;

/// Windows scored in one pass; more cost memory and bring no speed.
const BATCH: usize = 8;
/// How far the window moves when it is full.
const STRIDE: usize = CONTEXT - KEEP + 1;

/// The probability that `model` gives to each byte of `text`, given the bytes before it. As long as `text`;
/// each between 0 and 1.
///
/// # Errors
/// A fault of the computation.
pub fn byte_probabilities(model: &ByteModel, text: &[u8]) -> Result<Vec<f64>, ExpertError> {
    let mut stream = vec![DOCUMENT_START];
    stream.extend_from_slice(text);
    let mut out = Vec::with_capacity(text.len());
    for batch in windows(text.len()).chunk_by(|a, b| a.len() == b.len()).flat_map(|same| same.chunks(BATCH)) {
        let bytes: Vec<u8> = batch.iter().flat_map(|window| &stream[window.clone()]).copied().collect();
        let logits = model.forward(Pass { bytes: &bytes, batch: batch.len() })?;
        let logits = logits.flatten_all()?.to_vec1::<f32>()?;
        for (window, rows) in batch.iter().zip(logits.chunks_exact(256 * batch[0].len())) {
            // What the windows before have scored already.
            let known = out.len() - window.start;
            let targets = &stream[window.start + 1 + known..=window.end];
            let rows = rows.chunks_exact(256).skip(known);
            out.extend(targets.iter().zip(rows).map(|(byte, row)| probability(row, *byte)));
        }
    }
    Ok(out)
}

/// Mean bits that a code for `probabilities` spends on each byte: less is better, 8 is knowing nothing, and no bytes
/// cost nothing.
#[must_use]
pub fn bits_per_byte(probabilities: &[f64]) -> f64 {
    let bits: f64 = probabilities.iter().map(|p| -p.log2()).sum();
    bits / probabilities.len().max(1) as f64
}

/// The windows of a text of `length` bytes; all but the last are [`CONTEXT`] long.
fn windows(length: usize) -> Vec<std::ops::Range<usize>> {
    let mut windows = Vec::new();
    let (mut start, mut end) = (0, 0);
    while end < length {
        end = length.min(start + CONTEXT);
        windows.push(start..end);
        start += STRIDE;
    }
    windows
}

/// Softmax at one place, in double precision so that unlikely bytes do not become impossible ones.
fn probability(logits: &[f32], byte: u8) -> f64 {
    let top = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let weight = |logit: &f32| (f64::from(*logit) - top).exp();
    weight(&logits[usize::from(byte)]) / logits.iter().map(weight).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::super::{Session, builtin};
    use super::*;

    #[test]
    fn windows_cover_every_byte_once() {
        for length in [0, 1, 255, 256, 257, 320, 321, 322, 1000] {
            let mut scored = 0;
            for window in windows(length) {
                assert!(window.len() <= CONTEXT && window.start <= scored && scored < window.end);
                scored = window.end;
            }
            assert_eq!(scored, length);
        }
    }

    #[test]
    fn a_text_is_scored_as_a_session_would_write_it() {
        let expert = builtin::find("rust").unwrap();
        let model = expert.load().unwrap();
        let text = &builtin::tests::heldout("rust")[..CONTEXT + STRIDE + 40];
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
