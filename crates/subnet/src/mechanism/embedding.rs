//! `embedding`: whether vectors of texts with the same meaning are nearer than those of other texts.
//!
//! A task is one question with the texts of many triples, shuffled: an anchor, one that is nearer by construction,
//! one that is farther. Triples come from `wordings` (a statement in other words, against another statement, in one
//! form) and, where the validator has texts, from `passages` (two of one document, against one of another
//! capability). The score is how far the ranking is above chance: a coin gets 0.
//!
//! # What a hostile miner can do
//! * *Return degenerate vectors*: one vector for all texts, zeros, NaN, huge numbers, vectors of different lengths.
//!   Equal vectors for different texts are a wrong ranking; the others make the whole answer worthless.
//! * *Know the table of wordings*: it is public, so that a miner with the program can look pairs up. Names and
//!   numbers in it vary, and `passages` are private; a subnet that pays much should ask for many of those.
//! * *Relay*, and turn or stretch the vectors: [`Task::alike`] compares angles, which turning and stretching leave
//!   alone.

mod passages;
mod vectors;
mod wordings;

use nervure_protocol::{ExpertRequest, Score};
use serde::Deserialize;

use self::vectors::{COSINE_ONE, Vectors};
use super::{Corpus, DrawError, Fingerprint, Mechanism, Parameters, Reply, Task};
use crate::{Dice, Seed};

/// Parameters of the mechanism.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Embedding {
    /// Triples of one task, 1 to 40, so that their texts fit one question; 16 by default.
    pub triples: u16,
    /// How many of them are cut from the validator's private texts; 0 by default, at most `triples`.
    pub passages: u16,
    /// Thousandths by which two miners' cosines differ, at most, when they are alike; 0 to 100, 5 by default.
    pub alike: u16,
}

impl Default for Embedding {
    fn default() -> Self {
        Self { triples: 16, passages: 0, alike: 5 }
    }
}

impl Parameters for Embedding {
    fn out_of_bounds(&self) -> Option<&'static str> {
        let good = [
            ("triples", (1..=40).contains(&self.triples)),
            ("passages", self.passages <= self.triples),
            ("alike", self.alike <= 100),
        ];
        good.into_iter().find(|(_, good)| !good).map(|(name, _)| name)
    }
}

/// Three texts: the second has the meaning of the first, the third has another.
#[derive(Debug)]
struct Triple {
    anchor: String,
    near: String,
    far: String,
}

impl Mechanism for Embedding {
    fn draw(&self, seed: Seed, corpus: &Corpus) -> Result<Box<dyn Task>, DrawError> {
        let mut dice = Dice::new(seed);
        let mut triples = Vec::new();
        for _ in 0..self.passages {
            triples.push(passages::triple(&mut dice, corpus)?);
        }
        for _ in self.passages..self.triples {
            triples.push(wordings::triple(&mut dice));
        }
        Ok(Box::new(EmbeddingTask::new(triples, &mut dice, self.alike)))
    }
}

/// The texts, and where each triple's are among them.
struct EmbeddingTask {
    requests: [ExpertRequest; 1],
    triples: Vec<[usize; 3]>,
    alike: u16,
}

impl EmbeddingTask {
    fn new(triples: Vec<Triple>, dice: &mut Dice, alike: u16) -> Self {
        let count = triples.len();
        let texts = triples.into_iter().flat_map(|triple| [triple.anchor, triple.near, triple.far]);
        let mut placed: Vec<(usize, String)> = texts.enumerate().collect();
        // The order of the texts must not show which three belong together.
        dice.shuffle(&mut placed);
        let mut places = vec![[0; 3]; count];
        for (place, (number, _)) in placed.iter().enumerate() {
            if let Some(triple) = places.get_mut(number / 3) {
                triple[number % 3] = place;
            }
        }
        let inputs = placed.into_iter().map(|(_, text)| text).collect();
        Self { requests: [ExpertRequest::Embed { inputs }], triples: places, alike }
    }

    fn vectors(&self, replies: &[Reply]) -> Option<Vectors> {
        let reply = replies.first()?;
        Vectors::read(reply.answer(), self.triples.len() * 3)
    }

    /// The cosines by which each triple is ranked.
    fn cosines<'a>(&'a self, vectors: &'a Vectors) -> impl Iterator<Item = (i64, i64)> + 'a {
        let cosine = |a, b| vectors.cosine(a, b);
        self.triples.iter().map(move |[anchor, near, far]| (cosine(*anchor, *near), cosine(*anchor, *far)))
    }
}

impl Task for EmbeddingTask {
    fn requests(&self) -> &[ExpertRequest] {
        &self.requests
    }

    fn score(&self, replies: &[Reply]) -> Score {
        let Some(vectors) = self.vectors(replies) else { return Score::ZERO };
        let right = self.cosines(&vectors).filter(|(near, far)| near > far).count() as u64;
        let all = self.triples.len() as u64;
        Score::ratio((2 * right).saturating_sub(all), all)
    }

    fn fingerprint(&self, replies: &[Reply]) -> Fingerprint {
        let angles = |vectors: Vectors| self.cosines(&vectors).flat_map(|(near, far)| [near, far]).collect();
        Fingerprint::new([self.vectors(replies).map(angles)])
    }

    fn alike(&self, left: &Fingerprint, right: &Fingerprint) -> bool {
        let within = (COSINE_ONE * i64::from(self.alike) / 1000).unsigned_abs();
        let near = |(l, r): (&[i64], &[i64])| l.iter().zip(r).all(|(l, r)| l.abs_diff(*r) <= within);
        left.common(right).next().is_some_and(near)
    }
}

#[cfg(test)]
mod tests;
