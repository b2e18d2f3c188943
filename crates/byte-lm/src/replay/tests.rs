//! Honest answers, and ones of another model, of another prompt, or cut.

use nervure_protocol::{ChatMessage, FinishReason, Role, Usage};
use nervure_subnet::audit::{AuditRules, Judgement, Verdict, judge};

use super::*;
use crate::{
    builtin::{self, find},
    generate::generate,
};

/// An answer, as its reader has it.
#[derive(Clone, Debug, PartialEq)]
struct Answer {
    events: Vec<ExpertEvent>,
    usage: Usage,
    reason: FinishReason,
}

impl Answer {
    fn given(&self) -> GivenAnswer<'_> {
        GivenAnswer { events: &self.events, usage: self.usage, reason: self.reason }
    }

    fn text(&self) -> &str {
        match self.events.as_slice() {
            [ExpertEvent::Text(text)] => text,
            _ => "",
        }
    }
}

fn model(domain: &str) -> ByteModel {
    find(domain).unwrap().load().unwrap()
}

fn replay() -> ByteReplay {
    ByteReplay::builtin(find("rust").unwrap()).unwrap()
}

fn sampling(max_tokens: u32, seed: u64) -> Sampling {
    Sampling { max_tokens, seed: Some(seed), ..Sampling::default() }
}

fn complete(prompt: &str, sampling: Sampling) -> ExpertRequest {
    ExpertRequest::Complete { prompt: prompt.into(), sampling }
}

/// What a miner with `model` answers, by the code of the expert.
fn answered(model: &ByteModel, request: &ExpertRequest) -> Answer {
    let prompt = match request {
        ExpertRequest::Complete { prompt, .. } => prompt.clone(),
        ExpertRequest::Chat { messages, .. } => chat_prompt(messages),
        _ => panic!("no text"),
    };
    let (send, mut receive) = tokio::sync::mpsc::channel(8_192);
    let mut session = Session::new(model.clone());
    let done = generate(&mut session, (&prompt, request.sampling().unwrap()), &send, || false);
    assert!(done.is_ok());
    let mut text = String::new();
    loop {
        match receive.try_recv().unwrap().unwrap() {
            ExpertEvent::Text(piece) => text += &piece,
            ExpertEvent::Done { usage, reason } => {
                let events = if text.is_empty() { vec![] } else { vec![ExpertEvent::Text(text)] };
                return Answer { events, usage, reason };
            }
            _ => panic!("not a text"),
        }
    }
}

fn replayed(request: &ExpertRequest, answer: &Answer) -> Replayed {
    replay().replay(request, answer.given()).unwrap()
}

/// The judgement of an auditor with the same program, or with another one.
fn judged(request: &ExpertRequest, answer: &Answer, exact: bool) -> Judgement {
    let replay = replay();
    let mut claimed = replay.identity().clone();
    if !exact {
        claimed.runtime = Some("another program".into());
    }
    let replayed = replay.replay(request, answer.given()).unwrap();
    judge(&replayed, (&claimed, replay.identity()), &AuditRules::default())
}

/// Requests of every form that users' have.
fn requests() -> Vec<ExpertRequest> {
    let code = "fn main() {\n    let mut total = 0;\n";
    let long = "pub struct Vector { x: f32, y: f32 }\n".repeat(12);
    let stop = Sampling { stop: vec![";".into(), "\n\n".into()], ..sampling(200, 4) };
    let message = |role, content: &str| ChatMessage::new(role, content);
    vec![
        complete(code, sampling(120, 1)),
        complete(code, Sampling { temperature_milli: 0, ..sampling(90, 2) }),
        complete(code, Sampling { temperature_milli: 1500, top_p_milli: 1000, ..sampling(90, 3) }),
        complete(code, stop),
        complete(&long, sampling(90, 5)),
        complete("", sampling(60, 6)),
        complete(code, Sampling { prefix: "    for i in 0..10 ".into(), ..sampling(80, 7) }),
        ExpertRequest::Chat {
            messages: vec![message(Role::System, "Rust only."), message(Role::User, "impl Display")],
            sampling: sampling(60, 8),
        },
    ]
}

#[test]
fn an_honest_answer_is_repeated_bit_by_bit() {
    let miner = model("rust");
    for request in requests() {
        let answer = answered(&miner, &request);
        let replayed = replayed(&request, &answer);
        assert!(replayed.tokens() > 0, "{request:?}");
        assert_eq!((replayed.defect, replayed.beyond(Margin::NONE)), (None, 0), "{request:?} {answer:?}");
    }
}

#[test]
fn an_answer_over_several_windows_is_repeated_bit_by_bit() {
    let request = complete("//! A module.\n", sampling(420, 11));
    let answer = answered(&model("rust"), &request);
    assert_eq!(judged(&request, &answer, true).verdict, Verdict::Match);
}

#[test]
fn another_program_with_the_same_weights_is_within_the_margin() {
    let other = model("rust").with_other_arithmetic();
    let (own, bytes) = (model("rust"), b"fn main() {".as_slice());
    let logits = |model: &ByteModel| teacher::logits(model, (b"", b""), bytes).unwrap();
    assert_ne!(logits(&own), logits(&other), "it computes other bits, or this test shows nothing");
    for request in requests() {
        let judged = judged(&request, &answered(&other, &request), false);
        assert_eq!((judged.verdict, judged.beyond), (Verdict::Match, 0), "{request:?}");
    }
}

