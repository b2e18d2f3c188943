//! The scores of good, echoed, missing and dishonest answers.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use proptest::prelude::*;

use super::{
    super::{Corpus, MechanismSpec, build, corpus::tests::document},
    *,
};

fn text(seed: u64, length: usize) -> Vec<u8> {
    let mut dice = Dice::new(seed.into());
    (0..length).map(|_| b"etaoin shrdlu"[dice.index(13)]).collect()
}

fn corpus() -> Corpus {
    static TEXT: LazyLock<Vec<u8>> = LazyLock::new(|| text(9, 20_000));
    Corpus::new([document("text.generate", &TEXT)])
}

fn task(seed: u64) -> NextByteTask {
    let rules = NextByte::default();
    let mut dice = Dice::new(seed.into());
    let corpus = corpus();
    let cells = dice.distinct(32, corpus.cells(192) as u64);
    let traffic = Traffic::default();
    // Long enough to say something about the frequencies of bytes.
    let mut shape = || QueryShape {
        bytes: 48 + dice.index(144),
        ..traffic.draw(QueryKind::Distribution, &mut Dice::new(1.into()))
    };
    let (requests, next) =
        cells.into_iter().filter_map(|n| question(corpus.cell(n as usize, 192)?, &shape())).unzip();
    NextByteTask { requests, next, completions: vec![], cells: vec![], rules }
}

/// A task with completions, as it is drawn, and what is right in each of its questions.
fn whole(seed: u64, share: u16) -> NextByteTask {
    let rules = NextByte { completion_share: share, ..NextByte::default() };
    let (mut task, mut dice) = (task(seed), Dice::new(seed.into()));
    for number in 0..16 {
        let cell = &corpus().cell(number, 192).unwrap().to_vec();
        let shape = Traffic::default().draw(QueryKind::Complete, &mut dice);
        let (request, completion) = Completion::of(cell, shape).unwrap();
        task.requests.push(request);
        task.completions.push(completion);
    }
    NextByteTask { rules, ..task }
}

/// The answers of a model that finds so many hidden bytes.
fn with_completions(task: &NextByteTask, mut distributions: Vec<Reply>, found: usize) -> Vec<Reply> {
    for number in 0..task.completions.len() {
        let cell = corpus().cell(number, 192).unwrap().to_vec();
        let mut text = String::from_utf8(cell[192 - HIDDEN..192 - HIDDEN + found].to_vec()).unwrap();
        text.push_str("\u{0}no more of it");
        distributions.push(Reply::new(Answer::Text(text), Duration::ZERO));
    }
    distributions
}

/// Prompts are as long as users' are, and what they show of other cells is retired.
#[test]
fn long_prompts_retire_what_they_show() {
    let text: Vec<u8> = (0..60_000u32).flat_map(|n| format!("{n:04x}").into_bytes()).collect();
    let mut material: Material = Corpus::new([document("text", &text)]).into();
    let place = |window: &[u8]| text.windows(window.len()).position(|at| at == window).unwrap();
    let (mut shown, mut longest) = (vec![false; text.len()], 0);
    let mechanism = build(&MechanismSpec::named("next-byte").with("cell", 64)).unwrap();
    for seed in 0..4u64 {
        let task = mechanism.draw(seed.into(), &material).unwrap();
        let mut fresh = shown.clone();
        for question in task.requests() {
            let (context, hidden) = match question {
                ExpertRequest::Distribution { context } => (context.as_slice(), 1),
                ExpertRequest::Complete { prompt, .. } => (prompt.as_bytes(), HIDDEN),
                other => panic!("{other:?}"),
            };
            let (start, end) = (place(context), place(context) + context.len());
            longest = longest.max(context.len());
            assert!(shown[end..end + hidden].iter().all(|shown| !shown), "it was shown by an earlier task");
            fresh[start..end].fill(true);
        }
        shown = fresh;
        Arc::make_mut(&mut material.retired).retire(task.cells().iter().copied());
    }
    assert!(longest > 1_000, "{longest}");
}

