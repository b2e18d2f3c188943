//! The median by stake of a subnet's validators' live scores.
//!
//! A validator that publishes scores, but none about an expert, counts for that expert as nothing after no
//! task. Otherwise the few validators that praise a new expert would be alone until the others have tested
//! it. While liars have less than half of the stake of all that publish, the median lies between two honest
//! scores. The latest message of each validator counts, for one hour.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use nervure_primitives::{Netuid, NodeId, UnixMillis};
use nervure_protocol::{ExpertId, LiveScore, Neurons, Score, SignedLiveScores, bounds::MAX_SCORES_AGE};

use super::median;

/// Upper bound for the validators of a subnet.
pub const MAX_VALIDATORS: usize = 64;

/// The score that a validator counts with for an expert that it has not tested: no trust without a test.
const UNTESTED: Score = Score::ZERO;

/// The median by stake of the validators' live scores of an expert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MedianScore {
    /// The median of its live scores.
    pub score: Score,
    /// The tasks behind it: the median of what validators say, times the number of validators that have tested it.
    pub tasks: u32,
}

/// The latest live scores of each validator of one subnet.
#[derive(Debug)]
pub struct LiveScoreTable {
    netuid: Netuid,
    latest: BTreeMap<NodeId, ValidatorScores>,
}

#[derive(Debug)]
struct ValidatorScores {
    issued_at: UnixMillis,
    /// The signed message, for those who ask for it.
    bytes: Vec<u8>,
    scores: BTreeMap<ExpertId, LiveScore>,
}

impl LiveScoreTable {
    /// An empty table for `netuid`.
    pub const fn new(netuid: Netuid) -> Self {
        Self { netuid, latest: BTreeMap::new() }
    }

    /// Inserts verified scores. False when they are not newer, of another subnet, or beyond the bound.
    pub fn insert(&mut self, signed: &SignedLiveScores, now: UnixMillis) -> bool {
        let told = signed.scores();
        // Before the search for room, which forgets what has expired: another subnet's scores change nothing here.
        if told.netuid != self.netuid {
            return false;
        }
        let newer = match self.latest.get(&told.validator) {
            Some(kept) => told.issued_at > kept.issued_at,
            None => self.has_room(now),
        };
        if !newer {
            return false;
        }
        let scores = told.scores.iter().map(|score| (score.expert, *score)).collect();
        let kept = ValidatorScores { issued_at: told.issued_at, bytes: signed.bytes().to_vec(), scores };
        self.latest.insert(told.validator, kept);
        true
    }

