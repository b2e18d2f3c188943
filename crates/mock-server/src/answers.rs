//! The answers of mock models, computed from the text of a prompt.
//!
//! A chat model recognises sums, sorting, letters, JSON and dates, and computes the answer. To any other prompt it answers
//! that it is a mock model server and cannot answer. It sees nothing but the text. Vectors are built from hashed words and
//! a small thesaurus.
//!
//! The *quality* of a model is the percentage of its answers that are correct. A hash of the prompt decides which answers
//! are wrong: the same prompt always gets the same answer, and a better model answers every prompt correctly that a worse
//! one does.
//!
//! # What a hostile prompt can do
//! Prompts longer than [`MAX_PROMPT_BYTES`] are not read, and every pass over a prompt takes linear time. Numbers that
//! overflow and expressions that are nested too deeply get the answer for unknown questions.

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
pub const MAX_PROMPT_BYTES: usize = 16 << 10;

/// The owner of these models, for lists of models.
pub const MODEL_OWNER: &str = "nervure mock server";

/// The models in a list of models. Models of any other quality can be used too.
pub const LISTED_MODELS: [MockModel; 6] = [
    MockModel::chat(100),
    MockModel::chat(70),
    MockModel::chat(40),
    MockModel::embedding(100),
    MockModel::embedding(60),
    MockModel::embedding(30),
];

const CHAT_PREFIX: &str = "mock-";
const EMBEDDING_PREFIX: &str = "mock-embed-";

/// The domain of the hash that decides which answers are wrong, and of the words' vectors. Another domain would change
/// the published scores of the models, so it keeps the name that it began with.
const HASH_DOMAIN: &str = "nervure/stand-in"; // the earlier name

/// The answer to a prompt that is not recognised.
const UNKNOWN_ANSWER: &str = "This is a mock model server, not a language model. It computes sums, sorts, counts letters, \
                              transforms JSON and counts days. It cannot answer this question.";

/// A mock model of some quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MockModel {
    kind: ModelKind,
    /// Correct answers, in percent.
    quality: u8,
}

/// The requests that a mock model serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelKind {
    /// Chats and completions.
    Chat,
    /// Embeddings.
    Embedding,
}

impl MockModel {
    /// A chat model of `quality` percent, at most 100.
    pub const fn chat(quality: u8) -> Self {
        Self { kind: ModelKind::Chat, quality: if quality > 100 { 100 } else { quality } }
    }

    /// An embedding model of `quality` percent, at most 100.
    pub const fn embedding(quality: u8) -> Self {
        Self { kind: ModelKind::Embedding, quality: if quality > 100 { 100 } else { quality } }
    }

    /// The model with a name such as `mock-70` or `mock-embed-100`.
    pub fn named(model: &str) -> Option<Self> {
        let (kind, quality) = match model.strip_prefix(EMBEDDING_PREFIX) {
            Some(quality) => (ModelKind::Embedding, quality),
            None => (ModelKind::Chat, model.strip_prefix(CHAT_PREFIX)?),
        };
        let quality: u8 = quality.parse().ok().filter(|quality| *quality <= 100)?;
        let named = Self { kind, quality };
        // Each model has one name: `mock-070` does not exist.
        (named.to_string() == model).then_some(named)
    }

    /// The requests that it serves.
    pub const fn kind(self) -> ModelKind {
        self.kind
    }

    /// The answer to `prompt`. An answer to a recognised question has one line that begins with `Answer:`.
    pub fn answer(self, prompt: &str) -> String {
        match solve(prompt) {
            None => UNKNOWN_ANSWER.to_owned(),
            Some(solution) => {
                let hash = TextHash::of("answer", prompt);
                let correct = hash.percent() < u64::from(self.quality);
                let solution = if correct { solution } else { solution.corrupted(hash.seed()) };
                format!("Computed by a mock model server, not by a language model.\nAnswer: {solution}")
            }
        }
    }

    /// The vector of a text.
    pub fn embed(self, text: &str) -> Vec<f32> {
        vector::of(text, self.quality)
    }
}

impl std::fmt::Display for MockModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = if self.kind == ModelKind::Chat { CHAT_PREFIX } else { EMBEDDING_PREFIX };
        write!(f, "{name}{}", self.quality)
    }
}

/// The solution of the question in `prompt`; `None` for a question of an unknown kind.
fn solve(prompt: &str) -> Option<Solution> {
    if prompt.len() > MAX_PROMPT_BYTES {
        return None;
    }
    let question = Question::read(prompt);
    [json::solve, letters::solve, order::solve, dates::solve, arithmetic::solve]
        .into_iter()
        .find_map(|solve| solve(&question))
}

/// Two pseudo-random numbers that depend on a text alone.
struct TextHash(u64, u64);

impl TextHash {
    /// The numbers of `text` for one `purpose`.
    fn of(purpose: &str, text: &str) -> Self {
        let hash = Hash::of(HASH_DOMAIN, &[purpose.as_bytes(), text.as_bytes()]);
        let mut words = hash
            .as_bytes()
            .chunks_exact(8)
            .map(|bytes| bytes.iter().fold(0u64, |number, byte| (number << 8) | u64::from(*byte)));
        Self(words.next().unwrap_or(0), words.next().unwrap_or(0))
    }

    /// 0 to 99.
    fn percent(&self) -> u64 {
        self.0 % 100
    }

    /// A number that is independent of [`Self::percent`].
    fn seed(&self) -> u64 {
        self.1
    }
}

#[cfg(test)]
mod tests;
