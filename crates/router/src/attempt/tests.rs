//! One query to one scripted expert.

use super::*;
use crate::fake::{FakeExpert, FakeMesh, Step, died, ms, refuser, unreachable, virtually, writer};
use nervure_protocol::FinishReason;
use nervure_protocol::query::QueryErrorCode;

fn spec(mesh: &FakeMesh) -> AttemptSpec {
    let request = nervure_protocol::ExpertRequest::Embed { inputs: vec!["x".into()] };
    let body = crate::body::RequestBody::of(&request).unwrap();
    mesh.router.attempt_spec(body, Amount::ZERO, Instant::now() + ms(30_000))
}

async fn start(mesh: &FakeMesh) -> Result<StartedAnswer, AttemptError> {
    spec(mesh).start(mesh.catalog.records[0].clone()).await
}

fn failure(steps: Vec<Step>) -> AttemptFailure {
    virtually(async {
        let mesh = FakeMesh::new(vec![FakeExpert::new(0, move |_, _| steps.clone())]);
        let mut started = match start(&mesh).await {
            Ok(started) => started,
            Err(failed) => return failed.failure,
        };
        loop {
            match started.remainder.next().await {
                Ok(ExpertEvent::Done { .. }) => panic!("it ended well"),
                Ok(_) => {}
                Err(failure) => return failure,
            }
        }
    })
}

fn text(text: &str) -> Step {
    Step::Event(ExpertEvent::Text(text.into()))
}

#[test]
fn the_first_event_comes_with_the_remainder_and_its_latency_is_recorded() {
    virtually(async {
        let mesh = FakeMesh::new(vec![FakeExpert::new(0, writer("abcdef", ms(70)))]);
        let mut started = start(&mesh).await.ok().unwrap();
        assert_eq!(started.first, ExpertEvent::Text("abc".into()));
        assert_eq!((mesh.observation(0).latency_ms, mesh.in_flight()), (Some(70), 1));
        assert_eq!(started.remainder.next().await, Ok(ExpertEvent::Text("def".into())));
        assert!(matches!(started.remainder.next().await, Ok(ExpertEvent::Done { .. })));
        drop(started);
        assert_eq!(mesh.in_flight(), 0);
    });
}

#[test]
fn an_empty_piece_is_no_beginning() {
    virtually(async {
        let mesh = FakeMesh::new(vec![FakeExpert::new(0, |_, _| {
            vec![text(""), Step::Wait(ms(90)), text("a"), Step::End(FinishReason::Stop)]
        })]);
        let started = start(&mesh).await.ok().unwrap();
        assert_eq!(started.first, ExpertEvent::Text("a".into()));
        assert_eq!(mesh.observation(0).latency_ms, Some(90));
    });
    let failure = failure(vec![text(""); 1000]);
    assert_eq!(failure.reason, "the expert broke the protocol: nothing but empty pieces");
}

#[test]
fn latency_is_not_recorded_when_it_says_nothing() {
    virtually(async {
        let mesh = FakeMesh::new(vec![FakeExpert::new(0, writer("abcdef", ms(70)))]);
        let spec = AttemptSpec { records_latency: false, ..spec(&mesh) };
        assert!(spec.start(mesh.catalog.records[0].clone()).await.is_ok());
        assert_eq!(mesh.observation(0).latency_ms, None);
    });
}

#[test]
fn an_end_in_the_middle_breaks_the_protocol() {
    let done = ExpertEvent::Done { usage: Default::default(), reason: FinishReason::Stop };
    let failure = failure(vec![text("a"), Step::Event(done), text("b")]);
    assert_eq!(failure.kind, FailureKind::Failed);
    assert_eq!(failure.reason, "the expert broke the protocol: an end in the middle");
}

#[test]
fn an_answer_that_is_cut_off_is_a_failure() {
    assert_eq!(failure(vec![text("a"), died()]).reason, "the connection was lost");
}

#[test]
fn refusals_keep_their_meaning() {
    let kind = |code, retry_after| {
        virtually(async {
            let mesh = FakeMesh::new(vec![FakeExpert::new(0, refuser(code, retry_after, ms(5)))]);
            let kind = start(&mesh).await.err().unwrap().failure.kind;
            (kind, mesh.observation(0).failures, mesh.in_flight())
        })
    };
    assert_eq!(kind(QueryErrorCode::Busy, Some(ms(70))), (FailureKind::Busy(ms(70)), 0, 0));
    assert_eq!(kind(QueryErrorCode::Busy, None), (FailureKind::Busy(DEFAULT_RETRY_AFTER), 0, 0));
    assert_eq!(kind(QueryErrorCode::BadRequest, None), (FailureKind::BadRequest, 0, 0));
    assert_eq!(kind(QueryErrorCode::ContextTooLong, None), (FailureKind::ContextTooLong, 0, 0));
    assert_eq!(
        kind(QueryErrorCode::ExpertFailed, None),
        (FailureKind::Failed, 1, 0),
        "only this counts against it"
    );
}

#[test]
fn an_unreachable_node_counts_as_failed() {
    virtually(async {
        let mesh = FakeMesh::new(vec![FakeExpert::new(0, unreachable())]);
        assert_eq!(start(&mesh).await.err().unwrap().failure.kind, FailureKind::Failed);
        assert_eq!((mesh.observation(0).failures, mesh.in_flight()), (1, 0));
    });
}

#[test]
fn a_query_gets_the_time_that_is_left_and_an_id_of_its_own() {
    virtually(async {
        let mesh = FakeMesh::new(vec![FakeExpert::new(0, writer("abc", ms(5)))]);
        let spec = spec(&mesh);
        tokio::time::sleep(ms(10_000)).await;
        for _ in 0..2 {
            assert!(spec.start(mesh.catalog.records[0].clone()).await.is_ok());
        }
        let queries = mesh.queries();
        assert_eq!(queries[0].timeout, ms(20_000));
        assert_eq!(queries[1].timeout, ms(19_995));
        assert_ne!(queries[0].id, queries[1].id);
    });
}
