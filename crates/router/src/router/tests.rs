//! All strategies together: determinism and deadlines for many seeds.

use std::sync::Arc;

use nervure_protocol::{ExpertEvent, ExpertRequest, FinishReason};
use nervure_subnet::{Dice, Seed};
use parking_lot::Mutex;

use super::*;
use crate::fake::{
    FakeAnswer, FakeExpert, FakeMesh, Step, died, ms, pieces, query, random_pauses, virtually,
};

const STRATEGIES: [&str; 5] = ["best", "hedge", "race:3", "vote:3", "mix:3"];

/// An expert that does anything at all, as its seed has it.
fn erratic(number: u8, seed: u64) -> FakeExpert {
    let dice = Arc::new(Mutex::new(Dice::new(Seed::from(seed).derive("expert", number.into()))));
    FakeExpert::new(number, move |request, _| {
        let mut dice = dice.lock();
        let mut steps = match request {
            ExpertRequest::Distribution { .. } => {
                vec![Step::Event(ExpertEvent::Distribution(vec![1.0 / 256.0; 256]))]
            }
            _ => pieces("a text that is the same for every expert", request),
        };
        steps.push(Step::End(FinishReason::Stop));
        let cut = dice.index(steps.len());
        let misbehaviour = match dice.below(6) {
            0 => vec![died()],
            1 => vec![Step::Hang],
            2 => vec![Step::Event(ExpertEvent::Distribution(vec![7.0]))],
            3 => vec![Step::Wait(ms(dice.below(6_000)))],
            _ => Vec::new(),
        };
        steps.splice(cut..cut, misbehaviour);
        random_pauses(steps, &mut dice)
    })
}

type Run = (Result<FakeAnswer, ServiceError>, Vec<String>, Duration);

fn run(strategy: &str, seed: u64) -> Run {
    virtually(async {
        let mesh = FakeMesh::seeded(seed, (0..5).map(|number| erratic(number, seed)).collect());
        let started = Instant::now();
        let mut query = Query { deadline: ms(8_000), ..query(strategy) };
        if let ExpertRequest::Complete { sampling, .. } = &mut query.request {
            sampling.max_tokens = 12;
        }
        let answer = mesh.ask(query).await;
        assert_eq!(mesh.in_flight(), 0, "{strategy}, seed {seed}");
        (answer, mesh.trace(), started.elapsed())
    })
}

#[test]
fn no_answer_takes_longer_than_its_deadline() {
    let (mut answered, mut failed) = (0, 0);
    for seed in 0..200 {
        for strategy in STRATEGIES {
            let (answer, trace, took) = run(strategy, seed);
            assert!(took <= ms(8_000), "{strategy}, seed {seed}: {took:?}\n{trace:#?}");
            match answer {
                Ok(_) => answered += 1,
                Err(_) => failed += 1,
            }
        }
    }
    assert!(
        answered > 100 && failed > 20,
        "{answered} answered, {failed} failed: the runs are too much alike"
    );
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..40 {
        for strategy in STRATEGIES {
            assert_eq!(run(strategy, seed), run(strategy, seed), "{strategy}, seed {seed}");
        }
    }
}

#[test]
fn a_route_explains_itself_only_if_asked_to() {
    virtually(async {
        let mesh = FakeMesh::new((0..2).map(|number| erratic(number, 3)).collect());
        let route = mesh.router.ask(query("best")).await.unwrap().route;
        assert_eq!((route.strategy.as_str(), route.block.0, route.candidates), ("best", 5, 2));
        assert_eq!(route.detail, None);
        let explained = mesh.router.ask(Query { explain: true, ..query("best") }).await.unwrap().route;
        assert_eq!(explained.detail.unwrap()["choices"].as_array().unwrap().len(), 2);
    });
}
