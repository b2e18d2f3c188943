//! Lets a small mesh live for two years of blocks and counts every base unit.
//!
//! ```text
//! cargo run --release -p nervure-ledger --example years
//! cargo run --release -p nervure-ledger --example years -- --days 30 --seed 7
//! ```
//!
//! The mesh has the parameters of a public one (a block every 12 s, a tempo of 360 blocks) with few slots,
//! so that newcomers push others out. It begins with 8.1 million tokens; the reward halves at 10.5 million, which two years
//! reach only if people burn little. Every kind of transaction is carried out but commits and their reveals, which move no
//! tokens: its subnets have plain weights.

#![allow(clippy::print_stdout, reason = "a report is what it is for")]
#![allow(clippy::unwrap_used, reason = "a simulation that fails stops")]

mod history;

use std::time::Instant;

use history::{BLOCKS_PER_DAY, History, Pace};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mut days, mut seed) = (730, 1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        match (name.as_str(), value) {
            ("--days", Some(value)) => days = value,
            ("--seed", Some(value)) => seed = value,
            _ => {
                println!("usage: years [--days N] [--seed N]");
                std::process::exit(2);
            }
        }
    }
    let begun = Instant::now();
    let mut history = History::new(Pace::Years, seed);
    for day in 1..=days {
        history.run(BLOCKS_PER_DAY);
        if day % 73 == 0 {
            println!("day {day:>4}: issuance {} tokens", history.state.issuance() / 1_000_000_000);
        }
    }
    println!("{}", history.report());
    let (checked, took) = (history.times("conservation checked"), begun.elapsed().as_secs_f64());
    println!("took {took:.1} s; every base unit was counted {checked} times");
}
