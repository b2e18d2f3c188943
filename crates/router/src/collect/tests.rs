//! Whole answers and their bounds.

use nervure_primitives::Amount;
use tokio::time::Instant;

use super::*;
use crate::{
    body::RequestBody,
    fake::{FakeExpert, FakeMesh, Step, died, ms, query, virtually},
};

async fn collect(steps: Vec<Step>) -> Result<CollectedAnswer, AttemptError> {
    collect_in(&FakeMesh::new(vec![FakeExpert::new(0, move |_, _| steps.clone())])).await
}

async fn collect_in(mesh: &FakeMesh) -> Result<CollectedAnswer, AttemptError> {
    let body = RequestBody::of(&query("best").request).unwrap();
    let spec = mesh.router.attempt_spec(body, Amount::ZERO, Instant::now() + ms(10_000));
    spec.collect(mesh.catalog.records[0].clone()).await
}

fn text(text: String) -> Step {
    Step::Event(ExpertEvent::Text(text))
}

fn vector(index: u32) -> ExpertEvent {
    ExpertEvent::Embedding { index, vector: vec![index as f32] }
}

#[test]
fn an_answer_is_its_events_and_its_end() {
    virtually(async {
        let steps = vec![text("ab".into()), text("c".into()), Step::End(FinishReason::Length)];
        let answer = collect(steps).await.ok().unwrap();
        assert_eq!((answer.text().as_str(), answer.events.len()), ("abc", 2));
        assert_eq!((answer.reason, answer.usage.completion_tokens), (FinishReason::Length, 2));
    });
}

#[test]
fn an_answer_without_an_end_is_a_failure() {
    virtually(async {
        let failed = collect(vec![text("ab".into()), died()]).await.err().unwrap();
        assert_eq!(failed.failure.reason, "the connection was lost");
    });
}

#[test]
fn a_break_after_the_first_event_counts_as_a_failure() {
    let busy = crate::DialError::Refused {
        code: nervure_protocol::query::QueryErrorCode::Busy,
        message: "busy".into(),
        retry_after: None,
    };
    let too_long = text("x".repeat(MAX_ANSWER_BYTES + 1));
    for (end, failures) in
        [(died(), 1), (too_long, 1), (Step::Fail(busy), 0), (Step::End(FinishReason::Stop), 0)]
    {
        virtually(async {
            let steps = vec![text("ab".into()), end];
            let mesh = FakeMesh::new(vec![FakeExpert::new(0, move |_, _| steps.clone())]);
            let _ = collect_in(&mesh).await;
            assert_eq!(mesh.observation(0).failures, failures);
        });
    }
}

#[test]
fn events_and_bytes_are_bounded() {
    let is_collected = |steps: Vec<Step>| virtually(async { collect(steps).await.is_ok() });
    let many = |count: usize, bytes: usize| {
        let events = (0..count).map(|_| text("x".repeat(bytes)));
        is_collected(events.chain([Step::End(FinishReason::Stop)]).collect())
    };
    assert!(many(MAX_ANSWER_EVENTS, 1));
    assert!(!many(MAX_ANSWER_EVENTS + 1, 1));
    assert!(many(4, MAX_ANSWER_BYTES / 4));
    assert!(!many(4, MAX_ANSWER_BYTES / 4 + 1));
}

#[test]
fn vectors_are_one_for_each_input_in_order() {
    virtually(async {
        let steps = |indices: &[u32]| {
            let events = indices.iter().map(|index| Step::Event(vector(*index)));
            events.chain([Step::End(FinishReason::Stop)]).collect::<Vec<_>>()
        };
        let answer = collect(steps(&[0, 1])).await.ok().unwrap();
        assert_eq!(answer.vectors(2), Some(vec![&[0.0][..], &[1.0][..]]));
        assert_eq!(answer.vectors(1), None);
        assert_eq!(answer.vectors(3), None);
        let answer = collect(steps(&[1, 0])).await.ok().unwrap();
        assert_eq!(answer.vectors(2), None, "out of order");
    });
}
