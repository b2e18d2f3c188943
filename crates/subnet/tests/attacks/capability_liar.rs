//! A miner claims a capability that it lacks, answers at once, and asks for nothing.
//!
//! Defence: validators' tasks test the capability; after 50 of them at most 1 % of queries are sent to the miner.

use std::time::Duration;

use nervure_primitives::Amount;
use nervure_protocol::{ExpertRecord, SignedLiveScores};
use nervure_subnet::{
    Candidate, Dice, Observation, Policy, PolicyRules, QueryTerms, Seed, Trust,
    mechanism::{Corpus, Mechanism},
    route,
    score::{LiveScoreTable, MovingAverageTable, ScorePublication, ScoringRules, evaluate},
};

use crate::world::{Ledger, MESH, NOW, SUBNET, corpus, expert, id, key, model, next_byte, registration};

const VALIDATORS: [u8; 3] = [1, 2, 3];
const HONEST: [u8; 4] = [10, 11, 12, 13];
const LIAR: u8 = 20;
/// Of each validator: 48 in all.
const PROBES: u64 = 16;
const QUESTIONS: u64 = 3000;

fn miners() -> impl Iterator<Item = u8> {
    HONEST.into_iter().chain([LIAR])
}

/// What a validator thinks after its share of the probes.
fn probed(validator: u8, mechanism: &dyn Mechanism, corpus: &Corpus) -> MovingAverageTable {
    let mut board = MovingAverageTable::new(ScoringRules::default()).unwrap();
    board.set_registered(miners().map(registration));
    for number in 0..PROBES {
        let task = mechanism
            .draw(Seed::from(u64::from(validator)).derive("task", number), &corpus.clone().into())
            .unwrap();
        let sure = |miner| if miner == LIAR { 0.0 } else { 0.6 + 0.03 * f32::from(miner - 10) };
        let answers: Vec<_> =
            miners().map(|miner| (expert(miner), model(task.requests(), sure(miner), miner))).collect();
        for result in evaluate(task.as_ref(), &answers) {
            board.record(&result.expert, result.result);
        }
    }
    board
}

/// What gossip made of it at a gateway.
fn opinions() -> LiveScoreTable {
    let mut book = LiveScoreTable::new(SUBNET);
    let (mechanism, corpus) = (next_byte(), corpus());
    for validator in VALIDATORS {
        let board = probed(validator, mechanism.as_ref(), &corpus);
        let published = ScorePublication::default().live_scores(&board, (id(validator), SUBNET), NOW);
        let bytes = SignedLiveScores::sign(&key(validator), &MESH, published).unwrap().bytes().to_vec();
        assert!(book.insert(&SignedLiveScores::verify(&bytes, &MESH, NOW, &Ledger).unwrap(), NOW));
    }
    book
}

fn record(miner: u8) -> ExpertRecord {
    ExpertRecord {
        node: id(miner),
        netuid: SUBNET,
        expert: "e".into(),
        capability: "text.generate".parse().unwrap(),
        model: "m".into(),
        identity: Default::default(),
        context: 256,
        max_output: 256,
        price: if miner == LIAR { 0 } else { 5_000_000 },
        byte_level: true,
        load: if miner == LIAR { 0 } else { 30 },
        addresses: vec![],
        relays: Vec::new(),
        seq: 1,
        issued_at: NOW,
        expires_at: NOW.plus(Duration::from_secs(60)),
        withdrawn: false,
    }
}

/// The part of questions that go to the liar.
fn routed_to_liar(trust: impl Fn(u8) -> Trust, rules: &PolicyRules) -> f64 {
    let candidates: Vec<_> = miners()
        .map(|miner| {
            let latency_ms = Some(if miner == LIAR { 1 } else { 80 });
            let seen = Observation { latency_ms, ..Observation::default() };
            (Candidate { record: record(miner), seen }, trust(miner))
        })
        .collect();
    let mut dice = Dice::new(3.into());
    let mut to_liar = 0;
    for _ in 0..QUESTIONS {
        let budget = Amount::from_base_units(u64::MAX);
        let terms = QueryTerms { capability: None, model: None, filter: None, budget, seed: dice.bits() };
        let chosen = route(candidates.clone(), &terms, rules, NOW);
        to_liar += u64::from(chosen.choices[0].record.node == id(LIAR));
    }
    to_liar as f64 / QUESTIONS as f64
}

#[test]
fn a_liar_is_routed_to_at_most_one_percent() {
    let book = opinions();
    let opinion = |miner| Trust::new(None, book.median_of(&expert(miner).expert, |_| 1, NOW));
    for policy in [Policy::Balanced, Policy::Fastest, Policy::Cheapest, Policy::Trusted] {
        let share = routed_to_liar(opinion, &policy.rules());
        assert!(share <= 0.01, "{policy:?}: {share}");
    }
    let share = routed_to_liar(opinion, &PolicyRules::OBSERVATIONS_ONLY);
    assert!(share > 0.9, "who does not heed validators is taken in: {share}");
}

#[test]
fn before_it_is_probed_it_gets_what_newcomers_get() {
    let honest = |miner| if miner == LIAR { Trust::default() } else { Trust::new(Some((9, 10)), None) };
    let share = routed_to_liar(honest, &Policy::Balanced.rules());
    assert!((0.001..0.012).contains(&share), "{share}");
}
