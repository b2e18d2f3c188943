//! The same bits with all vector units, and for one row as for many.

use candle_core::Device;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn random(shape: &[usize], seed: u64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(-2.0..2.0)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

/// The vector units of this machine, from none to all.
fn units() -> Vec<Arch> {
    let mut units = vec![Arch::Scalar, Arch::new()];
    #[cfg(target_arch = "x86_64")]
    {
        units.extend(pulp::x86::V4::try_new().map(Arch::V4));
    }
    units
}

/// Right sides of every layout that the model has, with their left sides.
fn sides() -> Vec<(Tensor, Tensor)> {
    let keys = random(&[1, 3, 40, 32], 5).narrow(2, 1, 37).unwrap();
    vec![
        (random(&[11, 128], 1), random(&[128, 256], 2)),
        (random(&[11, 192], 1), random(&[192, 37], 2)),
        (random(&[9, 128], 3), random(&[256, 128], 4).t().unwrap()),
        (random(&[1, 3, 6, 32], 6), keys.transpose(2, 3).unwrap()),
        (random(&[1, 3, 6, 37], 7), keys),
    ]
}

#[test]
fn all_vector_units_give_the_same_bits() {
    for (a, b) in sides() {
        let scalar = bits(&a.apply_op2_no_bwd(&b, &Product(Arch::Scalar)).unwrap());
        for unit in units() {
            assert_eq!(bits(&a.apply_op2_no_bwd(&b, &Product(unit)).unwrap()), scalar);
        }
        // What the products of candle do not promise.
        let reference = a.matmul(&b.contiguous().unwrap()).unwrap();
        assert_eq!(reference.dims(), product(&a, &b).unwrap().dims());
    }
}

#[test]
fn each_row_has_the_bits_that_it_has_alone() {
    for (a, b) in sides() {
        let axis = a.rank() - 2;
        let together = product(&a, &b).unwrap();
        for row in 0..a.dim(axis).unwrap() {
            let alone = product(&a.narrow(axis, row, 1).unwrap().contiguous().unwrap(), &b).unwrap();
            assert_eq!(bits(&together.narrow(axis, row, 1).unwrap()), bits(&alone), "row {row}");
        }
    }
}

#[test]
fn terms_that_are_zero_change_no_bit() {
    // A position of a whole text has weight 0 for those after it; alone, it has no weight for them at all.
    let (weights, values) = (random(&[1, 1, 1, 20], 1), random(&[1, 1, 32, 32], 2));
    let seen = product(&weights, &values.narrow(2, 0, 20).unwrap()).unwrap();
    let padding = Tensor::zeros((1, 1, 1, 12), candle_core::DType::F32, &Device::Cpu).unwrap();
    let padded = Tensor::cat(&[&weights, &padding], 3).unwrap();
    assert_eq!(bits(&product(&padded, &values).unwrap()), bits(&seen));
}
