//! Shapes, invalid input, causality and hashing of the model.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn random_model() -> ByteModel {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let parameters = parameter_shapes()
        .into_iter()
        .map(|(name, [rows, columns])| {
            let values: Vec<f32> = (0..rows * columns).map(|_| rng.random_range(-0.1..0.1)).collect();
            (name, Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap())
        })
        .collect();
    ByteModel::new(&parameters).unwrap()
}

fn logits(model: &ByteModel, bytes: &[u8], batch: usize) -> Vec<Vec<f32>> {
    model.forward(Pass { bytes, batch }).unwrap().to_vec2().unwrap()
}

#[test]
fn has_fewer_than_a_million_parameters() {
    let total: usize = parameter_shapes().iter().map(|(_, [rows, columns])| rows * columns).sum();
    assert!((850_000..1_000_000).contains(&total), "{total} parameters");
}

#[test]
fn later_bytes_do_not_change_earlier_logits() {
    let model = random_model();
    let before = logits(&model, b"the same start, one end", 1);
    let after = logits(&model, b"the same start, another", 1);
    assert_eq!(before.len(), 23);
    for position in 0..16 {
        assert_eq!(before[position], after[position], "position {position}");
    }
    assert_ne!(before[17], after[17]);
}

#[test]
fn rows_of_a_batch_do_not_mix() {
    let model = random_model();
    let both = logits(&model, b"first rowsecond ro", 2);
    let alone = logits(&model, b"second ro", 1);
    for (a, b) in both[9..].iter().flatten().zip(alone.iter().flatten()) {
        assert!((a - b).abs() < 1e-4);
    }
}

#[test]
fn refuses_invalid_passes() {
    let model = random_model();
    assert!(model.forward(Pass { bytes: b"abc", batch: 2 }).is_err());
    assert!(model.forward(Pass { bytes: b"abc", batch: 0 }).is_err());
    assert!(model.forward(Pass { bytes: &[0; CONTEXT_BYTES + 1], batch: 1 }).is_err());
    let mut cache = KeyValueCache::new();
    assert!(model.extend(&mut cache, &[], &[]).is_err());
    assert!(model.extend(&mut cache, &[], &[0; CONTEXT_BYTES + 1]).is_err());
    assert!(ByteModel::new(&HashMap::new()).is_err());
}

#[test]
fn ngram_rows_do_not_depend_on_how_a_text_is_split() {
    let text = b"an n-gram reaches back";
    let whole = ngram_rows(&[], text);
    for cut in 0..text.len() {
        let mut parts = ngram_rows(&[], &text[..cut]);
        parts.extend(ngram_rows(&text[..cut], &text[cut..]));
        assert_eq!(parts, whole);
    }
}

/// The shipped weights were trained with exactly these rows.
#[test]
fn the_ngram_hash_is_frozen() {
    assert_eq!(ngram_rows(&[], b"fn"), FROZEN_ROWS);
}

const FROZEN_ROWS: [u32; 6] = [3916, 5921, 1476, 4911, 2605, 2386];
