//! A miner that serves another miner's sampled answers as its own.
//!
//! Defence: the asker draws a sampling seed for each query, and the answer can be replayed with it. So each asker gets an
//! answer of its own, like a watermark: one that was made for another asker, or for another query of the same one, does
//! not replay. A relay that forwards the question *with its seed* while the asker waits passes; only its time shows it.

use nervure_subnet::{Dice, Seed};

/// Tokens of an answer.
const TOKENS: u64 = 24;

/// Queries of each trial.
const QUERIES: u64 = 200;

/// A model's answer to a question with a seed, at a temperature above 0.
fn answer(model: u64, question: u64, seed: u64) -> Vec<u64> {
    let likely = Seed::from(model).derive("question", question);
    let mut dice = Dice::new(likely.derive("sampling", seed));
    // Two likely tokens at each place: the seed decides between them.
    (0..TOKENS)
        .map(|place| Dice::new(likely.derive("place", place)).below(1_000) * 2 + dice.below(2))
        .collect()
}

/// Whether an answer is that of the model with the seed that the asker gave.
fn replays(answer_given: &[u64], model: u64, question: u64, seed: u64) -> bool {
    answer_given == answer(model, question, seed)
}

/// The part of a relay's answers that do not replay, when `serve` makes them of the question and the asker's seed.
fn caught(serve: impl Fn(u64, u64) -> Vec<u64>) -> f64 {
    let mut dice = Dice::new(5.into());
    let wrong = (0..QUERIES).filter(|question| {
        let seed = dice.bits();
        !replays(&serve(*question, seed), 1, *question, seed)
    });
    wrong.count() as f64 / QUERIES as f64
}

#[test]
fn an_answer_that_was_made_for_another_asker_does_not_replay() {
    // It asked the victim earlier, or under its own name: with a seed of its own.
    let kept = caught(|question, _| answer(1, question, 77));
    assert!(kept > 0.99, "{kept}");
    // Without seeds from the asker, each answer is right for the seed that the miner says it drew.
    let without =
        (0..QUERIES).filter(|question| !replays(&answer(1, *question, 77), 1, *question, 77)).count();
    assert_eq!(without, 0, "where the miner draws the seed, nothing shows");
}

#[test]
fn a_question_that_is_forwarded_with_its_seed_replays() {
    assert_eq!(caught(|question, seed| answer(1, question, seed)), 0.0);
}

/// Milliseconds that a miner takes, `wait` more than its own model does.
fn times(lengths: &[f64], own: f64, wait: impl Fn(&mut Dice) -> f64, seed: u64) -> Vec<f64> {
    let mut dice = Dice::new(seed.into());
    let luck = |dice: &mut Dice| dice.below(40) as f64;
    lengths.iter().map(|length| own * length + luck(&mut dice) + wait(&mut dice)).collect()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let product = |a: &[f64], at: f64, b: &[f64], bt: f64| {
        a.iter().zip(b).map(|(a, b)| (a - at) * (b - bt)).sum::<f64>()
    };
    product(a, mean_a, b, mean_b) / (product(a, mean_a, a, mean_a) * product(b, mean_b, b, mean_b)).sqrt()
}

/// Both take longer for longer answers, so that times of honest miners correlate as well: time is a hint and no proof.
#[test]
fn a_forwarded_question_takes_longer_and_in_step_with_its_source() {
    let mut dice = Dice::new(9.into());
    let lengths: Vec<f64> = (0..QUERIES).map(|_| 10.0 + dice.below(30) as f64).collect();
    // The source is busy now and then, which a relay inherits.
    let busy: Vec<f64> = (0..QUERIES).map(|_| if dice.below(5) == 0 { 150.0 } else { 0.0 }).collect();
    let source: Vec<f64> =
        times(&lengths, 4.0, |_| 0.0, 1).iter().zip(&busy).map(|(time, busy)| time + busy).collect();
    let relay: Vec<f64> =
        source.iter().zip(times(&lengths, 0.0, |_| 25.0, 2)).map(|(source, hop)| source + hop).collect();
    let other = times(&lengths, 5.0, |_| 0.0, 3);
    let (relayed, honest) = (correlation(&source, &relay), correlation(&source, &other));
    println!("correlation of times with the source: relay {relayed:.2}, another honest miner {honest:.2}");
    assert!(relay.iter().zip(&source).all(|(relay, source)| relay > source), "never faster than its source");
    assert!(relayed > 0.9 && honest < 0.7, "{relayed} {honest}");
}
