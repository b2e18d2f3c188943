//! How the validators of a mesh recover from faults while their set changes: the seeds of `tests/agreement.rs`, as a table.
//!
//! ```text
//! cargo run --release -p nervure-ledger --example liveness
//! cargo run --release -p nervure-ledger --example liveness -- --first 2000 --seeds 10000
//! cargo run --release -p nervure-ledger --example liveness -- --seed 42
//! ```
//!
//! The first plays the 2,000 seeds of the tests, on all cores; a row has those in which one validator misbehaves in a way.
//! Times are simulated, from the end of the faults until every honest node has 12 blocks more than any had before; a block is
//! due every 60 ms, so that 720 ms is the least that many of them need. The third replays a seed and prints its trace. The
//! exit code is 1 when an invariant was violated.

#![allow(clippy::print_stdout, reason = "a report is what it is for")]
#![allow(clippy::unwrap_used, reason = "a simulation that fails stops")]
#![allow(dead_code, reason = "the tests weaken scenarios, and a table does not")]

#[path = "../tests/agreement/application.rs"]
mod application;
#[path = "../tests/agreement/owners.rs"]
mod owners;
#[path = "../tests/agreement/scenario.rs"]
mod scenario;
#[path = "../tests/agreement/watch.rs"]
mod watch;

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};

use application::play;
use nervure_consensus::bft::simulation::{Incident, Micros, Violation};
use scenario::Scenario;

const USAGE: &str = "usage: liveness [--first N] [--seeds N] | --seed S";

/// Seeds of the tests.
const SEEDS: u64 = 2_000;

/// What a run of a seed came to.
struct Run {
    /// The rows of the table that it belongs to.
    rows: Vec<String>,
    recovery: Micros,
    finality: Micros,
    /// Rounds beyond the first of a height, after the faults.
    rounds: u64,
    disagreed: bool,
    stuck: bool,
    /// Whatever else must not be.
    violations: u64,
    assumption_lost: bool,
}

impl Run {
    fn of(seed: u64) -> Self {
        let scenario = Scenario::draw(seed);
        let rows = rows_of(&scenario);
        let (outcome, seen) = play(scenario);
        // What happens after jailings gave the Byzantine a third is promised by no one.
        let is_promised = !seen.assumption_lost;
        let found = |is_it: fn(&Violation) -> bool| is_promised && outcome.violations.iter().any(is_it);
        if is_promised {
            outcome.violations.iter().for_each(|violation| println!("VIOLATION in seed {seed}: {violation}"));
            seen.findings.iter().for_each(|finding| println!("VIOLATION in seed {seed}: {finding:?}"));
        }
        let all = outcome.violations.len() + seen.findings.len();
        Self {
            rows,
            recovery: outcome.recovery,
            finality: outcome.finality,
            rounds: seen.counts.get("rounds lost after the faults").copied().unwrap_or(0),
            disagreed: found(|violation| matches!(violation, Violation::Disagreement { .. })),
            stuck: found(|violation| matches!(violation, Violation::Stuck { .. })),
            violations: if is_promised { all as u64 } else { 0 },
            assumption_lost: seen.assumption_lost,
        }
    }
}

/// The rows of a scenario: all, how a validator misbehaves, and whether the network parts.
fn rows_of(scenario: &Scenario) -> Vec<String> {
    let bad = scenario.members.iter().find(|member| !member.behaviour.is_honest());
    let behaviour = bad.map_or("none".into(), |member| words(&format!("{:?}", member.behaviour)));
    let parts = |(_, incident): &(Micros, Incident)| matches!(incident, Incident::Partition(_));
    let parts = if scenario.plan.incidents.iter().any(parts) { "with a partition" } else { "without one" };
    vec!["every seed".into(), format!("one: {behaviour}"), parts.into()]
}

