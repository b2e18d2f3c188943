//! An attacker with 1 % and with 20 % of the supply besieges a mesh, in thousands of seeds; the table says what each attack
//! costs it, and what an honest user notices.
//!
//! ```text
//! cargo run --release -p nervure-ledger --example siege
//! cargo run --release -p nervure-ledger --example siege -- --seeds 20
//! ```
//!
//! Blocks have room for 37 transfers instead of the 6,000 of a public mesh. Where an attack fills blocks, the attacker has
//! a part of the supply that is as much smaller, and what it paid is shown as it would be there. Times are short: an election
//! every ten blocks. Nothing else differs from a public mesh.
//!
//! The honest user pays again and again, with the going fee, and raises a bid that is not in the next block. The place
//! "outbids each bid" is of an attacker that sees each of these bids and is always the last to bid: it buys whole blocks, and
//! the part of them that goes by age is not for sale to one account.

#![allow(clippy::print_stdout, reason = "a report is what it is for")]
#![allow(clippy::unwrap_used, reason = "a simulation that fails stops")]
#![allow(dead_code, reason = "the attacks' own tests use the rest of what is shared")]

mod attacks;
mod field;
#[path = "../../tests/attacks/mesh.rs"]
mod mesh;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};

use attacks::{ATTACKS, Attack};
use field::{Report, Start};
use mesh::TOKEN;

/// The parts of the supply, in percent.
const PERCENTS: [u64; 2] = [1, 20];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut seeds = 150;
    while let Some(name) = arguments.next() {
        match (name.as_str(), arguments.next().and_then(|value| value.parse().ok())) {
            ("--seeds", Some(value)) => seeds = value,
            _ => {
                println!("usage: siege [--seeds N]");
                std::process::exit(2);
            }
        }
    }
    let begun = Instant::now();
    println!(
        "| attack | supply | paid: median, most | locked | reached: median, most | final within 1, 2, 3 blocks | dearest transfer |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for attack in &ATTACKS {
        for percent in PERCENTS {
            let reports = play(attack, percent, seeds);
            println!("{}", row(attack, percent, &reports));
        }
    }
    let all = seeds * ATTACKS.len() as u64 * PERCENTS.len() as u64;
    println!("\n{all} seeds, {seeds} in each row, in tokens; took {:.0} s", begun.elapsed().as_secs_f64());
}

/// The reports of all seeds, on all cores.
fn play(attack: &Attack, percent: u64, seeds: u64) -> Vec<Report> {
    let next = AtomicU64::new(0);
    let worker = || {
        let mut reports = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return reports;
            }
            reports.push((attack.run)(Start { seed, percent }));
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

fn row(attack: &Attack, percent: u64, reports: &[Report]) -> String {
    let spread = |of: fn(&Report) -> u64| {
        let mut all: Vec<u64> = reports.iter().map(of).collect();
        all.sort_unstable();
        (all.get(all.len() / 2).copied().unwrap_or(0), all.last().copied().unwrap_or(0))
    };
    let ((paid, most_paid), (_, locked)) = (spread(|report| report.paid), spread(|report| report.locked));
    let (reached, most_reached) = spread(|report| report.gain);
    let mut waits: BTreeMap<u64, u64> = BTreeMap::new();
    for (waited, times) in reports.iter().flat_map(|report| &report.waits) {
        *waits.entry(*waited).or_default() += times;
    }
    let all: u64 = waits.values().sum();
    let within = |blocks| {
        let times: u64 = waits.range(..=blocks).map(|(_, times)| times).sum();
        format!("{:.2} %", times as f64 * 100.0 / all.max(1) as f64)
    };
    let (one, two, three) = (within(1), within(2), within(3));
    let dearest = reports.iter().map(|report| report.dearest).max().unwrap_or(0);
    format!(
        "| {} | {percent} % | {}, {} | {} | {reached}, {most_reached} {} | {one}, {two}, {three} | {} |",
        attack.name,
        tokens(paid),
        tokens(most_paid),
        tokens(locked),
        attack.gain,
        tokens(dearest),
    )
}

/// An amount in tokens with three significant digits.
fn tokens(units: u64) -> String {
    let amount = units as f64 / TOKEN as f64;
    match amount {
        _ if units == 0 => "0".into(),
        amount if amount >= 100.0 => format!("{amount:.0}"),
        amount if amount >= 0.01 => format!("{amount:.3}"),
        amount => format!("{amount:.7}"),
    }
}
