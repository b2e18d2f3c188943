//! Runs the `math` vectors on the functions that epochs are made of.
//!
//! Their numbers went through floating point upstream, so each has a tolerance. Vectors of functions
//! that an epoch does not have by themselves (masks) are covered by the epoch's own tests.

use std::fs;

use serde_json::Value;

use super::{
    LiquidAlpha, Params,
    bonds::{AlphaSigmoid, average},
    median,
    output::checked_sum,
    sparse::Matrix,
};
use crate::fixed::{I32F32, I64F64, max_upscale, max_upscale_u16, normalize, sigmoid};

fn number(value: &Value) -> I32F32 {
    match value.as_str() {
        Some("max") => I32F32::MAX,
        Some("min") => I32F32::MIN,
        _ => I32F32::from_bits((value.as_f64().unwrap() * 2f64.powi(32)).round() as i64),
    }
}

fn vector(value: &Value) -> Vec<I32F32> {
    value.as_array().unwrap().iter().map(number).collect()
}

/// The sparse form of a dense matrix: its non-zero cells.
fn matrix(value: &Value) -> Matrix {
    let rows = value.as_array().unwrap();
    let columns = rows.first().map_or(0, |row| row.as_array().unwrap().len());
    let mut matrix = Matrix::with_capacity(rows.len(), columns, 0);
    for row in rows {
        for (uid, value) in vector(row).into_iter().enumerate().filter(|(_, value)| *value != I32F32::ZERO) {
            matrix.push(uid as u16, value);
        }
        matrix.end_row();
    }
    matrix
}

fn dense(matrix: &Matrix) -> Vec<I32F32> {
    let cell = |(row, column)| matrix.get(row, column).unwrap_or_default();
    (0..matrix.rows())
        .flat_map(|row| (0..matrix.columns()).map(move |column| (row, column)))
        .map(cell)
        .collect()
}

fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(list) => list.iter().flat_map(flat).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

/// Runs `function` on every case of a vector and compares within its tolerance.
fn check_vector(name: &str, function: impl Fn(&Value) -> Vec<I32F32>) {
    let path = format!("{}/tests/vectors/yuma/math_{name}.json", env!("CARGO_MANIFEST_DIR"));
    let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    for (index, case) in cases.iter().enumerate() {
        let tolerance = &case["tolerance"];
        let tolerance =
            tolerance.as_f64().or(tolerance["abs"].as_f64()).or(file["tolerance"]["abs"].as_f64()).unwrap();
        // Never closer than 1e-7, says the schema; relative, since some numbers are large.
        let (got, want) = (function(&case["input"]), flat(&case["expected"]));
        assert_eq!(got.len(), want.len(), "{name} case {index}");
        for (got, want) in got.iter().zip(want) {
            let got = got.to_bits() as f64 / 2f64.powi(32);
            let bound = tolerance.max(1e-7) * want.abs().max(1.0);
            assert!((got - want).abs() <= bound, "{name} case {index}: {got} is not {want}");
        }
    }
}

fn whole(values: Vec<u16>) -> Vec<I32F32> {
    values.into_iter().map(|value| I32F32::from_int(value.into())).collect()
}

#[test]
fn vector_and_scalar_functions_match_the_vectors() {
    check_vector("normalize", |input| {
        let mut values = vector(&input["vector"]);
        normalize(&mut values);
        values
    });
    check_vector("inplace_normalize", |input| {
        let mut values = vector(&input["vector"]);
        normalize(&mut values);
        values
    });
    let pairs = |input: &Value, a: &str, b: &str, f: fn((I32F32, I32F32)) -> I32F32| -> Vec<I32F32> {
        vector(&input[a]).into_iter().zip(vector(&input[b])).map(f).collect()
    };
    check_vector("vec_mul", |input| pairs(input, "a", "b", |(a, b)| a * b));
    check_vector("vecdiv", |input| pairs(input, "x", "y", |(x, y)| x / y));
    check_vector("vec_max_upscale_to_u16", |input| whole(max_upscale(&vector(&input["vector"]))));
    check_vector("vec_u16_max_upscale_to_u16", |input| {
        let values: Vec<u16> = serde_json::from_value(input["vector"].clone()).unwrap();
        whole(max_upscale_u16(&values))
    });
    check_vector("sigmoid_safe", |input| {
        let (rho, kappa) = (number(&input["rho"]), number(&input["kappa"]));
        vector(&input["x"]).into_iter().map(|x| sigmoid(x, rho, kappa)).collect()
    });
    check_vector("bonds_alpha_from_moving_average", |input| {
        let ppm = input["bonds_moving_average_ppm"].as_u64().unwrap() as u32;
        vec![Params { bonds_moving_average: ppm, ..Params::default() }.bonds_alpha()]
    });
    check_vector("alpha_sigmoid_grid", |input| {
        let of = |name: &str| input[name].as_i64().unwrap();
        let sigmoid = AlphaSigmoid::new(LiquidAlpha {
            low: of("alpha_low_u16") as u16,
            high: of("alpha_high_u16") as u16,
            steepness: of("alpha_sigmoid_steepness") as i32,
        });
        vec![sigmoid.of(number(&input["consensus"]), number(&input["weight"]), number(&input["bond"]))]
    });
}

