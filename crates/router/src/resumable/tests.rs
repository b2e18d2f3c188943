//! Experts that fail or stall within a text, for many seeds.

use std::{sync::Arc, time::Duration};

use nervure_api::{Query, ServiceError};
use nervure_primitives::Amount;
use nervure_protocol::{ExpertEvent, ExpertRequest, FinishReason, Sampling};
use nervure_subnet::{Dice, Seed};
use parking_lot::Mutex;

use super::*;
use crate::{
    fake::{
        FakeAnswer, FakeExpert, FakeMesh, Step, died, ms, node, pieces, prefix, query, random_pauses,
        virtually, writer,
    },
    router::{MAX_TAKEOVERS, STALL_TIMEOUT},
};

/// The text of every expert here, with characters of one to four bytes.
const TEXT: &str =
    "Die Größe des Baums misst man in µm und 🌳; naïve readers count bytes, α to ω, and are wrong.";

/// Stands in for "never" where a limit is switched off.
const NEVER: Duration = Duration::from_secs(1 << 30);

/// A writer of [`TEXT`] that, once `bytes` of it have been written in all, does `then`.
fn until(number: u8, bytes: usize, then: Step) -> FakeExpert {
    FakeExpert::new(number, move |request, _| {
        let mut written = prefix(request).len();
        let mut steps = vec![Step::Wait(ms(20))];
        for step in pieces(TEXT, request) {
            if written >= bytes {
                break;
            }
            if let Step::Event(ExpertEvent::Text(text)) = &step {
                written += text.len();
            }
            steps.push(step);
        }
        steps.push(then.clone());
        steps
    })
}

fn healthy(number: u8) -> FakeExpert {
    FakeExpert::new(number, writer(TEXT, ms(20)))
}

/// What an expert in a random run does at its random point.
fn random_end(dice: &mut Dice) -> Step {
    match dice.below(3) {
        0 => Step::Hang,
        1 => Step::Event(ExpertEvent::Done { usage: Default::default(), reason: FinishReason::Stop }),
        _ => died(),
    }
}

/// An expert that ends badly after a random number of pieces in two of three of its answers.
fn unsteady(number: u8, seed: u64) -> FakeExpert {
    let dice = Arc::new(Mutex::new(Dice::new(Seed::from(seed).derive("expert", number.into()))));
    FakeExpert::new(number, move |request, _| {
        let mut dice = dice.lock();
        let mut steps = pieces(TEXT, request);
        match dice.below(3) {
            0 => steps.push(Step::End(FinishReason::Stop)),
            _ => {
                steps.truncate(dice.index(steps.len() + 1));
                steps.push(random_end(&mut dice));
            }
        }
        random_pauses(steps, &mut dice)
    })
}

fn run(seed: u64) -> (Result<FakeAnswer, ServiceError>, Vec<String>) {
    virtually(async {
        let experts = (0..4).map(|number| unsteady(number, seed)).chain([healthy(4)]);
        let mesh = FakeMesh::seeded(seed, experts.collect());
        let answer = mesh.ask(query("best")).await;
        assert_eq!(mesh.in_flight(), 0, "seed {seed}");
        (answer, mesh.trace())
    })
}

#[test]
fn a_text_is_the_same_for_1000_seeds_of_random_failures() {
    let mut takeovers = 0;
    for seed in 0..1_000 {
        let (answer, trace) = run(seed);
        let answer = answer.unwrap_or_else(|error| panic!("seed {seed}: {error}\n{trace:#?}"));
        assert_eq!(answer.text(), TEXT, "seed {seed}\n{trace:#?}");
        for takeover in &answer.summary.took_over {
            assert!(TEXT.is_char_boundary(takeover.at as usize), "seed {seed}");
        }
        takeovers += answer.summary.took_over.len();
    }
    assert!(takeovers > 500, "only {takeovers} takeovers: the faults did not happen");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..50 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
    assert_ne!(run(1).1, run(2).1);
}

#[test]
fn a_successor_continues_at_the_byte_where_the_expert_died() {
    virtually(async {
        let mesh = FakeMesh::new(vec![until(0, 30, died()), healthy(1)]);
        let answer = mesh.ask(query("best")).await.unwrap();
        assert_eq!((answer.node, answer.text().as_str()), (node(0), TEXT));
        let [takeover] = answer.summary.took_over.as_slice() else { panic!() };
        assert_eq!((takeover.from, takeover.expert.node), (node(0), node(1)));
        assert_eq!(takeover.why, "the connection was lost");
        assert!(takeover.at >= 30 && takeover.at < 36, "{}", takeover.at);
        assert_eq!(mesh.observation(0).failures, 1);
        assert_eq!(mesh.router.metrics().takeovers.get(), 1);
    });
}

