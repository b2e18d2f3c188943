//! The built-in mechanisms against the hostile-miner kit: what each strategy earns at most, what it leaves to honest
//! miners, and what it earns where the defence is missing.

use std::{sync::Arc, time::Duration};

use nervure_primitives::MechanismSpec;
use nervure_protocol::ExpertRequest;
use nervure_subnet::{
    Dice, Seed,
    mechanism::{Answer, Corpus, Document, Material, Mechanism, Reply, build},
};

use crate::{
    kit::{self, Model, Outcome, Publication, Sharing, Siege, strategies},
    oracle::{Oracle, ZERO_AT},
    world,
};

/// What needs no model and no other miner.
const WITHOUT_A_MODEL: [&str; 5] =
    ["silent", "constant", "echo", "names everything", "answers the first request only"];

/// What has the best model's answers.
const COPIES: [&str; 3] = ["copier", "relayer", "copier with noise"];

/// Good answers to tasks, bad ones to users.
const TWO_FACED: [&str; 2] = ["second expert", "selective on detected tasks"];

fn built(name: &str, parameters: &[(&str, u64)]) -> Box<dyn Mechanism> {
    let spec =
        parameters.iter().fold(MechanismSpec::named(name), |spec, (name, value)| spec.with(*name, *value));
    build(&spec).unwrap()
}

fn outcome<'a>(outcomes: &'a [Outcome], name: &str) -> &'a Outcome {
    outcomes.iter().find(|outcome| outcome.name == name).unwrap_or_else(|| panic!("no strategy {name}"))
}

#[allow(clippy::print_stdout, reason = "the table of the documentation")]
/// The outcomes, printed as the table of `docs/mechanisms.md`.
fn besieged(title: &str, siege: &Siege<'_>) -> Vec<Outcome> {
    let outcomes = kit::run(siege, strategies::all());
    for Outcome { name, share, left, users, .. } in &outcomes {
        println!("| {title} | {name} | {share:.3} | {left:.3} | {users:.3} |");
    }
    outcomes
}

/// A copy has half of its victim's weight, and the victim the other half, so that a second slot for one model brings
/// nothing. Where no one shares (`alone`), a copy has a weight of its own.
///
/// With `s` the victim's share without a copy, these are `s / 2` and `s / (1 + s)`. The quotient of the two is `(1 + s) / 2`:
/// it says more about how much better the victim is than others than about the rule.
fn copies_get_half_of_what_there_was(outcomes: &[Outcome], alone: &[Outcome]) {
    for name in COPIES {
        let (shared, alone) = (outcome(outcomes, name), outcome(alone, name));
        assert!(shared.share <= 0.51 * shared.best && shared.left >= 0.49, "{shared:?}, alone {alone:?}");
        assert!(alone.share > 0.51 * alone.best, "where no one shares: {alone:?}");
    }
}

fn two_faced_ones_show(outcomes: &[Outcome]) {
    for name in TWO_FACED {
        let Outcome { share, users, .. } = outcome(outcomes, name);
        assert!(*share > 0.1 && *users < 0.2, "a mechanism alone does not see it: {name} {share} {users}");
    }
}

