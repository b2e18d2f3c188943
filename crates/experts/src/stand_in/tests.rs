//! What the stand-in gets from the mechanisms whose questions it was written for, of which it sees nothing but the text.

use std::time::Duration;

use nervure_primitives::MechanismSpec;
use nervure_protocol::ExpertRequest;
use nervure_subnet::mechanism::{Answer, Corpus, Mechanism, Reply, build};
use proptest::prelude::*;

use super::*;

/// The share of the full score that `stand_in` gets in tasks of `mechanism`.
fn score(mechanism: &dyn Mechanism, stand_in: StandIn, seeds: std::ops::Range<u64>) -> f64 {
    let count = (seeds.end - seeds.start) as f64;
    let scores = seeds.map(|seed| {
        let task = mechanism.draw(seed.into(), &Corpus::default()).unwrap();
        let replies: Vec<Reply> = task.requests().iter().map(|question| reply(stand_in, question)).collect();
        task.score(&replies).to_string().parse::<f64>().unwrap()
    });
    scores.sum::<f64>() / count
}

fn reply(stand_in: StandIn, question: &ExpertRequest) -> Reply {
    let answer = match question {
        ExpertRequest::Chat { messages, .. } => Answer::Text(stand_in.answer(&messages[0].content)),
        ExpertRequest::Embed { inputs } => {
            Answer::Vectors(inputs.iter().map(|text| stand_in.embed(text)).collect())
        }
        _ => Answer::Missing,
    };
    Reply::new(answer, Duration::ZERO)
}

/// `exact-answer` with questions of one kind only.
fn only(kind: &str) -> MechanismSpec {
    let kinds = ["arithmetic", "sorting", "strings", "json", "dates"];
    kinds
        .iter()
        .fold(MechanismSpec::named("exact-answer").with("questions", 8).with("speed", 0), |spec, name| {
            spec.with(*name, u64::from(*name == kind))
        })
}

#[test]
fn at_full_quality_every_kind_of_question_is_answered_rightly() {
    for kind in ["arithmetic", "sorting", "strings", "json", "dates"] {
        let mechanism = build(&only(kind)).unwrap();
        for seed in 0..400u64 {
            let task = mechanism.draw(seed.into(), &Corpus::default()).unwrap();
            for question in task.requests() {
                let ExpertRequest::Chat { messages, .. } = question else { panic!("not a chat") };
                let prompt = &messages[0].content;
                assert!(solve(prompt).is_some(), "{kind} {seed}: {prompt}");
            }
        }
        let share = score(mechanism.as_ref(), StandIn::chat(100), 0..400);
        assert!(share >= 0.99, "{kind}: {share}");
    }
}

#[test]
fn quality_is_the_share_of_right_answers() {
    let mechanism = build(&MechanismSpec::named("exact-answer").with("speed", 0)).unwrap();
    for quality in [0u8, 40, 70] {
        let share = score(mechanism.as_ref(), StandIn::chat(quality), 0..600);
        assert!((share - f64::from(quality) / 100.0).abs() < 0.03, "{quality}: {share}");
    }
}

#[test]
fn a_better_one_knows_what_a_worse_one_knows_and_repeats_itself() {
    for seed in 0..300i64 {
        let prompt = format!("What is {seed} + 1?");
        let right = format!("Answer: {}", seed + 1);
        let knows = |quality| StandIn::chat(quality).answer(&prompt).ends_with(&right);
        assert!(knows(100) && !knows(0));
        assert!(knows(80) || !knows(50), "{prompt}");
        assert_eq!(StandIn::chat(50).answer(&prompt), StandIn::chat(50).answer(&prompt));
    }
}

#[test]
fn vectors_rank_by_meaning_and_worse_ones_do_less() {
    let mechanism = build(&MechanismSpec::named("embedding")).unwrap();
    let shares =
        [100, 60, 30, 0].map(|quality| score(mechanism.as_ref(), StandIn::embedding(quality), 0..100));
    assert!(shares[0] > 0.8, "{shares:?}");
    assert!(
        shares[0] > shares[1] + 0.1 && shares[1] > shares[2] + 0.1 && shares[2] > shares[3],
        "{shares:?}"
    );
    assert!(shares[3] < 0.2, "{shares:?}");
}

#[test]
fn vectors_are_real_ones_for_any_text() {
    for text in ["", " ", "!?", "\u{1f980}", &"word ".repeat(5000)] {
        for quality in [0, 50, 100] {
            let vector = StandIn::embedding(quality).embed(text);
            assert_eq!(vector.len(), vector::DIMENSIONS);
            assert!(vector.iter().all(|x| x.is_finite()) && vector.iter().any(|x| *x != 0.0), "{text}");
        }
    }
}

#[test]
fn what_it_does_not_know_it_says() {
    for prompt in ["", "Write a poem about the sea.", "Who are you?", "What is love?", &"1 + ".repeat(9000)] {
        assert!(StandIn::chat(100).answer(prompt).starts_with("I am a stand-in"), "{prompt}");
    }
}

#[test]
fn names_are_names_of_one_model_each() {
    for stand_in in LISTED {
        assert_eq!(StandIn::named(&stand_in.to_string()), Some(stand_in));
    }
    assert_eq!(StandIn::named("stand-in-embed-7"), Some(StandIn::embedding(7)));
    for name in [
        "",
        "gpt",
        "stand-in-",
        "stand-in-101",
        "stand-in-070",
        "stand-in--1",
        "stand-in-embed-",
        "stand-in-+7",
    ] {
        assert_eq!(StandIn::named(name), None, "{name}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(\\PC|\n){0,200}") {
        let _ = (StandIn::chat(50).answer(&text), StandIn::embedding(50).embed(&text));
    }

    #[test]
    fn no_words_make_it_panic(words in proptest::collection::vec(prop_oneof![
        Just("\"a\""), Just("\""), Just(": "), Just("days"), Just("after"), Just("2024-02-29"), Just("9999-12-31"),
        Just("-9223372036854775808"), Just("9223372036854775807"), Just("divided by"), Just("remains"), Just("*"), Just("("),
        Just(")"), Just("boxes"), Just("has"), Just("coins"), Just("at"), Just("each"), Just("sort"), Just("smallest"),
        Just("every second word"), Just("capitals"), Just("[{\"a\":1,\"b\":\"c\"}]"), Just("{\"a\":\"b\"}"), Just("per b"),
        Just("add up"), Just("above"), Just("bs"), Just("swap"), Just("rename"), Just("answer:"), Just("-1"), Just("0"),
        Just("4000000"), Just("initials of"), Just("make"),
    ], 0..14)) {
        let prompt = words.join(" ");
        let _ = StandIn::chat(50).answer(&prompt);
    }
}
