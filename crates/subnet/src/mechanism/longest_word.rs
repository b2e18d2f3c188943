//! `longest-word`: which of a few words is the longest.
//!
//! A hostile miner can name all words: then it has named no single answer.

use nervure_protocol::{ExpertRequest, QueryKind, Sampling, Score};
use serde::Deserialize;

use super::{Answer, DrawError, Material, Mechanism, Parameters, Reply, Task, exact_answer::named};
use crate::{Dice, Seed};

/// Parameters of the mechanism.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LongestWord {
    /// Words of one question, 2 to 50; 5 by default.
    pub(super) words: u8,
}

impl Default for LongestWord {
    fn default() -> Self {
        Self { words: 5 }
    }
}

impl Parameters for LongestWord {
    fn out_of_bounds(&self) -> Option<&'static str> {
        (!(2..=50).contains(&self.words)).then_some("words")
    }
}

impl Mechanism for LongestWord {
    fn draw(&self, seed: Seed, material: &Material) -> Result<Box<dyn Task>, DrawError> {
        let mut dice = Dice::new(seed);
        let lengths = dice.distinct(self.words.into(), 60);
        let mut word = |length: &u64| (0..=*length).map(|_| (b'a' + dice.below(26) as u8) as char).collect();
        let words: Vec<String> = lengths.iter().map(&mut word).collect();
        let longest = words.iter().max_by_key(|word| word.len()).cloned().unwrap_or_default();
        let prompt = format!("Which of these words is the longest? {} Give just the word.", words.join(", "));
        // The fields that users' questions have: a miner must not recognise a task by its settings.
        let sampling: Sampling = material.traffic.draw(QueryKind::Chat, &mut dice).sampling;
        let requests = [ExpertRequest::chat(prompt, sampling)];
        Ok(Box::new(LongestWordTask { requests, longest }))
    }
}

/// A request and its answer.
struct LongestWordTask {
    requests: [ExpertRequest; 1],
    longest: String,
}

impl Task for LongestWordTask {
    fn requests(&self) -> &[ExpertRequest] {
        &self.requests
    }

    fn score(&self, replies: &[Reply]) -> Score {
        match replies.first().map(Reply::answer) {
            Some(Answer::Text(text)) if named(text) == Some(&self.longest) => Score::ONE,
            _ => Score::ZERO,
        }
    }
}
