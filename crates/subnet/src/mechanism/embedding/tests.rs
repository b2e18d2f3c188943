//! The scores of good, bad and degenerate vectors.

use std::time::Duration;

use super::{
    super::{Answer, MechanismSpec, build},
    *,
};

fn task(seed: u64) -> EmbeddingTask {
    let mut dice = Dice::new(seed.into());
    let triples = (0..16).map(|_| wordings::triple(&mut dice)).collect();
    EmbeddingTask::new(triples, &mut dice, 5)
}

fn replies(vectors: Vec<Vec<f32>>) -> Vec<Reply> {
    vec![Reply::new(Answer::Vectors(vectors), Duration::ZERO)]
}

/// A model that knows the meanings, with some noise.
fn knowing(task: &EmbeddingTask, blur: f32) -> Vec<Vec<f32>> {
    let mut vectors = vec![vec![]; task.triples.len() * 3];
    for (number, [anchor, near, far]) in task.triples.iter().enumerate() {
        let mut at = |place: usize, direction: usize, noise: f32| {
            let mut vector = vec![noise; 64];
            vector[direction] += 1.0;
            vectors[place] = vector;
        };
        at(*anchor, number, 0.0);
        at(*near, number, blur);
        at(*far, 63 - number, blur);
    }
    vectors
}

#[test]
fn knowing_is_worth_all_and_a_coin_nothing() {
    let task = task(1);
    assert_eq!(task.score(&replies(knowing(&task, 0.01))), Score::ONE);
    let mut dice = Dice::new(2.into());
    let mut coin = || {
        let vectors = (0..48).map(|_| (0..8).map(|_| dice.below(2000) as f32 - 1000.0).collect()).collect();
        task.score(&replies(vectors))
    };
    let mean = Score::mean((0..200).map(|_| coin()));
    assert!(mean < Score::ratio(1, 8), "{mean}");
}

#[test]
fn degenerate_vectors_are_worth_nothing() {
    let task = task(3);
    let right = knowing(&task, 0.01);
    let with = |bad: Vec<f32>| {
        let mut vectors = right.clone();
        vectors[3] = bad;
        task.score(&replies(vectors))
    };
    assert_eq!(task.score(&replies(vec![vec![0.3; 64]; 48])), Score::ZERO, "one vector for all");
    for bad in [vec![0.0; 64], vec![f32::NAN; 64], vec![1e20; 64], vec![1.0; 63], vec![]] {
        assert_eq!(with(bad), Score::ZERO);
    }
    assert_eq!(task.score(&replies(right[1..].to_vec())), Score::ZERO, "one too few");
    assert_eq!(task.score(&[]), Score::ZERO);
}

#[test]
fn a_constant_with_a_little_noise_is_no_better_than_a_coin() {
    let task = task(4);
    let texts = match &task.requests[0] {
        ExpertRequest::Embed { inputs } => inputs,
        other => panic!("{other:?}"),
    };
    let vectors = texts.iter().map(|text| vec![1.0, 1.0, text.len() as f32 / 1e6]).collect();
    assert!(task.score(&replies(vectors)) < Score::ratio(1, 2));
}

#[test]
fn turned_and_stretched_copies_are_alike_and_other_models_are_not() {
    let task = task(5);
    let vectors = knowing(&task, 0.01);
    let turned: Vec<Vec<f32>> = vectors
        .iter()
        .map(|vector| vector.chunks(2).flat_map(|pair| [-3.0 * pair[1], 3.0 * pair[0]]).collect())
        .collect();
    let print = |vectors| task.fingerprint(&replies(vectors));
    let own = print(vectors.clone());
    assert!(task.alike(&own, &print(turned)));
    assert!(!task.alike(&own, &print(knowing(&task, 0.1))));
    assert!(!task.alike(&own, &task.fingerprint(&[])) && !task.alike(&print(vec![]), &print(vec![])));
}

#[test]
fn texts_are_shuffled_and_fit_one_question() {
    let mechanism = build(&MechanismSpec::named("embedding").with("triples", 40)).unwrap();
    let task = mechanism.draw(7.into(), &Corpus::default()).unwrap();
    let [ExpertRequest::Embed { inputs }] = task.requests() else { panic!("one question") };
    assert_eq!(inputs.len(), 120);
    assert!(build(&MechanismSpec::named("embedding").with("passages", 17)).is_err());
    let mechanism = build(&MechanismSpec::named("embedding").with("passages", 1)).unwrap();
    assert!(mechanism.draw(7.into(), &Corpus::default()).is_err(), "no texts to cut passages from");
}