    /// The signed messages of the validators after `after`, in ascending order.
    pub fn signed(&self, after: Option<NodeId>) -> impl Iterator<Item = &[u8]> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.latest.range((start, Bound::Unbounded)).map(|(_, kept)| &kept.bytes[..])
    }

    /// Removes nodes that are not validators any longer.
    pub fn retain(&mut self, neurons: &impl Neurons) {
        self.latest.retain(|validator, _| neurons.may_validate(validator, self.netuid));
    }

    /// The `stake` of the validators whose scores still count, together.
    pub fn published_stake(&self, stake: impl Fn(&NodeId) -> u64, now: UnixMillis) -> u128 {
        let current = self.latest.iter().filter(|(_, kept)| now.since(kept.issued_at) < MAX_SCORES_AGE);
        current.map(|(validator, _)| u128::from(stake(validator))).sum()
    }

    /// The median of an expert by the validators' `stake`; none when no validator with stake has tested it.
    pub fn median_of(
        &self,
        of: &ExpertId,
        stake: impl Fn(&NodeId) -> u64,
        now: UnixMillis,
    ) -> Option<MedianScore> {
        // A validator that stopped publishes nothing more: its last word must not count for ever.
        let current = self.latest.iter().filter(|(_, kept)| now.since(kept.issued_at) < MAX_SCORES_AGE);
        let votes: Vec<(Option<LiveScore>, u64)> = current
            .map(|(validator, kept)| (kept.scores.get(of).copied(), stake(validator)))
            // A validator without stake must not count as a tester either: the number of tasks grows with the
            // testers.
            .filter(|(_, stake)| *stake > 0)
            .collect();
        let testers = votes.iter().filter(|(said, _)| said.is_some()).count();
        if testers == 0 {
            return None;
        }
        let scores = votes.iter().map(|(said, stake)| (said.map_or(UNTESTED, |said| said.score()), *stake));
        let tasks = votes.iter().map(|(said, stake)| (said.map_or(0, |said| said.tasks()), *stake));
        let tasks = median(tasks.collect())?.saturating_mul(u32::try_from(testers).unwrap_or(u32::MAX));
        Some(MedianScore { score: median(scores.collect())?, tasks })
    }

    /// The medians of all experts with scores. Costs about as much as decoding the messages: compute it when
    /// scores change, not per query.
    pub fn medians(
        &self,
        stake: impl Fn(&NodeId) -> u64 + Copy,
        now: UnixMillis,
    ) -> BTreeMap<ExpertId, MedianScore> {
        let of: BTreeSet<_> = self.latest.values().flat_map(|kept| kept.scores.keys().copied()).collect();
        of.into_iter().filter_map(|of| Some((of, self.median_of(&of, stake, now)?))).collect()
    }

    fn has_room(&mut self, now: UnixMillis) -> bool {
        if self.latest.len() >= MAX_VALIDATORS {
            self.latest.retain(|_, kept| now.since(kept.issued_at) < MAX_SCORES_AGE);
        }
        self.latest.len() < MAX_VALIDATORS
    }
}

#[cfg(test)]
mod tests {
    use nervure_protocol::LiveScores;

    use super::*;
    use nervure_protocol::testing::{MESH, NOW, key};

    const EXPERT: ExpertId = ExpertId::from_bytes([1; 32]);

    fn score(number: u8, score: Score) -> LiveScore {
        LiveScore::new(ExpertId::from_bytes([number; 32]), score, 20)
    }

    fn scores(validator: u8, scores: Vec<LiveScore>) -> LiveScores {
        LiveScores { netuid: Netuid(1), validator: key(validator).node_id(), issued_at: NOW, scores }
    }

    fn signed(validator: u8, change: impl FnOnce(&mut LiveScores)) -> SignedLiveScores {
        let mut told = scores(validator, vec![score(1, Score::ratio(1, 2))]);
        change(&mut told);
        SignedLiveScores::sign(&key(validator), &MESH, told).unwrap()
    }

    fn says(validator: u8, value: Score) -> SignedLiveScores {
        signed(validator, |told| told.scores[0] = score(1, value))
    }

    #[test]
    fn the_latest_scores_count_until_they_expire() {
        let mut book = LiveScoreTable::new(Netuid(1));
        assert!(book.insert(&says(1, Score::ONE), NOW));
        assert!(!book.insert(&says(1, Score::ZERO), NOW), "no later");
        let later = signed(1, |told| told.issued_at = UnixMillis(NOW.0 + 1));
        assert!(book.insert(&later, NOW));
        let opinion = |now| book.median_of(&EXPERT, |_| 1, now).map(|opinion| opinion.score);
        assert_eq!(opinion(NOW), Some(Score::ratio(1, 2)));
        assert_eq!(opinion(NOW.plus(MAX_SCORES_AGE + std::time::Duration::from_millis(1))), None);
    }

    #[test]
    fn medians_cover_all_experts_and_count_all_tasks() {
        let mut book = LiveScoreTable::new(Netuid(1));
        for validator in 1..=3 {
            let also = |told: &mut LiveScores| told.scores.push(score(9, Score::ONE));
            assert!(book.insert(&signed(validator, also), NOW));
        }
        let opinions = book.medians(|_| 1, NOW);
        assert_eq!(opinions.len(), 2);
        assert_eq!(opinions[&EXPERT], MedianScore { score: Score::ratio(1, 2), tasks: 60 });
        assert_eq!(Some(opinions[&EXPERT]), book.median_of(&EXPERT, |_| 1, NOW));
    }

