//! A subnet of miners, validators, users and attackers: what its gate loses, who is paid, and how soon it notices.
//!
//! ```text
//! cargo run --release -p nervure-subnet --example market
//! cargo run --release -p nervure-subnet --example market -- --calm --miners 4096 --epochs 300
//! ```
//!
//! The first command runs a full subnet of the ledger with all attackers at once, and then again with each of the
//! defences left out, which makes a table. The second one runs a market without attackers but liars, of thousands of miners.
//! Also `--validators N`, `--questions N` (in each epoch), `--seed N`, `--drift N` (thousandths that a miner's quality moves
//! in an epoch at most), `--sybils N` (useless keys that register in each epoch), `--without NAME` (a defence left out),
//! `--one` (no table) and `--json`.
//!
//! Everything that decides is the crates' own: averages, copies, weights, live scores, Yuma consensus, the gate.
//! Simulated are the miners, and a network that loses no message. A subnet of the ledger has at most 256 neurons, and a
//! message of live scores as many: here there are as many pages of them as it takes, and the slots are numbered beyond
//! 256. Some defences are of other crates, and the simulation has their effect as a number (`market/answers.rs`).
//!
//! *Miners.* One newcomer in ten is hostile: a liar, a miner with a second, useless expert, one that tells tasks from
//! questions, a copier, a relayer, or one that learns answers from published scores (`market/miners.rs`). One honest miner
//! in a thousand breaks in an epoch and is useless from then on, and as many slots (by incentive, the least) go to
//! newcomers. Three more slots an epoch go to sybils: keys that are registered again and again. Strangers lock the query plane of the 5 % that earn most, and
//! another subnet, of which no other validator is part, has three experts of its own.
//!
//! *Validators.* Each sets five tasks an epoch to 64 miners, and sees a result that is off by up to 0.1. One in five
//! praises hostile miners, in its weights and in its scores; one tests no miner and copies weights, and one corrects such
//! copies by the live scores that the others publish.

#![allow(clippy::expect_used, reason = "a simulation may fail where it stands")]

#[path = "market/agreement.rs"]
mod agreement;
#[path = "market/answers.rs"]
mod answers;
#[path = "market/consensus.rs"]
mod consensus;
#[path = "market/defences.rs"]
mod defences;
#[path = "market/detection.rs"]
mod detection;
#[path = "market/miners.rs"]
mod miners;
#[path = "market/pay.rs"]
mod pay;
#[path = "market/questions.rs"]
mod questions;
#[path = "market/report.rs"]
mod report;
#[path = "market/simulation.rs"]
mod simulation;
#[path = "market/validators.rs"]
mod validators;

use std::process::ExitCode;

use defences::{Defence, Defences};
use report::Report;
use simulation::{Plan, Simulation};

const USAGE: &str = "usage: market [--miners N] [--validators N] [--epochs N] [--questions N] [--seed N] [--drift N] \
                     [--sybils N] [--without NAME] [--calm] [--one] [--json]";

/// What to run and print.
struct Arguments {
    plan: Plan,
    one: bool,
    json: bool,
}

#[allow(clippy::print_stdout, clippy::print_stderr)]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some(Arguments { plan, one, json }) = read(&args) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let report = Simulation::run(plan, |epoch| {
        if epoch % 50 == 0 {
            eprintln!("{epoch} of {} epochs", plan.epochs);
        }
    });
    match json {
        true => println!("{}", serde_json::json!(report)),
        false => print!("{report}"),
    }
    if plan.attackers && !one && !json {
        println!("\n{:<36}{}", "", Report::COLUMNS);
        println!("{:<36}{}", "all defences", report.row());
        let before = Simulation::run(Plan { defences: Defences::BEFORE, ..plan }, |_| {});
        println!("{:<36}{}", "those of before", before.row());
        for (defence, name) in Defence::ALL {
            let without = Plan { defences: Defences::ALL.without(defence), ..plan };
            println!("{:<36}{}", format!("without {name}"), Simulation::run(without, |_| {}).row());
        }
    }
    ExitCode::SUCCESS
}

/// The arguments; `None` when they are invalid.
fn read(args: &[String]) -> Option<Arguments> {
    let mut read = Arguments { plan: Plan::default(), one: false, json: false };
    let plan = &mut read.plan;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--json" => read.json = true,
            "--one" => read.one = true,
            "--calm" => (plan.attackers, plan.sybils) = (false, 0),
            "--without" => {
                let name = args.next()?;
                let (defence, _) = Defence::ALL.into_iter().find(|(_, known)| known == name)?;
                plan.defences = plan.defences.without(defence);
            }
            named => {
                let number = args.next()?.parse::<u64>().ok()?;
                let within = |from: usize, to: usize| {
                    usize::try_from(number).ok().filter(|number| (from..=to).contains(number))
                };
                match named {
                    "--miners" => plan.miners = within(20, 60_000)?,
                    "--validators" => plan.validators = within(1, 64)?,
                    "--sybils" => plan.sybils = within(0, 256)?,
                    "--drift" => plan.drift = within(0, 1_000)? as f64 / 1_000.0,
                    "--epochs" => plan.epochs = number,
                    "--questions" => plan.questions = number,
                    "--seed" => plan.seed = number,
                    _ => return None,
                }
            }
        }
    }
    Some(read)
}
