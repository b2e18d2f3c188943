//! Strategies that need to know nothing about a mechanism.

use std::time::Duration;

use nervure_protocol::ExpertRequest;
use nervure_subnet::mechanism::{Answer, Reply};

use super::Hostile;

/// All strategies of this file.
pub(crate) fn all() -> Vec<Box<dyn Hostile>> {
    let simple = |name, replies| Box::new(Simple { name, replies, serves: replies }) as Box<dyn Hostile>;
    let selective = |name| Box::new(Simple { name, replies: copies, serves: constant }) as Box<dyn Hostile>;
    vec![
        simple("silent", silent),
        simple("constant", constant),
        simple("echo", echo),
        simple("names everything", names_everything),
        simple("answers the first request only", first_only),
        simple("copier", copies),
        simple("relayer", relays),
        simple("copier with noise", copies_with_noise),
        simple("midpoint merger", midpoint),
        Box::new(Rotates(0)),
        selective("second expert"),
        selective("selective on detected tasks"),
    ]
}

type Replies = fn(&[ExpertRequest], &[Vec<Reply>]) -> Vec<Reply>;

/// A strategy without memory.
struct Simple {
    name: &'static str,
    replies: Replies,
    serves: Replies,
}

impl Hostile for Simple {
    fn name(&self) -> String {
        self.name.into()
    }

    fn replies(&mut self, requests: &[ExpertRequest], honest: &[Vec<Reply>]) -> Vec<Reply> {
        (self.replies)(requests, honest)
    }

    fn serves(&mut self, requests: &[ExpertRequest], honest: &[Vec<Reply>]) -> Vec<Reply> {
        (self.serves)(requests, honest)
    }
}

/// Copies the honest models in turn, one in each task.
struct Rotates(usize);

impl Hostile for Rotates {
    fn name(&self) -> String {
        "copies in turn".into()
    }

    fn replies(&mut self, _: &[ExpertRequest], honest: &[Vec<Reply>]) -> Vec<Reply> {
        self.0 += 1;
        honest.get(self.0 % honest.len().max(1)).cloned().unwrap_or_default()
    }
}

fn at_once(answer: Answer) -> Reply {
    Reply::new(answer, Duration::from_millis(1))
}

fn silent(_: &[ExpertRequest], _: &[Vec<Reply>]) -> Vec<Reply> {
    Vec::new()
}

/// The same valid answer to everything.
fn constant(requests: &[ExpertRequest], _: &[Vec<Reply>]) -> Vec<Reply> {
    let answer = |request: &ExpertRequest| match request {
        ExpertRequest::Distribution { .. } => Answer::Distribution(vec![1.0 / 256.0; 256]),
        ExpertRequest::Embed { inputs } => Answer::Vectors(vec![vec![1.0, 0.5]; inputs.len()]),
        ExpertRequest::Complete { .. } | ExpertRequest::Chat { .. } => Answer::Text("Answer: 42".into()),
    };
    requests.iter().map(answer).map(at_once).collect()
}

/// What it was sent: the text, the last byte, vectors of the bytes.
fn echo(requests: &[ExpertRequest], _: &[Vec<Reply>]) -> Vec<Reply> {
    let answer = |request: &ExpertRequest| match request {
        ExpertRequest::Distribution { context } => {
            let mut masses = vec![0.2 / 256.0; 256];
            masses[usize::from(context.last().copied().unwrap_or(b' '))] += 0.8;
            Answer::Distribution(masses)
        }
        ExpertRequest::Embed { inputs } => {
            let vector = |text: &String| {
                let byte = |at: usize| text.as_bytes().get(at).copied().map_or(1.0, f32::from);
                vec![byte(0), byte(1), byte(2), byte(3)]
            };
            Answer::Vectors(inputs.iter().map(vector).collect())
        }
        _ => Answer::Text(prompt(request).to_owned()),
    };
    requests.iter().map(answer).map(at_once).collect()
}

