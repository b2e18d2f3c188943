//! What answers to open-ended questions are worth, to whom, and what agreement changes.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;

use super::{
    super::{Corpus, MechanismSpec, build, corpus::tests::document},
    *,
};

/// Words of letters by lot: those of two texts have hardly a group of characters in common.
fn words(seed: u64, count: usize) -> String {
    let mut dice = Dice::new(seed.into());
    let mut word = || (0..6).map(|_| char::from(b'a' + dice.below(26) as u8)).collect::<String>();
    (0..count).map(|_| word()).collect::<Vec<_>>().join(" ")
}

/// A reference answer, with phrases around it that all have.
fn reference(seed: u64) -> String {
    format!("I hope this is of help to you. {} Please let me know.", words(seed, 20))
}

/// Prompts with two references each.
fn answered(count: u64) -> Vec<[String; 3]> {
    let item = |n: u64| {
        [format!("What would you do with {}?", words(n, 3)), reference(1_000 + n), reference(2_000 + n)]
    };
    (0..count).map(item).collect()
}

fn material(count: u64) -> Material {
    let items: Vec<String> = answered(count).iter().map(|item| item.join("\n--\n")).collect();
    Corpus::new([document(ANSWERED, items.join("\n---\n").as_bytes())]).into()
}

fn drawn(spec: MechanismSpec, seed: u64) -> Box<dyn Task> {
    build(&spec).unwrap().draw(seed.into(), &material(60)).unwrap()
}

fn spec() -> MechanismSpec {
    MechanismSpec::named("preference")
}

fn reply(text: impl Into<String>) -> Reply {
    Reply::new(Answer::Text(text.into()), Duration::ZERO)
}

/// The prompt of a request, by what stands in it.
fn item_of(request: &ExpertRequest) -> [String; 3] {
    let ExpertRequest::Chat { messages, .. } = request else { panic!("{request:?}") };
    let asked = &messages.last().unwrap().content;
    answered(60).into_iter().find(|item| asked.contains(&item[0])).unwrap()
}

fn replies(task: &dyn Task, answer: impl Fn([String; 3]) -> String) -> Vec<Reply> {
    task.requests().iter().map(|request| reply(answer(item_of(request)))).collect()
}

#[test]
fn a_reference_is_worth_all_and_what_is_said_to_everything_nothing() {
    for seed in 0..20u64 {
        let task = drawn(spec(), seed);
        assert_eq!(task.score(&replies(task.as_ref(), |item| item[1].clone())), Score::ONE);
        assert_eq!(task.score(&replies(task.as_ref(), |item| item[2].clone())), Score::ONE, "the other one");
        let polite = "I hope this is of help to you. Please let me know.";
        assert_eq!(task.score(&replies(task.as_ref(), |_| polite.into())), Score::ZERO);
        assert_eq!(task.score(&replies(task.as_ref(), |item| item[0].clone())), Score::ZERO, "the question");
        let half = replies(task.as_ref(), |item| item[1][..item[1].len() / 2].to_owned());
        let long = replies(task.as_ref(), |item| format!("{} {}", item[1], words(seed + 9_000, 200)));
        let whole = task.score(&replies(task.as_ref(), |item| item[1].clone()));
        assert!(task.score(&half) <= whole && task.score(&long) < whole);
    }
}

/// The variant that counts all groups of characters pays for politeness.
#[test]
fn what_is_commonplace_counts_only_where_no_other_prompts_tell() {
    let polite = |material: &Material| {
        let task = build(&spec()).unwrap().draw(1.into(), material).unwrap();
        let polite = "I hope this is of help to you. Please let me know.";
        task.score(&vec![reply(polite); 4])
    };
    assert_eq!(polite(&material(60)), Score::ZERO);
    assert!(polite(&material(5)) > Score::ZERO, "without the defence");
}

#[test]
fn prompts_are_asked_once() {
    let (mut material, mechanism) = (material(10), build(&spec()).unwrap());
    let mut asked = BTreeSet::new();
    for seed in 0..2u64 {
        let task = mechanism.draw(seed.into(), &material).unwrap();
        assert!(task.cells().iter().all(|cell| asked.insert(*cell)), "it came again");
        Arc::make_mut(&mut material.retired).retire(task.cells().iter().copied());
    }
    let drawn = mechanism.draw(3.into(), &material).map(|_| ());
    assert_eq!(drawn, Err(DrawError::AllAsked { left: 2, need: 4 }));
    assert!(build(&spec().with("reuse", 1)).unwrap().draw(3.into(), &material).is_ok());
    let none = mechanism.draw(1.into(), &Material::default()).map(|_| ());
    assert_eq!(none, Err(DrawError::TooLittleText { what: "answered prompts", have: 0, need: 4 }));
    assert!(build(&spec().with("least", 400)).is_err() && build(&spec().with("agreement", 501)).is_err());
}

