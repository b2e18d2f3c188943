//! The scores of good, bad and degenerate vectors.

use std::time::Duration;

use super::{
    super::{Answer, Corpus, MechanismSpec, build, corpus::tests::document},
    *,
};

/// All texts in one query.
fn task(seed: u64) -> EmbeddingTask {
    let mut dice = Dice::new(seed.into());
    let triples = (0..16).map(|_| wordings::triple(&mut dice)).collect();
    let mut task = EmbeddingTask::new(5);
    task.add(Texts { triples, fillers: vec![] }, 48, &mut dice);
    task
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

/// Vectors by the text: those of a statement and the same in other words are near each other.
fn read_model(task: &dyn Task) -> Vec<Reply> {
    let vector = |text: &String| {
        let mut vector = vec![0.1f32; 26];
        text.bytes().filter(u8::is_ascii_lowercase).for_each(|byte| vector[usize::from(byte - b'a')] += 1.0);
        vector
    };
    let reply = |request: &ExpertRequest| {
        let ExpertRequest::Embed { inputs } = request else { panic!("{request:?}") };
        Reply::new(Answer::Vectors(inputs.iter().map(vector).collect()), Duration::ZERO)
    };
    task.requests().iter().map(reply).collect()
}

fn private_texts() -> Material {
    let text = |words: [&str; 3]| words.join(" ").repeat(2_000).into_bytes();
    Corpus::new([
        document("text.a", &text(["river", "silver", "liver"])),
        document("text.b", &text(["thumb", "dumb", "plumb"])),
    ])
    .into()
}

#[test]
fn texts_come_in_queries_like_those_of_users() {
    let mechanism = build(&MechanismSpec::named("embedding").with("triples", 40)).unwrap();
    let mut sizes = std::collections::BTreeSet::new();
    for seed in 0..20u64 {
        let task = mechanism.draw(seed.into(), &Material::default()).unwrap();
        let mut texts = 0;
        for request in task.requests() {
            let ExpertRequest::Embed { inputs } = request else { panic!("{request:?}") };
            assert!(request.validate().is_ok() && inputs.iter().all(|input| !input.is_empty()));
            sizes.insert(inputs.len());
            texts += inputs.len();
        }
        assert!((120..=120 + 128 + 40).contains(&texts), "{texts}");
    }
    assert!(sizes.len() > 10 && sizes.contains(&1), "{sizes:?}");
    assert!(build(&MechanismSpec::named("embedding").with("passages", 17)).is_err());
    let mechanism = build(&MechanismSpec::named("embedding").with("passages", 1)).unwrap();
    assert!(mechanism.draw(7.into(), &Material::default()).is_err(), "no texts to cut passages from");
}

#[test]
fn a_model_is_ranked_over_all_queries_and_a_missing_one_costs_its_triples() {
    let mechanism = build(&MechanismSpec::named("embedding").with("passages", 16)).unwrap();
    let material = private_texts();
    for seed in 0..20u64 {
        let task = mechanism.draw(seed.into(), &material).unwrap();
        let mut replies = read_model(task.as_ref());
        let whole = task.score(&replies);
        assert!(whole > Score::ratio(3, 4), "{seed}: {whole}");
        let print = task.fingerprint(&replies);
        assert!(task.alike(&print, &print));
        replies[0] = Reply::missing();
        assert!(task.score(&replies) < whole, "{seed}");
        replies[0] = Reply::new(Answer::Text("no".into()), Duration::ZERO);
        assert_eq!(task.score(&replies), Score::ZERO, "another kind of answer is none to the whole task");
    }
}
