//! The scores of mock models in the mechanisms whose questions they recognise. They see only the text of a question.

use std::time::Duration;

use nervure_primitives::MechanismSpec;
use nervure_protocol::ExpertRequest;
use nervure_subnet::mechanism::{Answer, Material, Mechanism, Reply, build};
use proptest::prelude::*;

use super::*;

/// The share of the full score that `model` gets in tasks of `mechanism`.
fn score(mechanism: &dyn Mechanism, model: MockModel, seeds: std::ops::Range<u64>) -> f64 {
    let count = (seeds.end - seeds.start) as f64;
    let scores = seeds.map(|seed| {
        let task = mechanism.draw(seed.into(), &Material::default()).unwrap();
        let replies: Vec<Reply> = task.requests().iter().map(|request| reply(model, request)).collect();
        task.score(&replies).to_string().parse::<f64>().unwrap()
    });
    scores.sum::<f64>() / count
}

fn reply(model: MockModel, request: &ExpertRequest) -> Reply {
    let answer = match request {
        ExpertRequest::Chat { messages, .. } => Answer::Text(model.answer(&messages.last().unwrap().content)),
        ExpertRequest::Embed { inputs } => {
            Answer::Vectors(inputs.iter().map(|text| model.embed(text)).collect())
        }
        _ => Answer::Missing,
    };
    Reply::new(answer, Duration::ZERO)
}

/// `exact-answer` with questions of one kind only.
fn only(kind: &str) -> MechanismSpec {
    let kinds = ["arithmetic", "sorting", "strings", "json", "dates", "logic", "code"];
    let alone = MechanismSpec::named("exact-answer").with("questions", 8).with("speed", 0).with("alone", 1);
    kinds.iter().fold(alone, |spec, name| spec.with(*name, u64::from(*name == kind)))
}

/// The seed subnet of a testnet: a demonstration, with the kinds that this server is built for.
fn demonstration() -> MechanismSpec {
    MechanismSpec::named("exact-answer").with("speed", 0).with("alone", 1).with("logic", 0).with("code", 0)
}

/// A program that knows the templates earns nothing where a subnet pays for what models can do.
#[test]
fn kinds_that_no_template_solves_earn_it_less_than_a_tenth() {
    for kind in ["logic", "code"] {
        let share = score(build(&only(kind)).unwrap().as_ref(), MockModel::chat(100), 0..200);
        assert!(share < 0.1, "{kind}: {share}");
    }
    let mechanism = build(&MechanismSpec::named("reference")).unwrap();
    let shares = (0..50u64).map(|seed| {
        let mut task = mechanism.draw(seed.into(), &Material::default()).unwrap();
        // What a model writes: its beginning is what it was asked.
        let written = |request: &ExpertRequest| Answer::Text(format!("Sure. {request:?}"));
        task.set_reference(task.requests().iter().map(written).collect());
        let replies: Vec<Reply> =
            task.requests().iter().map(|one| reply(MockModel::chat(100), one)).collect();
        task.score(&replies).to_string().parse::<f64>().unwrap()
    });
    let share = shares.sum::<f64>() / 50.0;
    assert!(share < 0.1, "reference: {share}");
    let solved = score(build(&demonstration()).unwrap().as_ref(), MockModel::chat(100), 0..200);
    assert!(solved > 0.95, "without the defence it earns all: {solved}");
}

#[test]
fn full_quality_answers_every_kind_of_question_correctly() {
    for kind in ["arithmetic", "sorting", "strings", "json", "dates"] {
        let mechanism = build(&only(kind)).unwrap();
        for seed in 0..400u64 {
            let task = mechanism.draw(seed.into(), &Material::default()).unwrap();
            for question in task.requests() {
                let ExpertRequest::Chat { messages, .. } = question else { panic!("not a chat") };
                let prompt = &messages.last().unwrap().content;
                assert!(solve(prompt).is_some(), "{kind} {seed}: {prompt}");
            }
        }
        let share = score(mechanism.as_ref(), MockModel::chat(100), 0..400);
        assert!(share >= 0.99, "{kind}: {share}");
    }
}

