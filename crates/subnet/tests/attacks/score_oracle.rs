//! A miner without a model learns the hidden bytes of tasks from the scores that validators publish.
//!
//! It answers one context of a task with a distribution in which every letter has a probability of its own; the score
//! then tells which letter followed. Defence: scores are published in a few steps, and a cell is not asked again. Each
//! slows the miner down; only the second leaves it with nothing, because what it has learnt is not asked.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use nervure_primitives::MechanismSpec;
use nervure_protocol::{ExpertRequest, Score};
use nervure_subnet::mechanism::{Answer, Material, Reply, build};

use crate::world::corpus;

/// Bits per byte at which a score is 0: high, so that the miner's scores are above 0 before it knows anything.
const ZERO_AT: f64 = 8.0;

/// The score of a miner that gives all letters the same probability.
const IGNORANT: f64 = 1.0 - 4.7004 / ZERO_AT;

/// Cells that a validator has of the text, and tasks that it sets.
const CELL: u64 = 200;
const TASKS: u64 = 500;
const CONTEXTS: u64 = 4;

/// What the published scores show.
#[derive(Clone, Copy, PartialEq)]
enum Published {
    Exact,
    Coarse,
}

/// A miner that remembers what followed the end of a context.
#[derive(Default)]
struct Learner {
    known: BTreeMap<Vec<u8>, u8>,
}

/// The last bytes of a context, by which it is recognised whatever its length.
fn end(context: &[u8]) -> Vec<u8> {
    context[context.len().saturating_sub(16)..].to_vec()
}

/// A probability for each letter, all different.
fn probing() -> Vec<f32> {
    let mut masses = vec![0.0f32; 256];
    let weights: Vec<f32> = (0..26).map(|letter| 1.14f32.powi(letter)).collect();
    let all: f32 = weights.iter().sum();
    for (letter, weight) in (b'a'..=b'z').zip(&weights) {
        masses[usize::from(letter)] = weight / all;
    }
    masses
}

fn letters() -> Vec<f32> {
    let mut masses = vec![0.0; 256];
    masses[usize::from(b'a')..=usize::from(b'z')].fill(1.0 / 26.0);
    masses
}

fn sure(byte: u8) -> Vec<f32> {
    let mut masses = vec![0.01 / 255.0; 256];
    masses[usize::from(byte)] = 0.99;
    masses
}

fn bits(masses: &[f32], byte: u8) -> f64 {
    -f64::from(masses[usize::from(byte)]).log2()
}

impl Learner {
    /// Answers the contexts that it knows surely, one unknown one with the probing distribution, the others evenly.
    fn answer(&self, contexts: &[&[u8]]) -> (Vec<Reply>, Option<usize>) {
        let probed = contexts.iter().position(|context| !self.known.contains_key(&end(context)));
        let answer = |(at, context): (usize, &&[u8])| match self.known.get(&end(context)) {
            Some(byte) => sure(*byte),
            None if Some(at) == probed => probing(),
            None => letters(),
        };
        let reply = |masses| Reply::new(Answer::Distribution(masses), Duration::ZERO);
        (contexts.iter().enumerate().map(answer).map(reply).collect(), probed)
    }

    /// The letter of the probed context whose bits fit the score best.
    fn learn(&mut self, contexts: &[&[u8]], probed: usize, score: Score) {
        let total = (1.0 - f64::from(score.parts()) / f64::from(u32::MAX)) * ZERO_AT * contexts.len() as f64;
        let others: f64 = contexts
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != probed)
            .map(|(_, context)| match self.known.get(&end(context)) {
                Some(byte) => bits(&sure(*byte), *byte),
                None => bits(&letters(), b'a'),
            })
            .sum();
        let fits = |byte: &u8| (bits(&probing(), *byte) - (total - others)).abs();
        let best = (b'a'..=b'z').min_by(|left, right| fits(left).total_cmp(&fits(right))).unwrap();
        self.known.insert(end(contexts[probed]), best);
    }
}

/// The learner's mean score in the last fifth of the tasks.
fn learnt(published: Published, retire: bool) -> f64 {
    let mut material = Material::from(corpus());
    let spec = MechanismSpec::named("next-byte").with("cell", CELL).with("contexts", CONTEXTS);
    let spec = spec.with("completions", 0).with("zero_at", 8000).with("reuse", u64::from(!retire));
    let mechanism = build(&spec).unwrap();
    let (mut learner, mut late) = (Learner::default(), Vec::new());
    for seed in 0..TASKS {
        // With retired cells the text is used up, and the validator sets no more tasks.
        let Ok(task) = mechanism.draw(seed.into(), &material) else { break };
        let contexts: Vec<&[u8]> = task
            .requests()
            .iter()
            .map(|request| match request {
                ExpertRequest::Distribution { context } => context.as_slice(),
                other => panic!("{other:?}"),
            })
            .collect();
        let (replies, probed) = learner.answer(&contexts);
        let score = task.score(&replies);
        late.push(score);
        if let Some(probed) = probed {
            let shown = if published == Published::Exact { score } else { score.rounded(32) };
            learner.learn(&contexts, probed, shown);
        }
        if retire {
            Arc::make_mut(&mut material.retired).retire(task.cells().iter().copied());
        }
    }
    let late = late.split_off(late.len() * 4 / 5);
    f64::from(Score::mean(late).parts()) / f64::from(u32::MAX)
}

#[test]
fn published_scores_teach_nothing() {
    let undefended = learnt(Published::Exact, false);
    assert!(undefended > 0.8, "a program without a model beats models: {undefended:.3}");
    let coarse = learnt(Published::Coarse, false);
    assert!(coarse < undefended - 0.2, "coarse scores alone mislead it: {coarse:.3}");
    let retired = learnt(Published::Exact, true);
    assert!(retired < IGNORANT + 0.05, "what it has learnt is not asked again: {retired:.3}");
}
