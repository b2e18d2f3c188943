//! The bits of the built-in models, the same on every machine.
//!
//! A changed hash is another arithmetic: audits between nodes with the old and the new one would find mismatches. Change
//! the number in `RUNTIME` together with it.
#![allow(clippy::unwrap_used)]

use nervure_byte_lm::{ByteModel, Pass, Session, builtin};
use nervure_primitives::Hash;

/// A text that is longer than a window.
fn text() -> Vec<u8> {
    "fn main() {\n    let total: u64 = (1..=10).map(|n| n * n).sum();\n    println!(\"{total}\");\n}\n"
        .repeat(4)
        .into_bytes()
}

fn hash(logits: impl IntoIterator<Item = Vec<f32>>) -> String {
    let bytes: Vec<u8> =
        logits.into_iter().flatten().flat_map(|logit| logit.to_bits().to_be_bytes()).collect();
    Hash::of("bits", &[&bytes]).to_string()
}

/// The logits of each byte of a window, in one pass.
fn together(model: &ByteModel, text: &[u8]) -> Vec<Vec<f32>> {
    model.forward(Pass { bytes: text, batch: 1 }).unwrap().to_vec2().unwrap()
}

#[test]
fn the_bits_are_frozen() {
    let hashes: Vec<String> =
        builtin::BUILTIN.iter().map(|one| hash(together(&one.load().unwrap(), &text()[..256]))).collect();
    assert_eq!(hashes, FROZEN, "another arithmetic, or another machine that rounds in another way");
}

#[test]
fn one_pass_has_the_bits_of_byte_by_byte() {
    let model = builtin::find("rust").unwrap().load().unwrap();
    let text = text();
    let mut session = Session::new(model.clone());
    let mut logits = vec![session.start(&text[..100]).unwrap()];
    for byte in &text[100..200] {
        logits.push(session.push(*byte).unwrap());
    }
    let window: Vec<u8> = [&[0], &text[..200]].concat();
    assert_eq!(hash(logits), hash(together(&model, &window)[100..].to_vec()));
}

const FROZEN: [&str; 4] = [
    "9753553740606da6334334e0572ee631a0f52cb25044375fed75bdebd00db084",
    "178137e669e0b2215c6aa046a007f7036ec485561f329c696478e82aabb04885",
    "83a78afadf5f8eafb1883c6dbe6feea2e2f21804f06eba29f4a476fdb9f88f54",
    "ac0833bc9d1ead2d5ffd7483c96922eed09abbe945e5bc3c5f5e5f2b25845f22",
];