/// Every word and number of the question as an answer, or all letters alike.
fn names_everything(requests: &[ExpertRequest], honest: &[Vec<Reply>]) -> Vec<Reply> {
    let answer = |request: &ExpertRequest| match request {
        ExpertRequest::Distribution { .. } => {
            let letter = |byte: usize| if (97..123).contains(&byte) { 1.0 / 26.0 } else { 0.0 };
            Answer::Distribution((0..256).map(letter).collect())
        }
        ExpertRequest::Embed { .. } => constant(std::slice::from_ref(request), honest)[0].answer().clone(),
        _ => {
            let words =
                prompt(request).split(|at: char| !at.is_alphanumeric()).filter(|word| !word.is_empty());
            Answer::Text(words.map(|word| format!("Answer: {word}\n")).collect())
        }
    };
    requests.iter().map(answer).map(at_once).collect()
}

fn first_only(_: &[ExpertRequest], honest: &[Vec<Reply>]) -> Vec<Reply> {
    let best = honest.first().cloned().unwrap_or_default();
    best.into_iter().take(1).collect()
}

/// The best model's answers, without any delay: it has its weights.
fn copies(_: &[ExpertRequest], honest: &[Vec<Reply>]) -> Vec<Reply> {
    honest.first().cloned().unwrap_or_default()
}

/// The best model's answers, later: it asked that miner.
fn relays(_: &[ExpertRequest], honest: &[Vec<Reply>]) -> Vec<Reply> {
    let later =
        |reply: &Reply| Reply::new(reply.answer().clone(), reply.latency() + Duration::from_millis(300));
    honest.first().map(|replies| replies.iter().map(later).collect()).unwrap_or_default()
}

/// The best model's answers, with a twentieth of the mass, of the vectors or of the text changed.
fn copies_with_noise(_: &[ExpertRequest], honest: &[Vec<Reply>]) -> Vec<Reply> {
    let noisy = |reply: &Reply| {
        let answer = match reply.answer() {
            Answer::Distribution(masses) => {
                Answer::Distribution(masses.iter().map(|mass| mass * 0.95 + 0.05 / 256.0).collect())
            }
            Answer::Vectors(vectors) => {
                let turned = |vector: &Vec<f32>| vector.iter().map(|value| value * 3.0 + 1e-4).collect();
                Answer::Vectors(vectors.iter().map(turned).collect())
            }
            Answer::Text(text) => Answer::Text(format!("Sure.\n{text}\n")),
            other => other.clone(),
        };
        Reply::new(answer, reply.latency())
    };
    honest.first().map(|replies| replies.iter().map(noisy).collect()).unwrap_or_default()
}

/// Half-way between the two best models.
fn midpoint(_: &[ExpertRequest], honest: &[Vec<Reply>]) -> Vec<Reply> {
    let [first, second, ..] = honest else { return Vec::new() };
    let between = |(left, right): (&Reply, &Reply)| {
        let mean = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a + b) / 2.0).collect::<Vec<f32>>();
        let answer = match (left.answer(), right.answer()) {
            (Answer::Distribution(a), Answer::Distribution(b)) => Answer::Distribution(mean(a, b)),
            (Answer::Vectors(a), Answer::Vectors(b)) => {
                Answer::Vectors(a.iter().zip(b).map(|(a, b)| mean(a, b)).collect())
            }
            (answer, _) => answer.clone(),
        };
        Reply::new(answer, left.latency())
    };
    first.iter().zip(second).map(between).collect()
}

/// The text of a request for text.
pub(crate) fn prompt(request: &ExpertRequest) -> &str {
    match request {
        ExpertRequest::Complete { prompt, .. } => prompt,
        ExpertRequest::Chat { messages, .. } => messages.last().map_or("", |message| &message.content),
        ExpertRequest::Embed { .. } | ExpertRequest::Distribution { .. } => "",
    }
}
