//! How many queries the texts of a task come in, with how many texts each and how long these are: as users' queries have
//! them.
//!
//! A query of three texts or more has whole triples, and other texts that are not looked at where it has room for no
//! further triple. Where users ask for one or two texts at a time, a triple comes in several such queries.

use nervure_protocol::QueryKind;

use super::passages::MIN_PASSAGE_BYTES;
use crate::{
    Dice,
    mechanism::MAX_VECTORS,
    task::{QueryShape, Series, Traffic},
};

/// Texts of one triple.
const TEXTS_PER_TRIPLE: usize = 3;

/// Most texts of a task that are not looked at.
const MAX_FILLERS: usize = 128;

/// How many shapes are looked at for one that fits.
const MAX_TRIES: usize = 64;

/// A few queries alike that hold some triples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// The triples in it; at least 1.
    pub(super) triples: usize,
    /// Queries.
    pub(super) queries: usize,
    /// Texts of each query.
    pub(super) parts: usize,
    /// Bytes of each text, as far as it can be chosen.
    pub(super) bytes: usize,
}

impl Group {
    /// The texts in it that belong to no triple.
    pub(super) fn fillers(&self) -> usize {
        (self.queries * self.parts).saturating_sub(self.triples * TEXTS_PER_TRIPLE)
    }

    /// The group of that shape for at most so many triples.
    fn of(shape: &QueryShape, triples: usize) -> Self {
        let parts = shape.parts.clamp(1, MAX_VECTORS);
        let bytes = (shape.bytes / parts).max(MIN_PASSAGE_BYTES);
        let queries = TEXTS_PER_TRIPLE.div_ceil(parts);
        Self { triples: (parts / TEXTS_PER_TRIPLE).clamp(1, triples.max(1)), queries, parts, bytes }
    }
}

/// Groups with room for `triples`, of queries as users send them whose texts have a length that `fits`.
pub(super) fn groups(
    triples: usize,
    traffic: &Traffic,
    dice: &mut Dice,
    fits: impl Fn(usize) -> bool,
) -> Vec<Group> {
    let mut series = Series::new(traffic, QueryKind::Embed);
    let (mut groups, mut left, mut fillers, mut tries) = (Vec::new(), triples, MAX_FILLERS, 0);
    while left > 0 {
        let mut group = Group::of(&series.draw(dice), left);
        tries += 1;
        // A group of several queries is drawn less often, so that its queries are as frequent as users'.
        let taken = fits(group.bytes) && dice.below(group.queries as u64) == 0;
        if !taken && tries < MAX_TRIES {
            continue;
        }
        if group.queries == 1 {
            group.parts = group.parts.min(group.triples * TEXTS_PER_TRIPLE + fillers);
        }
        fillers = fillers.saturating_sub(group.fillers());
        left -= group.triples;
        tries = 0;
        groups.push(group);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(triples: usize, seed: u64) -> Vec<Group> {
        groups(triples, &Traffic::default(), &mut Dice::new(seed.into()), |_| true)
    }

    #[test]
    fn groups_hold_all_triples_within_the_bounds() {
        for seed in 0..200u64 {
            for triples in [1, 16, 40] {
                let groups = drawn(triples, seed);
                assert_eq!(groups.iter().map(|group| group.triples).sum::<usize>(), triples);
                // One filler in each triple that comes in two queries of two.
                assert!(groups.iter().map(Group::fillers).sum::<usize>() <= MAX_FILLERS + triples);
                let holds = |group: &Group| group.queries * group.parts >= group.triples * TEXTS_PER_TRIPLE;
                assert!(groups.iter().all(|group| holds(group) && group.parts <= MAX_VECTORS));
            }
        }
    }

    /// The variant that puts all texts into one query has one number of inputs, which no user has.
    #[test]
    fn queries_have_as_many_texts_as_users() {
        let (traffic, mut dice) = (Traffic::default(), Dice::new(1.into()));
        let single = |parts: &[usize]| {
            parts.iter().filter(|parts| **parts == 1).count() as f64 / parts.len().max(1) as f64
        };
        let users: Vec<usize> = (0..2000).map(|_| traffic.draw(QueryKind::Embed, &mut dice).parts).collect();
        let queries = |group: Group| std::iter::repeat_n(group.parts, group.queries);
        let tasks: Vec<usize> = (0..400).flat_map(|seed| drawn(16, seed)).flat_map(queries).collect();
        assert!((single(&users) - single(&tasks)).abs() < 0.15, "{} {}", single(&users), single(&tasks));
    }
}
