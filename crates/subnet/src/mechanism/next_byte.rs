//! `next-byte`: how well a byte-level model predicts the next bytes.
//!
//! A task has questions of two kinds, each cut from a cell of the validator's private texts that was never asked before.
//! A *distribution* question asks for the distribution of the last byte of a cell: the result falls linearly with the mean
//! of -log2 of its probability, from 1 at no bits to 0 at `zero_at`. That is a proper scoring rule: an honest
//! distribution has the best expected result. A *completion* question is what users ask: the model continues the cell,
//! with the sampling and the length that users set. Its result is how many of the last [`HIDDEN`] bytes of the cell the
//! answer begins with. The completions' result multiplies a part of the distributions' one: a miner that serves users
//! something else than it shows validators loses that part.
//!
//! # What a hostile miner can do
//! * *Echo*, or return frequent bytes: it gets the score of a model of that quality. What is to be guessed is in no
//!   context of any task, see [`Corpus`].
//! * *Learn from its scores* what the hidden bytes were: a cell is not asked again.
//! * *Answer distributions with a model and completions with anything*: `completion_share` is what it loses.
//! * *Leave out* hard contexts: a missing answer costs [`MAX_BITS`], a uniform distribution costs 8.
//! * *Return an invalid distribution*: all its answers to the task score 0.
//! * *Relay*: distributions that hardly differ over the whole task make two miners [`alike`](Task::alike), and they
//!   share one reward. Noise that hides it must move a tenth of the mass, which costs some 4 % of the score: that
//!   makes relaying dearer and does not end it. Two honest miners that run the same model are alike as well: a subnet
//!   is meant to pay once for one model.

mod cells;
mod completion;
mod distribution;

use nervure_protocol::{ExpertRequest, QueryKind, Score};
use serde::Deserialize;

use self::{
    cells::{CellUse, DrawnCell, draw_cells},
    completion::Completion,
    distribution::{Distribution, FLOOR_BITS},
};
use super::{
    Answer, CellId, Corpus, DrawError, Fingerprint, Material, Mechanism, Parameters, Reply, Task,
    log::FRACTION_BITS, rank::ranked,
};
use crate::{
    Dice, Seed,
    task::{QueryShape, Series, Traffic},
};

/// Maximum cost of an answer, and the cost of a missing one, in bits.
pub const MAX_BITS: u32 = FLOOR_BITS;

/// Bytes at the end of a cell that a completion has to find.
pub const HIDDEN: usize = 4;

/// Shortest context of a distribution question, in bytes: less says nothing about what follows.
const MIN_CONTEXT_BYTES: usize = 16;

/// Parameters of the mechanism.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NextByte {
    /// Distribution questions of one task, 1 to 64; 32 by default. More make a score steadier and a task dearer.
    pub contexts: u16,
    /// Completion questions of one task, 0 to 64; 16 by default.
    pub completions: u16,
    /// Thousandths of the result that the completions multiply, 0 to 1,000; 1,000 by default. With few completions a
    /// large share makes results unsteady.
    pub completion_share: u16,
    /// Bytes of a cell: the longest context, and the bytes to guess; 16 to 4,096, 192 by default. Changing it lets
    /// texts that were used before give answers away.
    pub cell: u16,
    /// Thousandths of a bit per byte at which the score is 0, 100 to 8,000; 4,000 by default. Lower makes a small
    /// difference count more.
    pub zero_at: u16,
    /// Thousandths of the mass by which two miners' distributions differ on average, at most, when they are alike; 0
    /// to 300, 100 by default. Too high, and good models of one text are taken for one.
    pub alike: u16,
    /// 1: of all questions together, as many are distributions as users ask for, so that the kind does not show a task;
    /// 0: always `contexts` and `completions` of them, which makes results steadier; 1 by default.
    pub user_mix: u8,
    /// 1: cells are asked again when none is left, for demonstrations; 0 by default: the validator needs new texts then.
    pub reuse: u8,
}

impl Default for NextByte {
    fn default() -> Self {
        Self {
            contexts: 32,
            completions: 16,
            completion_share: 1000,
            cell: 192,
            zero_at: 4000,
            alike: 100,
            user_mix: 1,
            reuse: 0,
        }
    }
}

