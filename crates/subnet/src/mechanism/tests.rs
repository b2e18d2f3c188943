//! Tests of every mechanism and of the guide's example.

use std::time::Duration;

use super::*;

/// The guide's example is a file of this crate, so that it compiles and does what the guide says.
#[test]
fn the_guide_shows_a_mechanism_that_works() {
    let guide = include_str!("../../../../docs/mechanisms.md");
    assert!(
        guide.contains(include_str!("longest_word.rs")),
        "docs/mechanisms.md shows another longest_word.rs"
    );
    let mechanism =
        make::<longest_word::LongestWord>(&MechanismSpec::named("longest-word").with("words", 4)).unwrap();
    let task = mechanism.draw(7.into(), &Material::default()).unwrap();
    let [ExpertRequest::Chat { messages, .. }] = task.requests() else { panic!("one request") };
    let prompt = &messages[0].content;
    let words: Vec<&str> =
        prompt.split(['?', '.']).nth(1).unwrap().split_once(" Give").unwrap().0.trim().split(", ").collect();
    let longest = words.iter().max_by_key(|word| word.len()).unwrap();
    let score = |text: String| task.score(&[Reply::new(Answer::Text(text), Duration::ZERO)]);
    assert_eq!(score(format!("Easy.\nAnswer: {longest}")), Score::ONE);
    assert_eq!(score(format!("Answer: {}", words.join(", "))), Score::ZERO);
    assert!(
        make::<longest_word::LongestWord>(&MechanismSpec::named("longest-word").with("words", 1)).is_err()
    );
}

/// A text without repetitions, so that all its cells differ.
fn corpus() -> Corpus {
    let text: Vec<u8> = (0..20_000u32).flat_map(|n| format!("{n:04x}").into_bytes()).collect();
    let answered: Vec<String> =
        (0..40).map(|n| format!("What is {n}?\n--\nOne after {n:b}, in words.")).collect();
    Corpus::new([
        corpus::tests::document("text", &text),
        corpus::tests::document("answered", answered.join("\n---\n").as_bytes()),
    ])
}

/// The same seed draws the same task, and another seed another one.
#[test]
fn tasks_are_drawn_from_their_seeds() {
    let corpus = corpus();
    for (name, _) in BUILT_IN {
        let mechanism = build(&MechanismSpec::named(*name)).unwrap();
        let requests =
            |seed: u64| mechanism.draw(seed.into(), &corpus.clone().into()).unwrap().requests().to_vec();
        assert_eq!(requests(1), requests(1), "{name}");
        assert_ne!(requests(1), requests(2), "{name}");
    }
}

/// No mechanism panics on any answer, and missing answers score 0.
#[test]
fn answers_of_every_kind_are_judged() {
    let corpus = corpus();
    let answers = [
        Answer::Missing,
        Answer::Text(String::new()),
        Answer::Vectors(vec![vec![f32::NAN; 3]; 48]),
        Answer::Distribution(vec![f32::NEG_INFINITY; 256]),
    ];
    for (name, _) in BUILT_IN {
        let task =
            build(&MechanismSpec::named(*name)).unwrap().draw(1.into(), &corpus.clone().into()).unwrap();
        for answer in &answers {
            for count in [0, 1, 100] {
                let replies = vec![Reply::new(answer.clone(), Duration::MAX); count];
                assert_eq!(task.score(&replies), Score::ZERO, "{name} {answer:?}");
                let print = task.fingerprint(&replies);
                assert!(!task.alike(&print, &print), "{name} {answer:?}");
            }
        }
    }
}

/// Where a program without a model is known to earn, the mechanism says so.
#[test]
fn demonstrations_are_named() {
    let is_demonstration = |spec: MechanismSpec| build(&spec).unwrap().demonstration().is_some();
    assert!(is_demonstration(MechanismSpec::named("exact-answer")));
    assert!(is_demonstration(MechanismSpec::named("embedding")));
    assert!(is_demonstration(MechanismSpec::named("next-byte").with("reuse", 1)));
    assert!(!is_demonstration(MechanismSpec::named("next-byte")));
    assert!(!is_demonstration(MechanismSpec::named("reference")));
}
