//! Votes and averages of scripted experts.

use nervure_primitives::Amount;
use nervure_protocol::FinishReason;

use super::*;
use crate::fake::{FakeExpert, FakeMesh, Step, ms, node, query, unreachable, virtually};
use nervure_subnet::{Dice, Seed};

/// An expert that gives `events` after `latency`.
fn giving(number: u8, events: Vec<ExpertEvent>, latency: u64) -> FakeExpert {
    FakeExpert::new(number, move |_, _| {
        let mut steps = vec![Step::Wait(ms(latency))];
        steps.extend(events.iter().cloned().map(Step::Event));
        steps.push(Step::End(FinishReason::Stop));
        steps
    })
}

fn saying(number: u8, text: &str, latency: u64) -> FakeExpert {
    giving(number, vec![ExpertEvent::Text(text.into())], latency)
}

fn pointing(number: u8, vector: [f32; 2], latency: u64) -> FakeExpert {
    giving(number, vec![ExpertEvent::Embedding { index: 0, vector: vector.to_vec() }], latency)
}

fn embedding(strategy: &str) -> Query {
    Query { request: ExpertRequest::Embed { inputs: vec!["x".into()] }, ..query(strategy) }
}

#[test]
fn a_vote_gives_the_majoritys_answer_unchanged() {
    virtually(async {
        let texts = ["Answer: 9", "So.\nAnswer: 4", "Answer: 4"];
        let expert = |(number, text)| saying(number, text, 10);
        let mesh = FakeMesh::new((0..3).zip(texts).map(expert).collect());
        let answer = mesh.ask(query("vote:3")).await.unwrap();
        assert_eq!((answer.node, answer.text().as_str()), (node(1), "So.\nAnswer: 4"));
        let agreement = |view: &ParticipantView| (view.node, view.agrees);
        let agreements: Vec<_> = answer.route.participants.iter().map(agreement).collect();
        assert_eq!(
            agreements,
            [(node(1), Some(true)), (node(0), Some(false)), (node(2), Some(true))],
            "the winner first, the others by trust"
        );
        let Some(ExpertEvent::Done { usage, .. }) = answer.events.last() else { panic!() };
        assert_eq!(usage.completion_tokens, 6, "all three are paid for");
    });
}

#[test]
fn the_order_of_arrival_does_not_decide() {
    let vote = |seed: u64| {
        let mut dice = Dice::new(Seed::from(seed));
        virtually(async {
            let texts = ["Answer: 9", "Answer: 4", "Answer: 5", "Answer: 4", "Answer: 9"];
            let expert = |(number, text)| saying(number, text, dice.below(1_500));
            let mesh = FakeMesh::new((0..5).zip(texts).map(expert).collect());
            let answer = mesh.ask(query("vote:5")).await.unwrap();
            let nodes: Vec<_> = answer.route.participants.iter().map(|view| view.node).collect();
            (answer.text(), nodes)
        })
    };
    let expected = vote(0);
    assert!((1..200).all(|seed| vote(seed) == expected));
}