impl NextByte {
    /// How many distribution and completion questions a task has.
    fn counts(&self, material: &Material, dice: &mut Dice) -> (usize, usize) {
        let (contexts, completions) = (usize::from(self.contexts), usize::from(self.completions));
        // Without completions there is one kind only.
        if self.user_mix == 0 || completions == 0 {
            return (contexts, completions);
        }
        let kinds = [QueryKind::Distribution, QueryKind::Complete];
        let mut is_distribution =
            |_: &usize| material.traffic.kind(&kinds, dice) == Some(QueryKind::Distribution);
        let distributions = (0..contexts + completions).filter(&mut is_distribution).count();
        (distributions, contexts + completions - distributions)
    }
}

impl Parameters for NextByte {
    fn out_of_bounds(&self) -> Option<&'static str> {
        let good = [
            ("contexts", (1..=64).contains(&self.contexts)),
            ("completions", self.completions <= 64),
            ("completion_share", self.completion_share <= 1000),
            ("cell", (16..=4096).contains(&self.cell)),
            ("zero_at", (100..=8000).contains(&self.zero_at)),
            ("alike", self.alike <= 300),
            ("user_mix", self.user_mix <= 1),
            ("reuse", self.reuse <= 1),
        ];
        good.into_iter().find(|(_, good)| !good).map(|(name, _)| name)
    }
}

impl Mechanism for NextByte {
    fn draw(&self, seed: Seed, material: &Material) -> Result<Box<dyn Task>, DrawError> {
        let mut dice = Dice::new(seed);
        // Answers that another mechanism holds back are not shown.
        let material = &Material { corpus: material.corpus.passages(), ..material.clone() };
        let mut task = NextByteTask {
            requests: Vec::new(),
            next: Vec::new(),
            completions: Vec::new(),
            cells: Vec::new(),
            rules: self.clone(),
        };
        let (contexts, completions) = self.counts(material, &mut dice);
        // Distinct cells: a miner that has seen one context learns nothing for the others of the task.
        let asked = draw_cells(self, (CellUse::Distribution, contexts), material, &mut dice)?;
        let completed = draw_cells(self, (CellUse::Completion, completions), material, &mut dice)?;
        task.cells.extend(asked.iter().chain(&completed).map(|cell| CellId::of(cell.text)));
        let hidden: Vec<usize> = asked.iter().chain(&completed).map(|cell| cell.number).collect();
        let shown = |cell| self.shown(cell, &hidden, &material.corpus);
        let [asked, completed] =
            [asked, completed].map(|cells| cells.into_iter().map(shown).collect::<Vec<_>>());
        for (shown, shape) in shaped((asked, QueryKind::Distribution), &material.traffic, &mut dice) {
            let Some((request, next)) = question(shown, &shape) else { continue };
            if let ExpertRequest::Distribution { context } = &request {
                task.cells.extend(self.covered(shown, context.len()));
            }
            task.requests.push(request);
            task.next.push(next);
        }
        for (shown, shape) in shaped((completed, QueryKind::Complete), &material.traffic, &mut dice) {
            let Some((request, completion)) = Completion::of(shown, shape) else { continue };
            if let ExpertRequest::Complete { prompt, .. } = &request {
                task.cells.extend(self.covered(shown, prompt.len()));
            }
            task.requests.push(request);
            task.completions.push(completion);
        }
        Ok(Box::new(task))
    }

    fn demonstration(&self) -> Option<&'static str> {
        (self.reuse == 1).then_some("the same texts are asked again, and a program that has kept them earns")
    }
}

impl NextByte {
    /// The text that a question may show, with the hidden end of `cell`. As long as users' texts are: it goes back
    /// beyond the cell, to the nearest cell that this task asks for. Where cells are asked again it stays in the cell: it
    /// would show what a later task asks for.
    fn shown<'a>(&self, cell: DrawnCell<'a>, hidden: &[usize], corpus: &'a Corpus) -> &'a [u8] {
        let length = usize::from(self.cell);
        let whole = corpus.up_to(cell.number, length).filter(|_| self.reuse == 0).unwrap_or(cell.text);
        let behind = hidden.iter().filter(|other| **other < cell.number).max();
        let cells = behind.map_or(usize::MAX, |other| cell.number - other);
        let from = whole.len().saturating_sub(length.saturating_mul(cells));
        whole.get(from..).unwrap_or(cell.text)
    }

