//! `exact-answer`: questions with one right answer, for models that chat.
//!
//! A task is a few questions made from a seed, each with an answer that the validator computes: arithmetic, sorting,
//! words, JSON, dates, in varied wording. The score is the share of right answers, and, within the step between two
//! such shares, how fast the right ones came: *a slow right answer is always worth more than a fast wrong one*.
//!
//! # What a hostile miner can do
//! * *Look questions up*: the numbers and words in them are drawn, and no seed is used twice.
//! * *Give several answers at once*: the answer must be named as such, and two different named answers count as none.
//! * *Solve by program* instead of a model: it then answers this kind of question as well as any model. A subnet that
//!   needs more than that needs a mechanism whose questions programs cannot answer.
//! * *Relay*: all right answers are alike, so that relayed ones cannot be detected. [`Task::alike`] is always false.

mod arithmetic;
mod calendar;
mod dates;
mod expected;
mod extract;
mod json;
mod puzzle;
mod sorting;
mod strings;
mod words;

use std::time::Duration;

use nervure_protocol::{ExpertRequest, Sampling, Score};
use serde::Deserialize;

use self::{
    expected::Expected,
    puzzle::{Kind, Puzzle},
};
use super::{Answer, Corpus, DrawError, Mechanism, Parameters, Reply, Task};
use crate::{Dice, Seed};

/// Lengths that askers commonly allow an answer.
const MAX_TOKENS: [u32; 3] = [256, 384, 512];

/// Temperatures that askers commonly set for such questions, in thousandths.
const TEMPERATURES: [u32; 4] = [0, 0, 200, 700];

/// Parameters of the mechanism. Those from `arithmetic` on say how often questions of a kind come, relative to the
/// others; 0 to 100, 1 by default.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExactAnswer {
    /// Questions of one task, 1 to 8; 4 by default.
    pub questions: u16,
    /// Thousandths of the score that speed decides; 100 by default. Less than 1,000 / `questions`, so that
    /// correctness comes first.
    pub speed: u16,
    /// Milliseconds within which an answer is as fast as counts; 500 by default.
    pub fast_ms: u32,
    /// Milliseconds after which speed earns nothing, more than `fast_ms`, at most 600,000; 10,000 by default.
    pub slow_ms: u32,
    /// Sums, products, remainders.
    pub arithmetic: u8,
    /// Putting numbers and words in order.
    pub sorting: u8,
    /// Changing words and counting letters.
    pub strings: u8,
    /// Changing and reading JSON.
    pub json: u8,
    /// Counting days.
    pub dates: u8,
}

/// The answer that a text names; `None` when it names none or several different ones.
pub fn named(text: &str) -> Option<&str> {
    let answers = extract::answers(text);
    let (first, rest) = answers.split_first()?;
    // Two different answers count as none: a miner could name all that are plausible otherwise.
    rest.iter().all(|other| extract::line(other) == extract::line(first)).then(|| extract::line(first))
}

/// The whole number that a text names as its answer.
pub fn number(text: &str) -> Option<i64> {
    extract::number(named(text)?)
}

impl Default for ExactAnswer {
    fn default() -> Self {
        Self {
            questions: 4,
            speed: 100,
            fast_ms: 500,
            slow_ms: 10_000,
            arithmetic: 1,
            sorting: 1,
            strings: 1,
            json: 1,
            dates: 1,
        }
    }
}

impl Parameters for ExactAnswer {
    fn out_of_bounds(&self) -> Option<&'static str> {
        let kinds = self.kinds();
        let good = [
            ("questions", (1..=8).contains(&self.questions)),
            // In thousandths: one more right answer is worth 1000 / questions, and all speed together must be
            // worth less.
            ("speed", u32::from(self.speed) * u32::from(self.questions) < 1000),
            ("slow_ms", self.slow_ms <= 600_000 && self.slow_ms > self.fast_ms),
            ("arithmetic", kinds.iter().all(|(often, _)| *often <= 100)),
            // Without any kind there would be nothing to draw from.
            ("arithmetic", kinds.iter().any(|(often, _)| *often > 0)),
        ];
        good.into_iter().find(|(_, good)| !good).map(|(name, _)| name)
    }
}

impl ExactAnswer {
    fn kinds(&self) -> [(u8, Kind); 5] {
        [
            (self.arithmetic, arithmetic::puzzle),
            (self.sorting, sorting::puzzle),
            (self.strings, strings::puzzle),
            (self.json, json::puzzle),
            (self.dates, dates::puzzle),
        ]
    }

    fn puzzle(&self, dice: &mut Dice) -> Puzzle {
        let kinds = self.kinds();
        let mut chance = dice.below(kinds.iter().map(|(often, _)| u64::from(*often)).sum());
        for (often, kind) in kinds {
            match chance.checked_sub(often.into()) {
                Some(rest) => chance = rest,
                None => return kind(dice),
            }
        }
        arithmetic::puzzle(dice)
    }

    /// From 1 for an answer within `fast_ms` to 0 for one after `slow_ms`.
    fn speed_of(&self, latency: Duration) -> Score {
        let taken = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        let left = u64::from(self.slow_ms).saturating_sub(taken);
        Score::ratio(left, u64::from(self.slow_ms.saturating_sub(self.fast_ms)))
    }
}

impl Mechanism for ExactAnswer {
    fn draw(&self, seed: Seed, _: &Corpus) -> Result<Box<dyn Task>, DrawError> {
        let mut dice = Dice::new(seed);
        let (mut requests, mut expected) = (Vec::new(), Vec::new());
        for _ in 0..self.questions {
            let puzzle = self.puzzle(&mut dice);
            // As askers set them: a miner must not recognise a task by its settings.
            let sampling = Sampling {
                max_tokens: dice.pick(&MAX_TOKENS).copied().unwrap_or(256),
                temperature_milli: dice.pick(&TEMPERATURES).copied().unwrap_or(0),
                ..Sampling::default()
            };
            requests.push(ExpertRequest::chat(puzzle.prompt, sampling));
            expected.push(puzzle.expected);
        }
        Ok(Box::new(ExactAnswerTask { requests, expected, rules: self.clone() }))
    }
}

/// Questions and their answers.
struct ExactAnswerTask {
    requests: Vec<ExpertRequest>,
    expected: Vec<Expected>,
    rules: ExactAnswer,
}

impl Task for ExactAnswerTask {
    fn requests(&self) -> &[ExpertRequest] {
        &self.requests
    }

    fn score(&self, replies: &[Reply]) -> Score {
        let speed_counts = Score::ratio(self.rules.speed.into(), 1000);
        let worth =
            |(at, expected): (usize, &Expected)| match replies.get(at).map(|r| (r.answer(), r.latency())) {
                Some((Answer::Text(text), latency)) if expected.is_answered_by(text) => {
                    let slower = Score::ONE.less(self.rules.speed_of(latency));
                    Score::ONE.less(slower.times(speed_counts))
                }
                _ => Score::ZERO,
            };
        Score::mean(self.expected.iter().enumerate().map(worth))
    }
}

#[cfg(test)]
mod tests;
