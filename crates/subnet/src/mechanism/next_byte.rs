//! `next-byte`: how well a byte-level model predicts the next byte, in bits.
//!
//! A task is many contexts from the validator's private texts; a miner returns the distribution of the byte that
//! follows each. The validator knows that byte, the miner never sees it, and the score falls linearly with the mean
//! of -log2 of its probability: from 1 at no bits to 0 at `zero_at`. That is a proper scoring rule: an honest
//! distribution has the best expected score.
//!
//! # What a hostile miner can do
//! * *Echo*, or return frequent bytes: it gets the score of a model of that quality. The byte to guess is in no
//!   context of any task, see [`Corpus`].
//! * *Leave out* hard contexts: a missing answer costs [`MAX_BITS`], a uniform distribution costs 8.
//! * *Return an invalid distribution*: all its answers to the task score 0.
//! * *Relay*: distributions that hardly differ over the whole task make two miners [`alike`](Task::alike), and they
//!   share one reward. Noise that hides it must move a tenth of the mass, which costs some 4 % of the score: that
//!   makes relaying dearer and does not end it. Two honest miners that run the same model are alike as well: a subnet
//!   is meant to pay once for one model.

mod distribution;

use nervure_protocol::{ExpertRequest, Score};
use serde::Deserialize;

use self::distribution::{Distribution, FLOOR_BITS};
use super::{Answer, Corpus, DrawError, Fingerprint, Mechanism, Parameters, Reply, Task, log::FRACTION_BITS};
use crate::{Dice, Seed};

/// Maximum cost of an answer, and the cost of a missing one, in bits.
pub const MAX_BITS: u32 = FLOOR_BITS;

/// Parameters of the mechanism.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NextByte {
    /// Contexts of one task, 1 to 64; 32 by default. More make a score steadier and a task dearer.
    pub contexts: u16,
    /// Bytes of a cell: the longest context, and the byte to guess; 16 to 4,096, 192 by default. Changing it lets
    /// texts that were used before give answers away.
    pub cell: u16,
    /// Thousandths of a bit per byte at which the score is 0, 100 to 8,000; 4,000 by default. Lower makes a small
    /// difference count more.
    pub zero_at: u16,
    /// Thousandths of the mass by which two miners' distributions differ on average, at most, when they are alike; 0
    /// to 300, 100 by default. Too high, and good models of one text are taken for one.
    pub alike: u16,
}

impl Default for NextByte {
    fn default() -> Self {
        Self { contexts: 32, cell: 192, zero_at: 4000, alike: 100 }
    }
}

impl Parameters for NextByte {
    fn out_of_bounds(&self) -> Option<&'static str> {
        let good = [
            ("contexts", (1..=64).contains(&self.contexts)),
            ("cell", (16..=4096).contains(&self.cell)),
            ("zero_at", (100..=8000).contains(&self.zero_at)),
            ("alike", self.alike <= 300),
        ];
        good.into_iter().find(|(_, good)| !good).map(|(name, _)| name)
    }
}

impl Mechanism for NextByte {
    fn draw(&self, seed: Seed, corpus: &Corpus) -> Result<Box<dyn Task>, DrawError> {
        let (need, length) = (usize::from(self.contexts), usize::from(self.cell));
        let have = corpus.cells(length);
        if have < need {
            return Err(DrawError::TooLittleText { what: "pieces of the cell's length", have, need });
        }
        let mut dice = Dice::new(seed);
        // Distinct cells: a miner that has seen one context learns nothing for the others of the task.
        let numbers = dice.distinct(need, have as u64);
        let cells = numbers.into_iter().filter_map(|number| corpus.cell(number as usize, length));
        let drawn = cells.filter_map(|cell| question(cell, &mut dice));
        let (requests, next) = drawn.unzip();
        Ok(Box::new(NextByteTask { requests, next, rules: self.clone() }))
    }
}

/// A context of random length that ends before the cell's last byte, and that byte.
fn question(cell: &[u8], dice: &mut Dice) -> Option<(ExpertRequest, u8)> {
    let (next, before) = cell.split_last()?;
    let longest = before.len();
    let length = dice.within(longest.div_ceil(4) as u64, longest as u64) as usize;
    Some((ExpertRequest::Distribution { context: before[longest - length..].to_vec() }, *next))
}

/// Contexts, and the bytes that follow them.
struct NextByteTask {
    requests: Vec<ExpertRequest>,
    next: Vec<u8>,
    rules: NextByte,
}

impl Task for NextByteTask {
    fn requests(&self) -> &[ExpertRequest] {
        &self.requests
    }

    fn score(&self, replies: &[Reply]) -> Score {
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
