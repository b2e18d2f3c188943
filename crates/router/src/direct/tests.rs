//! A query to one expert, without any other in its place.

use nervure_protocol::query::body::encode_request;

use super::*;
use crate::fake::{FakeExpert, FakeMesh, Step, died, ms, query, refuser, virtually, writer};
use nervure_protocol::query::QueryErrorCode;

async fn ask(expert: FakeExpert, deadline: Duration) -> (Result<DirectAnswer, DirectError>, Duration) {
    let mesh = FakeMesh::new(vec![expert, FakeExpert::new(1, writer("another", ms(1)))]);
    let body = encode_request(&query("best").request).unwrap().into();
    let record = mesh.catalog.records[0].clone();
    let started = Instant::now();
    let query = DirectQuery {
        record,
        body,
        budget: Amount::ZERO,
        timeout: Duration::from_secs(60),
        id: None,
        until: started + deadline,
    };
    let answer = mesh.router.ask_directly(query).await;
    assert!(mesh.trace().iter().all(|line| line.ends_with("e0")), "only the chosen expert is asked");
    assert_eq!(mesh.in_flight(), 0);
    (answer, started.elapsed())
}

#[test]
fn the_whole_answer_comes_with_its_receipt_and_duration() {
    virtually(async {
        let (answer, _) = ask(FakeExpert::new(0, writer("abcdef", ms(100))), ms(5_000)).await;
        let answer = answer.ok().unwrap();
        assert_eq!(answer.events, ["abc", "def"].map(|text| ExpertEvent::Text(text.into())));
        assert_eq!((answer.receipt.into_bytes(), answer.duration), (None, ms(120)));
    });
}

#[test]
fn a_busy_expert_says_when_to_ask_again() {
    virtually(async {
        let busy = FakeExpert::new(0, refuser(QueryErrorCode::Busy, Some(ms(40)), ms(1)));
        assert_eq!(ask(busy, ms(5_000)).await.0.err(), Some(DirectError::Busy(ms(40))));
    });
}

#[test]
fn an_expert_that_dies_is_not_replaced() {
    virtually(async {
        let dying = FakeExpert::new(0, |_, _| vec![Step::Event(ExpertEvent::Text("a".into())), died()]);
        let failed = DirectError::Failed("the connection was lost".into());
        assert_eq!(ask(dying, ms(5_000)).await.0.err(), Some(failed));
    });
}

#[test]
fn the_deadline_ends_it() {
    virtually(async {
        let (answer, took) = ask(FakeExpert::new(0, |_, _| vec![Step::Hang]), ms(700)).await;
        assert_eq!((answer.err(), took), (Some(DirectError::Failed("the deadline passed".into())), ms(700)));
    });
}
