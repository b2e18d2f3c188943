//! A stand-in for a model: a program that answers a few kinds of question by computing, and says that it is one.
//!
//! A testnet without a model server has nobody to answer chat and embedding questions. This is its honest replacement:
//! it reads the words of a prompt, recognises sums, sorting, letters, JSON and dates, and works the answer out; to
//! anything else it says that it is a stand-in and does not know. It sees nothing but the text. Vectors are made of
//! hashed words and a small thesaurus.
//!
//! *Quality* makes a worse one: the share of answers, in percent, that stay right. Which ones go wrong is decided by a
//! hash of the prompt, so that the same question gets the same answer and a better stand-in knows everything that a
//! worse one knows.
//!
//! # What a hostile prompt can do
//! Be looked at: texts beyond [`MAX_PROMPT`] are not read, every pass over one is linear, numbers that overflow and
//! sums nested too deep are questions that it does not know.

mod arithmetic;
mod dates;
mod expression;
mod json;
mod letters;
mod order;
mod question;
mod solution;
mod thesaurus;
mod vector;

use nervure_primitives::Hash;

use question::Question;
use solution::Solution;

/// Longest prompt that is read, in bytes.
pub const MAX_PROMPT: usize = 16 << 10;

/// Who serves these models, for lists of them.
pub const OWNER: &str = "nervure stand-in";

/// The models that a list names; any other quality can be asked for all the same.
pub const LISTED: [StandIn; 6] = [
    StandIn::chat(100),
    StandIn::chat(70),
    StandIn::chat(40),
    StandIn::embedding(100),
    StandIn::embedding(60),
    StandIn::embedding(30),
];

const CHAT: &str = "stand-in-";
const EMBEDDING: &str = "stand-in-embed-";

/// What it says to a question that it cannot compute.
const UNKNOWN: &str = "I am a stand-in for a language model: a small program that computes sums, sorts, counts letters, \
                       changes JSON and counts days. This is no question that I know.";

/// A stand-in of some quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandIn {
    kind: Kind,
    /// The share of answers that stay right, in percent.
    quality: u8,
}

/// What a stand-in does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It answers.
    Chat,
    /// It makes vectors.
    Embedding,
}

impl StandIn {
    /// One that answers, of this quality in percent; more than 100 is 100.
    pub const fn chat(quality: u8) -> Self {
        Self { kind: Kind::Chat, quality: if quality > 100 { 100 } else { quality } }
    }

    /// One that makes vectors, of this quality in percent; more than 100 is 100.
    pub const fn embedding(quality: u8) -> Self {
        Self { kind: Kind::Embedding, quality: if quality > 100 { 100 } else { quality } }
    }

    /// The one of this name: `stand-in-70`, `stand-in-embed-100`.
    pub fn named(model: &str) -> Option<Self> {
        let (kind, quality) = match model.strip_prefix(EMBEDDING) {
            Some(quality) => (Kind::Embedding, quality),
            None => (Kind::Chat, model.strip_prefix(CHAT)?),
        };
        let quality: u8 = quality.parse().ok().filter(|quality| *quality <= 100)?;
        let named = Self { kind, quality };
        // One name for one model: no `stand-in-070`.
        (named.to_string() == model).then_some(named)
    }

    /// What it does.
    pub const fn kind(self) -> Kind {
        self.kind
    }

    /// The answer to a question, with one line that begins with `Answer:` where it has one.
    pub fn answer(self, prompt: &str) -> String {
        match solve(prompt) {
            None => UNKNOWN.to_owned(),
            Some(solution) => {
                let draw = Draw::of("answer", prompt);
                let right = draw.percent() < u64::from(self.quality);
                let said = if right { solution } else { solution.spoiled(draw.rest()) };
                format!("A stand-in, a program and no model, worked this out.\nAnswer: {said}")
            }
        }
    }

    /// The vector of a text.
    pub fn embed(self, text: &str) -> Vec<f32> {
        vector::of(text, self.quality)
    }
}

impl std::fmt::Display for StandIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = if self.kind == Kind::Chat { CHAT } else { EMBEDDING };
        write!(f, "{name}{}", self.quality)
    }
}

/// What the words of `prompt` ask for, worked out.
fn solve(prompt: &str) -> Option<Solution> {
    if prompt.len() > MAX_PROMPT {
        return None;
    }
    let question = Question::read(prompt);
    [json::solve, letters::solve, order::solve, dates::solve, arithmetic::solve]
        .into_iter()
        .find_map(|solve| solve(&question))
}

/// Numbers that a text decides.
struct Draw(u64, u64);

impl Draw {
    fn of(what: &str, text: &str) -> Self {
        let hash = Hash::of("nervure/stand-in", &[what.as_bytes(), text.as_bytes()]);
        let mut words = hash
            .as_bytes()
            .chunks_exact(8)
            .map(|bytes| bytes.iter().fold(0u64, |number, byte| (number << 8) | u64::from(*byte)));
        Self(words.next().unwrap_or(0), words.next().unwrap_or(0))
    }

    fn percent(&self) -> u64 {
        self.0 % 100
    }

    fn rest(&self) -> u64 {
        self.1
    }
}

#[cfg(test)]
mod tests;
