//! Incremental decoding must equal a whole pass, before and after the window slides.

use super::*;
use crate::builtin::find;

fn model() -> ByteModel {
    find("rust").unwrap().load().unwrap()
}

/// Logits after the last byte of `window`, by one pass without a cache.
fn whole(model: &ByteModel, window: &[u8]) -> Vec<f32> {
    let logits = model.forward(Pass { bytes: window, batch: 1 }).unwrap();
    logits.narrow(0, window.len() - 1, 1).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn assert_close(a: &[f32], b: &[f32], what: &str) {
    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-3, "{what}: logits differ by {worst}");
}

#[test]
fn byte_by_byte_equals_a_whole_pass() {
    let model = model();
    let text = b"fn main() {\n    let x = 1;";
    let mut session = Session::new(model.clone());
    let mut logits = session.start(&text[..3]).unwrap();
    let mut window = vec![DOCUMENT_START];
    window.extend_from_slice(&text[..3]);
    for &byte in &text[3..] {
        assert_close(&logits, &whole(&model, &window), "before the slide");
        logits = session.push(byte).unwrap();
        window.push(byte);
    }
    assert_close(&logits, &whole(&model, &window), "at the end");
}

#[test]
fn a_full_window_slides_to_its_last_bytes() {
    let model = model();
    let text = &crate::byte_lm::builtin::tests::heldout("rust")[..CONTEXT + 40];
    let mut session = Session::new(model.clone());
    let mut logits = session.start(&text[..10]).unwrap();
    for &byte in &text[10..] {
        logits = session.push(byte).unwrap();
        assert!(session.window.len() <= CONTEXT);
    }
    // The document's start and 255 bytes fill the window; the next byte slides it so that KEEP bytes remain, its own
    // the last. 40 more do not fill it again.
    let slid_at = CONTEXT - 1;
    let window = &text[slid_at + 1 - KEEP..];
    assert_eq!(session.window, window);
    assert_close(&logits, &whole(&model, window), "after the slide");
    let unslid = whole(&model, &text[text.len() - CONTEXT..]);
    let differs = unslid.iter().zip(&logits).any(|(a, b)| (a - b).abs() > 1e-3);
    assert!(differs, "a window of another length must be told apart, or the test above shows nothing");
}

#[test]
fn a_session_starts_afresh() {
    let mut session = Session::new(model());
    let first = session.start(b"pub fn ").unwrap();
    session.push(b'x').unwrap();
    session.start(b"something else entirely").unwrap();
    assert_close(&session.start(b"pub fn ").unwrap(), &first, "a second start");
}

#[test]
fn a_distribution_is_one_for_any_context() {
    let model = model();
    for context in [&b""[..], b"impl", &[0xFF; 300], &[0; 1000]] {
        let distribution = next_distribution(&model, context).unwrap();
        assert!(distribution.iter().all(|p| *p > 0.0));
        assert!((distribution.iter().sum::<f32>() - 1.0).abs() < 1e-4);
    }
    let impl_ = next_distribution(&model, b"\n    pub fn new() -> Sel").unwrap();
    assert!(impl_[usize::from(b'f')] > 0.5, "`Sel` goes on with `f`: {}", impl_[usize::from(b'f')]);
}