#[test]
fn quality_is_the_share_of_correct_answers() {
    let mechanism = build(&demonstration()).unwrap();
    for quality in [0u8, 40, 70] {
        let share = score(mechanism.as_ref(), MockModel::chat(quality), 0..600);
        assert!((share - f64::from(quality) / 100.0).abs() < 0.03, "{quality}: {share}");
    }
}

#[test]
fn a_better_model_answers_what_a_worse_one_answers() {
    for seed in 0..300i64 {
        let prompt = format!("What is {seed} + 1?");
        let correct = format!("Answer: {}", seed + 1);
        let answers = |quality| MockModel::chat(quality).answer(&prompt).ends_with(&correct);
        assert!(answers(100) && !answers(0));
        assert!(answers(80) || !answers(50), "{prompt}");
        assert_eq!(MockModel::chat(50).answer(&prompt), MockModel::chat(50).answer(&prompt));
    }
}

#[test]
fn vectors_rank_by_meaning_according_to_quality() {
    let mechanism = build(&MechanismSpec::named("embedding")).unwrap();
    let shares =
        [100, 60, 30, 0].map(|quality| score(mechanism.as_ref(), MockModel::embedding(quality), 0..100));
    assert!(shares[0] > 0.8, "{shares:?}");
    assert!(
        shares[0] > shares[1] + 0.1 && shares[1] > shares[2] + 0.1 && shares[2] > shares[3],
        "{shares:?}"
    );
    assert!(shares[3] < 0.2, "{shares:?}");
}

#[test]
fn any_text_has_a_finite_vector_that_is_not_zero() {
    for text in ["", " ", "!?", "\u{1f980}", &"word ".repeat(5000)] {
        for quality in [0, 50, 100] {
            let vector = MockModel::embedding(quality).embed(text);
            assert_eq!(vector.len(), vector::DIMENSIONS);
            assert!(vector.iter().all(|x| x.is_finite()) && vector.iter().any(|x| *x != 0.0), "{text}");
        }
    }
}

#[test]
fn unknown_questions_get_the_unknown_answer() {
    for prompt in ["", "Write a poem about the sea.", "Who are you?", "What is love?", &"1 + ".repeat(9000)] {
        assert!(MockModel::chat(100).answer(prompt).starts_with("This is a mock model server"), "{prompt}");
    }
}

#[test]
fn each_name_belongs_to_one_model() {
    for model in LISTED_MODELS {
        assert_eq!(MockModel::named(&model.to_string()), Some(model));
    }
    assert_eq!(MockModel::named("mock-embed-7"), Some(MockModel::embedding(7)));
    for name in ["", "gpt", "mock-", "mock-101", "mock-070", "mock--1", "mock-embed-", "mock-+7"] {
        assert_eq!(MockModel::named(name), None, "{name}");
    }
}

proptest! {
    #[test]
    fn no_text_causes_a_panic(text in "(\\PC|\n){0,200}") {
        let _ = (MockModel::chat(50).answer(&text), MockModel::embedding(50).embed(&text));
    }

    #[test]
    fn no_combination_of_known_words_causes_a_panic(words in proptest::collection::vec(prop_oneof![
        Just("\"a\""), Just("\""), Just(": "), Just("days"), Just("after"), Just("2024-02-29"), Just("9999-12-31"),
        Just("-9223372036854775808"), Just("9223372036854775807"), Just("divided by"), Just("remains"), Just("*"), Just("("),
        Just(")"), Just("boxes"), Just("has"), Just("coins"), Just("at"), Just("each"), Just("sort"), Just("smallest"),
        Just("every second word"), Just("capitals"), Just("[{\"a\":1,\"b\":\"c\"}]"), Just("{\"a\":\"b\"}"), Just("per b"),
        Just("add up"), Just("above"), Just("bs"), Just("swap"), Just("rename"), Just("answer:"), Just("-1"), Just("0"),
        Just("4000000"), Just("initials of"), Just("make"),
    ], 0..14)) {
        let prompt = words.join(" ");
        let _ = MockModel::chat(50).answer(&prompt);
    }
}
