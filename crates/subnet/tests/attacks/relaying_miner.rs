//! A miner without a model asks another one and returns its answers, with a little noise.
//!
//! Defence: look-alikes share one reward.

use nervure_primitives::Uid;
use nervure_subnet::{
    ScoredExpert,
    mechanism::{Answer, Reply, Task},
    score::{MinerResult, MovingAverageTable, ScoringRules, evaluate},
};

use crate::world::{corpus, expert, model, next_byte, registration};

const GOOD: u8 = 10;
const OTHER: u8 = 11;
const RELAY: u8 = 12;

/// A function that evaluates a task.
type Evaluate = fn(&dyn Task, &[(ScoredExpert, Vec<Reply>)]) -> Vec<MinerResult>;

/// The same answers, a hundredth of the mass spread out.
fn relayed(replies: &[Reply]) -> Vec<Reply> {
    let noisy = |reply: &Reply| match reply.answer() {
        Answer::Distribution(masses) => masses.iter().map(|p| p * 0.99 + 0.01 / 256.0).collect(),
        other => panic!("{other:?}"),
    };
    replies.iter().map(|reply| Reply::new(Answer::Distribution(noisy(reply)), reply.latency())).collect()
}

/// Each on its own.
fn undefended(task: &dyn Task, answers: &[(ScoredExpert, Vec<Reply>)]) -> Vec<MinerResult> {
    let alone = |(expert, replies): &(ScoredExpert, Vec<Reply>)| MinerResult {
        expert: *expert,
        group: *expert,
        result: task.score(replies).into(),
    };
    answers.iter().map(alone).collect()
}

/// The weights of the three after 30 tasks; with and without the relaying miner.
fn weights(evaluate: Evaluate, relay: bool) -> [f64; 3] {
    let mut board = MovingAverageTable::new(ScoringRules { power: 1, ..ScoringRules::default() }).unwrap();
    board.set_registered([GOOD, OTHER, RELAY].map(registration));
    let (mechanism, corpus) = (next_byte(), corpus());
    for seed in 0..30u64 {
        let task = mechanism.draw(seed.into(), &corpus.clone().into()).unwrap();
        let good = model(task.requests(), 0.75, 1);
        let mut answers = vec![(expert(OTHER), model(task.requests(), 0.5, 3)), (expert(GOOD), good.clone())];
        if relay {
            answers.push((expert(RELAY), relayed(&good)));
        }
        for result in evaluate(task.as_ref(), &answers) {
            assert!(board.record(&result.expert, result.result));
        }
    }
    let slots = [GOOD, OTHER, RELAY].map(|seed| (Uid(seed.into()), registration(seed)));
    let weights = board.weights(slots);
    let all: f64 = weights.iter().map(|(_, weight)| f64::from(*weight)).sum();
    [GOOD, OTHER, RELAY].map(|seed| {
        weights.iter().find(|(uid, _)| uid.0 == u16::from(seed)).map_or(0.0, |(_, w)| f64::from(*w) / all)
    })
}

/// What the two together take from the third by relaying.
fn gain(evaluate: Evaluate) -> f64 {
    let (before, after) = (weights(evaluate, false), weights(evaluate, true));
    before[1] / after[1] - 1.0
}

#[test]
fn relaying_gains_nothing() {
    assert!(gain(evaluate).abs() < 0.02, "together they get what one did: {}", gain(evaluate));
    assert!(gain(undefended) > 0.4, "and without the defence much more: {}", gain(undefended));
}

#[test]
fn an_honest_miner_with_another_model_shares_its_reward_with_no_one() {
    let task = next_byte().draw(1.into(), &corpus().into()).unwrap();
    let answers: Vec<_> =
        (0..6u8).map(|n| (expert(10 + n), model(task.requests(), 0.4 + 0.1 * f32::from(n), n))).collect();
    let result = evaluate(task.as_ref(), &answers);
    let apart = result.iter().filter(|result| result.result.sharers == 1).count();
    assert!(apart >= 4, "{result:?}");
}

/// Copying takes reward and must not take questions: gateways hear of quality, not of shares.
#[test]
fn being_copied_costs_no_reputation() {
    let task = next_byte().draw(1.into(), &corpus().into()).unwrap();
    let good = model(task.requests(), 0.75, 1);
    let answers: Vec<_> = (10..16).map(|seed| (expert(seed), good.clone())).collect();
    let mut board = MovingAverageTable::new(ScoringRules::default()).unwrap();
    board.set_registered((10..16).map(registration));
    for result in evaluate(task.as_ref(), &answers) {
        assert!(board.record(&result.expert, result.result));
    }
    let averages = board.averages_of(&registration(GOOD)).unwrap();
    assert_eq!(averages.quality, task.score(&good));
    assert_eq!(averages.reward, task.score(&good).shared(6));
}