/// The texts of a request.
fn shown(request: &ExpertRequest) -> String {
    match request {
        ExpertRequest::Complete { prompt, .. } => prompt.clone(),
        ExpertRequest::Chat { messages, .. } => messages.iter().map(|one| one.content.clone()).collect(),
        ExpertRequest::Embed { inputs } => inputs.concat(),
        ExpertRequest::Distribution { context } => String::from_utf8_lossy(context).into_owned(),
    }
}

/// References would be given away in pieces by any mechanism that cuts its questions from the same texts.
#[test]
fn other_mechanisms_do_not_show_references() {
    let text: Vec<u8> = (0..20_000u32).flat_map(|n| format!("{n:04x}").into_bytes()).collect();
    let mut documents = material(60).corpus.documents().to_vec();
    documents.extend([document("text.a", &text), document("text.b", &text)]);
    let material: Material = Corpus::new(documents).into();
    let held_back: Vec<String> = answered(60)
        .iter()
        .flat_map(|item| item[1].split(' ').skip(8).take(20).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let specs = ["next-byte", "exact-answer", "reference"].map(MechanismSpec::named);
    for spec in specs.into_iter().chain([MechanismSpec::named("embedding").with("passages", 16)]) {
        let mechanism = build(&spec).unwrap();
        for seed in 0..10u64 {
            let task = mechanism.draw(seed.into(), &material).unwrap();
            let shown: String = task.requests().iter().map(shown).collect();
            assert!(!held_back.iter().any(|word| shown.contains(word.as_str())), "{}: {shown}", spec.name);
        }
    }
}

#[test]
fn copies_are_alike_and_other_answers_are_not() {
    let task = drawn(spec(), 1);
    let print = |answer: fn([String; 3]) -> String| task.fingerprint(&replies(task.as_ref(), answer));
    let (first, other) = (print(|item| item[1].clone()), print(|item| item[2].clone()));
    let noisy = print(|item| format!("Sure. {} ok", item[1]));
    assert!(task.alike(&first, &first) && task.alike(&first, &noisy));
    assert!(!task.alike(&first, &other));
    let one = Fingerprint::new([Some(Box::from([1i64]))]);
    assert!(!task.alike(&one, &one), "one of four answers proves nothing");
}

/// An answer with each word of a reference replaced by chance.
fn opinion(reference: &str, kept: u64, seed: u64) -> String {
    let mut dice = Dice::new(seed.into());
    let mut word = |word: &str| match dice.below(100) < kept {
        true => word.to_owned(),
        false => words(dice.bits(), 1),
    };
    reference.split(' ').map(&mut word).collect::<Vec<_>>().join(" ")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// No clique, of whatever size and with whatever opinion, gets more than its references give it, nor takes more than
    /// the part that depends on agreement.
    #[test]
    fn agreement_takes_at_most_its_part_and_gives_nothing(
        seed in 0u64..20,
        share in 0u64..=500,
        miners in proptest::collection::vec((0u64..=100, any::<u64>()), 1..12),
    ) {
        let task = drawn(spec().with("agreement", share), seed);
        let answers: Vec<Vec<Reply>> = miners
            .iter()
            .map(|(kept, luck)| replies(task.as_ref(), |item| opinion(&item[1], *kept, *luck)))
            .collect();
        let scores: Vec<Score> = answers.iter().map(|replies| task.score(replies)).collect();
        let answers: Vec<&[Reply]> = answers.iter().map(Vec::as_slice).collect();
        let groups: Vec<usize> = (0..answers.len()).collect();
        let settled = task.settle(&answers, &groups, scores.clone());
        let kept = Score::ONE.less(Score::ratio(share, 1000));
        for (settled, score) in settled.iter().zip(&scores) {
            prop_assert!(settled <= score);
            // Two products are rounded down.
            prop_assert!(settled.parts().saturating_add(4) >= score.times(kept).parts(), "{} of {}", settled, score);
        }
    }

    #[test]
    fn what_is_appended_to_a_reference_is_worth_nothing(seed in 0u64..20, extra in "[a-z ]{1,400}") {
        let task = drawn(spec().with("full_at", 1000), seed);
        let plain = task.score(&replies(task.as_ref(), |item| item[1].clone()));
        let longer = task.score(&replies(task.as_ref(), |item| format!("{} {extra}", item[1])));
        prop_assert!(longer <= plain);
    }

    #[test]
    fn no_answer_makes_it_panic(text in any::<String>(), count in 0usize..9) {
        let task = drawn(spec(), 1);
        let replies = vec![reply(text); count];
        let print = task.fingerprint(&replies);
        let _ = (task.score(&replies), task.alike(&print, &print));
        let _ = task.settle(&[&replies, &[]], &[0, 1], vec![Score::ONE; 2]);
    }
}