#[test]
fn a_stalled_expert_is_replaced_after_the_stall_timeout() {
    virtually(async {
        let mesh = FakeMesh::new(vec![until(0, 30, Step::Hang), healthy(1)]);
        let answer = mesh.ask(query("best")).await.unwrap();
        assert_eq!(answer.text(), TEXT);
        assert_eq!(answer.summary.took_over[0].why, "it sent nothing for 2 s");
        let stalled_for = STALL_TIMEOUT.as_millis() as u64 + 20;
        assert_eq!(
            mesh.trace()[1..3],
            [format!("{stalled_for} dial e1"), format!("{} cancel e0", stalled_for + 20)]
        );
    });
}

#[test]
fn without_the_stall_timeout_a_stalled_answer_hangs_until_the_deadline() {
    // The variant without the defence of the test above.
    virtually(async {
        let mut mesh = FakeMesh::new(vec![until(0, 30, Step::Hang), healthy(1)]);
        mesh.router.limits.stall_timeout = NEVER;
        let error = mesh.ask(query("best")).await.unwrap_err();
        assert_eq!(error, ServiceError::DeadlineExceeded { after: Duration::from_secs(60) });
        assert_eq!(mesh.trace().len(), 2, "no other expert was asked: {:?}", mesh.trace());
    });
}

#[test]
fn a_slow_expert_without_a_successor_is_waited_for() {
    virtually(async {
        let slow = FakeExpert::new(0, |request: &ExpertRequest, _| {
            let mut steps = pieces(TEXT, request);
            steps.insert(5, Step::Wait(Duration::from_secs(25)));
            steps.push(Step::End(FinishReason::Stop));
            steps
        });
        let mesh = FakeMesh::new(vec![slow]);
        let answer = mesh.ask(query("best")).await.unwrap();
        assert_eq!((answer.text().as_str(), answer.summary.took_over.len()), (TEXT, 0));
    });
}

#[test]
fn an_expert_that_recovers_before_its_successor_starts_continues_itself() {
    virtually(async {
        let slow = FakeExpert::new(0, |request: &ExpertRequest, _| {
            let mut steps = pieces(TEXT, request);
            steps.insert(5, Step::Wait(STALL_TIMEOUT + ms(100)));
            steps.push(Step::End(FinishReason::Stop));
            steps
        });
        let mesh = FakeMesh::new(vec![slow, FakeExpert::new(1, writer(TEXT, ms(150)))]);
        let answer = mesh.ask(query("best")).await.unwrap();
        assert_eq!((answer.text().as_str(), answer.summary.took_over.len()), (TEXT, 0));
        assert_eq!(mesh.trace()[1..3], ["2000 dial e1", "2100 cancel e1"]);
    });
}

#[test]
fn a_dead_expert_without_a_successor_interrupts_the_answer() {
    virtually(async {
        let mesh = FakeMesh::new(vec![until(0, 30, died())]);
        let Err(ServiceError::Interrupted { reason }) = mesh.ask(query("best")).await else { panic!() };
        assert!(reason.starts_with("the connection was lost; no other expert could continue"), "{reason}");
        assert_eq!(mesh.observation(0).failures, 1, "without a takeover as well");
    });
}

/// An expert that sends these fields, and dies.
fn after_fields(number: u8, fields: &'static str) -> FakeExpert {
    FakeExpert::new(number, move |_, _| {
        let fields = ExpertEvent::Fields(String::from(fields).try_into().unwrap());
        vec![Step::Event(fields), Step::Wait(ms(20)), died()]
    })
}

#[test]
fn an_answer_with_calls_of_tools_stays_with_its_expert() {
    virtually(async {
        // Another expert would call other tools, or write a text beside half of a call.
        let call = r#"{"tool_calls":[{"index":0}]}"#;
        let mesh = FakeMesh::new(vec![after_fields(0, call), healthy(1)]);
        let Err(ServiceError::Interrupted { reason }) = mesh.ask(query("best")).await else { panic!() };
        assert_eq!(reason, "the connection was lost");
        assert_eq!(mesh.observation(0).failures, 1);
    });
}

