//! Experts that fail before the first byte, and come back or not.

use nervure_protocol::query::QueryErrorCode;
use std::time::Duration;

use nervure_api::ServiceError;

use crate::{
    fake::{FakeExpert, FakeMesh, Step, ms, node, query, refuser, unreachable, virtually, writer},
    router::{BUSY_TIMEOUT, RETRY_DELAY, RETRY_TIMEOUT},
};
use tokio::time::Instant;

/// An expert that cannot be reached the first `calls` times.
fn recovering(number: u8, calls: u32) -> FakeExpert {
    FakeExpert::new(number, move |request, call| match call < calls {
        true => unreachable()(request, call),
        false => writer("abcdef", ms(10))(request, call),
    })
}

#[test]
fn the_asker_does_not_notice_an_expert_that_fails_at_first() {
    virtually(async {
        let dead = FakeExpert::new(0, unreachable());
        let mesh = FakeMesh::new(vec![dead, FakeExpert::new(1, writer("abcdef", ms(10)))]);
        let answer = mesh.ask(query("best")).await.unwrap();
        assert_eq!((answer.node, answer.text().as_str()), (node(1), "abcdef"));
        assert_eq!((answer.route.candidates, answer.route.tried), (2, 2));
        assert!(answer.summary.took_over.is_empty(), "nothing was taken over");
    });
}

#[test]
fn experts_are_asked_again_until_one_is_back() {
    virtually(async {
        let mesh = FakeMesh::new(vec![recovering(0, 2), recovering(1, 3)]);
        let answer = mesh.ask(query("best")).await.unwrap();
        assert_eq!((answer.node, answer.text().as_str()), (node(0), "abcdef"));
        let dials = mesh.trace().iter().filter(|line| line.contains("dial")).count();
        assert_eq!(dials, 5, "{:?}", mesh.trace());
        let metrics = mesh.router.metrics();
        let attempts = ["failed", "started", "busy"].map(|outcome| metrics.attempts(outcome));
        assert_eq!((metrics.retries.get(), attempts), (2, [4, 1, 0]));
    });
}

#[test]
fn retrying_ends_at_the_retry_timeout() {
    virtually(async {
        let started = Instant::now();
        let mesh = FakeMesh::new(vec![FakeExpert::new(0, unreachable()), FakeExpert::new(1, unreachable())]);
        let error = mesh.ask(query("best")).await.unwrap_err();
        assert!(matches!(error, ServiceError::AllFailed { .. }), "{error}");
        let took = started.elapsed();
        assert!((RETRY_TIMEOUT..=RETRY_TIMEOUT + RETRY_DELAY * 2).contains(&took), "{took:?}");
        // Three failures pause an expert, so that it is not asked all the time.
        let dials = mesh.trace().iter().filter(|line| line.contains("dial")).count();
        assert!((6..20).contains(&dials), "{dials} attempts");
    });
}

#[test]
fn a_single_expert_is_not_asked_again() {
    virtually(async {
        let started = Instant::now();
        let mesh = FakeMesh::new(vec![FakeExpert::new(0, unreachable())]);
        assert!(matches!(mesh.ask(query("best")).await, Err(ServiceError::AllFailed { .. })));
        assert_eq!(started.elapsed(), Duration::ZERO);
    });
}

/// An expert without room for the first `calls` requests.
fn full(number: u8, calls: u32, retry_after: Duration) -> FakeExpert {
    let busy = refuser(QueryErrorCode::Busy, Some(retry_after), ms(5));
    FakeExpert::new(number, move |request, call| match call < calls {
        true => busy(request, call),
        false => writer("abcdef", ms(10))(request, call),
    })
}

#[test]
fn a_query_waits_a_moment_for_room_whatever_its_strategy() {
    for strategy in ["best", "hedge", "race:2", "vote:2"] {
        virtually(async {
            let mesh = FakeMesh::new(vec![full(0, 2, ms(50)), full(1, 3, ms(50))]);
            let answer = mesh.ask(query(strategy)).await.unwrap();
            assert_eq!(answer.text(), "abcdef", "{strategy}");
        });
    }
}

#[test]
fn waiting_for_room_ends_at_the_busy_timeout() {
    virtually(async {
        let started = Instant::now();
        let mesh = FakeMesh::new(vec![full(0, u32::MAX, ms(700)), full(1, u32::MAX, ms(700))]);
        assert_eq!(mesh.ask(query("best")).await, Err(ServiceError::Busy { retry_after: ms(700) }));
        let took = started.elapsed();
        assert!((BUSY_TIMEOUT - ms(1_000)..=BUSY_TIMEOUT + ms(50)).contains(&took), "{took:?}");
        let dials = mesh.trace().iter().filter(|line| line.contains("dial")).count();
        assert!((18..=32).contains(&dials), "{dials} attempts");
    });
}

#[test]
fn a_long_wait_is_left_to_the_asker() {
    virtually(async {
        let started = Instant::now();
        let mesh = FakeMesh::new(vec![full(0, 1, ms(30_000))]);
        assert_eq!(mesh.ask(query("best")).await, Err(ServiceError::Busy { retry_after: ms(30_000) }));
        assert_eq!(started.elapsed(), ms(5));
    });
}

#[test]
fn the_deadline_ends_retrying() {
    virtually(async {
        let started = Instant::now();
        let mesh = FakeMesh::new(vec![FakeExpert::new(0, unreachable()), FakeExpert::new(1, unreachable())]);
        let short = nervure_api::Query { deadline: ms(900), ..query("best") };
        assert_eq!(mesh.ask(short).await, Err(ServiceError::DeadlineExceeded { after: ms(900) }));
        assert_eq!(started.elapsed(), ms(900));
    });
}

#[test]
fn the_deadline_ends_waiting_for_a_silent_expert() {
    virtually(async {
        let started = Instant::now();
        let mesh = FakeMesh::new(vec![FakeExpert::new(0, |_, _| vec![Step::Hang])]);
        assert!(matches!(mesh.ask(query("best")).await, Err(ServiceError::DeadlineExceeded { .. })));
        assert_eq!((started.elapsed(), mesh.in_flight()), (Duration::from_secs(60), 0));
    });
}