#[test]
fn matrix_functions_match_the_vectors() {
    check_vector("inplace_row_normalize", |input| {
        let mut matrix = matrix(&input["matrix"]);
        matrix.normalize_rows();
        dense(&matrix)
    });
    check_vector("inplace_col_max_upscale", |input| {
        let mut matrix = matrix(&input["matrix"]);
        matrix.upscale_columns();
        dense(&matrix)
    });
    check_vector("row_hadamard", |input| {
        let mut matrix = matrix(&input["matrix"]);
        matrix.scale_rows(&vector(&input["vector"]));
        dense(&matrix)
    });
    check_vector("col_clip", |input| dense(&matrix(&input["matrix"]).clipped(&vector(&input["threshold"]))));
    check_vector("row_sum", |input| matrix(&input["matrix"]).row_sums());
    check_vector("matmul_transpose", |input| {
        matrix(&input["matrix"]).weighted_row_sums(&vector(&input["vector"]))
    });
}

#[test]
fn two_matrix_functions_and_the_median_match_the_vectors() {
    check_vector("interpolate", |input| {
        dense(&Matrix::interpolated(matrix(&input["a"]), matrix(&input["b"]), number(&input["ratio"])))
    });
    for name in ["mat_ema_alpha_dense", "mat_ema_alpha_sparse"] {
        check_vector(name, |input| {
            let rows = |name: &str| -> Vec<Vec<I32F32>> {
                input[name].as_array().unwrap().iter().map(vector).collect()
            };
            let (new, old, alpha) = (rows("new"), rows("old"), rows("alpha"));
            let cell =
                |row: usize, column: usize| average(new[row][column], old[row][column], alpha[row][column]);
            (0..new.len())
                .flat_map(|row| (0..new[row].len()).map(move |c| (row, c)))
                .map(|(r, c)| cell(r, c))
                .collect()
        });
    }
    check_vector("weighted_median_col", |input| {
        let weights = matrix(&input["score"]);
        median::consensus(&vector(&input["stake"]), &weights, number(&input["majority"]))
    });
}

#[test]
fn integer_functions_match_the_vectors() {
    let read = |name: &str| -> Value {
        let path = format!("{}/tests/vectors/yuma/math_{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    for case in read("checked_sum_u64")["cases"].as_array().unwrap() {
        let values: Vec<u64> = serde_json::from_value(case["input"]["vector"].clone()).unwrap();
        assert_eq!(checked_sum(&values), case["expected"].as_u64());
    }
    for case in read("fixed_point_u64_normalization")["cases"].as_array().unwrap() {
        let of = |name: &str| I64F64::from_int(case["input"][name].as_u64().unwrap());
        let share = of("num") / of("den");
        let real = share.to_bits() as f64 / 2f64.powi(64);
        let want = &case["expected"];
        let decimal: f64 = want["i64f64_decimal"].as_str().unwrap().parse().unwrap();
        assert!((real - decimal).abs() <= 2f64.powi(-64), "{real} {decimal}");
        let narrow = share.to_i32f32().to_bits() as f64 / 2f64.powi(32);
        let decimal = want["i32f32_decimal"]
            .as_str()
            .map_or(want["i32f32"].as_f64(), |text| text.parse().ok())
            .unwrap();
        assert!((narrow - decimal).abs() <= 2f64.powi(-32), "{narrow} {decimal}");
    }
}
