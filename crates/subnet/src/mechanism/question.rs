//! What a miner is asked and what comes back, in the terms of a user's query.
//!
//! The node turns a [`Question`] into the request that a user's words become, with the defaults that a user gets for
//! everything that is not said here, and a miner's events into an [`Answer`]. This crate does not know the models'
//! crate, hence the likeness.

use std::time::Duration;

use serde::Serialize;

/// Longest text of an answer that is looked at, in bytes; a longer one is no answer.
pub const MAX_ANSWER_TEXT: usize = 64 << 10;
/// Most vectors of one answer.
pub const MAX_VECTORS: usize = 128;
/// Most dimensions of one vector.
pub const MAX_DIMENSIONS: usize = 16_384;

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Question {
    /// A conversation of one message.
    Chat {
        /// What is said.
        prompt: String,
        /// Most tokens to write.
        max_tokens: u32,
        /// Temperature in thousandths.
        temperature_milli: u32,
    },
    /// Vectors for texts.
    Embed {
        /// The texts.
        inputs: Vec<String>,
    },
    /// The distribution of the byte that follows.
    Distribution {
        /// What came before.
        #[serde(with = "serde_bytes")]
        context: Vec<u8>,
    },
}

/// What came back, as it came: nothing about it is known to be true.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// Nothing, or nothing whole, in time.
    #[default]
    Missing,
    /// The text of all pieces.
    Text(String),
    /// A vector for each input, in their order.
    Vectors(Vec<Vec<f32>>),
    /// The probabilities of the next byte.
    Distribution(Vec<f32>),
}

/// An answer, and how long the validator waited for all of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    answer: Answer,
    latency: Duration,
}

impl Reply {
    /// A reply; an answer beyond the bounds of this module is a missing one.
    pub fn new(answer: Answer, latency: Duration) -> Self {
        let answer = if answer.is_bounded() { answer } else { Answer::Missing };
        Self { answer, latency }
    }

    /// No reply.
    pub fn missing() -> Self {
        Self::default()
    }

    /// What came back.
    pub const fn answer(&self) -> &Answer {
        &self.answer
    }

    /// How long the validator waited, by its own clock.
    pub const fn latency(&self) -> Duration {
        self.latency
    }
}

impl Answer {
    fn is_bounded(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::Text(text) => text.len() <= MAX_ANSWER_TEXT,
            Self::Vectors(vectors) => {
                vectors.len() <= MAX_VECTORS && vectors.iter().all(|v| v.len() <= MAX_DIMENSIONS)
            }
            Self::Distribution(probabilities) => probabilities.len() <= MAX_DIMENSIONS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_is_missing() {
        let kept = |answer: Answer| Reply::new(answer.clone(), Duration::ZERO).answer == answer;
        assert!(kept(Answer::Text("x".repeat(MAX_ANSWER_TEXT))));
        assert!(!kept(Answer::Text("x".repeat(MAX_ANSWER_TEXT + 1))));
        assert!(!kept(Answer::Vectors(vec![vec![]; MAX_VECTORS + 1])));
        assert!(!kept(Answer::Vectors(vec![vec![0.0; MAX_DIMENSIONS + 1]])));
        assert!(!kept(Answer::Distribution(vec![0.0; MAX_DIMENSIONS + 1])));
    }
}