    /// The cells that a prompt of so many bytes at the end of `shown` covers, beyond that with the hidden end: what was
    /// shown is not asked later.
    fn covered(&self, shown: &[u8], prompt: usize) -> Vec<CellId> {
        let length = usize::from(self.cell);
        let cells = (prompt + HIDDEN).div_ceil(length);
        shown.rchunks_exact(length).take(cells).skip(1).map(CellId::of).collect()
    }
}

/// The texts with the fields of users' queries, the longer texts with those of longer queries.
fn shaped<'a>(
    (texts, kind): (Vec<&'a [u8]>, QueryKind),
    traffic: &Traffic,
    dice: &mut Dice,
) -> Vec<(&'a [u8], QueryShape)> {
    let mut series = Series::new(traffic, kind);
    let shapes: Vec<QueryShape> = texts.iter().map(|_| series.draw(dice)).collect();
    let lengths: Vec<usize> = shapes.iter().map(|shape| shape.bytes).collect();
    ranked(texts, |text| text.len(), &lengths).into_iter().zip(shapes).collect()
}

/// A context at the end of a text, as long as users' are where the text is, and the byte after it.
fn question(text: &[u8], shape: &QueryShape) -> Option<(ExpertRequest, u8)> {
    let (next, before) = text.split_last()?;
    let length = shape.bytes.max(MIN_CONTEXT_BYTES).min(before.len());
    Some((ExpertRequest::Distribution { context: before[before.len() - length..].to_vec() }, *next))
}

/// Contexts with the bytes that follow them, and then completions.
struct NextByteTask {
    requests: Vec<ExpertRequest>,
    next: Vec<u8>,
    completions: Vec<Completion>,
    cells: Vec<CellId>,
    rules: NextByte,
}

impl NextByteTask {
    /// The result of the distributions.
    fn distributions(&self, replies: &[Reply]) -> Score {
        let mut bits = 0;
        for (at, next) in self.next.iter().enumerate() {
            match replies.get(at).map(Reply::answer) {
                None | Some(Answer::Missing) => bits += u64::from(MAX_BITS) << FRACTION_BITS,
                Some(answer) => match Distribution::read(answer) {
                    Some(distribution) => bits += distribution.bits(*next),
                    // All answers of the task: an invalid distribution must not be a cheap way to skip a hard
                    // context.
                    None => return Score::ZERO,
                },
            }
        }
        let zero = ((u64::from(self.rules.zero_at) << FRACTION_BITS) / 1000) * self.next.len() as u64;
        Score::ratio(zero.saturating_sub(bits), zero)
    }

    /// The result of the completions: 1 where they find half of the hidden bytes, which few models exceed.
    fn completed(&self, replies: &[Reply]) -> Score {
        let answers = replies.get(self.next.len()..).unwrap_or_default();
        let found = self.completions.iter().zip(answers).map(|(completion, reply)| completion.found(reply));
        Score::ratio(2 * found.sum::<u64>(), (self.completions.len() * HIDDEN) as u64)
    }
}

impl Task for NextByteTask {
    fn requests(&self) -> &[ExpertRequest] {
        &self.requests
    }

    fn cells(&self) -> &[CellId] {
        &self.cells
    }

    fn score(&self, replies: &[Reply]) -> Score {
        let completed = self.completed(replies);
        let result = match (self.next.is_empty(), self.completions.is_empty()) {
            (true, _) => return completed,
            (false, true) => return self.distributions(replies),
            (false, false) => self.distributions(replies),
        };
        let share = Score::ratio(self.rules.completion_share.into(), 1000);
        let lost = result.times(share).times(Score::ONE.less(completed));
        result.less(lost)
    }

    fn fingerprint(&self, replies: &[Reply]) -> Fingerprint {
        let read = |reply: &Reply| Distribution::read(reply.answer()).map(|read| read.coarse());
        Fingerprint::new(replies.iter().take(self.next.len()).map(read))
    }

    fn alike(&self, left: &Fingerprint, right: &Fingerprint) -> bool {
        let distances: Vec<Score> = left.common(right).map(|(l, r)| distribution::distance(l, r)).collect();
        // Too few answers in common prove nothing.
        distances.len() * 2 >= self.next.len()
            && Score::mean(distances) <= Score::ratio(self.rules.alike.into(), 1000)
    }
}

#[cfg(test)]
mod tests;
