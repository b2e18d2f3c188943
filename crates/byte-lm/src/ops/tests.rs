//! Compares every gradient with finite differences, and every fast path with candle's own operations.

use candle_core::{DType, Device, Tensor, Var};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn random(shape: &[usize], seed: u64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(-2.0..2.0)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn assert_close(a: &Tensor, b: &Tensor, tolerance: f32) {
    assert_eq!(a.dims(), b.dims());
    for (a, b) in flat(a).iter().zip(flat(b)) {
        assert!((a - b).abs() <= tolerance, "{a} and {b} differ");
    }
}

/// Largest difference between the gradient of `sum(weights * f(x))` and its finite differences.
fn gradient_error(f: &dyn Fn(&Tensor) -> Result<Tensor>, shape: &[usize]) -> f32 {
    const STEP: f32 = 1e-2;
    let x = Var::from_tensor(&random(shape, 1)).unwrap();
    let weights = random(f(x.as_tensor()).unwrap().dims(), 2);
    let loss = |x: &Tensor| (f(x).unwrap() * &weights).unwrap().sum_all().unwrap();
    let grads = loss(x.as_tensor()).backward().unwrap();
    let exact = flat(grads.get(&x).unwrap());
    let values = flat(x.as_tensor());
    let at = |i: usize, shift: f32| {
        let mut moved = values.clone();
        moved[i] += shift;
        loss(&Tensor::from_vec(moved, shape, &Device::Cpu).unwrap()).to_scalar::<f32>().unwrap()
    };
    let differences = (0..values.len()).map(|i| (at(i, STEP) - at(i, -STEP)) / (2.0 * STEP));
    exact.iter().zip(differences).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn gradients_match_finite_differences() {
    let rotary = Rotary::new(6, 8);
    assert!(gradient_error(&rms_norm, &[3, 5]) < 1e-2);
    assert!(gradient_error(&silu, &[3, 5]) < 1e-2);
    let weights = random(&[5, 7], 9);
    assert!(gradient_error(&|x| product(x, &weights), &[3, 5]) < 1e-2);
    assert!(gradient_error(&|x| product(&weights.t()?.contiguous()?, x), &[5, 2]) < 1e-2);
    let keys = random(&[1, 2, 4, 5], 9);
    assert!(gradient_error(&|x| product(x, &keys.transpose(2, 3)?), &[1, 2, 3, 5]) < 1e-2);
    assert!(gradient_error(&|x| rotary.apply(x, 3), &[2, 2, 4, 6]) < 1e-2);
    assert!(gradient_error(&|x| causal_softmax(x, 0.7), &[2, 1, 4, 4]) < 1e-2);
    assert!(gradient_error(&|x| causal_softmax(x, 0.7), &[1, 2, 3, 7]) < 1e-2);
}

#[test]
fn the_comparison_detects_a_wrong_gradient() {
    let wrong = |x: &Tensor| rms_norm(x)? + x.detach();
    assert!(gradient_error(&wrong, &[3, 5]) > 0.1);
}

#[test]
fn rms_norm_equals_the_reference() {
    let x = random(&[4, 16], 3);
    let gain = Tensor::ones(16, DType::F32, &Device::Cpu).unwrap();
    let reference = candle_nn::ops::rms_norm(&x, &gain, 1e-5).unwrap();
    assert_close(&rms_norm(&x).unwrap(), &reference, 1e-5);
}

#[test]
fn causal_softmax_equals_softmax_over_the_visible_keys() {
    let scores = random(&[1, 1, 3, 5], 4);
    let weights = causal_softmax(&scores, 0.5).unwrap();
    for (query, row) in flat(&weights).chunks(5).enumerate() {
        let live = query + 3;
        assert!(row[live..].iter().all(|w| *w == 0.0));
        let seen = scores.narrow(2, query, 1).unwrap().narrow(3, 0, live).unwrap();
        let reference =
            candle_nn::ops::softmax_last_dim(&(seen.contiguous().unwrap() * 0.5).unwrap()).unwrap();
        for (a, b) in row.iter().zip(flat(&reference)) {
            assert!((a - b).abs() < 1e-5);
        }
    }
}

#[test]
fn silu_equals_the_reference() {
    let x = (random(&[4, 16], 3) * 6.0).unwrap();
    assert_close(&silu(&x).unwrap(), &x.silu().unwrap(), 1e-5);
}

#[test]
fn rotary_angles_are_those_of_the_formula() {
    let rotary = Rotary::new(32, 256);
    let unit =
        Tensor::from_vec([vec![1.0f32; 16], vec![0.0; 16]].concat(), (1, 1, 1, 32), &Device::Cpu).unwrap();
    for position in [0usize, 1, 7, 100, 255] {
        let turned = flat(&rotary.apply(&unit, position).unwrap());
        for i in 0..16 {
            let angle = position as f64 * 10_000f64.powf(-(i as f64) / 16.0);
            assert!((f64::from(turned[i]) - angle.cos()).abs() < 1e-6, "cosine {i} of {position}");
            assert!((f64::from(turned[16 + i]) - angle.sin()).abs() < 1e-6, "sine {i} of {position}");
        }
    }
}

#[test]
fn rotary_scores_depend_on_the_distance_only() {
    let rotary = Rotary::new(8, 64);
    let (q, k) = (random(&[1, 1, 1, 8], 5), random(&[1, 1, 1, 8], 6));
    let score = |at_q: usize, at_k: usize| {
        let product = (rotary.apply(&q, at_q).unwrap() * rotary.apply(&k, at_k).unwrap()).unwrap();
        product.sum_all().unwrap().to_scalar::<f32>().unwrap()
    };
    assert!((score(3, 1) - score(40, 38)).abs() < 1e-4);
    assert!((score(3, 1) - score(3, 2)).abs() > 1e-3);
    assert!(rotary.apply(&q, 64).is_err());
}

#[test]
fn the_product_of_one_row_equals_the_general_product() {
    let plain = (random(&[1, 24], 7), random(&[24, 10], 8));
    assert_close(&product(&plain.0, &plain.1).unwrap(), &plain.0.matmul(&plain.1).unwrap(), 1e-4);
    let tied = random(&[10, 24], 9).t().unwrap();
    assert_close(&product(&plain.0, &tied).unwrap(), &plain.0.matmul(&tied).unwrap(), 1e-4);
    // The layout of cached keys: a batch of transposed slices of longer matrices.
    let a = random(&[1, 3, 1, 12], 10);
    let keys = random(&[1, 3, 9, 12], 11).narrow(2, 2, 5).unwrap().transpose(2, 3).unwrap();
    let reference = a.matmul(&keys.contiguous().unwrap()).unwrap();
    assert_close(&product(&a, &keys).unwrap(), &reference, 1e-4);
    assert!(product(&plain.0, &random(&[25, 10], 12)).is_err());
}
