//! `exact-answer`: questions with one right answer, for models that chat.
//!
//! A task is a few questions made from a seed, each with an answer that the validator computes: arithmetic, sorting,
//! words, JSON, dates, logic, programs, in varied wording and as a part of chats as users have them. The score is the
//! share of right answers, and, within the step between two such shares, how fast the right ones came: *a slow right
//! answer is always worth more than a fast wrong one*.
//!
//! # What a hostile miner can do
//! * *Look questions up*: the numbers and words in them are drawn, and no seed is used twice.
//! * *Give several answers at once*: only the last line counts, or what is marked as the answer, and two different marked
//!   answers count as none.
//! * *Solve by program* instead of a model: it then answers this kind of question as well as any model. A subnet that
//!   pays for models needs a mechanism whose questions programs cannot answer, such as `reference`; this one tests a
//!   capability.
//! * *Relay*: all right answers are alike, so that relayed ones cannot be detected. [`Task::alike`] is always false.

mod arithmetic;
mod calendar;
mod code;
mod dates;
mod expected;
mod extract;
mod json;
mod logic;
mod puzzle;
mod sorting;
mod strings;
mod words;

use std::time::Duration;

use nervure_protocol::{ChatMessage, ExpertRequest, QueryKind, Role, Score};
use serde::Deserialize;

use self::{
    expected::Expected,
    puzzle::{Kind, Puzzle},
};
use super::{Answer, DrawError, Material, Mechanism, Parameters, Reply, Task, conversation, rank::ranked};
use crate::{
    Dice, Seed,
    task::{QueryShape, Series},
};

/// Fewest tokens that a question allows: most right answers fit with a sentence around them.
const MIN_TOKENS: u32 = 50;

/// How many questions of a kind are drawn for one that is short enough.
const MAX_TRIES: usize = 12;

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
    /// Statements about an order.
    pub logic: u8,
    /// What a small program prints.
    pub code: u8,
    /// 1: questions stand alone, without earlier turns and surrounding text, for demonstrations; 0 by default.
    pub alone: u8,
}

/// The answer that a text names; `None` when it names none or several different ones.
pub fn named(text: &str) -> Option<&str> {
    let answers = extract::marked(text);
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
            logic: 1,
            code: 1,
            alone: 0,
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
            ("alone", self.alone <= 1),
            // Without any kind there would be nothing to draw from.
            ("arithmetic", kinds.iter().any(|(often, _)| *often > 0)),
        ];
        good.into_iter().find(|(_, good)| !good).map(|(name, _)| name)
    }
}

impl ExactAnswer {
    fn kinds(&self) -> [(u8, Kind); 7] {
        [
            (self.arithmetic, arithmetic::puzzle),
            (self.sorting, sorting::puzzle),
            (self.strings, strings::puzzle),
            (self.json, json::puzzle),
            (self.dates, dates::puzzle),
            (self.logic, logic::puzzle),
            (self.code, code::puzzle),
        ]
    }

    fn kind(&self, dice: &mut Dice) -> Kind {
        let kinds = self.kinds();
        let mut chance = dice.below(kinds.iter().map(|(often, _)| u64::from(*often)).sum());
        for (often, kind) in kinds {
            match chance.checked_sub(often.into()) {
                Some(rest) => chance = rest,
                None => return kind,
            }
        }
        arithmetic::puzzle
    }

    /// A question for each of these lengths: of kinds as often as they are asked for, the longer ones where there is more
    /// room. A question that is longer than users' texts shows a task.
    fn puzzles(&self, lengths: &[usize], dice: &mut Dice) -> Vec<Puzzle> {
        let drawn: Vec<(Kind, Puzzle)> = lengths
            .iter()
            .map(|_| {
                let kind = self.kind(dice);
                (kind, kind(dice))
            })
            .collect();
        let placed = ranked(drawn, |(_, puzzle)| puzzle.prompt.len(), lengths);
        let fit = |((kind, puzzle), room): ((Kind, Puzzle), &usize)| fitting(kind, puzzle, *room, dice);
        placed.into_iter().zip(lengths).map(fit).collect()
    }

    /// From 1 for an answer within `fast_ms` to 0 for one after `slow_ms`.
    fn speed_of(&self, latency: Duration) -> Score {
        let taken = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        let left = u64::from(self.slow_ms).saturating_sub(taken);
        Score::ratio(left, u64::from(self.slow_ms.saturating_sub(self.fast_ms)))
    }
}

/// `puzzle`, or a shorter one of its kind where that has no room: the shortest of a few.
fn fitting(kind: Kind, puzzle: Puzzle, room: usize, dice: &mut Dice) -> Puzzle {
    let mut shortest = puzzle;
    for _ in 0..MAX_TRIES {
        if shortest.prompt.len() <= room {
            break;
        }
        let other = kind(dice);
        if other.prompt.len() < shortest.prompt.len() {
            shortest = other;
        }
    }
    shortest
}

impl Mechanism for ExactAnswer {
    fn draw(&self, seed: Seed, material: &Material) -> Result<Box<dyn Task>, DrawError> {
        let mut dice = Dice::new(seed);
        let (mut requests, mut expected) = (Vec::new(), Vec::new());
        // The fields that users' questions have: a miner must not recognise a task by its settings.
        let mut series = Series::new(&material.traffic, QueryKind::Chat);
        let shapes: Vec<QueryShape> = (0..self.questions).map(|_| series.draw(&mut dice)).collect();
        let lengths: Vec<usize> = shapes.iter().map(|shape| shape.bytes).collect();
        let puzzles = self.puzzles(&lengths, &mut dice);
        for (shape, puzzle) in shapes.into_iter().zip(puzzles) {
            let messages = match self.alone {
                0 => conversation::around(&puzzle.prompt, &shape, &material.corpus, &mut dice),
                _ => vec![ChatMessage::new(Role::User, puzzle.prompt)],
            };
            let mut sampling = shape.sampling;
            sampling.max_tokens = sampling.max_tokens.max(MIN_TOKENS);
            // It could cut a right answer before its last line.
            sampling.stop.clear();
            requests.push(ExpertRequest::Chat { messages, sampling });
            expected.push(puzzle.expected);
        }
        Ok(Box::new(ExactAnswerTask { requests, expected, rules: self.clone() }))
    }

    fn demonstration(&self) -> Option<&'static str> {
        Some("a program that knows the kinds of questions computes the answers")
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
