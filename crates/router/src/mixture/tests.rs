//! Texts that scripted experts write together.

use nervure_primitives::Amount;
use nervure_protocol::FinishReason;

use super::*;
use crate::fake::{FakeAnswer, FakeExpert, FakeMesh, Step, died, ms, node, query, unreachable, virtually};

/// The distribution with most of its mass on `byte`.
fn peak(byte: u8) -> Step {
    let mut masses = vec![0.001; 256];
    masses[usize::from(byte)] = 0.745;
    Step::Event(ExpertEvent::Distribution(masses))
}

/// The steps of an expert that expects `byte` next, after `latency`.
fn expect(byte: u8, latency: Duration) -> Vec<Step> {
    vec![Step::Wait(latency), peak(byte), Step::End(FinishReason::Stop)]
}

/// An expert that expects the alphabet: after each byte the next one.
fn alphabet(number: u8, latency: Duration) -> FakeExpert {
    FakeExpert::new(number, move |request, _| expect(next_letter(request), latency))
}

fn next_letter(request: &ExpertRequest) -> u8 {
    let ExpertRequest::Distribution { context } = request else { panic!("a step") };
    context.last().map_or(b'a', |byte| byte + 1)
}

/// An alphabet expert that does something else at its call number `at`.
fn disturbed(number: u8, at: u32, steps: Vec<Step>) -> FakeExpert {
    FakeExpert::new(number, move |request, call| match call == at {
        true => steps.clone(),
        false => expect(next_letter(request), ms(10)),
    })
}

/// A query for the letters that follow `a`.
fn letters(count: u32) -> Query {
    let mut query = query("mix:2");
    let ExpertRequest::Complete { prompt, sampling } = &mut query.request else { panic!() };
    (*prompt, sampling.max_tokens) = ("a".into(), count);
    query
}

async fn write(experts: Vec<FakeExpert>, count: u32) -> (Result<FakeAnswer, ServiceError>, FakeMesh) {
    let mesh = FakeMesh::new(experts);
    let answer = mesh.ask(letters(count)).await;
    assert_eq!(mesh.in_flight(), 0);
    (answer, mesh)
}

#[test]
fn every_expert_gets_every_byte() {
    virtually(async {
        let (answer, mesh) = write(vec![alphabet(0, ms(10)), alphabet(1, ms(20))], 5).await;
        let answer = answer.unwrap();
        assert_eq!(answer.text(), "bcdef");
        let bytes = |view: &nervure_api::ParticipantView| view.bytes;
        let parts: Vec<_> = answer.summary.participants.iter().map(bytes).collect();
        assert_eq!(parts, [Some(5), Some(5)]);
        assert_eq!(mesh.trace().iter().filter(|line| line.contains("dial")).count(), 10);
    });
}

#[test]
fn an_expert_that_predicts_badly_loses_weight() {
    virtually(async {
        let liar = FakeExpert::new(1, |_, _| expect(b'!', ms(10)));
        let answer = write(vec![alphabet(0, ms(10)), liar], 6).await.0.unwrap();
        assert_eq!(answer.text(), "bcdefg");
        let weight = |views: &[nervure_api::ParticipantView]| {
            views.iter().find(|view| view.node == node(1)).unwrap().weight
        };
        let (before, after) = (weight(&answer.route.participants), weight(&answer.summary.participants));
        assert!(before > 0.4 && after < before / 4.0, "from {before} to {after}");
    });
}

#[test]
fn an_expert_that_fails_before_the_first_byte_is_replaced() {
    virtually(async {
        let dead = FakeExpert::new(0, unreachable());
        let (answer, _) = write(vec![dead, alphabet(1, ms(10)), alphabet(2, ms(10))], 4).await;
        let answer = answer.unwrap();
        assert_eq!((answer.text().as_str(), answer.route.tried), ("bcde", 3));
        assert!(answer.summary.participants.iter().all(|view| view.left.is_none()));
    });
}

#[test]
fn an_expert_that_dies_later_is_dropped_and_the_text_continues() {
    virtually(async {
        let experts = vec![disturbed(0, 2, vec![died()]), alphabet(1, ms(10)), alphabet(2, ms(10))];
        let answer = write(experts, 6).await.0.unwrap();
        assert_eq!(answer.text(), "bcdefg");
        let left = answer.summary.participants.iter().find(|view| view.node == node(0)).unwrap();
        assert_eq!((left.bytes, left.left.as_deref()), (Some(2), Some("the connection was lost")));
    });
}