#[test]
fn an_expert_that_dies_while_it_thinks_is_replaced() {
    virtually(async {
        let mesh = FakeMesh::new(vec![after_fields(0, r#"{"reasoning":"Hm."}"#), healthy(1)]);
        let answer = mesh.ask(query("best")).await.unwrap();
        let [takeover] = answer.summary.took_over.as_slice() else { panic!() };
        assert_eq!((answer.text().as_str(), takeover.at, takeover.fields), (TEXT, 0, 1));
    });
}

#[test]
fn takeovers_are_bounded() {
    // Each expert writes one piece and dies: without a bound, every piece of the text would have its own expert.
    let sputtering = |number| {
        FakeExpert::new(number, |request: &ExpertRequest, _| {
            let mut steps = pieces(TEXT, request);
            steps.truncate(1);
            steps.push(died());
            steps
        })
    };
    virtually(async {
        let mesh = FakeMesh::new((0..20).map(sputtering).collect());
        let mut answer = mesh.router.ask(query("best")).await.unwrap();
        let (mut events, mut error) = (0, None);
        while let Some(event) = answer.events.next().await {
            match event {
                Ok(_) => events += 1,
                Err(why) => error = Some(why),
            }
        }
        assert_eq!(events, 1 + MAX_TAKEOVERS);
        let failures: u32 = (0..20).map(|number| mesh.observation(number).failures).sum();
        assert_eq!(failures as usize, 1 + MAX_TAKEOVERS, "the last one, too");
        assert_eq!(error, Some(ServiceError::Interrupted { reason: "the connection was lost".into() }));
    });
    virtually(async {
        let mut mesh = FakeMesh::new((0..20).map(sputtering).collect());
        mesh.router.limits.max_takeovers = 1_000;
        let mut answer = mesh.router.ask(query("best")).await.unwrap();
        let mut events = 0;
        while let Some(Ok(_)) = answer.events.next().await {
            events += 1;
        }
        assert!(events > 1 + MAX_TAKEOVERS, "the variant without the bound continues: {events}");
    });
}

#[test]
fn a_successor_has_the_same_model_where_there_is_one() {
    virtually(async {
        let other = healthy(1).with_model("other");
        let mesh = FakeMesh::new(vec![until(0, 30, died()), other, healthy(2)]);
        let query =
            Query { target: nervure_api::QueryTarget::Capability("text".parse().unwrap()), ..query("best") };
        let answer = mesh.ask(query).await.unwrap();
        assert_eq!(answer.summary.took_over[0].expert.node, node(2), "though expert 1 is more trusted");
    });
}

#[test]
fn the_deadline_holds_for_all_experts_together() {
    virtually(async {
        let slow = |number| {
            FakeExpert::new(number, |request: &ExpertRequest, _| {
                pieces(TEXT, request).into_iter().flat_map(|step| [Step::Wait(ms(1_000)), step]).collect()
            })
        };
        let mesh = FakeMesh::new(vec![slow(0), slow(1)]);
        let started = Instant::now();
        let error = mesh.ask(Query { deadline: ms(10_500), ..query("best") }).await.unwrap_err();
        assert_eq!(error, ServiceError::DeadlineExceeded { after: ms(10_500) });
        assert_eq!(started.elapsed(), ms(10_500));
    });
}

#[test]
fn the_budget_holds_for_all_experts_together() {
    let priced = |mut expert: FakeExpert, price: u64| {
        expert.record.price = price;
        expert
    };
    // The query is for at most 1,000 tokens; the first 40 bytes count as 10.
    let budget = Amount::from_base_units(50_000);
    let ask = |first: u64, second: u64| {
        virtually(async {
            let experts = vec![priced(until(0, 40, died()), first), priced(healthy(1), second)];
            let mesh = FakeMesh::new(experts);
            let answer = mesh.ask(Query { budget, ..query("best") }).await;
            (answer, mesh.queries().iter().map(|query| query.budget.base_units()).collect::<Vec<_>>())
        })
    };
    let (answer, offered) = ask(50_000, 50_000);
    let at = answer.unwrap().summary.took_over[0].at;
    let spent = 50 * (at / 4);
    assert_eq!(offered, [50_000, 50_000 - spent]);
    // Each may cost as much as the whole budget, so that the second one could have been paid for all of it again.
    assert!(offered[1] < 50_000 && spent >= 500);
    let (cheaper, offered) = ask(20_000, 50_000);
    assert!(cheaper.is_ok(), "the rest costs less than what is left");
    assert_eq!(offered[1], 50_000 - 20 * (at / 4));
}

#[test]
fn the_last_expert_signs_for_its_part() {
    virtually(async {
        let mesh = FakeMesh::new(vec![until(0, 30, died()), healthy(1)]);
        let answer = mesh.ask(Query { receipt: true, ..query("best") }).await.unwrap();
        let [receipt] = answer.summary.receipts.as_slice() else { panic!() };
        assert_eq!((receipt.node, receipt.query), (node(1), mesh.queries()[1].id));
        assert!(receipt.wrong.is_some(), "the scripted experts sign nothing");
    });
}

#[test]
fn only_texts_of_a_bounded_length_are_continued() {
    let sampling = Sampling { prefix: "a".into(), ..Sampling::default() };
    let complete = ExpertRequest::Complete { prompt: "p".into(), sampling };
    let Some(ExpertRequest::Complete { sampling, .. }) = with_prefix(&complete, "b") else { panic!() };
    assert_eq!(sampling.prefix, "ab", "after what was written before");
    assert_eq!(with_prefix(&complete, &"x".repeat(MAX_TEXT)), None);
    assert_eq!(with_prefix(&ExpertRequest::Embed { inputs: vec!["x".into()] }, ""), None);
    assert_eq!(with_prefix(&ExpertRequest::Distribution { context: vec![1] }, ""), None);
}
