//! Counts return to zero however a query ends: dropped at any moment, or read to its end.

use crate::fake::{FakeExpert, FakeMesh, Step, died, drop_after, ms, query, refuser, virtually, writer};
use nervure_protocol::query::QueryErrorCode;
use nervure_protocol::{ExpertEvent, ExpertRequest, FinishReason};

/// Experts that fail in many ways, and two that do well.
fn experts() -> Vec<FakeExpert> {
    let distribution = |request: &ExpertRequest, call: u32| match request {
        ExpertRequest::Distribution { .. } if call % 7 != 5 => vec![
            Step::Wait(ms(20)),
            Step::Event(ExpertEvent::Distribution(vec![1.0 / 256.0; 256])),
            Step::End(FinishReason::Stop),
        ],
        ExpertRequest::Distribution { .. } => vec![Step::Hang],
        _ => writer("the text of an answer", ms(30))(request, call),
    };
    let dying = |request: &ExpertRequest, call: u32| {
        let mut steps = writer("the text of an answer", ms(30))(request, call);
        steps.truncate(4);
        steps.push(died());
        steps
    };
    let stalling = |request: &ExpertRequest, call: u32| {
        let mut steps = writer("the text of an answer", ms(30))(request, call);
        steps.truncate(4);
        steps.push(Step::Hang);
        steps
    };
    vec![
        FakeExpert::new(0, refuser(QueryErrorCode::Busy, None, ms(15))),
        FakeExpert::new(1, dying),
        FakeExpert::new(2, stalling),
        FakeExpert::new(3, distribution),
        FakeExpert::new(4, distribution),
    ]
}

#[test]
fn counts_return_to_zero_when_a_query_is_dropped_at_any_moment() {
    let mut unfinished = 0;
    for strategy in ["best", "hedge", "race:3", "vote:3", "mix:2"] {
        for at in (0..4_000).step_by(13) {
            virtually(async {
                let mesh = FakeMesh::seeded(at, experts());
                unfinished += u32::from(drop_after(mesh.ask(query(strategy)), ms(at)).await.is_none());
                assert_eq!(mesh.in_flight(), 0, "{strategy}, dropped after {at} ms");
            });
        }
    }
    assert!(unfinished > 100, "only {unfinished} were dropped in time");
}

#[test]
fn queries_are_counted_while_they_are_with_an_expert() {
    virtually(async {
        let mesh = FakeMesh::new(vec![FakeExpert::new(0, writer("abcdef", ms(30)))]);
        let answer = mesh.router.ask(query("best")).await.unwrap();
        assert_eq!(mesh.in_flight(), 1);
        drop(answer);
        assert_eq!(mesh.in_flight(), 0);
        assert_eq!(mesh.trace().last().unwrap(), "30 cancel e0");
    });
}
