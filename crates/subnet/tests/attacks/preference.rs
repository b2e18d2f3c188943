//! The mechanism `preference` against the kit, a program with stored references, and a clique.
//!
//! Honest models are simulated by their likeness to the references: each keeps a part of a reference's words and has words
//! of its own for the rest.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use nervure_primitives::MechanismSpec;
use nervure_protocol::ExpertRequest;
use nervure_subnet::{
    Dice, Seed,
    mechanism::{Answer, Corpus, Document, Material, Mechanism, Reply, build},
    score::evaluate,
};

use crate::{
    kit::{self, Hostile, Model, Outcome, Sharing, Siege, strategies},
    world::expert,
};

/// Prompts with their references, for as long as the test runs.
type Items = &'static BTreeMap<String, String>;

fn words(dice: &mut Dice, count: usize) -> String {
    let mut word = || (0..6).map(|_| char::from(b'a' + dice.below(26) as u8)).collect::<String>();
    (0..count).map(|_| word()).collect::<Vec<_>>().join(" ")
}

/// Prompts, each with the answer that is held back.
fn answered(count: u64) -> BTreeMap<String, String> {
    let mut dice = Dice::new(Seed::from(3));
    let mut item = |_| {
        let prompt = format!("What would you do with {}?", words(&mut dice, 3));
        (prompt, format!("Well, I would do this: {}, if you ask me.", words(&mut dice, 40)))
    };
    (0..count).map(&mut item).collect()
}

fn material(items: &BTreeMap<String, String>) -> Material {
    let text: Vec<String> =
        items.iter().map(|(prompt, reference)| format!("{prompt}\n--\n{reference}")).collect();
    let text = Arc::from(text.join("\n---\n").into_bytes());
    Corpus::new([Document { capability: "answered".parse().unwrap(), text }]).into()
}

fn mechanism(parameters: &[(&str, u64)]) -> Box<dyn Mechanism> {
    let spec = parameters
        .iter()
        .fold(MechanismSpec::named("preference"), |spec, (name, value)| spec.with(*name, *value));
    build(&spec).unwrap()
}

/// The prompt of a request, which has other texts around it, and its reference.
fn item<'a>(items: &'a BTreeMap<String, String>, request: &ExpertRequest) -> (&'a String, &'a String) {
    let text = strategies::prompt(request);
    items.iter().find(|(prompt, _)| text.contains(prompt.as_str())).unwrap()
}

fn reply(text: impl Into<String>) -> Reply {
    Reply::new(Answer::Text(text.into()), Duration::from_millis(400))
}

/// A model that says what the reference says in so many of a hundred words; which ones is its taste.
fn model(items: &BTreeMap<String, String>, requests: &[ExpertRequest], kept: u64, taste: u64) -> Vec<Reply> {
    let answer = |request: &ExpertRequest| {
        let (prompt, reference) = item(items, request);
        let luck = prompt.bytes().fold(taste, |luck, byte| luck.wrapping_mul(31).wrapping_add(byte.into()));
        let mut dice = Dice::new(Seed::from(luck));
        let mut word = |word: &str| match dice.below(100) < kept {
            true => word.to_owned(),
            false => words(&mut dice, 1),
        };
        reply(reference.split(' ').map(&mut word).collect::<Vec<_>>().join(" "))
    };
    requests.iter().map(answer).collect()
}

/// A program that stores the references of prompts that were asked before, and answers others with any of them.
struct StoredReferences {
    items: Items,
    stored: BTreeMap<String, String>,
}

impl Hostile for StoredReferences {
    fn name(&self) -> String {
        "stored references".into()
    }

    fn replies(&mut self, requests: &[ExpertRequest], _: &[Vec<Reply>]) -> Vec<Reply> {
        let asked: Vec<_> = requests.iter().map(|request| item(self.items, request)).collect();
        let any = self.stored.values().next().cloned().unwrap_or_default();
        let replies = asked
            .iter()
            .map(|(prompt, _)| reply(self.stored.get(*prompt).unwrap_or(&any).as_str()))
            .collect();
        self.stored.extend(asked.into_iter().map(|(prompt, reference)| (prompt.clone(), reference.clone())));
        replies
    }
}

fn outcome<'a>(outcomes: &'a [Outcome], name: &str) -> &'a Outcome {
    outcomes.iter().find(|outcome| outcome.name == name).unwrap_or_else(|| panic!("no strategy {name}"))
}