/// The kinds of a task's questions come as often as users ask for them.
#[test]
fn most_questions_are_completions_where_users_complete() {
    let material: Material = Corpus::new([document("text", &text(9, 60_000))]).into();
    let share = |user_mix| {
        let mechanism = NextByte { user_mix, ..NextByte::default() };
        let drawn =
            (0..20u64).flat_map(|seed| mechanism.draw(seed.into(), &material).unwrap().requests().to_vec());
        let (mut distributions, mut all) = (0, 0);
        for request in drawn {
            all += 1;
            distributions += usize::from(matches!(request, ExpertRequest::Distribution { .. }));
        }
        distributions * 100 / all
    };
    assert!(share(1) < 30 && share(0) > 60, "{} {}", share(1), share(0));
}

/// The defence against a miner that shows validators its model and users something else.
#[test]
fn garbage_for_users_costs_the_share_of_the_completions() {
    let result = |share, found| {
        let task = whole(7, share);
        let distributions = all(&task, |_, next| knowing(next, 0.9));
        task.score(&with_completions(&task, distributions, found))
    };
    assert_eq!(result(1000, 0), Score::ZERO);
    assert!(result(1000, 1) < result(1000, 2));
    assert_eq!(result(1000, 2), result(0, 0), "half of the bytes is all that is asked for");
    assert_eq!(result(1000, 4), result(1000, 2));
    assert!(
        result(300, 0) > Score::ratio(1, 2),
        "without the defence, garbage is worth as much: {}",
        result(300, 0)
    );
}

fn reply(distribution: Vec<f32>) -> Reply {
    Reply::new(Answer::Distribution(distribution), Duration::ZERO)
}

/// Gives `share` to `byte` and spreads the rest.
fn knowing(byte: u8, share: f32) -> Reply {
    let mut masses = vec![(1.0 - share) / 255.0; 256];
    masses[usize::from(byte)] = share;
    reply(masses)
}

fn all(task: &NextByteTask, answer: impl Fn(&[u8], u8) -> Reply) -> Vec<Reply> {
    let contexts = task.requests.iter().map_while(|request| match request {
        ExpertRequest::Distribution { context } => Some(context.as_slice()),
        _ => None,
    });
    contexts.zip(&task.next).map(|(context, next)| answer(context, *next)).collect()
}

#[test]
fn the_score_is_linear_in_bits() {
    let task = task(1);
    assert_eq!(task.score(&all(&task, |_, next| knowing(next, 1.0))), Score::ONE);
    let half = task.score(&all(&task, |_, next| knowing(next, 0.5)));
    assert!(
        half > Score::ratio(7499, 10_000) && half < Score::ratio(7501, 10_000),
        "one bit of four: {half}"
    );
    assert_eq!(task.score(&all(&task, |_, _| reply(vec![1.0 / 256.0; 256]))), Score::ZERO);
    assert_eq!(task.score(&[]), Score::ZERO);
}

#[test]
fn echoing_is_worth_less_than_knowing_frequencies() {
    let task = task(2);
    let echo = all(&task, |context, _| knowing(context[context.len() - 1], 0.9));
    let frequencies = all(&task, |context, _| {
        let mut masses = vec![0.0; 256];
        context.iter().for_each(|byte| masses[usize::from(*byte)] += 1.0 / context.len() as f32);
        reply(masses)
    });
    assert_eq!(task.score(&echo), Score::ZERO);
    assert!(task.score(&frequencies) > Score::ZERO);
}

#[test]
fn an_invalid_distribution_makes_the_whole_task_worthless() {
    let task = task(3);
    let right = all(&task, |_, next| knowing(next, 0.9));
    let mut nan = vec![1.0 / 256.0; 256];
    nan[7] = f32::NAN;
    let mut negative = vec![2.0 / 256.0; 256];
    negative[..64].fill(-2.0 / 256.0);
    for bad in [
        reply(vec![0.0; 256]),
        reply(vec![1.0; 256]),
        reply(vec![1.0 / 255.0; 255]),
        reply(vec![0.5 / 256.0; 256]),
        reply(nan),
        reply(negative),
        reply(vec![f32::INFINITY; 256]),
        Reply::new(Answer::Text("hello".into()), Duration::ZERO),
    ] {
        let mut replies = right.clone();
        replies[5] = bad;
        assert_eq!(task.score(&replies), Score::ZERO, "{:?}", replies[5]);
    }
    assert!(task.score(&right) > Score::ZERO, "and without it, it is not");
}

