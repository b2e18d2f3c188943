//! The whole loop without a network: tasks, assignments, receipts, scores, weights, live scores, routes.
//!
//! Around these functions a node only sends and stores. Good miners end above mediocre ones, those above bad
//! ones, a silent one at nothing; a restart changes nothing, and a miner that becomes bad is noticed.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::time::Duration;

use nervure_primitives::{Amount, Hash, Uid, cbor};
use nervure_protocol::{
    AnswerHasher, Assignment, ExpertEvent, ExpertRecord, ExpertRequest, FinishReason, Receipt,
    SignedLiveScores, SignedReceipt, SignedTaskBatch, Usage, commitment, request_hash, testing,
};
use nervure_subnet::{
    Candidate, Observation, Policy, QueryTerms, Seed, Trust,
    mechanism::Reply,
    route,
    score::{LiveScoreTable, MovingAverageTable, ScorePublication, ScoringRules, evaluate},
    task::{AssignmentOutcome, Assignments, BatchPlan, OpenBatch, PendingQueries, PendingQuery},
};

#[path = "attacks/world.rs"]
mod world;

use world::{Ledger, MESH, NOW, SUBNET, corpus, expert, id, key, model, next_byte, registration};

const VALIDATOR: u8 = 1;
const GOOD: u8 = 10;
const MEDIOCRE: u8 = 11;
const BAD: u8 = 12;
const SILENT: u8 = 13;
const MINERS: [u8; 4] = [GOOD, MEDIOCRE, BAD, SILENT];

/// A miner: what it answers, and its receipt.
fn answered(
    miner: u8,
    asked: &PendingQuery,
    requests: &[ExpertRequest],
    degraded: bool,
) -> Option<(Vec<Reply>, Vec<u8>)> {
    let sure = match miner {
        GOOD if degraded => 0.05,
        GOOD => 0.7,
        MEDIOCRE => 0.45,
        BAD => 0.1,
        _ => return None,
    };
    let receipt = Receipt {
        query: asked.query,
        request: asked.request,
        answer: answer_hash(),
        received_at: NOW,
        ..testing::receipt(id(VALIDATOR), id(miner))
    };
    let signed = SignedReceipt::sign(&key(miner), &MESH, receipt).unwrap();
    Some((model(requests, sure, miner), signed.bytes().to_vec()))
}

fn answer_hash() -> Hash {
    let mut hasher = AnswerHasher::default();
    hasher.event(&ExpertEvent::Text("all events, as they came".into()));
    hasher.finish(Usage::default(), FinishReason::Stop)
}

/// Sets one task, from its drawing to its scores.
fn set_task(board: &mut MovingAverageTable, seen: &mut Assignments, number: u64, degraded: bool) {
    let seed = Seed::from(1).derive("task", number);
    let task = next_byte().draw(seed, &corpus().into()).unwrap();
    let salt = Seed::from(1).derive("salt", number);
    let mut miners = MINERS.map(id).to_vec();
    miners.sort();
    let opens_at = NOW.plus(Duration::from_secs(10));
    let assignment = Assignment {
        task: commitment((&id(VALIDATOR), SUBNET), task.requests(), salt.as_bytes()).unwrap(),
        miners,
        deadline: opens_at,
    };
    let plan = BatchPlan { netuid: SUBNET, validator: id(VALIDATOR), number, issued_at: NOW, opens_at };
    let batch = OpenBatch::new(plan, vec![assignment], seed.derive("batch", 0)).unwrap();
    let signed = SignedTaskBatch::sign(&key(VALIDATOR), &MESH, batch.batch().clone()).unwrap();
    let heard = SignedTaskBatch::verify(signed.bytes(), &MESH, NOW, &Ledger).unwrap();
    assert_eq!(seen.insert(heard, NOW), AssignmentOutcome::New);

    let mut outstanding = PendingQueries::new(id(VALIDATOR), MESH);
    let mut answers = Vec::new();
    for miner in MINERS {
        let query = *seed.derive("query", miner.into()).as_bytes();
        let query = Hash::from_bytes(query);
        let body = cbor::encode(&task.requests()).unwrap();
        let request = request_hash(&query, &body);
        let asked = PendingQuery { query, netuid: SUBNET, miner: id(miner), request, sent_at: NOW };
        outstanding.ask(asked).unwrap();
        let replies = match answered(miner, &asked, task.requests(), degraded) {
            Some((replies, receipt)) => {
                outstanding.settle(&receipt, &answer_hash(), NOW).unwrap();
                replies
            }
            None => Vec::new(),
        };
        answers.push((expert(miner), replies));
    }
    assert_eq!(outstanding.len(), 1, "the silent one owes a receipt");
    for opening in batch.openings() {
        assert_eq!(seen.open(&opening, opens_at), Ok(AssignmentOutcome::New));
    }
    seen.expire(opens_at.plus(Duration::from_secs(600)));
    for result in evaluate(task.as_ref(), &answers) {
        assert!(board.record(&result.expert, result.result));
    }
}

