//! The validator's own answers are right, and other answers get the right score.

use std::collections::BTreeSet;

use nervure_protocol::Sampling;

use super::{
    super::{MechanismSpec, build},
    *,
};

fn task(seed: u64) -> ExactAnswerTask {
    let rules = ExactAnswer::default();
    let mut dice = Dice::new(seed.into());
    let puzzles = rules.puzzles(&[40, 400, 4_000, 100], &mut dice);
    let requests =
        puzzles.iter().map(|puzzle| ExpertRequest::chat(puzzle.prompt.clone(), Sampling::default()));
    ExactAnswerTask {
        requests: requests.collect(),
        expected: puzzles.into_iter().map(|p| p.expected).collect(),
        rules,
    }
}

fn reply(text: impl Into<String>, millis: u64) -> Reply {
    Reply::new(Answer::Text(text.into()), Duration::from_millis(millis))
}

fn right(task: &ExactAnswerTask, millis: u64) -> Vec<Reply> {
    task.expected
        .iter()
        .map(|expected| reply(format!("Sure.\n**Answer:** {}", expected.spelled()), millis))
        .collect()
}

fn kinds() -> [Kind; 7] {
    ExactAnswer::default().kinds().map(|(_, kind)| kind)
}

#[test]
fn every_right_answer_is_taken_and_wrong_ones_are_not() {
    for (number, kind) in kinds().into_iter().enumerate() {
        for seed in 0..300u64 {
            let puzzle = kind(&mut Dice::new(seed.into()));
            let (prompt, expected) = (&puzzle.prompt, &puzzle.expected);
            let spelled = expected.spelled();
            assert!(expected.is_answered_by(&format!("Answer: {spelled}")), "{prompt} {spelled}");
            assert!(
                expected.is_answered_by(&format!("I think so.\n\nfinal answer: {spelled}\n")),
                "{prompt}"
            );
            assert!(!expected.is_answered_by(prompt), "echo: {prompt}");
            assert!(!expected.is_answered_by(&format!("Answer: {spelled}\nAnswer: 1{spelled}")), "{prompt}");
            assert!(!expected.is_answered_by(""), "{number}");
            assert!(expected.is_answered_by(&format!("Let me see.\n\n{spelled}\n")), "{prompt} {spelled}");
            let last_counts = expected.is_answered_by(&format!("{spelled}\nor 1{spelled}"));
            // A JSON value is read to its end, whatever follows.
            assert!(!last_counts || matches!(expected, Expected::Json(_)), "{prompt}");
            assert!(prompt.len() < 1500 && !prompt.contains("Answer:"), "{prompt}");
        }
    }
}

#[test]
fn questions_hardly_ever_come_twice() {
    for kind in kinds() {
        let prompts: BTreeSet<String> =
            (0..1000u64).map(|seed| kind(&mut Dice::new(seed.into())).prompt).collect();
        assert!(prompts.len() >= 990, "{}", prompts.len());
    }
}

/// The validator's own answers, checked against ones worked out by hand.
#[test]
fn known_questions_have_known_answers() {
    let mut seen = BTreeSet::new();
    for seed in 0..2000u64 {
        let puzzle = arithmetic::puzzle(&mut Dice::new(seed.into()));
        let numbers: Vec<i64> =
            puzzle.prompt.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
        let Expected::Number(value) = puzzle.expected else { panic!("no number") };
        let by_hand = match puzzle.prompt.as_str() {
            p if p.contains(" is divided by ") => numbers[0] % numbers[1],
            p if p.contains("full") => numbers[0] / numbers[1],
            p if p.contains("coins") => numbers[4] - numbers[0] * numbers[1] - numbers[2] * numbers[3],
            p if p.contains(" times ") => numbers[0] * numbers[1] - numbers[2],
            p if p.contains('(') => (numbers[0] + numbers[1]) * numbers[2],
            p if p.contains(" + ") => numbers[0] + numbers[1] * numbers[2],
            p if p.contains(" * ") => numbers[0] - numbers[1] * numbers[2],
            _ => numbers.iter().sum(),
        };
        assert_eq!(value, by_hand, "{}", puzzle.prompt);
        seen.insert(by_hand);
    }
    assert!(seen.len() > 1000);
}

/// The variant that draws each question for itself puts long ones where users have short texts.
#[test]
fn questions_are_as_short_as_the_texts_of_users() {
    let (rules, mut dice) = (ExactAnswer::default(), Dice::new(1.into()));
    let lengths: Vec<usize> = (0..400).map(|at| [60, 100, 1_000, 4_000][at % 4]).collect();
    let too_long = |puzzles: &[Puzzle]| {
        lengths.iter().zip(puzzles).filter(|(length, puzzle)| puzzle.prompt.len() > **length).count()
    };
    let fitted = too_long(&rules.puzzles(&lengths, &mut dice));
    let alone: Vec<Puzzle> = lengths.iter().map(|_| rules.kind(&mut dice)(&mut dice)).collect();
    assert!(2 * fitted < too_long(&alone), "{fitted}, else {}", too_long(&alone));
}

#[test]
fn correctness_comes_before_speed() {
    let task = task(1);
    assert_eq!(task.score(&right(&task, 100)), Score::ONE);
    let slow = task.score(&right(&task, 60_000));
    assert_eq!(slow.to_string(), "0.9000");
    let mut fast_but_one = right(&task, 0);
    fast_but_one[2] = reply("Answer: no idea", 0);
    assert!(task.score(&fast_but_one) < slow);
    assert!(task.score(&right(&task, 2000)) > task.score(&right(&task, 3000)));
    assert_eq!(task.score(&[]), Score::ZERO);
    assert_eq!(task.score(&vec![Reply::new(Answer::Vectors(vec![]), Duration::ZERO); 4]), Score::ZERO);
}

#[test]
fn right_answers_of_two_miners_are_no_copies() {
    let task = task(2);
    let print = task.fingerprint(&right(&task, 1));
    assert!(!task.alike(&print, &print));
}

#[test]
fn kinds_come_as_often_as_asked_for() {
    let spec =
        MechanismSpec::named("exact-answer").with("arithmetic", 0).with("sorting", 0).with("strings", 0);
    let spec = spec.with("logic", 0).with("code", 0);
    let mechanism = build(&spec.clone().with("json", 0)).unwrap();
    for seed in 0..20u64 {
        for question in mechanism.draw(seed.into(), &Material::default()).unwrap().requests() {
            let ExpertRequest::Chat { messages, .. } = question else { panic!("not a chat") };
            let prompt = &messages.last().unwrap().content;
            assert!(prompt.contains("da"), "day, date: {prompt}");
        }
    }
    assert!(build(&spec.with("json", 0).with("dates", 0)).is_err(), "no kind at all");
    assert!(
        build(&MechanismSpec::named("exact-answer").with("speed", 250)).is_err(),
        "speed before correctness"
    );
    assert!(build(&MechanismSpec::named("exact-answer").with("slow_ms", 500)).is_err());
}
