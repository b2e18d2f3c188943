//! `preference`: open-ended answers, ranked by reference answers that the validator holds back, and by their agreement.
//!
//! A task is a few chats about the validator's own prompts (`items`). Each prompt has one or more answers that people found
//! good and no miner has seen. An answer is worth the F-measure of its groups of characters with the nearest reference
//! (`grams`): what is said too much costs as much as what is left out. Groups of characters that the question has, or that
//! many other references have, do not count, so that neither a copy of the question nor a polite phrase is worth anything.
//! A part of the result then depends on how near the answers are to those of the other miners (`agreement`).
//!
//! # What a hostile miner can do
//! * *Answer the same to everything*, copy the question, list many words: each is worth next to nothing.
//! * *Store reference answers*: a prompt is asked once and then [retired](super::RetiredCells). What it saw of other
//!   prompts is worth what these have in common with this one.
//! * *Form a clique* of miners with one opinion: agreement only takes away, at most the part `agreement` of a result; the
//!   miners of a clique never get more than their references give them, and take at most that part from others.
//! * *Relay*: answers that have most groups of characters in common make two miners [`alike`](Task::alike), and they
//!   share one reward. A paraphrase of another's answer is not found. Two honest miners that run one model with one seed
//!   are alike as well.
//!
//! # Hazard
//! Likeness of words is not quality. A right answer in other words gets little, and a wrong one in the right words gets
//! much: the references decide, and several of each prompt, by different people, decide better.

mod agreement;
mod grams;
mod items;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use nervure_protocol::{ExpertRequest, QueryKind, Score, text_tokens};
use serde::Deserialize;

pub(super) use self::items::ANSWERED;
use self::{
    grams::Grams,
    items::{Item, items},
};
use super::{
    Answer, CellId, DrawError, Fingerprint, Material, Mechanism, Parameters, Reply, Task, conversation,
};
use crate::{
    Dice, Seed,
    task::{QueryShape, Series},
};

/// Other prompts whose references say what is commonplace.
const MAX_OTHERS: usize = 64;

/// With fewer other prompts nothing is known to be commonplace.
const MIN_OTHERS: usize = 8;

/// A group of characters is commonplace if one in so many other prompts has it in a reference.
const COMMONPLACE_SHARE: usize = 8;

/// Parameters of the mechanism.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Preference {
    /// Questions of one task, 1 to 8; 4 by default.
    pub questions: u16,
    /// Thousandths of the F-measure at which a question is worth 1, 50 to 1,000; 400 by default. Too low, and good answers
    /// are not told from better ones.
    pub full_at: u16,
    /// Thousandths of the F-measure below which an answer is worth nothing, 0 to 500, less than `full_at`; 50 by default.
    pub least: u16,
    /// Thousandths of the result that depend on the agreement with other miners, 0 to 500; 100 by default. A clique takes
    /// at most this part from others.
    pub agreement: u16,
    /// Thousandths of their groups of characters by which two answers differ, at most, when they are alike; 0 to 500, 200
    /// by default.
    pub alike: u16,
    /// 1: prompts are asked again when none is left, for demonstrations; 0 by default: the validator needs new ones then.
    pub reuse: u8,
}

impl Default for Preference {
    fn default() -> Self {
        Self { questions: 4, full_at: 400, least: 50, agreement: 100, alike: 200, reuse: 0 }
    }
}

impl Parameters for Preference {
    fn out_of_bounds(&self) -> Option<&'static str> {
        let good = [
            ("questions", (1..=8).contains(&self.questions)),
            ("full_at", (50..=1000).contains(&self.full_at)),
            ("least", self.least <= 500 && self.least < self.full_at),
            ("agreement", self.agreement <= 500),
            ("alike", self.alike <= 500),
            ("reuse", self.reuse <= 1),
        ];
        good.into_iter().find(|(_, good)| !good).map(|(name, _)| name)
    }
}

impl Preference {
    /// The ids of the prompts of a task.
    fn chosen(
        &self,
        items: &BTreeMap<CellId, Item>,
        material: &Material,
        dice: &mut Dice,
    ) -> Result<Vec<CellId>, DrawError> {
        let need = usize::from(self.questions);
        if items.len() < need {
            return Err(DrawError::TooLittleText { what: "answered prompts", have: items.len(), need });
        }
        let mut left: Vec<CellId> =
            items.keys().filter(|id| !material.retired.contains(**id)).copied().collect();
        if left.len() < need {
            if self.reuse == 0 {
                return Err(DrawError::AllAsked { left: left.len(), need });
            }
            left = items.keys().copied().collect();
        }
        dice.shuffle(&mut left);
        left.truncate(need);
        Ok(left)
    }
}

/// The groups of characters that many references of a few other prompts have.
fn commonplace(of: &[CellId], items: &BTreeMap<CellId, Item>, dice: &mut Dice) -> BTreeSet<u64> {
    let others: Vec<&Item> = items.iter().filter(|(id, _)| !of.contains(id)).map(|(_, item)| item).collect();
    let numbers = dice.distinct(MAX_OTHERS, others.len() as u64);
    let others: Vec<&Item> = numbers.iter().filter_map(|at| others.get(*at as usize)).copied().collect();
    if others.len() < MIN_OTHERS {
        return BTreeSet::new();
    }
    let mut prompts_with = BTreeMap::<u64, usize>::new();
    for item in &others {
        let said: BTreeSet<u64> =
            item.references.iter().flat_map(|reference| Grams::of(reference).distinct()).collect();
        for gram in said {
            *prompts_with.entry(gram).or_default() += 1;
        }
    }
    let is_common =
        |(gram, prompts): (u64, usize)| (prompts * COMMONPLACE_SHARE >= others.len()).then_some(gram);
    prompts_with.into_iter().filter_map(is_common).collect()
}

