//! Draws that are repeated, with the same logits and with others.

use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn sampling(temperature_milli: u32, top_p_milli: u32, seed: u64) -> Sampling {
    Sampling { temperature_milli, top_p_milli, seed: Some(seed), ..Sampling::default() }
}

/// 256 logits that are about as peaked as those of a language model.
fn logits(seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..256).map(|_| rng.random_range(-1.0..1.0f32).powi(3) * 9.0).collect()
}

/// The same logits with rounding of so many parts.
fn rounded(logits: &[f32], parts: f32, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    logits.iter().map(|logit| logit + rng.random_range(-parts..parts)).collect()
}

/// The distances of what `miner` draws from what `auditor` draws, over many draws.
fn distances(sampling: &Sampling, noise: f32) -> Vec<f64> {
    let (mut miner, mut auditor) = (Sampler::new(sampling), ReplaySampler::new(sampling));
    let draw = |at: u64| {
        let exact = logits(at);
        let byte = miner.choose(&rounded(&exact, noise, at + 1_000_000));
        auditor.distance(&exact, byte)
    };
    (0..3_000).map(draw).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_drawn_byte_has_no_distance(temperature in 0u32..2000, top_p in 1u32..=1000, seed: u64) {
        prop_assert!(distances(&sampling(temperature, top_p, seed), f32::MIN_POSITIVE).iter().all(|d| *d == 0.0));
    }

    #[test]
    fn rounding_moves_a_draw_by_little(temperature in 100u32..2000, top_p in 1u32..=1000, seed: u64) {
        let moved = distances(&sampling(temperature, top_p, seed), 1e-5);
        prop_assert!(moved.iter().all(|distance| *distance < 1e-3), "{:?}", moved.iter().copied().fold(0.0, f64::max));
    }
}

#[test]
fn bytes_of_nearly_equal_probability_may_change_places() {
    // Two bytes at 0.5: rounding decides which comes first, and so which one any draw finds.
    let mut logits = vec![-50.0; 256];
    (logits[7], logits[9]) = (1.0, 1.0 + 1e-6);
    for seed in 0..50 {
        let near = ReplaySampler::new(&sampling(1000, 1000, seed)).distance(&logits, 7);
        assert!(near < 1e-6, "{near}");
    }
    // The variant that takes the order as it is would call half of them far.
    let ranked = [(9, 0.5f32), (7, 0.4999)];
    assert!(distance_among(&ranked, 2, 0.01, 7) < 0.01);
    let strict = |draw: f32| f64::from((0.5 - draw).max(0.0));
    assert!(strict(0.01) > 0.4);
}

#[test]
fn a_byte_at_the_border_of_top_p_may_belong_to_it() {
    // 0.95 of the mass ends exactly with the second byte.
    let logits: Vec<f32> = (0..256u16)
        .map(|byte| match byte {
            0 => 0.60f32.ln(),
            1 => 0.35f32.ln(),
            2 => 0.05f32.ln(),
            _ => -60.0,
        })
        .collect();
    let distances: Vec<f64> =
        (0..400).map(|seed| ReplaySampler::new(&sampling(1000, 950, seed)).distance(&logits, 2)).collect();
    assert!(distances.iter().any(|distance| *distance == 0.0 || *distance < 1e-6), "it may be drawn");
    assert!(distances.iter().any(|distance| *distance > 0.1), "but not by any draw");
}

#[test]
fn a_byte_as_likely_as_the_last_one_of_top_p_may_stand_in_its_place() {
    // The mass passes 0.85 within two bytes of 0.1: rounding decides which of them belongs to it.
    let mut logits = vec![-60.0; 256];
    (logits[0], logits[1], logits[2]) = (0.8f32.ln(), 0.100_001f32.ln(), 0.1f32.ln());
    let least = (0..200)
        .map(|seed| ReplaySampler::new(&sampling(1000, 850, seed)).distance(&logits, 2))
        .fold(1.0, f64::min);
    assert!(least < 1e-6, "{least}");
}

#[test]
fn another_model_is_far_away() {
    let sampling = sampling(800, 950, 1);
    let (mut miner, mut auditor) = (Sampler::new(&sampling), ReplaySampler::new(&sampling));
    let far = (0..1_000).filter(|at| {
        let byte = miner.choose(&logits(at + 5_000));
        auditor.distance(&logits(*at), byte) > 0.01
    });
    assert!(far.count() > 900);
}

#[test]
fn without_temperature_the_distance_is_in_probability() {
    let mut logits = vec![0.0; 256];
    (logits[3], logits[4]) = (9.0, 8.999);
    let distance = |byte| ReplaySampler::new(&sampling(0, 950, 1)).distance(&logits, byte);
    assert_eq!(distance(3), 0.0);
    assert!(distance(4) > 0.0 && distance(4) < 1e-3);
    assert!(distance(5) > 0.4);
}

#[test]
fn the_draws_of_a_prefix_are_skipped() {
    let whole = sampling(800, 950, 5);
    let rest = Sampling { prefix: "ab".into(), ..whole.clone() };
    let (mut miner, mut auditor) = (Sampler::new(&whole), ReplaySampler::new(&rest));
    miner.choose(&logits(1));
    miner.choose(&logits(2));
    for at in 3..20 {
        let byte = miner.choose(&logits(at));
        assert_eq!(auditor.distance(&logits(at), byte), 0.0);
    }
}
