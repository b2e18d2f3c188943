//! Properties of sampling.

use proptest::prelude::*;

use super::*;

fn logits() -> impl Strategy<Value = Vec<f32>> {
    proptest::collection::vec(-20.0f32..20.0, 256)
}

fn sampling(temperature_milli: u32, top_p_milli: u32, seed: u64) -> Sampling {
    Sampling { temperature_milli, top_p_milli, seed: Some(seed), ..Sampling::default() }
}

proptest! {
    #[test]
    fn temperature_zero_takes_the_likeliest(logits in logits(), seed: u64) {
        let byte = Sampler::new(&sampling(0, 500, seed)).choose(&logits);
        let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        prop_assert_eq!(logits[usize::from(byte)], best);
    }

    #[test]
    fn the_nucleus_is_the_smallest_set_with_the_mass(logits in logits(), top_p_milli in 1u32..=1000) {
        let top_p = top_p_milli as f32 / 1000.0;
        let probabilities = softmax(&logits, 1.0);
        let kept = nucleus(&probabilities, top_p);
        let mass: f32 = kept.iter().map(|(_, p)| p).sum();
        prop_assert!(mass >= top_p - 1e-4);
        let without_last: f32 = kept[..kept.len() - 1].iter().map(|(_, p)| p).sum();
        prop_assert!(without_last < top_p);
        let least = kept.last().unwrap().1;
        let dropped = (0..=u8::MAX).filter(|b| kept.iter().all(|(k, _)| k != b));
        for byte in dropped {
            prop_assert!(probabilities[usize::from(byte)] <= least);
        }
    }

    #[test]
    fn draws_from_the_nucleus_only(logits in logits(), seed: u64, temperature in 1u32..=5000) {
        let byte = Sampler::new(&sampling(temperature, 300, seed)).choose(&logits);
        let kept = nucleus(&softmax(&logits, temperature as f32 / 1000.0), 0.3);
        prop_assert!(kept.iter().any(|(k, _)| *k == byte));
    }

    #[test]
    fn the_same_seed_draws_the_same_bytes(logits in logits(), seed: u64) {
        let draw = || {
            let mut sampler = Sampler::new(&sampling(1500, 1000, seed));
            (0..16).map(|_| sampler.choose(&logits)).collect::<Vec<_>>()
        };
        prop_assert_eq!(draw(), draw());
    }
}

#[test]
fn draws_follow_the_probabilities() {
    let mut logits = vec![-100.0; 256];
    (logits[65], logits[66]) = (3f32.ln(), 0.0);
    let mut sampler = Sampler::new(&sampling(1000, 1000, 7));
    let drawn = (0..4000).filter(|_| sampler.choose(&logits) == 65).count();
    assert!((2850..3150).contains(&drawn), "{drawn} of 4000 where 3000 are expected");
}

#[test]
fn accepts_logits_that_are_not_finite() {
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        Sampler::new(&sampling(1000, 900, 1)).choose(&[wrong; 256]);
        Sampler::new(&sampling(0, 900, 1)).choose(&[wrong; 256]);
    }
}
