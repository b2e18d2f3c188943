//! A node serves one good expert, which validators test, and answers users with a garbage expert beside it.
//!
//! Defence: every expert is tested, and has the trust that it earned itself.

use nervure_primitives::Amount;
use nervure_protocol::{ExpertRecord, SignedLiveScores, testing};
use nervure_subnet::{
    Candidate, Dice, Observation, Policy, QueryTerms, ScoredExpert, Trust,
    mechanism::Material,
    route,
    score::{LiveScoreTable, MovingAverageTable, ScorePublication, ScoringRules, choose_experts, evaluate},
};

use crate::world::{Ledger, MESH, NOW, SUBNET, corpus, id, key, model, next_byte, registration};

const VALIDATORS: [u8; 3] = [1, 2, 3];
const HONEST: u8 = 10;
const LIAR: u8 = 11;
const ROUNDS: u64 = 16;
const QUESTIONS: usize = 1000;

/// The record of an expert; the liar's garbage is called `b`.
fn record(miner: u8, name: &str) -> ExpertRecord {
    let record = testing::record(miner, name, "text.generate");
    ExpertRecord { netuid: SUBNET, node: id(miner), ..record }
}

fn records() -> [ExpertRecord; 3] {
    [record(HONEST, "a"), record(LIAR, "a"), record(LIAR, "b")]
}

fn scored(record: &ExpertRecord) -> ScoredExpert {
    ScoredExpert::of(record, registration(HONEST).block)
}

/// A validator's averages after its rounds, if it tests the experts that `tests` keeps.
fn tested(validator: u8, tests: fn(&ExpertRecord) -> bool) -> MovingAverageTable {
    let mut board = MovingAverageTable::new(ScoringRules::default()).unwrap();
    board.set_registered([HONEST, LIAR].map(registration));
    for round in 0..ROUNDS {
        let seed = nervure_subnet::Seed::from(u64::from(validator)).derive("round", round);
        let task = next_byte().draw(seed, &Material::from(corpus())).unwrap();
        let averages = |expert: &ScoredExpert| board.expert_averages(expert).unwrap_or_default();
        let records = records().into_iter().filter(tests);
        let advertised: Vec<_> =
            records.map(|record| (scored(&record), averages(&scored(&record)))).collect();
        let answers: Vec<_> = choose_experts(advertised, &mut Dice::new(seed))
            .into_iter()
            .map(|expert| {
                // The liar's good expert is a little better than the honest one.
                let sure = match expert {
                    garbage if garbage == scored(&record(LIAR, "b")) => 0.0,
                    good if good.neuron.node == id(LIAR) => 0.75,
                    _ => 0.7,
                };
                let taste = expert.neuron.node.as_bytes()[0];
                (expert, model(task.requests(), sure, taste))
            })
            .collect();
        for result in evaluate(task.as_ref(), &answers) {
            assert!(board.record(&result.expert, result.result));
        }
    }
    board
}

/// The share of questions that the garbage answers; trust is in the expert that `of` names for each.
fn to_garbage(tests: fn(&ExpertRecord) -> bool, of: fn(&ExpertRecord) -> ExpertRecord) -> f64 {
    let mut table = LiveScoreTable::new(SUBNET);
    for validator in VALIDATORS {
        let published =
            ScorePublication::default().live_scores(&tested(validator, tests), (id(validator), SUBNET), NOW);
        let bytes = SignedLiveScores::sign(&key(validator), &MESH, published).unwrap().bytes().to_vec();
        assert!(table.insert(&SignedLiveScores::verify(&bytes, &MESH, NOW, &Ledger).unwrap(), NOW));
    }
    let candidate = |record: ExpertRecord| {
        let trust = Trust::new(None, table.median_of(&scored(&of(&record)).expert, |_| 1, NOW));
        // The garbage is there at once, the others take their time.
        let latency_ms = Some(if record.expert == "b" { 1 } else { 80 });
        (Candidate { record, seen: Observation { latency_ms, ..Observation::default() } }, trust)
    };
    let candidates = records().map(candidate).to_vec();
    let mut dice = Dice::new(3.into());
    let mut count = 0;
    for _ in 0..QUESTIONS {
        let budget = Amount::from_base_units(u64::MAX);
        let terms = QueryTerms { capability: None, model: None, filter: None, budget, seed: dice.bits() };
        let chosen = route(candidates.clone(), &terms, &Policy::Balanced.rules(), NOW);
        count += usize::from(chosen.choices[0].record.expert == "b");
    }
    count as f64 / QUESTIONS as f64
}

#[test]
fn garbage_beside_a_good_expert_gets_no_questions() {
    assert_eq!(to_garbage(|_| true, Clone::clone), 0.0, "tested, and known to be bad");
    let untested = to_garbage(|record| record.expert == "a", Clone::clone);
    assert!(untested <= 0.03, "untested, it has the share of exploration: {untested}");
    // The variant of before: the first expert is tested, and its node is trusted.
    let node = |record: &ExpertRecord| ExpertRecord { expert: "a".into(), ..record.clone() };
    let undefended = to_garbage(|record| record.expert == "a", node);
    assert!(undefended > 0.5, "where the node is trusted, its garbage takes over: {undefended}");
}

#[test]
fn a_node_earns_the_same_with_garbage_beside_its_good_expert() {
    let weights = |tests| {
        let slots = [HONEST, LIAR].map(|miner| (nervure_primitives::Uid(miner.into()), registration(miner)));
        tested(1, tests).weights(slots)
    };
    let (with, without) = (weights(|_| true), weights(|record| record.expert == "a"));
    assert_eq!(with, without);
}