#[test]
fn another_model_is_a_mismatch() {
    let request = complete("fn main() {\n    let mut total = 0;\n", sampling(120, 1));
    let answer = answered(&model("python"), &request);
    for exact in [true, false] {
        assert_eq!(judged(&request, &answer, exact).verdict, Verdict::Mismatch, "exact: {exact}");
    }
}

#[test]
fn an_answer_to_another_prompt_is_a_mismatch() {
    let sampling = sampling(120, 1);
    let asked = complete("fn main() {\n    let mut total = 0;\n", sampling.clone());
    let mut answer = answered(&model("rust"), &complete("    let mut total = 0;\n", sampling));
    answer.usage.prompt_tokens = 35;
    assert_eq!(judged(&asked, &answer, false).verdict, Verdict::Mismatch);
    answer.usage.prompt_tokens = 7;
    assert_eq!(judged(&asked, &answer, false).defect, Some(Defect::Usage), "it says that it read less");
}

#[test]
fn a_truncated_answer_is_a_mismatch_however_it_says_that_it_ended() {
    let request = complete("fn main() {\n    let mut total = 0;\n", sampling(120, 1));
    let whole = answered(&model("rust"), &request);
    assert_eq!(whole.reason, FinishReason::Length);
    let cut = |reason, written| {
        let events = vec![ExpertEvent::Text(whole.text()[..60].to_owned())];
        let usage = Usage { completion_tokens: written, ..whole.usage };
        judged(&request, &Answer { events, usage, reason }, false)
    };
    // The end of the text is the byte after it, which the model does not write there.
    assert_eq!(cut(FinishReason::Stop, 61).defect, Some(Defect::End));
    for (reason, written) in [
        (FinishReason::Stop, 60),
        (FinishReason::Stop, 120),
        (FinishReason::Length, 60),
        (FinishReason::Length, 120),
        (FinishReason::Other, 60),
    ] {
        assert_eq!(cut(reason, written).verdict, Verdict::Mismatch, "{reason:?} after {written}");
    }
}

#[test]
fn an_answer_that_goes_beyond_its_end_is_a_mismatch() {
    let stop = Sampling { stop: vec![";".into()], ..sampling(200, 4) };
    let request = complete("fn main() {\n    let mut total = 0;\n", stop);
    let mut answer = answered(&model("rust"), &request);
    assert_eq!(
        (answer.reason, judged(&request, &answer, true).verdict),
        (FinishReason::Stop, Verdict::Match)
    );
    let longer = format!("{}; more", answer.text());
    answer.events = vec![ExpertEvent::Text(longer)];
    assert_eq!(judged(&request, &answer, false).defect, Some(Defect::End));
}

#[test]
fn an_answer_with_bytes_that_are_no_text_is_written_again() {
    // A high temperature writes bytes that are no UTF-8.
    let hot = |seed| {
        let sampling = Sampling { temperature_milli: 5000, top_p_milli: 1000, ..sampling(40, seed) };
        complete("fn main() {", sampling)
    };
    let request = hot(1);
    let mut answer = answered(&model("rust"), &request);
    assert!(answer.text().contains(REPLACEMENT));
    assert_eq!(judged(&request, &answer, true).verdict, Verdict::Match);
    answer.events = vec![ExpertEvent::Text(answer.text().replacen(REPLACEMENT, "?", 1))];
    assert_eq!(judged(&request, &answer, true).verdict, Verdict::Mismatch);
    let other = answered(&model("rust"), &hot(2));
    assert_eq!(judged(&request, &other, true).verdict, Verdict::Mismatch, "of another seed");
}

#[test]
fn a_distribution_is_compared_by_its_mass() {
    let context = &builtin::tests::heldout("rust")[..100];
    let request = ExpertRequest::Distribution { context: context.to_vec() };
    let answer = |model: &ByteModel| Answer {
        events: vec![ExpertEvent::Distribution(next_distribution(model, context).unwrap().to_vec())],
        usage: Usage::default(),
        reason: FinishReason::Stop,
    };
    assert_eq!(judged(&request, &answer(&model("rust")), true).verdict, Verdict::Match);
    let other = answer(&model("rust").with_other_arithmetic());
    assert_eq!(judged(&request, &other, false).beyond, 0);
    let wrong = replayed(&request, &answer(&model("prose")));
    assert!(wrong.margins[0] > Margin::of_mass(0.05));
    let text = Answer { events: vec![ExpertEvent::Text("a".into())], ..answer(&model("rust")) };
    assert_eq!(judged(&request, &text, true).defect, Some(Defect::Form));
}

#[test]
fn what_cannot_be_repeated_is_said_and_no_mismatch() {
    let answer = Answer { events: vec![], usage: Usage::default(), reason: FinishReason::Stop };
    let unseeded = complete("", Sampling::default());
    assert_eq!(replay().replay(&unseeded, answer.given()), Err(ReplayError::NoSeed));
    let embed = ExpertRequest::Embed { inputs: vec!["a".into()] };
    assert_eq!(replay().replay(&embed, answer.given()), Err(ReplayError::Unsupported));
}
