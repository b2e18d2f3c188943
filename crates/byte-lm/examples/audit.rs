//! What audits by replay find, and what they cost: the table of `docs/mechanisms.md`.
//!
//! ```text
//! cargo run --release -p nervure-byte-lm --example audit -- 200
//! ```
//!
//! Miners answer prompts from held-out Rust code with the built-in model `rust`, or pretend to. Each answer is audited
//! twice: by an auditor whose program computes the same bits (`exact`), and by one that has to allow for rounding
//! (`margin`). The cost is CPU time of this process, so that other load on the machine does not count.

#![allow(clippy::print_stdout, reason = "it is a program that prints a table")]

use std::{collections::HashMap, process::ExitCode};

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use nervure_byte_lm::{
    ByteModel, ByteReplay, Session,
    builtin::{self, Builtin},
    parameter_shapes,
};
use nervure_experts::byte_text::Continuation;
use nervure_protocol::{ExpertEvent, ExpertRequest, FinishReason, ModelIdentity, Sampling, Usage};
use nervure_subnet::audit::{AuditRules, GivenAnswer, Margin, Replay, Replayed, Verdict, judge};

/// Bytes of one answer.
const ANSWER_BYTES: u32 = 128;
/// Bytes of one prompt.
const PROMPT_BYTES: usize = 160;

/// One way to answer.
struct Miner {
    name: &'static str,
    model: ByteModel,
    /// What it reads of the prompt, and how much of its answer it sends.
    cheat: Cheat,
}

#[derive(Clone, Copy, PartialEq)]
enum Cheat {
    None,
    /// It reads the second half of the prompt.
    HalfPrompt,
    /// It stops after half of the answer, and says that the text ended there.
    Truncated,
    /// It stops after half of the answer, and says that the length was reached.
    Shortened,
}

struct Answer {
    events: Vec<ExpertEvent>,
    usage: Usage,
    reason: FinishReason,
}

