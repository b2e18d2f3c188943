//! Each built-in model beats an order-2 model of its own training text by a clear margin.
//!
//! The excerpt is small because a debug build computes slowly; `examples/evaluate` scores all of the held-out text. It is
//! spread over all held-out files, since single files are easier or harder than their domain.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use nervure_byte_lm::builtin::{BUILTIN, Builtin};
use nervure_byte_lm::{ByteModel, bits_per_byte, byte_probabilities};

/// Held-out files per domain, and the bytes kept of each (`examples/corpus.py`).
const HELDOUT_FILES: usize = 8;
/// Bytes scored of each file.
const PIECE_BYTES: usize = 128;
/// Bits per byte by which an expert must be better.
const MIN_MARGIN_BITS: f64 = 0.3;

/// Bits per byte of `model` over a piece of each held-out file of `builtin`.
fn bits(model: &ByteModel, builtin: &Builtin) -> f64 {
    let path = format!("{}/data/{}.heldout", env!("CARGO_MANIFEST_DIR"), builtin.domain());
    let text = std::fs::read(path).unwrap();
    let pieces = text.chunks_exact(text.len() / HELDOUT_FILES).map(|file| &file[..PIECE_BYTES]);
    let scored = pieces.flat_map(|piece| byte_probabilities(model, piece).unwrap());
    bits_per_byte(&scored.collect::<Vec<_>>())
}

fn order2(builtin: &Builtin) -> f64 {
    let text = include_str!("../data/order2.json");
    let table: BTreeMap<String, BTreeMap<String, f64>> = serde_json::from_str(text).unwrap();
    table[builtin.domain()][builtin.domain()]
}

#[test]
fn every_model_beats_the_order_2_model_of_its_domain() {
    for builtin in &BUILTIN {
        let (bits, bar) = (bits(&builtin.load().unwrap(), builtin), order2(builtin));
        assert!(
            bits + MIN_MARGIN_BITS <= bar,
            "{}: {bits:.3} bits per byte, order 2 has {bar:.3}",
            builtin.domain()
        );
    }
}

/// Shows that the check can fail: it does so for a model of another domain.
#[test]
fn a_model_of_another_domain_does_not_pass() {
    let (rust, manual) = (&BUILTIN[0], &BUILTIN[3]);
    let bits = bits(&rust.load().unwrap(), manual);
    assert!(bits + MIN_MARGIN_BITS > order2(manual), "{bits:.3} bits per byte");
}