#[test]
fn an_average_is_the_weighted_mean_direction() {
    let mean = |latencies: [u64; 2]| {
        virtually(async {
            let experts = vec![pointing(0, [2.0, 0.0], latencies[0]), pointing(1, [0.0, 7.0], latencies[1])];
            let answer = FakeMesh::new(experts).ask(embedding("average:2")).await.unwrap();
            let Some(ExpertEvent::Embedding { vector, .. }) = answer.events.first() else { panic!() };
            vector.clone()
        })
    };
    let vector = mean([5, 900]);
    assert_eq!(vector, mean([900, 5]));
    assert!(vector[0] > vector[1], "the more trusted one weighs more: {vector:?}");
    assert!((vector.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
}

#[test]
fn only_vectors_of_one_model_are_averaged() {
    virtually(async {
        let other = pointing(1, [0.0, 1.0], 5).with_model("other");
        let mesh = FakeMesh::new(vec![pointing(0, [1.0, 0.0], 5), other]);
        let error = mesh.ask(embedding("average:2")).await.unwrap_err();
        let ServiceError::TooFewExperts { needed: 2, found: 1, .. } = error else { panic!("{error}") };
    });
}

#[test]
fn a_failed_expert_is_replaced() {
    virtually(async {
        let dead = FakeExpert::new(0, unreachable());
        let mesh = FakeMesh::new(vec![dead, saying(1, "a", 5), saying(2, "a", 5), saying(3, "a", 5)]);
        let answer = mesh.ask(query("vote:3")).await.unwrap();
        assert_eq!((answer.route.tried, answer.route.participants.len()), (4, 3));
    });
}

#[test]
fn stragglers_have_a_bounded_time_when_enough_have_answered() {
    virtually(async {
        let mesh = FakeMesh::new(vec![saying(0, "a", 5), saying(1, "a", 40), saying(2, "a", 30_000)]);
        let started = Instant::now();
        let answer = mesh.ask(query("vote:3")).await.unwrap();
        assert_eq!(started.elapsed(), ms(40) + STRAGGLER_TIMEOUT);
        assert_eq!(answer.route.participants.len(), 2);
        assert_eq!(mesh.trace().last().unwrap(), "2040 cancel e2");
    });
}

#[test]
fn one_more_expert_is_asked_in_place_of_one_that_stalls() {
    virtually(async {
        let hang = |number| FakeExpert::new(number, |_, _| vec![Step::Hang]);
        let mesh = FakeMesh::new(vec![hang(0), hang(1), saying(2, "a", 5), saying(3, "a", 5)]);
        let answer = mesh.ask(query("vote:3")).await.unwrap();
        assert_eq!((answer.text().as_str(), answer.route.tried), ("a", 4));
        let asked_at = STALLED_ENSEMBLE_TIMEOUT.as_millis();
        assert!(mesh.trace().contains(&format!("{asked_at} dial e3")), "{:?}", mesh.trace());
    });
}

#[test]
fn without_enough_answers_there_is_none() {
    virtually(async {
        let dead = |number| FakeExpert::new(number, unreachable());
        let mesh = FakeMesh::new(vec![dead(0), dead(1), saying(2, "a", 5)]);
        assert!(matches!(mesh.ask(query("vote:3")).await, Err(ServiceError::AllFailed { .. })));
    });
}

#[test]
fn each_node_has_one_voice() {
    virtually(async {
        let (mut twin, first) = (saying(1, "b", 5), saying(0, "a", 5));
        twin.record.node = first.record.node;
        let records = [first, twin].map(|expert| (expert.record, Score::ONE));
        assert_eq!(Ensemble::new(records.into_iter(), 2).candidates.len(), 1);
    });
}

#[test]
fn the_budget_is_shared() {
    virtually(async {
        let mesh = FakeMesh::new((0..3).map(|number| saying(number, "a", 5)).collect());
        let query = Query { budget: Amount::from_base_units(10), ..query("vote:3") };
        assert!(mesh.ask(query).await.is_ok());
        assert!(mesh.queries().iter().all(|query| query.budget == Amount::from_base_units(3)));
    });
}

#[test]
fn receipts_are_in_the_order_of_the_participants() {
    virtually(async {
        let mesh = FakeMesh::new(vec![saying(0, "a", 5), saying(1, "b", 5), saying(2, "b", 5)]);
        let answer = mesh.ask(Query { receipt: true, ..query("vote:3") }).await.unwrap();
        let nodes: Vec<_> = answer.summary.receipts.iter().map(|receipt| receipt.node).collect();
        assert_eq!(nodes, [node(1), node(0), node(2)]);
    });
}

#[test]
fn a_strategy_must_suit_the_request() {
    virtually(async {
        let mesh = FakeMesh::new((0..3).map(|number| saying(number, "a", 5)).collect());
        for unsuitable in [query("average:2"), embedding("vote:3")] {
            let error = mesh.ask(unsuitable).await.unwrap_err();
            assert!(matches!(error, ServiceError::InvalidRequest { .. }), "{error}");
        }
    });
}
