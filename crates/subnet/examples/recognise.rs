//! How well a miner tells tasks from users' questions: a classifier is trained on all that it sees, and tested on later days.
//!
//! ```text
//! cargo run --release -p nervure-subnet --example recognise
//! ```
//!
//! Also `--queries N`, `--seed N` and `--json`. Tasks are drawn by the crate's own mechanisms, batches, traffic counts and
//! corpora; simulated are the users, the gateways and the clock.
//!
//! *Users.* Two hundred clients, each with habits of its own: a kind of query, a length, settings that mostly are the
//! defaults and sometimes are odd, deadlines, bursts of questions after pauses. They ask at all times alike. Their texts
//! are every other file of this repository, and questions of a grammar that no mechanism has.
//!
//! *Gateways* publish what they counted in the six hours before, of other queries of the same clients.
//!
//! *Tasks.* Validators have the other half of the files. `before` is how tasks were set until assignments were hidden:
//! asked by the validator itself, with the exact budget and a deadline of ten seconds, one after another, distributions
//! only, one query for all texts of `embedding`, and a marker in the prompt of `exact-answer`. `now` is what this version
//! does. `users' words` is a validator that has collected questions and instructions of users; for `preference` these are
//! its prompts, where it has otherwise written them itself.
//!
//! *The miner* knows which of its queries were tasks in the first two thirds of the time (it has a friend among the
//! validators), and trains a logistic regression on hashed features: every field and size, the asker alone and with the
//! settings, whether the settings are those of the asker's last query, the time since the last query of the same asker and
//! of any, the number of queries in the last seconds, and, in the second column, words and groups of characters. The area
//! under the ROC curve (AUC) is that of the last third: 0.5 is guessing, 1 is certain.

#![allow(clippy::expect_used, reason = "a simulation may fail where it stands")]

#[path = "recognise/classifier.rs"]
mod classifier;
#[path = "recognise/features.rs"]
mod features;
#[path = "recognise/tasks.rs"]
mod tasks;
#[path = "recognise/texts.rs"]
mod texts;
#[path = "recognise/users.rs"]
mod users;

use std::process::ExitCode;

use nervure_protocol::ExpertRequest;
use nervure_subnet::{Dice, Seed};
use serde::Serialize;

use features::Sight;
use tasks::{Kind, Manner};

/// What a miner sees of one query, and what it was.
pub(crate) struct Query {
    pub(crate) request: ExpertRequest,
    /// Which node asks: gateways first, then validators.
    pub(crate) asker: usize,
    /// As the open frame says.
    pub(crate) deadline_ms: u32,
    /// In base units.
    pub(crate) budget: u64,
    /// When it arrives, in milliseconds.
    pub(crate) at: u64,
    pub(crate) is_task: bool,
}

/// What is simulated.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Queries that the miner gets, tasks and users' together.
    pub(crate) queries: usize,
    pub(crate) seed: u64,
}

/// One line of the table.
#[derive(Serialize)]
struct Line {
    tasks: String,
    queries: usize,
    share_of_tasks: f64,
    metadata: f64,
    with_text: f64,
}

const USAGE: &str = "usage: recognise [--queries N] [--seed N] [--json]";

#[allow(clippy::print_stdout, clippy::print_stderr)]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((plan, json)) = read(&args) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let lines = lines(plan);
    if json {
        println!("{}", serde_json::json!(lines));
        return ExitCode::SUCCESS;
    }
    println!("AUC on held-out queries         metadata  with text  queries  of them tasks");
    for Line { tasks, queries, share_of_tasks, metadata, with_text } in lines {
        println!("{tasks:<32}{metadata:>8.2}{with_text:>11.2}{queries:>9}{:>14.0} %", share_of_tasks * 100.0);
    }
    ExitCode::SUCCESS
}

/// The table: every kind of task, before and now.
fn lines(plan: Plan) -> Vec<Line> {
    let mut lines = Vec::new();
    for kind in Kind::ALL {
        for manner in [Manner::Before, Manner::Now] {
            if kind.is_set(manner) {
                lines.push(line(plan, kind, manner));
            }
        }
    }
    lines
}

fn line(plan: Plan, kind: Kind, manner: Manner) -> Line {
    let seed = Seed::from(plan.seed).derive(kind.name(), manner as u64);
    let mut queries = users::queries(plan, kind, &mut Dice::new(seed.derive("users", 0)));
    let known = users::known(plan, kind, seed);
    let last = queries.iter().map(|query| query.at).max().unwrap_or(1);
    queries.extend(tasks::queries(
        plan,
        (kind, manner),
        &known,
        last,
        &mut Dice::new(seed.derive("tasks", 0)),
    ));
    queries.sort_by_key(|query| query.at);
    let auc = |sight| {
        let rows = features::rows(&queries, sight);
        let (train, test) = rows.split_at(rows.len() * 2 / 3);
        classifier::Classifier::train(train, &mut Dice::new(seed.derive("training", 0))).auc(test)
    };
    let tasks = queries.iter().filter(|query| query.is_task).count();
    Line {
        tasks: format!("{} {}", kind.name(), manner.name()),
        queries: queries.len(),
        share_of_tasks: tasks as f64 / queries.len().max(1) as f64,
        metadata: auc(Sight::Metadata),
        with_text: auc(Sight::WithText),
    }
}

/// The plan, and whether to print JSON; `None` for invalid arguments.
fn read(args: &[String]) -> Option<(Plan, bool)> {
    let (mut plan, mut json) = (Plan { queries: 6_000, seed: 1 }, false);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--json" {
            json = true;
            continue;
        }
        let number = args.next()?.parse::<u64>().ok()?;
        match arg.as_str() {
            "--queries" => {
                plan.queries = usize::try_from(number).ok().filter(|n| (300..=100_000).contains(n))?
            }
            "--seed" => plan.seed = number,
            _ => return None,
        }
    }
    Some((plan, json))
}