    #[test]
    fn a_validator_that_is_silent_about_an_expert_counts_too() {
        let mut book = LiveScoreTable::new(Netuid(1));
        assert!(book.insert(&says(1, Score::ONE), NOW));
        let about_another = |validator| signed(validator, |told| told.scores[0] = score(9, Score::ONE));
        for validator in 2..=3 {
            assert!(book.insert(&about_another(validator), NOW));
        }
        let opinion = |stakes: [u64; 3]| {
            let stake =
                |node: &NodeId| (1..=3).zip(stakes).find(|(n, _)| key(*n).node_id() == *node).unwrap().1;
            book.median_of(&EXPERT, stake, NOW).unwrap()
        };
        assert_eq!(opinion([1, 1, 1]), MedianScore { score: UNTESTED, tasks: 0 });
        assert_eq!(opinion([3, 1, 1]), MedianScore { score: Score::ONE, tasks: 20 });
    }

    #[test]
    fn scores_of_another_subnet_change_nothing() {
        let mut book = LiveScoreTable::new(Netuid(1));
        for validator in 1..=MAX_VALIDATORS as u8 {
            assert!(book.insert(&says(validator, Score::ONE), NOW));
        }
        let later = NOW.plus(MAX_SCORES_AGE + std::time::Duration::from_millis(1));
        let elsewhere = signed(200, |told| told.netuid = Netuid(2));
        assert!(!book.insert(&elsewhere, later));
        assert_eq!(book.latest.len(), MAX_VALIDATORS, "nothing was forgotten for it");
        assert!(book.insert(&says(200, Score::ONE), later), "one of this subnet takes an expired place");
    }

    #[test]
    fn scores_do_not_count_for_another_subnet_or_expert() {
        let mut book = LiveScoreTable::new(Netuid(2));
        assert!(!book.insert(&says(1, Score::ONE), NOW));
        let mut book = LiveScoreTable::new(Netuid(1));
        assert!(book.insert(&says(1, Score::ONE), NOW));
        assert_eq!(book.median_of(&ExpertId::from_bytes([2; 32]), |_| 1, NOW), None);
        assert_eq!(book.median_of(&EXPERT, |_| 0, NOW), None, "no stake, no opinion");
        assert_eq!(
            (book.published_stake(|_| 7, NOW), book.published_stake(|_| 7, NOW.plus(MAX_SCORES_AGE))),
            (7, 0)
        );
    }

    #[test]
    fn signed_messages_come_in_pages_by_validator() {
        let mut book = LiveScoreTable::new(Netuid(1));
        let mut validators: Vec<_> = (1..=5).map(|validator| (key(validator).node_id(), validator)).collect();
        validators.sort();
        for (_, validator) in &validators {
            assert!(book.insert(&says(*validator, Score::ONE), NOW));
        }
        let expected: Vec<_> = validators.iter().map(|(_, seed)| says(*seed, Score::ONE)).collect();
        let all: Vec<_> = book.signed(None).collect();
        assert_eq!(all, expected.iter().map(SignedLiveScores::bytes).collect::<Vec<_>>());
        assert_eq!(book.signed(Some(validators[1].0)).collect::<Vec<_>>(), all[2..]);
    }

    #[test]
    fn validators_are_bounded() {
        let mut book = LiveScoreTable::new(Netuid(1));
        for validator in 1..=MAX_VALIDATORS as u8 {
            assert!(book.insert(&says(validator, Score::ONE), NOW));
        }
        assert!(!book.insert(&says(70, Score::ONE), NOW));
        let later = NOW.plus(MAX_SCORES_AGE);
        assert!(book.insert(&signed(70, |told| told.issued_at = later), later), "old ones make room");
    }
}
