//! The scores of good, echoed, missing and dishonest answers.

use std::{sync::LazyLock, time::Duration};

use proptest::prelude::*;

use super::{
    super::{MechanismSpec, build, corpus::tests::document},
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
    let (requests, next) =
        cells.into_iter().filter_map(|n| question(corpus.cell(n as usize, 192)?, &mut dice)).unzip();
    NextByteTask { requests, next, rules }
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
    let contexts = task.requests.iter().map(|request| match request {
        ExpertRequest::Distribution { context } => context.as_slice(),
        _ => &[],
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

/// The invariant of the cells: no task asks for a byte that another task has shown.
#[test]
fn nothing_that_was_shown_is_asked_for() {
    let text: Vec<u8> = (0..4096u32).flat_map(u32::to_be_bytes).collect();
    let corpus = Corpus::new([document("text", &text)]);
    let mechanism = build(&MechanismSpec::named("next-byte").with("cell", 64)).unwrap();
    let place = |window: &[u8]| text.windows(window.len()).position(|at| at == window).unwrap();
    let (mut shown, mut asked) = (vec![false; text.len()], vec![false; text.len()]);
    for seed in 0..40u64 {
        for question in mechanism.draw(seed.into(), &corpus).unwrap().requests() {
            let ExpertRequest::Distribution { context } = question else { panic!("another question") };
            let start = place(context);
            shown[start..start + context.len()].fill(true);
            asked[start + context.len()] = true;
        }
    }
    assert!(!shown.iter().zip(&asked).any(|(shown, asked)| *shown && *asked));
    assert!(asked.iter().filter(|asked| **asked).count() > 200);
}

#[test]
fn names_the_missing_amount_of_text() {
    let drawn = NextByte::default().draw(1.into(), &Corpus::new([document("text", &[0; 500])]));
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