#[allow(clippy::print_stdout, reason = "the table of the documentation")]
#[test]
fn a_program_without_a_model_earns_next_to_nothing() {
    let items: Items = Box::leak(Box::new(answered(200)));
    let (mechanism, material) = (mechanism(&[]), material(items));
    let best = |requests: &[ExpertRequest]| model(items, requests, 60, 1);
    let second = |requests: &[ExpertRequest]| model(items, requests, 45, 2);
    let third = |requests: &[ExpertRequest]| model(items, requests, 35, 3);
    let honest: [Model<'_>; 3] = [&best, &second, &third];
    let siege = Siege { tasks: 20, retires: true, ..Siege::new(mechanism.as_ref(), &material, &honest) };
    let all = || {
        let stored = Box::new(StoredReferences { items, stored: BTreeMap::new() });
        strategies::all().into_iter().chain([stored as Box<dyn Hostile>]).collect::<Vec<_>>()
    };
    let outcomes = kit::run(&siege, all());
    for Outcome { name, share, left, users, .. } in &outcomes {
        println!("| preference | {name} | {share:.3} | {left:.3} | {users:.3} |");
    }
    for name in ["silent", "constant", "echo", "names everything", "stored references"] {
        assert!(outcome(&outcomes, name).share <= 0.02, "{:?}", outcome(&outcomes, name));
    }
    let alone = kit::run(&Siege { sharing: Sharing::Alone, ..siege }, all());
    for name in ["copier", "relayer", "copier with noise"] {
        let (shared, alone) = (outcome(&outcomes, name), outcome(&alone, name));
        // The part `agreement` of what is left goes by agreement with the others.
        assert!(shared.share <= 0.51 * shared.best && shared.left >= 0.45, "{shared:?}, alone {alone:?}");
        assert!(alone.share > 0.51 * alone.best, "where no one shares: {alone:?}");
    }
    // Where prompts come again, storing pays.
    let few: Items = Box::leak(Box::new(answered(24)));
    let again = self::material(few);
    let best = |requests: &[ExpertRequest]| model(few, requests, 60, 1);
    let honest: [Model<'_>; 1] = [&best];
    let siege = Siege::new(mechanism.as_ref(), &again, &honest);
    let stored = kit::run(&siege, vec![Box::new(StoredReferences { items: few, stored: BTreeMap::new() })]);
    assert!(stored[0].share > 0.4, "without the defence: {stored:?}");
}

/// The part of an honest miner's result that a clique with one opinion takes away.
fn taken_by_a_clique(agreement: u64) -> f64 {
    let items = answered(100);
    let (mechanism, material) = (mechanism(&[("agreement", agreement)]), material(&items));
    let (mut with, mut without) = (0.0, 0.0);
    for seed in 0..10u64 {
        let task = mechanism.draw(seed.into(), &material).unwrap();
        let honest = |number: u8| model(&items, task.requests(), 50, number.into());
        let mut answers: Vec<_> = (0..3u8).map(|number| (expert(10 + number), honest(number))).collect();
        let result = |answers: &[_]| {
            let quality = evaluate(task.as_ref(), answers)[0].result.quality;
            f64::from(quality.parts()) / f64::from(u32::MAX)
        };
        without += result(&answers);
        // Each is near enough to the others of the clique to agree with it, and far enough to count alone.
        let opinion = model(&items, task.requests(), 50, 99);
        for number in 0..8u8 {
            let mut dice = Dice::new(Seed::from(u64::from(number)));
            let paraphrase = |reply: &Reply| {
                let Answer::Text(text) = reply.answer() else { panic!("{reply:?}") };
                self::reply(format!("{text} {}", words(&mut dice, 20)))
            };
            answers.push((expert(20 + number), opinion.iter().map(paraphrase).collect()));
        }
        with += result(&answers);
    }
    1.0 - with / without
}

#[test]
fn a_clique_takes_no_more_than_the_part_for_agreement() {
    assert!(taken_by_a_clique(0).abs() < 1e-6);
    let (usual, most) = (taken_by_a_clique(100), taken_by_a_clique(500));
    assert!(usual <= 0.1 && usual > 0.0, "{usual}");
    assert!(most > 2.0 * usual && most <= 0.5, "with a larger part a clique takes more: {most}");
}
