//! A subnet of thousands of miners lives for a thousand epochs: what its gate loses, and how soon it notices.
//!
//! ```text
//! cargo run --release -p nervure-subnet --example market -- --miners 4096 --validators 64 --epochs 1000
//! ```
//!
//! Also `--questions N` (in each epoch), `--seed N` and `--json`. Everything that decides is the crates' own: averages,
//! weights, live scores, Yuma consensus, the gate. Simulated are the miners, and a network that loses no message. A
//! subnet of the ledger has at most 256 neurons, and a message of live scores as many: here there are as many
//! pages of them as it takes, and the slots are numbered beyond 256.
//!
//! *Miners.* The quality of each moves by up to 0.02 in an epoch; one in ten is a liar that answers at once, for
//! nothing, and uselessly. One honest miner in a thousand breaks in an epoch and is as useless from then on, and as
//! many slots (by incentive, the least) go to newcomers, of which again one in ten is a liar.
//!
//! *Validators.* Each sets five tasks an epoch to 64 miners drawn by lot, and sees a result that is off by up to 0.1.
//! One in five lies for the liars, in its weights and in its scores.

#![allow(clippy::expect_used, reason = "a simulation may fail where it stands")]

#[path = "market/consensus.rs"]
mod consensus;
#[path = "market/miners.rs"]
mod miners;
#[path = "market/questions.rs"]
mod questions;
#[path = "market/simulation.rs"]
mod simulation;
#[path = "market/validators.rs"]
mod validators;

use std::process::ExitCode;

use simulation::{Plan, Simulation};

const USAGE: &str =
    "usage: market [--miners N] [--validators N] [--epochs N] [--questions N] [--seed N] [--json]";

#[allow(clippy::print_stdout, clippy::print_stderr)]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((plan, json)) = read(&args) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let mut simulation = Simulation::new(plan);
    for epoch in 0..plan.epochs {
        simulation.epoch();
        if (epoch + 1) % 100 == 0 {
            eprintln!("{} of {} epochs", epoch + 1, plan.epochs);
        }
    }
    let report = simulation.report();
    match json {
        true => println!("{}", serde_json::json!(report)),
        false => print!("{report}"),
    }
    ExitCode::SUCCESS
}

/// The plan, and whether to print JSON; `None` for invalid arguments.
fn read(args: &[String]) -> Option<(Plan, bool)> {
    let (mut plan, mut json) = (Plan::default(), false);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--json" {
            json = true;
            continue;
        }
        let number = args.next()?.parse::<u64>().ok()?;
        match arg.as_str() {
            "--miners" => plan.miners = usize::try_from(number).ok().filter(|n| (20..=60_000).contains(n))?,
            "--validators" => {
                plan.validators = usize::try_from(number).ok().filter(|n| (1..=64).contains(n))?
            }
            "--epochs" => plan.epochs = number,
            "--questions" => plan.questions = number,
            "--seed" => plan.seed = number,
            _ => return None,
        }
    }
    Some((plan, json))
}