impl Mechanism for Preference {
    fn draw(&self, seed: Seed, material: &Material) -> Result<Box<dyn Task>, DrawError> {
        let mut dice = Dice::new(seed);
        let items = items(&material.corpus);
        let cells = self.chosen(&items, material, &mut dice)?;
        let commonplace = commonplace(&cells, &items, &mut dice);
        let mut series = Series::new(&material.traffic, QueryKind::Chat);
        let (mut requests, mut solutions) = (Vec::new(), Vec::new());
        for item in cells.iter().filter_map(|id| items.get(id)) {
            let longest = item.references.iter().map(String::len).max().unwrap_or(0);
            // An answer as long as the longest reference has to fit.
            let tokens = text_tokens(2 * longest).max(1);
            let fits =
                |shape: &QueryShape| shape.bytes >= item.prompt.len() && shape.sampling.max_tokens >= tokens;
            let shape = series.draw_where(&mut dice, fits);
            let messages = conversation::around(&item.prompt, &shape, &material.corpus, &mut dice);
            let mut sampling = shape.sampling;
            sampling.max_tokens = sampling.max_tokens.max(tokens);
            // It would cut an answer of several paragraphs.
            sampling.stop.clear();
            solutions.push(Solution::of(item, &commonplace));
            requests.push(ExpertRequest::Chat { messages, sampling });
        }
        Ok(Box::new(PreferenceTask { requests, solutions, cells, rules: self.clone() }))
    }

    fn demonstration(&self) -> Option<&'static str> {
        (self.reuse == 1)
            .then_some("the same prompts are asked again, and a program that has kept answers earns")
    }
}

/// What answers to a prompt are compared with.
struct Solution {
    /// Groups of characters that count for nothing.
    ignored: BTreeSet<u64>,
    references: Vec<Grams>,
}

impl Solution {
    fn of(item: &Item, commonplace: &BTreeSet<u64>) -> Self {
        let mut ignored = Grams::of(&item.prompt).distinct();
        ignored.extend(commonplace);
        let references =
            item.references.iter().map(|reference| Grams::of(reference).without(&ignored)).collect();
        Self { ignored, references }
    }

    /// What of an answer counts; none for an answer that is no text.
    fn said(&self, reply: Option<&Reply>) -> Option<Grams> {
        match reply.map(Reply::answer) {
            Some(Answer::Text(text)) => Some(Grams::of(text).without(&self.ignored)),
            _ => None,
        }
    }
}

/// Questions, and what their answers are compared with.
struct PreferenceTask {
    requests: Vec<ExpertRequest>,
    solutions: Vec<Solution>,
    cells: Vec<CellId>,
    rules: Preference,
}

impl PreferenceTask {
    /// What an answer is worth by the nearest reference.
    fn worth(&self, solution: &Solution, said: &Grams) -> Score {
        let near = solution.references.iter().map(|reference| said.f_measure(reference)).max();
        let near = near.unwrap_or(Score::ZERO);
        if near < Score::ratio(self.rules.least.into(), 1000) {
            return Score::ZERO;
        }
        let full = Score::ratio(self.rules.full_at.into(), 1000);
        Score::ratio(near.parts().into(), full.parts().into())
    }
}

impl Task for PreferenceTask {
    fn requests(&self) -> &[ExpertRequest] {
        &self.requests
    }

    fn cells(&self) -> &[CellId] {
        &self.cells
    }

    fn score(&self, replies: &[Reply]) -> Score {
        let worth = |(at, solution): (usize, &Solution)| {
            solution.said(replies.get(at)).map_or(Score::ZERO, |said| self.worth(solution, &said))
        };
        Score::mean(self.solutions.iter().enumerate().map(worth))
    }

    fn fingerprint(&self, replies: &[Reply]) -> Fingerprint {
        let sketch = |(at, solution): (usize, &Solution)| {
            let sketch = solution.said(replies.get(at))?.sketch();
            (!sketch.is_empty()).then_some(sketch)
        };
        Fingerprint::new(self.solutions.iter().enumerate().map(sketch))
    }

    fn alike(&self, left: &Fingerprint, right: &Fingerprint) -> bool {
        let least = Score::ONE.less(Score::ratio(self.rules.alike.into(), 1000));
        let near = left.common(right).map(|(left, right)| grams::resemblance(left, right));
        // Too few answers in common prove nothing.
        2 * left.common(right).count() > self.solutions.len() && Score::mean(near) >= least
    }

    fn settle(&self, replies: &[&[Reply]], groups: &[usize], scores: Vec<Score>) -> Vec<Score> {
        let prints: Vec<Fingerprint> = replies.iter().map(|replies| self.fingerprint(replies)).collect();
        let agreements = agreement::agreements(&prints, groups, &scores);
        let share = Score::ratio(self.rules.agreement.into(), 1000);
        let settled = |(score, agreement): (Score, Score)| {
            score.less(score.times(share).times(Score::ONE.less(agreement)))
        };
        scores.into_iter().zip(agreements).map(settled).collect()
    }
}
