//! When each expert is asked, which one wins, and what is recorded of the others.

use nervure_protocol::query::QueryErrorCode;
use std::time::Duration;

use nervure_primitives::Amount;

use super::*;
use crate::fake::{FakeExpert, FakeMesh, Step, ms, query, refuser, unreachable, virtually, writer};

/// Runs a race of all experts in their order.
async fn run(mesh: &FakeMesh, strategy: &str) -> Result<RaceWinner, ServiceError> {
    let query = query(strategy);
    let body = crate::body::RequestBody::of(&query.request).unwrap();
    let spec = mesh.router.attempt_spec(body, Amount::ZERO, Instant::now() + Duration::from_secs(60));
    race(spec, mesh.catalog.records.clone(), query.strategy).await
}

fn winner(won: &RaceWinner) -> (&str, usize) {
    (&won.answer.record.expert, won.tried)
}

#[test]
fn the_first_choice_is_asked_alone() {
    virtually(async {
        let experts = (0..3).map(|number| FakeExpert::new(number, writer("abc", ms(100))));
        let mesh = FakeMesh::new(experts.collect());
        assert_eq!(winner(&run(&mesh, "best").await.unwrap()), ("e0", 1));
        assert_eq!(mesh.trace()[..1], ["0 dial e0"]);
    });
}

#[test]
fn a_hedge_goes_out_exactly_after_the_95th_percentile_and_the_loser_is_cancelled() {
    virtually(async {
        let slow = FakeExpert::new(0, writer("abc", ms(10_000)));
        let mesh = FakeMesh::new(vec![slow, FakeExpert::new(1, writer("abc", ms(5)))]);
        mesh.teach_latencies(0);
        let won = run(&mesh, "hedge").await.unwrap();
        assert_eq!(winner(&won), ("e1", 2));
        assert_eq!(mesh.trace(), ["0 dial e0", "19 dial e1", "24 cancel e0"]);
        let metrics = mesh.router.metrics();
        assert_eq!((metrics.hedges.get(), metrics.attempts("started")), (1, 1));
        assert_eq!(mesh.observation(0).failures, 0, "to be later than usual is not a failure");
    });
}

#[test]
fn without_a_hedge_the_slow_expert_is_waited_for_longer() {
    // The variant without the defence of the test above: `best` waits until the expert counts as stuck.
    virtually(async {
        let slow = FakeExpert::new(0, writer("abc", ms(10_000)));
        let mesh = FakeMesh::new(vec![slow, FakeExpert::new(1, writer("abc", ms(5)))]);
        mesh.teach_latencies(0);
        let won = run(&mesh, "best").await.unwrap();
        assert_eq!(winner(&won), ("e1", 2));
        assert_eq!(mesh.trace(), ["0 dial e0", "150 dial e1", "155 cancel e0"]);
        assert_eq!(mesh.observation(0).failures, 1, "to be stuck is one");
    });
}

#[test]
fn a_second_hedge_makes_the_silent_ones_failures() {
    virtually(async {
        let hang = |number| FakeExpert::new(number, |_, _| vec![Step::Hang]);
        let mesh = FakeMesh::new(vec![hang(0), hang(1), FakeExpert::new(2, writer("abc", ms(5)))]);
        mesh.teach_latencies(0);
        assert_eq!(winner(&run(&mesh, "hedge").await.unwrap()), ("e2", 3));
        assert_eq!(mesh.trace()[..3], ["0 dial e0", "19 dial e1", "419 dial e2"]);
        assert_eq!([0, 1, 2].map(|number| mesh.observation(number).failures), [1, 1, 0]);
    });
}

#[test]
fn a_failed_expert_is_replaced_at_once() {
    virtually(async {
        let dead = |number| FakeExpert::new(number, unreachable());
        let refusing = FakeExpert::new(1, refuser(QueryErrorCode::ExpertFailed, None, ms(30)));
        let mesh = FakeMesh::new(vec![dead(0), refusing, FakeExpert::new(2, writer("abc", ms(5)))]);
        let won = run(&mesh, "best").await.unwrap();
        assert_eq!(winner(&won), ("e2", 3));
        assert_eq!(mesh.trace(), ["0 dial e0", "0 fail e0", "0 dial e1", "30 fail e1", "30 dial e2"]);
    });
}

#[test]
fn a_race_asks_its_width_at_once_and_cancels_the_losers() {
    virtually(async {
        let latencies = [300, 200, 100, 1];
        let expert = |(number, latency)| FakeExpert::new(number, writer("abc", ms(latency)));
        let mesh = FakeMesh::new((0..4).zip(latencies).map(expert).collect());
        let won = run(&mesh, "race:3").await.unwrap();
        assert_eq!(winner(&won), ("e2", 3));
        drop(won);
        let trace = mesh.trace();
        assert_eq!(trace[..3], ["0 dial e0", "0 dial e1", "0 dial e2"]);
        assert!(trace[3..].iter().all(|line| line.starts_with("100 cancel")), "{trace:?}");
        assert_eq!(
            [0, 1].map(|number| mesh.observation(number).failures),
            [0, 0],
            "a loser did nothing wrong"
        );
    });
}

#[test]
fn attempts_are_bounded() {
    virtually(async {
        let experts = (0..20).map(|number| FakeExpert::new(number, unreachable()));
        let mesh = FakeMesh::new(experts.collect());
        let Err(ServiceError::AllFailed { attempts }) = run(&mesh, "race:2").await else { panic!() };
        assert_eq!(attempts.len(), 2 + MAX_EXTRA_ATTEMPTS);
    });
}

#[test]
fn a_race_without_candidates_fails() {
    virtually(async {
        let mesh = FakeMesh::new(Vec::new());
        assert_eq!(run(&mesh, "best").await.err(), Some(ServiceError::AllFailed { attempts: Vec::new() }));
    });
}

#[test]
fn a_request_that_two_experts_find_wrong_goes_to_no_third_and_is_no_fault_of_theirs() {
    virtually(async {
        let wrong = |number| FakeExpert::new(number, refuser(QueryErrorCode::BadRequest, None, ms(1)));
        let writes = |number| FakeExpert::new(number, writer("abc", ms(1)));
        let mesh = FakeMesh::new((0..4).map(wrong).chain([writes(4)]).collect());
        let error = run(&mesh, "best").await.map(|_| ()).unwrap_err();
        assert!(matches!(error, ServiceError::InvalidRequest { .. }), "{error}");
        assert_eq!(mesh.trace().iter().filter(|line| line.contains("dial")).count(), 2);
        assert!((0..4).all(|number| mesh.observation(number).failures == 0));
        // One alone may lie, or be the only one that cannot do what is asked for.
        let mesh = FakeMesh::new(vec![wrong(0), writes(1)]);
        assert_eq!(winner(&run(&mesh, "best").await.unwrap()), ("e1", 2));
        // A faulty expert beside the two changes nothing.
        let mesh = FakeMesh::new(vec![FakeExpert::new(0, unreachable()), wrong(1), wrong(2)]);
        let error = run(&mesh, "best").await.map(|_| ()).unwrap_err();
        assert!(matches!(error, ServiceError::InvalidRequest { .. }), "{error}");
    });
}
