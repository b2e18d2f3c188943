//! `embedding`: whether vectors of texts with the same meaning are nearer than those of other texts.
//!
//! A task has the texts of many triples: an anchor, one that is nearer by construction, one that is farther. They come,
//! shuffled, in queries with as many texts as users' queries have, and are as long where they are passages
//! (`layout`). Triples come from `wordings` (a statement in other words, against another statement, in one
//! form) and, where the validator has texts, from `passages` (two of one document, against one of another
//! capability). The score is how far the ranking is above chance: a coin gets 0.
//!
//! # What a hostile miner can do
//! * *Return degenerate vectors*: one vector for all texts, zeros, NaN, huge numbers, vectors of different lengths.
//!   Equal vectors for different texts are a wrong ranking; the others make all answers to the task worthless.
//! * *Leave out* queries: a triple with a missing vector is a wrong ranking.
//! * *Know the table of wordings*: it is public, so that a miner with the program can look pairs up. Names and
//!   numbers in it vary, and `passages` are private; a subnet that pays much should ask for many of those.
//! * *Relay*, and turn or stretch the vectors: [`Task::alike`] compares angles, which turning and stretching leave
//!   alone.

mod layout;
mod passages;
mod vectors;
mod wordings;

use std::ops::RangeInclusive;

use nervure_protocol::{ExpertRequest, Score};
use serde::Deserialize;

use self::{
    passages::Passages,
    vectors::{COSINE_ONE, Vectors},
};
use super::{DrawError, Fingerprint, Material, Mechanism, Parameters, Reply, Task};
use crate::{Dice, Seed};

/// Lengths of users' texts among which the statements of the table do not show by theirs.
const STATEMENT_BYTES: RangeInclusive<usize> = 40..=130;

/// Parameters of the mechanism.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Embedding {
    /// Triples of one task, 1 to 40; 16 by default.
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

impl Triple {
    /// The same without up to an eighth of the end of each text.
    fn shortened(self, dice: &mut Dice) -> Self {
        let mut shorten = |mut text: String| {
            let mut length = text.len() - dice.index(text.len() / 8 + 1);
            while !text.is_char_boundary(length) {
                length += 1;
            }
            text.truncate(length);
            text
        };
        Self { anchor: shorten(self.anchor), near: shorten(self.near), far: shorten(self.far) }
    }
}

impl Mechanism for Embedding {
    fn draw(&self, seed: Seed, material: &Material) -> Result<Box<dyn Task>, DrawError> {
        let mut dice = Dice::new(seed);
        let (passages, all) = (usize::from(self.passages), usize::from(self.triples));
        // The statements of the table have lengths of their own: they are asked where users' texts are as long.
        let (is_passages, corpus) = (passages > 0, material.corpus.passages());
        let fits = |bytes: usize| is_passages || STATEMENT_BYTES.contains(&bytes);
        let groups = layout::groups(all, &material.traffic, &mut dice, fits);
        // Whether a triple is of passages, in an order that does not show.
        let mut kinds: Vec<bool> = (0..all).map(|number| number < passages).collect();
        dice.shuffle(&mut kinds);
        let mut task = EmbeddingTask::new(self.alike);
        for group in groups {
            let passages = match is_passages {
                true => Some(Passages::new(&corpus, group.bytes)?),
                false => None,
            };
            let own = kinds.split_off(kinds.len().saturating_sub(group.triples));
            let mut triple = |is_passage: bool| {
                let from = passages.as_ref().filter(|_| is_passage);
                match from.and_then(|from| from.triple(&mut dice)) {
                    // The queries of a client are not equally long.
                    Some(triple) if group.queries > 1 => triple.shortened(&mut dice),
                    Some(triple) => triple,
                    None => wordings::triple(&mut dice),
                }
            };
            let triples = own.into_iter().map(&mut triple).collect();
            let fillers = (0..group.fillers()).map(|_| match &passages {
                Some(passages) => passages.one(&mut dice),
                None => wordings::triple(&mut dice).anchor,
            });
            let fillers = fillers.collect();
            task.add(Texts { triples, fillers }, group.parts, &mut dice);
        }
        Ok(Box::new(task))
    }

