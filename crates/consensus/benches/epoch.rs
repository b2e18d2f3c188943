//! Times one epoch: 64 validators over 256 and 4,096 uids, dense and with a tenth of the weights.
//!
//! `cargo bench -p nervure-consensus` prints the median and the fastest of 101 runs each, of an epoch
//! that starts from the bonds of the one before it. The matrices are the same in every run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::{hint::black_box, time::Instant};

use nervure_consensus::yuma::{BondsRule, Cell, EpochInput, LiquidAlpha, Neuron, Params, run_epoch};
use nervure_primitives::Uid;

const VALIDATORS: u16 = 64;
const RUNS: usize = 101;

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

/// Weights of every validator for every other uid, of which `percent` are there.
fn weights(uids: u16, percent: u64) -> Vec<Vec<Cell>> {
    let mut sequence = Sequence(0x9e37_79b9_7f4a_7c15);
    let quality: Vec<u64> = (0..uids).map(|_| 1 + sequence.next() % 40_000).collect();
    let mut row = |validator: u16| {
        let others = (0..uids).filter(|uid| *uid != validator);
        let mut row = Vec::new();
        for uid in others {
            // Validators agree up to a third.
            let noise = sequence.next() % (quality[usize::from(uid)] / 3 + 1);
            if sequence.next() % 100 < percent {
                row.push((Uid(uid), (quality[usize::from(uid)] + noise) as u16));
            }
        }
        row
    };
    (0..VALIDATORS).map(&mut row).collect()
}

/// The neurons of a subnet whose first uids validate.
fn neurons<'a>(uids: u16, weights: &'a [Vec<Cell>], bonds: &'a [Vec<Cell>]) -> Vec<Neuron<'a>> {
    let neuron = |uid: u16| {
        let row = |rows: &'a [Vec<Cell>]| rows.get(usize::from(uid)).map_or(&[][..], Vec::as_slice);
        let stake = if uid < VALIDATORS { 1_000_000_000_000 + u64::from(uid) * 7_919_000_000 } else { 0 };
        Neuron {
            stake,
            last_update: 1_000,
            permit: uid < VALIDATORS,
            weights: row(weights),
            bonds: row(bonds),
            ..Neuron::default()
        }
    };
    (0..uids).map(neuron).collect()
}

/// Median and fastest time of an epoch, in microseconds.
fn time(uids: u16, percent: u64, bonds_rule: BondsRule) -> (u128, u128) {
    let params = Params { bonds: bonds_rule, ..Params::default() };
    let weights = weights(uids, percent);
    let epoch = |bonds: &[Vec<Cell>]| {
        let neurons = neurons(uids, &weights, bonds);
        let input = EpochInput { params: &params, block: 1_001, emission: 1_000_000_000, neurons: &neurons };
        let start = Instant::now();
        let output = run_epoch(black_box(&input)).expect("the input is well formed");
        let elapsed = start.elapsed();
        (black_box(output).bonds, elapsed.as_nanos() / 1_000)
    };
    let (bonds, _) = epoch(&[]);
    let mut times: Vec<u128> = (0..RUNS).map(|_| epoch(&bonds).1).collect();
    times.sort_unstable();
    (times[RUNS / 2], times[0])
}

fn main() {
    let liquid = BondsRule::Yuma3Liquid(LiquidAlpha::default());
    println!("{:<14} {:>6} {:>6} {:>11} {:>12}", "bonds", "uids", "cells", "median us", "fastest us");
    for (name, rule) in
        [("yuma 2", BondsRule::Yuma2), ("yuma 3", BondsRule::Yuma3), ("yuma 3 liquid", liquid)]
    {
        for uids in [256, 4_096] {
            for percent in [100, 10] {
                let (median, fastest) = time(uids, percent, rule);
                println!("{name:<14} {uids:>6} {percent:>5}% {median:>11} {fastest:>12}");
            }
        }
    }
}
