//! Times one epoch: 64 validators over 256 and 4,096 uids, dense and with a tenth of the weights, without and with peer
//! prediction.
//!
//! `cargo bench -p nervure-consensus --bench epoch` prints medians of 101 runs, of an epoch that starts from the bonds of the
//! one before it. The two ways alternate. The unit is one strict ed25519 check of the same run, so that machines can be
//! compared. The matrices are the same in every run; validators measure again for each epoch, so that peer prediction has
//! something to compare: where nothing moves it is cheaper.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::{hint::black_box, time::Instant};

use nervure_consensus::yuma::{
    BondsRule, Cell, EpochInput, EpochOutput, LiquidAlpha, Neuron, Params, Prior, run_epoch,
};
use nervure_primitives::{NodeKey, Uid};

const VALIDATORS: u16 = 64;
const RUNS: usize = 101;

/// The part of the dividends that peer prediction splits in a public mesh, of 65,535.
const PEER_PREDICTION: u16 = 16_384;

/// A fixed sequence of pseudo-random numbers (xorshift64).
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }
}

/// What is measured: how many uids, how many of the weights are there, and the bonds rule.
#[derive(Clone, Copy)]
struct Case {
    uids: u16,
    percent: u64,
    bonds: BondsRule,
}

impl Case {
    /// Weights of every validator for every other uid in an epoch. Quality moves by up to a tenth from epoch to epoch.
    fn weights(self, epoch: u64) -> Vec<Vec<Cell>> {
        let mut sequence = Sequence(0x9e37_79b9_7f4a_7c15);
        let quality: Vec<u64> = (0..self.uids).map(|_| 1 + sequence.next() % 40_000).collect();
        let mut moved = Sequence(0x2545_f491_4f6c_dd1d + epoch);
        let quality: Vec<u64> =
            quality.into_iter().map(|value| value + moved.next() % (value / 10 + 1)).collect();
        let mut row = |validator: u16| {
            let mut row = Vec::new();
            for uid in (0..self.uids).filter(|uid| *uid != validator) {
                // Validators agree up to a third.
                let quality = quality[usize::from(uid)];
                let noise = sequence.next() % (quality / 3 + 1);
                if sequence.next() % 100 < self.percent {
                    row.push((Uid(uid), (quality + noise) as u16));
                }
            }
            row
        };
        (0..VALIDATORS).map(&mut row).collect()
    }

    /// One epoch of a subnet whose first uids validate, and how long it took, in nanoseconds.
    fn epoch(self, number: u64, left: &Left, peer_prediction: u16) -> (EpochOutput, u128) {
        let params = Params { bonds: self.bonds, peer_prediction, ..Params::default() };
        let weights = self.weights(number);
        let neuron = |uid: u16| {
            let at = usize::from(uid);
            let stake = if uid < VALIDATORS { 1_000_000_000_000 + u64::from(uid) * 7_919_000_000 } else { 0 };
            Neuron {
                stake,
                last_update: 1_000,
                permit: uid < VALIDATORS,
                weights: weights.get(at).map_or(&[], Vec::as_slice),
                bonds: left.bonds.get(at).map_or(&[], Vec::as_slice),
                priors: left.priors.get(at).copied().unwrap_or_default(),
                ..Neuron::default()
            }
        };
        let neurons: Vec<Neuron<'_>> = (0..self.uids).map(neuron).collect();
        let input = EpochInput { params: &params, block: 1_001, emission: 1_000_000_000, neurons: &neurons };
        let begun = Instant::now();
        let output = run_epoch(black_box(&input)).expect("the input is well formed");
        let took = begun.elapsed().as_nanos();
        (black_box(output), took)
    }

    /// What two epochs leave for the third.
    fn left(self) -> Left {
        let mut left = Left::default();
        for number in 0..2 {
            let (output, _) = self.epoch(number, &left, PEER_PREDICTION);
            let before = |at: usize| left.priors.get(at).map_or(Prior::default(), |[last, _]| *last);
            let priors = output.priors.iter().enumerate().map(|(at, prior)| [*prior, before(at)]).collect();
            left = Left { bonds: output.bonds, priors };
        }
        left
    }

    /// Median times of an epoch without and with peer prediction, in nanoseconds.
    fn time(self) -> [u128; 2] {
        let left = self.left();
        let parts = [0, PEER_PREDICTION];
        let mut times = parts.map(|_| Vec::with_capacity(RUNS));
        for _ in 0..RUNS {
            for (times, part) in times.iter_mut().zip(parts) {
                times.push(self.epoch(2, &left, part).1);
            }
        }
        times.map(median)
    }
}

/// What epochs leave for the next one.
#[derive(Default)]
struct Left {
    bonds: Vec<Vec<Cell>>,
    priors: Vec<[Prior; 2]>,
}

fn median(mut times: Vec<u128>) -> u128 {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Median time of one strict signature check of a message of 100 bytes, in nanoseconds.
fn signature_check() -> u128 {
    let (key, message) = (NodeKey::from_seed(&[1; 32]), [7; 100]);
    let signature = key.sign(&message);
    let check = || {
        let begun = Instant::now();
        black_box(&signature).verify(&key.node_id(), black_box(&message)).expect("its own signature");
        begun.elapsed().as_nanos()
    };
    median((0..RUNS * 10).map(|_| check()).collect())
}

fn main() {
    let check = signature_check();
    println!("one signature check: {:.1} us", check as f64 / 1e3);
    println!(
        "{:<14} {:>6} {:>6} {:>11} {:>7} {:>17} {:>7} {:>6}",
        "bonds", "uids", "cells", "median us", "checks", "peer prediction", "checks", "ratio"
    );
    let liquid = BondsRule::Yuma3Liquid(LiquidAlpha::default());
    for (name, bonds) in
        [("yuma 2", BondsRule::Yuma2), ("yuma 3", BondsRule::Yuma3), ("yuma 3 liquid", liquid)]
    {
        for uids in [256, 4_096] {
            for percent in [100, 10] {
                let [without, with] = Case { uids, percent, bonds }.time().map(|time| time as f64);
                let checks = |time: f64| time / check as f64;
                println!(
                    "{name:<14} {uids:>6} {percent:>5}% {:>11.1} {:>7.1} {:>17.1} {:>7.1} {:>6.2}",
                    without / 1e3,
                    checks(without),
                    with / 1e3,
                    checks(with),
                    with / without
                );
            }
        }
    }
}
