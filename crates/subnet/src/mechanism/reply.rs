//! A miner's reply to one request of a task.
//!
//! The node collects a miner's events into an [`Answer`].

use std::time::Duration;

/// Longest text of an answer that is scored, in bytes; a longer one counts as missing.
pub const MAX_ANSWER_TEXT: usize = 64 << 10;
/// Maximum number of vectors of one answer.
pub const MAX_VECTORS: usize = 128;
/// Maximum number of dimensions of one vector.
pub const MAX_DIMENSIONS: usize = 16_384;

/// An answer, unverified.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// No complete answer in time.
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
    /// A reply; an answer beyond the bounds of this module counts as missing.
    pub fn new(answer: Answer, latency: Duration) -> Self {
        let answer = if answer.is_bounded() { answer } else { Answer::Missing };
        Self { answer, latency }
    }

    /// No reply.
    pub fn missing() -> Self {
        Self::default()
    }

    /// The answer.
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
    fn an_answer_over_its_bounds_counts_as_missing() {
        let kept = |answer: Answer| Reply::new(answer.clone(), Duration::ZERO).answer == answer;
        assert!(kept(Answer::Text("x".repeat(MAX_ANSWER_TEXT))));
        assert!(!kept(Answer::Text("x".repeat(MAX_ANSWER_TEXT + 1))));
        assert!(!kept(Answer::Vectors(vec![vec![]; MAX_VECTORS + 1])));
        assert!(!kept(Answer::Vectors(vec![vec![0.0; MAX_DIMENSIONS + 1]])));
        assert!(!kept(Answer::Distribution(vec![0.0; MAX_DIMENSIONS + 1])));
    }
}
