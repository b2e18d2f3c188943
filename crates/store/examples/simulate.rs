//! Plays seeded runs of the agreement simulation and says what went wrong in them.
//!
//! ```text
//! cargo run --release -p nervure-store --example simulate -- --seeds 10000
//! cargo run --release -p nervure-store --example simulate -- --seed 42
//! ```
//!
//! The first plays the seeds from 0 (or `--first N`) on all cores and prints how many it played,
//! the faults that took effect, and the longest times. The second replays one and prints its trace.
//! Blocks are those of the real ledger, on stores whose disks fail; with `--tally` they are those of
//! an application that only counts, which is several times faster. A violation is printed with its
//! seed, and the exit code is 1; an argument that is not understood gives 2.

use std::{
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};

use nervure_consensus::bft::simulation::{Faults, Outcome, Plan, run_tally};

#[path = "../tests/simulation/application.rs"]
mod application;
#[path = "../tests/simulation/crowd.rs"]
mod crowd;
#[path = "../tests/simulation/disk.rs"]
mod disk;

const USAGE: &str = "usage: simulate --seeds N [--first N] [--tally] | --seed S [--tally]";

/// What plays a plan.
type Play = fn(Plan) -> Outcome;

/// What was seen in many runs.
#[derive(Default)]
struct Summary {
    seeds: u64,
    events: u64,
    faults: Faults,
    finality: (u64, u64),
    recovery: (u64, u64),
    bad: Vec<Outcome>,
}

impl Summary {
    fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.events += outcome.events;
        self.faults.add(&outcome.faults);
        self.finality = self.finality.max((outcome.finality, outcome.seed));
        self.recovery = self.recovery.max((outcome.recovery, outcome.seed));
        if !outcome.violations.is_empty() {
            self.bad.push(outcome);
        }
    }

    fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.events += other.events;
        self.faults.add(&other.faults);
        self.finality = self.finality.max(other.finality);
        self.recovery = self.recovery.max(other.recovery);
        self.bad.extend(other.bad);
    }
}

#[allow(clippy::print_stdout)]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1)?.parse::<u64>().ok()
    };
    let run: Play = match args.iter().any(|arg| arg == "--tally") {
        true => |plan| run_tally(&plan),
        false => |plan| application::run_ledger(plan, true).0,
    };
    match (number("--seed"), number("--seeds")) {
        (Some(seed), None) => replay(seed, run),
        (None, Some(seeds)) => play(number("--first").unwrap_or(0), seeds, run),
        _ => {
            println!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

#[allow(clippy::print_stdout)]
fn replay(seed: u64, run: Play) -> ExitCode {
    let mut plan = Plan::draw(seed);
    plan.verbose = true;
    let outcome = run(plan.clone());
    outcome.lines.iter().for_each(|line| println!("{line}"));
    for (at, validator) in plan.validators.iter().enumerate() {
        println!(
            "validator {at}: power {}, {:?}, {}",
            validator.power,
            validator.behaviour,
            validator.key.node_id()
        );
    }
    println!("seed {seed}, trace {}, {} events", outcome.trace, outcome.events);
    print!("{}", outcome.faults);
    verdict(&[outcome])
}

#[allow(clippy::print_stdout)]
fn play(first: u64, seeds: u64, run: Play) -> ExitCode {
    let begun = Instant::now();
    let next = AtomicU64::new(first);
    let worker = || {
        let mut summary = Summary::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first.saturating_add(seeds) {
                return summary;
            }
            summary.add(run(Plan::draw(seed)));
        }
    };
    let mut summary = Summary::default();
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            if let Ok(part) = worker.join() {
                summary.merge(part);
            }
        }
    });
    let took = begun.elapsed();
    println!("{} seeds, {} events, {:.1} s", summary.seeds, summary.events, took.as_secs_f64());
    println!("faults that took effect:\n{}", summary.faults);
    let ms = |(micros, seed): (u64, u64)| format!("{:.1} ms (seed {seed})", micros as f64 / 1e3);
    println!("longest from first proposal to the last honest commit: {}", ms(summary.finality));
    println!("longest from the end of the faults to the target height: {}", ms(summary.recovery));
    if summary.seeds < seeds {
        println!("a worker panicked: {} seeds were not played", seeds - summary.seeds);
        return ExitCode::FAILURE;
    }
    verdict(&summary.bad)
}

#[allow(clippy::print_stdout)]
fn verdict(outcomes: &[Outcome]) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for outcome in outcomes {
        for violation in &outcome.violations {
            println!("VIOLATION in seed {}: {violation}", outcome.seed);
            code = ExitCode::FAILURE;
        }
    }
    code
}
