//! Incremental decoding equals one pass over the window, before and after the window slides.

use super::*;
use crate::builtin::find;

fn model() -> ByteModel {
    find("rust").unwrap().load().unwrap()
}

/// Logits after the last byte of `window`, computed in one pass without a cache.
fn one_pass(model: &ByteModel, window: &[u8]) -> Vec<f32> {
    let logits = model.forward(Pass { bytes: window, batch: 1 }).unwrap();
    logits.narrow(0, window.len() - 1, 1).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn assert_close(a: &[f32], b: &[f32], what: &str) {
    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-3, "{what}: logits differ by {worst}");
}

#[test]
fn decoding_byte_by_byte_equals_one_pass() {
    let model = model();
    let text = b"fn main() {\n    let x = 1;";
    let mut session = Session::new(model.clone());
    let mut logits = session.start(&text[..3]).unwrap();
    let mut window = vec![DOCUMENT_START];
    window.extend_from_slice(&text[..3]);
    for &byte in &text[3..] {
        assert_close(&logits, &one_pass(&model, &window), "before the slide");
        logits = session.push(byte).unwrap();
        window.push(byte);
    }
    assert_close(&logits, &one_pass(&model, &window), "at the end");
}

#[test]
fn a_full_window_slides_to_its_retained_bytes() {
    let model = model();
    let text = &crate::builtin::tests::heldout("rust")[..CONTEXT_BYTES + 40];
    let mut session = Session::new(model.clone());
    let mut logits = session.start(&text[..10]).unwrap();
    for &byte in &text[10..] {
        logits = session.push(byte).unwrap();
        assert!(session.window.len() <= CONTEXT_BYTES);
    }
    // The document start and 255 bytes fill the window. The next byte slides it to RETAINED_BYTES, that byte included;
    // 40 more bytes do not fill it again.
    let slid_at = CONTEXT_BYTES - 1;
    let window = &text[slid_at + 1 - RETAINED_BYTES..];
    assert_eq!(session.window, window);
    assert_close(&logits, &one_pass(&model, window), "after the slide");
    let unslid = one_pass(&model, &text[text.len() - CONTEXT_BYTES..]);
    let differs = unslid.iter().zip(&logits).any(|(a, b)| (a - b).abs() > 1e-3);
    assert!(differs, "the logits must depend on the window's length, or the assertion above proves nothing");
}

#[test]
fn starting_again_drops_the_earlier_text() {
    let mut session = Session::new(model());
    let first = session.start(b"pub fn ").unwrap();
    session.push(b'x').unwrap();
    session.start(b"something else entirely").unwrap();
    assert_close(&session.start(b"pub fn ").unwrap(), &first, "a second start");
}

#[test]
fn a_distribution_is_positive_and_sums_to_one() {
    let model = model();
    for context in [&b""[..], b"impl", &[0xFF; 300], &[0; 1000]] {
        let distribution = next_distribution(&model, context).unwrap();
        assert!(distribution.iter().all(|p| *p > 0.0));
        assert!((distribution.iter().sum::<f32>() - 1.0).abs() < 1e-4);
    }
    let impl_ = next_distribution(&model, b"\n    pub fn new() -> Sel").unwrap();
    assert!(impl_[usize::from(b'f')] > 0.5, "`f` follows `Sel`: {}", impl_[usize::from(b'f')]);
}