/// What the audits of one miner found.
#[derive(Default)]
struct Found {
    answers: u32,
    exact: u32,
    margin: u32,
    tokens: u64,
    differ: u64,
    beyond: u64,
    /// Margins of all its tokens, for verdicts over several answers.
    all: Vec<Replayed>,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let answers: usize = std::env::args().nth(1).map_or(Ok(100), |count| count.parse())?;
    let rust = builtin::find("rust").context("no model rust")?;
    let (prompts, miners) = (prompts(answers)?, miners(rust)?);
    let auditor = ByteReplay::builtin(rust)?;
    println!("{answers} answers of at most {ANSWER_BYTES} bytes, temperature 0.8, top-p 0.95");
    println!("| miner | exact | margin | tokens that differ | beyond the margin | margin, several answers |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut cost = Cost::default();
    for miner in &miners {
        let found = audit(miner, &prompts, &auditor, &mut cost)?;
        print(miner.name, &found);
    }
    cost.print();
    Ok(())
}

/// Pieces of held-out text.
fn prompts(count: usize) -> Result<Vec<String>> {
    let path = format!("{}/data/rust.heldout", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read(path)?;
    let step = (text.len() - PROMPT_BYTES) / count.max(1);
    let piece = |at: usize| String::from_utf8_lossy(&text[at * step..at * step + PROMPT_BYTES]).into_owned();
    // A prompt has to have its length in bytes, so that the usage of a cheat can be right.
    Ok((0..count).map(piece).map(|text| text.replace(char::REPLACEMENT_CHARACTER, "?")).collect())
}

fn miners(rust: &Builtin) -> Result<Vec<Miner>> {
    let python = builtin::find("python").context("no model python")?.load()?;
    let honest = rust.load()?;
    let miner = |name, model: &ByteModel, cheat| Miner { name, model: model.clone(), cheat };
    let mut miners = vec![
        miner("honest, the same program", &honest, Cheat::None),
        miner("honest, another program", &honest.clone().with_other_arithmetic(), Cheat::None),
        miner("another model (python)", &python, Cheat::None),
        miner("half of the prompt", &honest, Cheat::HalfPrompt),
        miner("truncated, \"stop\"", &honest, Cheat::Truncated),
        miner("truncated, \"length\"", &honest, Cheat::Shortened),
    ];
    for (name, bits) in [
        ("weights of 8 bits", 8),
        ("weights of 6 bits", 6),
        ("weights of 5 bits", 5),
        ("weights of 4 bits", 4),
    ] {
        miners.push(Miner { name, model: quantised(rust, bits)?, cheat: Cheat::None });
    }
    Ok(miners)
}

/// The model with its weights rounded to so many bits, one scale for each row.
fn quantised(builtin: &Builtin, bits: u32) -> Result<ByteModel> {
    let stored = candle_core::safetensors::load_buffer(builtin.weights(), &Device::Cpu)?;
    let levels = ((1u32 << (bits - 1)) - 1) as f32;
    let mut parameters = HashMap::new();
    for (name, [rows, columns]) in parameter_shapes() {
        let tensor = stored.get(&name).context("a parameter is missing")?.to_dtype(DType::F32)?;
        let mut values = tensor.flatten_all()?.to_vec1::<f32>()?;
        for row in values.chunks_exact_mut(columns) {
            let scale = row.iter().fold(0.0f32, |most, value| most.max(value.abs())) / levels;
            if scale > 0.0 {
                row.iter_mut().for_each(|value| *value = (*value / scale).round() * scale);
            }
        }
        parameters.insert(name, Tensor::from_vec(values, (rows, columns), &Device::Cpu)?);
    }
    Ok(ByteModel::new(&parameters)?)
}

fn audit(miner: &Miner, prompts: &[String], auditor: &ByteReplay, cost: &mut Cost) -> Result<Found> {
    let mut found = Found::default();
    let own = auditor.identity();
    let other = ModelIdentity { runtime: Some("another program".into()), ..own.clone() };
    for (seed, prompt) in (1u64..).zip(prompts) {
        let sampling = Sampling { max_tokens: ANSWER_BYTES, seed: Some(seed), ..Sampling::default() };
        let request = ExpertRequest::Complete { prompt: prompt.clone(), sampling: sampling.clone() };
        let began = cpu_seconds();
        let answer = miner.answer(prompt, &sampling)?;
        let written = cpu_seconds();
        let given = GivenAnswer { events: &answer.events, usage: answer.usage, reason: answer.reason };
        let replayed = auditor.replay(&request, given)?;
        cost.add(miner, &replayed, (written - began, cpu_seconds() - written), answer.usage);
        let rules = AuditRules::default();
        let caught = |claimed| judge(&replayed, (claimed, own), &rules).verdict == Verdict::Mismatch;
        found.answers += 1;
        found.exact += u32::from(caught(own));
        found.margin += u32::from(caught(&other));
        found.tokens += u64::from(replayed.tokens());
        found.differ += u64::from(replayed.beyond(Margin::NONE));
        found.beyond += u64::from(replayed.beyond(Margin::of_millionths(rules.margin)));
        found.all.push(replayed);
    }
    Ok(found)
}

impl Miner {
    fn answer(&self, prompt: &str, sampling: &Sampling) -> Result<Answer> {
        let read = match self.cheat {
            Cheat::HalfPrompt => &prompt[prompt.ceil_char_boundary(prompt.len() / 2)..],
            _ => prompt,
        };
        let mut session = Session::new(self.model.clone());
        let mut own = Continuation::new(sampling);
        let mut logits = session.resume(read.as_bytes(), b"")?;
        let mut text = String::new();
        let mut reason = loop {
            let byte = own.choose(&logits);
            let step = own.push(byte);
            text += &step.text;
            match step.end {
                Some(reason) => break reason,
                None => logits = session.push(byte)?,
            }
        };
        let mut written = own.written();
        if matches!(self.cheat, Cheat::Truncated | Cheat::Shortened) {
            text.truncate(text.floor_char_boundary(text.len() / 2));
            reason = FinishReason::Length;
            written = u32::try_from(text.len())?;
            if self.cheat == Cheat::Truncated {
                (reason, written) = (FinishReason::Stop, written + 1);
            }
        }
        let usage = Usage { prompt_tokens: u32::try_from(prompt.len())?, completion_tokens: written };
        let events = if text.is_empty() { vec![] } else { vec![ExpertEvent::Text(text)] };
        Ok(Answer { events, usage, reason })
    }
}

fn print(name: &str, found: &Found) {
    let percent = |count: u32| format!("{:.1} %", 100.0 * f64::from(count) / f64::from(found.answers));
    let per_million =
        |count: u64| format!("{:.0} in a million", 1e6 * count as f64 / found.tokens.max(1) as f64);
    println!(
        "| {name} | {} | {} | {} | {} | {} |",
        percent(found.exact),
        percent(found.margin),
        per_million(found.differ),
        per_million(found.beyond),
        several(found),
    );
}

/// How many answers it takes until the margin shows that they are not of the model, all of them together.
fn several(found: &Found) -> String {
    let rules = AuditRules::default();
    let mut needed = Vec::new();
    let (mut answers, mut tokens, mut beyond) = (0, 0, 0);
    for replayed in &found.all {
        answers += 1;
        tokens += replayed.tokens();
        beyond += replayed.beyond(Margin::of_millionths(rules.margin));
        let cut = replayed.end.is_some_and(|end| end > Margin::of_millionths(rules.end_margin));
        if cut || replayed.defect.is_some() || beyond > rules.allowed(tokens) {
            needed.push(answers);
            (answers, tokens, beyond) = (0, 0, 0);
        }
    }
    needed.sort_unstable();
    match needed.get(needed.len() / 2) {
        Some(median) => format!("after {median} (median of {})", needed.len()),
        None => format!("not after {}", found.answers),
    }
}

/// CPU time of writing answers and of auditing them.
#[derive(Default)]
struct Cost {
    written: u64,
    writing: f64,
    checked: u64,
    checking: f64,
}

impl Cost {
    /// Adds an answer of an honest miner; those of others may be shorter than they say.
    fn add(&mut self, miner: &Miner, replayed: &Replayed, seconds: (f64, f64), usage: Usage) {
        if miner.name == "honest, the same program" {
            self.written += u64::from(usage.completion_tokens);
            self.writing += seconds.0;
            self.checked += u64::from(replayed.tokens());
            self.checking += seconds.1;
        }
    }

    fn print(&self) {
        let rate = |tokens: u64, seconds: f64| tokens as f64 / seconds.max(1e-9);
        let (write, check) = (rate(self.written, self.writing), rate(self.checked, self.checking));
        println!("written: {write:.0} tokens per CPU-second");
        println!("checked: {check:.0} tokens per CPU-second");
        println!("an audit costs {:.1} % of the answer", 100.0 * write / check);
    }
}

/// CPU time of this process so far, of Linux; elsewhere the costs are 0.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds: f64 = stat.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0.0);
    nanoseconds / 1e9
}