    fn demonstration(&self) -> Option<&'static str> {
        Some("a program that compares words earns too")
    }
}

/// The texts of a group of queries.
struct Texts {
    triples: Vec<Triple>,
    fillers: Vec<String>,
}

/// The texts, which of them are looked at, and where each triple's are among all.
struct EmbeddingTask {
    requests: Vec<ExpertRequest>,
    looked_at: Vec<Vec<bool>>,
    triples: Vec<[usize; 3]>,
    alike: u16,
}

impl EmbeddingTask {
    fn new(alike: u16) -> Self {
        Self { requests: Vec::new(), looked_at: Vec::new(), triples: Vec::new(), alike }
    }

    /// Adds queries of `parts` texts each.
    fn add(&mut self, texts: Texts, parts: usize, dice: &mut Dice) {
        let Texts { triples, fillers } = texts;
        let (first, count) = (self.looked_at.iter().map(Vec::len).sum::<usize>(), triples.len());
        let texts = triples.into_iter().flat_map(|triple| [triple.anchor, triple.near, triple.far]);
        let mut placed: Vec<(usize, String)> = texts.chain(fillers).enumerate().collect();
        // The order of the texts must not show which three belong together.
        dice.shuffle(&mut placed);
        let mut places = vec![[0; 3]; count];
        for (place, (number, _)) in placed.iter().enumerate() {
            if let Some(triple) = places.get_mut(number / 3) {
                triple[number % 3] = first + place;
            }
        }
        self.triples.extend(places);
        let mut placed = placed.into_iter().peekable();
        while placed.peek().is_some() {
            let (looked_at, inputs) =
                placed.by_ref().take(parts.max(1)).map(|(number, text)| (number < 3 * count, text)).unzip();
            self.looked_at.push(looked_at);
            self.requests.push(ExpertRequest::Embed { inputs });
        }
    }

    fn vectors(&self, replies: &[Reply]) -> Option<Vectors> {
        let missing = Reply::missing();
        let answers = self
            .looked_at
            .iter()
            .enumerate()
            .map(|(at, looked_at)| (replies.get(at).unwrap_or(&missing).answer(), looked_at.as_slice()));
        Vectors::read(answers)
    }

    /// The cosines by which each triple is ranked; none where one of its texts has no vector.
    fn cosines<'a>(&'a self, vectors: &'a Vectors) -> impl Iterator<Item = Option<(i64, i64)>> + 'a {
        let cosine = |a, b| vectors.cosine(a, b);
        self.triples.iter().map(move |[anchor, near, far]| cosine(*anchor, *near).zip(cosine(*anchor, *far)))
    }
}

impl Task for EmbeddingTask {
    fn requests(&self) -> &[ExpertRequest] {
        &self.requests
    }

    fn score(&self, replies: &[Reply]) -> Score {
        let Some(vectors) = self.vectors(replies) else { return Score::ZERO };
        let right = self.cosines(&vectors).flatten().filter(|(near, far)| near > far).count() as u64;
        let all = self.triples.len() as u64;
        Score::ratio((2 * right).saturating_sub(all), all)
    }

    fn fingerprint(&self, replies: &[Reply]) -> Fingerprint {
        let Some(vectors) = self.vectors(replies) else { return Fingerprint::default() };
        let angles = |pair: Option<(i64, i64)>| -> Option<Box<[i64]>> {
            pair.map(|(near, far)| Box::from([near, far]))
        };
        Fingerprint::new(self.cosines(&vectors).map(angles))
    }

    fn alike(&self, left: &Fingerprint, right: &Fingerprint) -> bool {
        let within = (COSINE_ONE * i64::from(self.alike) / 1000).unsigned_abs();
        let near = |(l, r): (&[i64], &[i64])| l.iter().zip(r).all(|(l, r)| l.abs_diff(*r) <= within);
        // Too few answers in common prove nothing.
        2 * left.common(right).count() > self.triples.len() && left.common(right).all(near)
    }
}

#[cfg(test)]
mod tests;