fn weights(board: &MovingAverageTable) -> [u16; 4] {
    let slots = MINERS.map(|miner| (Uid(miner.into()), registration(miner)));
    let weights = board.weights(slots);
    MINERS.map(|miner| {
        weights.iter().find(|(uid, _)| uid.0 == u16::from(miner)).map_or(0, |(_, weight)| *weight)
    })
}

/// The miner that a gateway asks first after it received the validator's live scores.
fn routed(board: &MovingAverageTable) -> u8 {
    let published = ScorePublication::default().live_scores(board, (id(VALIDATOR), SUBNET), NOW);
    let bytes = SignedLiveScores::sign(&key(VALIDATOR), &MESH, published).unwrap().bytes().to_vec();
    let mut book = LiveScoreTable::new(SUBNET);
    assert!(book.insert(&SignedLiveScores::verify(&bytes, &MESH, NOW, &Ledger).unwrap(), NOW));
    let candidate = |miner| {
        let trust = Trust::new(None, book.median_of(&expert(miner).expert, |_| 1000, NOW));
        (Candidate { record: record(miner), seen: Observation::default() }, trust)
    };
    let budget = Amount::from_base_units(u64::MAX);
    let terms = QueryTerms { capability: None, model: None, filter: None, budget, seed: 1 };
    let route = route(MINERS.map(candidate).to_vec(), &terms, &Policy::Balanced.rules(), NOW);
    MINERS.into_iter().find(|miner| id(*miner) == route.choices[0].record.node).unwrap()
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
        price: 0,
        byte_level: true,
        load: 0,
        addresses: vec![],
        relays: Vec::new(),
        seq: 1,
        issued_at: NOW,
        expires_at: NOW.plus(Duration::from_secs(60)),
        withdrawn: false,
    }
}

fn fresh() -> MovingAverageTable {
    let mut board = MovingAverageTable::new(ScoringRules::default()).unwrap();
    board.set_registered(MINERS.map(registration));
    board
}

#[test]
fn weights_and_routes_follow_quality() {
    let (mut board, mut seen) = (fresh(), Assignments::default());
    (0..20).for_each(|number| set_task(&mut board, &mut seen, number, false));
    let [good, mediocre, bad, silent] = weights(&board);
    assert_eq!((good, silent), (u16::MAX, 0));
    assert!(good / 5 * 4 > mediocre && mediocre > 4 * bad, "{mediocre} {bad}");
    assert_eq!(routed(&board), GOOD);

    let mut again = fresh();
    again.restore(&board.save().unwrap()).unwrap();
    assert_eq!(weights(&again), weights(&board), "a restart changes nothing");

    (20..40).for_each(|number| set_task(&mut again, &mut seen, number, true));
    let [good, mediocre, ..] = weights(&again);
    assert!(good < mediocre, "the good one became bad: {good} {mediocre}");
    assert_eq!(routed(&again), MEDIOCRE);
}