#[test]
fn an_invalid_distribution_drops_its_expert() {
    virtually(async {
        let invalid = Step::Event(ExpertEvent::Distribution(vec![1.0; 3]));
        let steps = vec![invalid, Step::End(FinishReason::Stop)];
        let (answer, mesh) = write(vec![disturbed(0, 1, steps), alphabet(1, ms(10))], 5).await;
        let answer = answer.unwrap();
        assert_eq!(answer.text(), "bcdef");
        assert_eq!((mesh.observation(0).failures, mesh.observation(1).failures), (1, 0));
        let left = answer.summary.participants.iter().find(|view| view.node == node(0)).unwrap();
        assert_eq!(left.left.as_deref(), Some("it sent an invalid distribution"));
    });
}

#[test]
fn a_stalling_expert_costs_a_bounded_time_and_is_dropped_in_the_end() {
    virtually(async {
        let started = Instant::now();
        let steps = vec![Step::Hang];
        let answer = write(vec![alphabet(0, ms(10)), disturbed(1, 0, steps)], 50).await.0.unwrap();
        assert_eq!(answer.events.len(), 51);
        let stalled = answer.summary.participants.iter().find(|view| view.node == node(1)).unwrap();
        assert_eq!((stalled.bytes, stalled.left.as_deref()), (Some(0), Some("it was too slow")));
        // The lock-step soon stops waiting for an expert that misses step after step.
        assert!(started.elapsed() < ms(50 * 10) + STRAGGLER_TIMEOUT * 10, "{:?}", started.elapsed());
    });
}

#[test]
fn a_busy_expert_is_asked_again() {
    virtually(async {
        let error = crate::DialError::Refused {
            code: nervure_protocol::query::QueryErrorCode::Busy,
            message: "busy".into(),
            retry_after: Some(ms(60_000)),
        };
        let experts = vec![disturbed(0, 0, vec![Step::Fail(error)]), alphabet(1, ms(10))];
        let answer = write(experts, 3).await.0.unwrap();
        assert_eq!(answer.text(), "bcd");
        assert!(answer.summary.participants.iter().all(|view| view.bytes == Some(3)));
    });
}

#[test]
fn without_any_answer_the_first_step_ends_at_its_timeout() {
    virtually(async {
        let started = Instant::now();
        let hang = |number| FakeExpert::new(number, |_, _| vec![Step::Hang]);
        let error = write(vec![hang(0), hang(1)], 3).await.0.unwrap_err();
        assert!(matches!(error, ServiceError::AllFailed { .. }), "{error}");
        assert_eq!(started.elapsed(), STEP_TIMEOUT);
    });
}

#[test]
fn an_expert_must_send_exactly_one_distribution() {
    virtually(async {
        let text = Step::Event(ExpertEvent::Text("x".into()));
        let two = vec![peak(b'b'), peak(b'b'), Step::End(FinishReason::Stop)];
        for steps in [vec![text, Step::End(FinishReason::Stop)], two] {
            let expert = FakeExpert::new(0, move |_, _| steps.clone());
            let (answer, mesh) = write(vec![expert.clone(), alphabet(1, ms(10))], 3).await;
            let answer = answer.unwrap();
            assert_eq!(mesh.observation(0).failures, 1);
            let left = answer.summary.participants.iter().find(|view| view.node == node(0)).unwrap();
            assert!(left.left.as_ref().unwrap().starts_with("the expert broke the protocol"), "{left:?}");
        }
    });
}

#[test]
fn a_mixture_needs_two_byte_level_experts_and_a_text() {
    virtually(async {
        let mut other = alphabet(1, ms(10));
        other.record.byte_level = false;
        let error = write(vec![alphabet(0, ms(10)), other], 3).await.0.unwrap_err();
        let ServiceError::TooFewExperts { needed: 2, found: 1, .. } = error else { panic!("{error}") };
        let mesh = FakeMesh::new(vec![alphabet(0, ms(10)), alphabet(1, ms(10))]);
        let request = ExpertRequest::Embed { inputs: vec!["x".into()] };
        let error = mesh.ask(Query { request, ..letters(3) }).await.unwrap_err();
        assert!(matches!(error, ServiceError::InvalidRequest { .. }), "{error}");
    });
}

#[test]
fn the_budget_is_shared_among_experts_and_steps() {
    virtually(async {
        let mesh = FakeMesh::new(vec![alphabet(0, ms(10)), alphabet(1, ms(10))]);
        let query = Query { budget: Amount::from_base_units(100), ..letters(5) };
        assert!(mesh.ask(query).await.is_ok());
        assert!(mesh.queries().iter().all(|query| query.budget == Amount::from_base_units(10)));
    });
}