#[test]
fn next_byte() {
    let mechanism = built("next-byte", &[("contexts", 8), ("completions", 0)]);
    let material = Material::from(world::corpus());
    let best = |requests: &[ExpertRequest]| world::model(requests, 0.75, 1);
    let second = |requests: &[ExpertRequest]| world::model(requests, 0.6, 3);
    let third = |requests: &[ExpertRequest]| world::model(requests, 0.45, 5);
    let honest: [Model<'_>; 3] = [&best, &second, &third];
    let siege = Siege { tasks: 20, ..Siege::new(mechanism.as_ref(), &material, &honest) };
    let outcomes = besieged("next-byte", &siege);
    for name in WITHOUT_A_MODEL {
        assert!(outcome(&outcomes, name).share <= 0.05, "{:?}", outcome(&outcomes, name));
    }
    let alone = kit::run(&Siege { sharing: Sharing::Alone, ..siege }, strategies::all());
    copies_get_half_of_what_there_was(&outcomes, &alone);
    let chains = kit::run(&Siege { sharing: Sharing::Chains, ..siege }, strategies::all());
    let (merger, chained) = (outcome(&outcomes, "midpoint merger"), outcome(&chains, "midpoint merger"));
    assert!(merger.left >= 0.49 && chained.left < 0.4, "{merger:?}, by chains {chained:?}");
    let turns = outcome(&outcomes, "copies in turn");
    assert!(turns.left >= 0.8 && turns.share < outcome(&alone, "copies in turn").share, "{turns:?}");
    two_faced_ones_show(&outcomes);
}

/// With scores to the last bit, a miner without a model learns the private text: from a text that is asked again.
#[test]
fn an_oracle_learns_from_exact_scores_and_not_from_coarse_ones_or_retired_text() {
    let zero_at = (ZERO_AT * 1000.0) as u64;
    let parameters = [("zero_at", zero_at), ("cell", 64), ("contexts", 8), ("completions", 0)];
    let mechanism = built("next-byte", &parameters);
    let whole = world::corpus();
    // So little text that its pieces are asked again and again.
    let few =
        Document { text: Arc::from(&whole.documents()[0].text[..64 * 64]), ..whole.documents()[0].clone() };
    // As many tasks as there is text for: a piece is asked once, and so is what is shown before it.
    let retired_tasks = 8;
    let (few, whole) = (Material::from(Corpus::new([few])), Material::from(whole));
    let best = |requests: &[ExpertRequest]| world::model(requests, 0.75, 1);
    let honest: [Model<'_>; 1] = [&best];
    let siege = Siege { tasks: 100, ..Siege::new(mechanism.as_ref(), &few, &honest) };
    let share = |siege: Siege<'_>| kit::run(&siege, vec![Box::<Oracle>::default()])[0].share;
    let exact = Siege { publication: Publication::Exact, ..siege };
    let shares = [
        share(siege),
        share(exact),
        share(Siege { material: &whole, retires: true, tasks: retired_tasks, ..exact }),
    ];
    let [coarse, exact, retired] = shares;
    println!("an oracle beside one honest miner: exact {exact:.3}, coarse {coarse:.3}, retired {retired:.3}");
    assert!(exact > 0.4, "{shares:?}");
    assert!(coarse <= 0.05 && retired <= 0.05, "{shares:?}");
}

/// The whole numbers of a text.
fn numbers(text: &str) -> Vec<i64> {
    text.split(|at: char| !at.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

/// A program that knows the forms of the arithmetic questions: as good as any model.
fn solved(prompt: &str) -> i64 {
    let has = |words: &str| prompt.contains(words);
    match numbers(prompt)[..] {
        [a, b] if has("is divided by") => a % b,
        [all, each] if has("to a box") => all / each.max(1),
        [n, price, m, other, coins] if has("crates") => coins - n * price - m * other,
        [b, c, a] if has("times") => b * c - a,
        [a, b, c] if has("(") => (a + b) * c,
        [a, b, c] if has(" - ") => a - b * c,
        [a, b, c] if has("*") => a + b * c,
        ref all => all.iter().sum(),
    }
}

/// A chat model that is right in so many of a hundred questions.
fn chat(requests: &[ExpertRequest], right: u64, taste: u64) -> Vec<Reply> {
    let reply = |request: &ExpertRequest| {
        let prompt = strategies::prompt(request);
        let luck = prompt.bytes().fold(taste, |luck, byte| luck.wrapping_mul(31).wrapping_add(byte.into()));
        let off = i64::from(Dice::new(Seed::from(luck)).below(100) >= right);
        Reply::new(Answer::Text(format!("Answer: {}", solved(prompt) + off)), Duration::from_millis(600))
    };
    requests.iter().map(reply).collect()
}

/// All right answers are alike, so that copies do not show and share nothing; a program earns as much as a model. The
/// mechanism is for capability tests, not for paying models.
#[test]
fn exact_answer() {
    let others = ["sorting", "strings", "json", "dates", "logic", "code"].map(|kind| (kind, 0));
    let parameters = [&others[..], &[("alone", 1)]].concat();
    let (mechanism, material) = (built("exact-answer", &parameters), Material::default());
    let best = |requests: &[ExpertRequest]| chat(requests, 95, 1);
    let second = |requests: &[ExpertRequest]| chat(requests, 70, 2);
    let third = |requests: &[ExpertRequest]| chat(requests, 50, 3);
    let honest: [Model<'_>; 3] = [&best, &second, &third];
    let outcomes = besieged("exact-answer", &Siege::new(mechanism.as_ref(), &material, &honest));
    for name in WITHOUT_A_MODEL.into_iter().filter(|name| *name != "answers the first request only") {
        assert!(outcome(&outcomes, name).share <= 0.05, "{:?}", outcome(&outcomes, name));
    }
    assert!(outcome(&outcomes, "answers the first request only").share <= 0.1);
    for name in COPIES {
        let Outcome { share, left, .. } = outcome(&outcomes, name);
        assert!(*share <= 0.45 && *left >= 0.99, "{name}: {share} {left}");
    }
    two_faced_ones_show(&outcomes);
}

/// Three texts of different words.
fn three_texts() -> Corpus {
    let text = |words: [&str; 6], seed: u64| {
        let mut dice = Dice::new(seed.into());
        let text: String = (0..4_000).map(|_| format!("{} ", words[dice.index(words.len())])).collect();
        Arc::from(text.into_bytes())
    };
    let texts = [
        ("text.a", ["river", "silver", "liver", "shiver", "quiver", "sliver"]),
        ("text.b", ["canoe", "ocean", "beacon", "bacon", "deacon", "cocoon"]),
        ("text.c", ["thumb", "plumb", "stump", "trump", "clump", "slump"]),
    ];
    Corpus::new((1u64..).zip(texts).map(|(seed, (capability, words))| Document {
        capability: capability.parse().unwrap(),
        text: text(words, seed),
    }))
}

/// Counts of `letters`, blurred by what the model's taste makes of a text.
fn vectors(requests: &[ExpertRequest], letters: &str, blur: u64) -> Vec<Reply> {
    let vector = |text: &String| {
        let seed = text.bytes().fold(blur, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        let mut dice = Dice::new(Seed::from(seed));
        let mut count = |letter: char| text.matches(letter).count() as f32 + dice.below(1 + 8 * blur) as f32;
        letters.chars().map(&mut count).collect::<Vec<f32>>()
    };
    let reply = |request: &ExpertRequest| match request {
        ExpertRequest::Embed { inputs } => {
            Reply::new(Answer::Vectors(inputs.iter().map(vector).collect()), Duration::from_millis(50))
        }
        _ => Reply::missing(),
    };
    requests.iter().map(reply).collect()
}

#[test]
fn embedding() {
    let mechanism = built("embedding", &[("passages", 16)]);
    let material = Material::from(three_texts());
    let best = |requests: &[ExpertRequest]| vectors(requests, "abcdefghijklmnopqrstuvwxyz", 0);
    let second = |requests: &[ExpertRequest]| vectors(requests, "abcdefghijklmnopqrstuvwxyz", 2);
    let third = |requests: &[ExpertRequest]| vectors(requests, "aeiou", 4);
    let honest: [Model<'_>; 3] = [&best, &second, &third];
    let siege = Siege { tasks: 20, ..Siege::new(mechanism.as_ref(), &material, &honest) };
    let outcomes = besieged("embedding", &siege);
    for name in ["silent", "constant", "names everything"] {
        assert!(outcome(&outcomes, name).share <= 0.05, "{:?}", outcome(&outcomes, name));
    }
    // Its vectors are the first bytes, which say little about a passage.
    assert!(outcome(&outcomes, "echo").share <= 0.1, "{:?}", outcome(&outcomes, "echo"));
    let alone = kit::run(&Siege { sharing: Sharing::Alone, ..siege }, strategies::all());
    copies_get_half_of_what_there_was(&outcomes, &alone);
    two_faced_ones_show(&outcomes);
}