/// The words of a name: `WrongClock` is a wrong clock.
fn words(name: &str) -> String {
    let spaced =
        |one: char| if one.is_uppercase() { format!(" {}", one.to_lowercase()) } else { one.to_string() };
    name.chars().map(spaced).collect::<String>().trim().to_owned()
}

/// The runs of seeds, on all cores.
fn play_seeds(first: u64, seeds: u64) -> Vec<Run> {
    let next = AtomicU64::new(first);
    let worker = || {
        let mut runs = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first.saturating_add(seeds) {
                return runs;
            }
            runs.push(Run::of(seed));
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

/// A row of the table.
fn row(name: &str, runs: &[&Run]) -> String {
    let judged: Vec<&&Run> = runs.iter().filter(|run| !run.assumption_lost).collect();
    let mut recoveries: Vec<Micros> = judged.iter().map(|run| run.recovery).collect();
    recoveries.sort_unstable();
    let part = |permille: usize| recoveries.get(recoveries.len() * permille / 1_000).copied().unwrap_or(0);
    let milliseconds = |time: Micros| time / 1_000;
    let count = |is_it: fn(&Run) -> bool| judged.iter().filter(|run| is_it(run)).count();
    format!(
        "| {name} | {} | {} | {} | {}, {}, {}, {} | {} | {:.2} | {} |",
        runs.len(),
        count(|run| run.disagreed),
        count(|run| run.stuck),
        milliseconds(part(500)),
        milliseconds(part(950)),
        milliseconds(part(990)),
        milliseconds(recoveries.last().copied().unwrap_or(0)),
        milliseconds(judged.iter().map(|run| run.finality).max().unwrap_or(0)),
        judged.iter().map(|run| run.rounds).sum::<u64>() as f64 / judged.len().max(1) as f64,
        runs.len() - judged.len(),
    )
}

/// The processor time of this process, in seconds; none where the system does not say it.
fn processor_time() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    // User and system time, of which Linux counts a hundred a second.
    Some((ticks(11)? + ticks(12)?) as f64 / 100.0)
}

fn table(first: u64, seeds: u64) -> ExitCode {
    let begun = Instant::now();
    let runs = play_seeds(first, seeds);
    let mut rows: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
    for run in &runs {
        run.rows.iter().for_each(|row| rows.entry(row).or_default().push(run));
    }
    println!(
        "| | seeds | disagreed | stuck | ms to recover: p50, p95, p99, worst | ms to the last commit of a height, worst | \
         rounds lost after the faults, mean | not judged |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    rows.iter().for_each(|(name, runs)| println!("{}", row(name, runs)));
    let processor =
        processor_time().map_or_else(String::new, |time| format!(", {time:.1} s of processor time"));
    println!(
        "\n{} seeds from {first} on, took {:.1} s{processor}",
        runs.len(),
        begun.elapsed().as_secs_f64()
    );
    match runs.iter().all(|run| run.violations == 0) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn replay(seed: u64) -> ExitCode {
    let mut scenario = Scenario::draw(seed);
    scenario.plan.verbose = true;
    for member in &scenario.members {
        println!("{}: power {}, {:?}", member.keys[0].node_id(), member.power, member.behaviour);
    }
    let (outcome, seen) = play(scenario);
    outcome.lines.iter().for_each(|line| println!("{line}"));
    println!("seed {seed}, trace {}, {} events, {:#?}", outcome.trace, outcome.events, seen);
    outcome.violations.iter().for_each(|violation| println!("VIOLATION: {violation}"));
    match seen.assumption_lost || (outcome.violations.is_empty() && seen.findings.is_empty()) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (mut first, mut seeds, mut one) = (0, SEEDS, None);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        match (name.as_str(), value) {
            ("--first", Some(value)) => first = value,
            ("--seeds", Some(value)) => seeds = value,
            ("--seed", Some(value)) => one = Some(value),
            _ => {
                println!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    match one {
        Some(seed) => replay(seed),
        None => table(first, seeds),
    }
}