#[test]
fn leaving_out_is_worse_than_not_knowing() {
    let task = task(4);
    let mut replies = all(&task, |_, next| knowing(next, 0.9));
    replies[0] = reply(vec![1.0 / 256.0; 256]);
    let unsure = task.score(&replies);
    replies[0] = Reply::missing();
    assert!(task.score(&replies) < unsure);
}

#[test]
fn copies_are_alike_and_honest_models_are_not() {
    let task = task(5);
    let good = all(&task, |_, next| knowing(next, 0.6));
    let copied = all(&task, |_, next| knowing(next, 0.605));
    let other = all(&task, |_, next| knowing(next, 0.4));
    let alike =
        |left: &[Reply], right: &[Reply]| task.alike(&task.fingerprint(left), &task.fingerprint(right));
    assert!(alike(&good, &copied));
    assert!(!alike(&good, &other));
    assert!(!alike(&[], &[]) && !alike(&good[..10], &good[..10]), "too few to tell");
}

/// The invariant of the cells: no task asks for a byte that another task has shown, also where cells are asked again.
#[test]
fn nothing_that_was_shown_is_asked_for() {
    let text: Vec<u8> = (0..4096u32).flat_map(|n| format!("{n:04x}").into_bytes()).collect();
    let material = Corpus::new([document("text", &text)]).into();
    let spec = MechanismSpec::named("next-byte").with("cell", 64).with("reuse", 1);
    let mechanism = build(&spec).unwrap();
    let place = |window: &[u8]| text.windows(window.len()).position(|at| at == window).unwrap();
    let (mut shown, mut asked) = (vec![false; text.len()], vec![false; text.len()]);
    for seed in 0..40u64 {
        for question in mechanism.draw(seed.into(), &material).unwrap().requests() {
            let (context, hidden) = match question {
                ExpertRequest::Distribution { context } => (context.as_slice(), 1),
                ExpertRequest::Complete { prompt, .. } => (prompt.as_bytes(), HIDDEN),
                other => panic!("{other:?}"),
            };
            // Long enough to stand in one place only.
            let start = place(context);
            shown[start..start + context.len()].fill(true);
            asked[start + context.len()..start + context.len() + hidden].fill(true);
        }
    }
    assert!(!shown.iter().zip(&asked).any(|(shown, asked)| *shown && *asked));
    assert!(asked.iter().filter(|asked| **asked).count() > 200);
}

#[test]
fn names_the_missing_amount_of_text() {
    let drawn = NextByte { user_mix: 0, ..NextByte::default() }
        .draw(1.into(), &Corpus::new([document("text", &[0; 600])]).into());
    assert!(matches!(drawn, Err(DrawError::TooLittleText { have: 2, need: 32, .. })));
}

proptest! {
    #[test]
    fn saying_what_one_believes_pays_best(belief in 1u32..100, said in 1u32..100) {
        // A byte that is 1 with probability `belief` and 2 otherwise: the expected bits of saying `said`.
        let expected = |said: u32| {
            let mut masses = vec![0.0; 256];
            (masses[1], masses[2]) = (said as f32 / 100.0, 1.0 - said as f32 / 100.0);
            let distribution = Distribution::read(&Answer::Distribution(masses)).unwrap();
            u64::from(belief) * distribution.bits(1) + u64::from(100 - belief) * distribution.bits(2)
        };
        prop_assert!(expected(belief) <= expected(said) + 200, "a mean of two units: rounding");
    }

    #[test]
    fn no_answer_makes_it_panic(masses in proptest::collection::vec(any::<f32>(), 0..260), count in 0usize..40) {
        let task = task(6);
        let replies = vec![reply(masses); count];
        let print = task.fingerprint(&replies);
        let _ = (task.score(&replies), task.alike(&print, &print));
    }
}
