//! One opinion of many: the interim scores of a subnet's validators, weighed by stake.
//!
//! A neuron's opinion is the median of what validators say, by stake. Whoever speaks, but not about this neuron, votes as
//! well, for half good after no task: else the few who want a newcomer praised would be alone with it until the others
//! have tested it. So while those who lie have less than half of the stake of all who speak, the median lies between
//! two honest votes. Of each validator the latest message counts, for an hour.

use std::collections::{BTreeMap, BTreeSet};

use nervure_primitives::{Netuid, NodeId, UnixMillis};
use nervure_protocol::{LiveScore, Neurons, Score, SignedLiveScores, bounds::MAX_SCORES_AGE};

use super::median;
use crate::Registration;

/// Most validators of a subnet.
pub const MAX_VALIDATORS: usize = 64;

/// What a validator that has not tested a neuron thinks of it.
const UNTESTED: Score = Score::from_parts(u32::MAX / 2);

/// What validators think of a neuron.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// The median of its running averages.
    pub score: Score,
    /// The tasks behind it: the median of what validators say, times the number of those who have tested it.
    pub tasks: u32,
}

/// The latest interim scores of each validator of one subnet.
#[derive(Debug)]
pub struct LiveScoreBook {
    netuid: Netuid,
    latest: BTreeMap<NodeId, Kept>,
}

#[derive(Debug)]
struct Kept {
    issued_at: UnixMillis,
    scores: BTreeMap<NodeId, LiveScore>,
}

impl LiveScoreBook {
    /// Nobody's scores yet, for `netuid`.
    pub const fn new(netuid: Netuid) -> Self {
        Self { netuid, latest: BTreeMap::new() }
    }

    /// Takes verified scores. False when they are no news, of another subnet, or of one validator too many.
    pub fn insert(&mut self, signed: &SignedLiveScores, now: UnixMillis) -> bool {
        let told = signed.scores();
        let newer = match self.latest.get(&told.validator) {
            Some(kept) => told.issued_at > kept.issued_at,
            None => self.has_room(now),
        };
        if told.netuid != self.netuid || !newer {
            return false;
        }
        let scores = told.scores.iter().map(|score| (score.node, *score)).collect();
        self.latest.insert(told.validator, Kept { issued_at: told.issued_at, scores });
        true
    }

    /// Forgets validators that are none any more.
    pub fn retain(&mut self, neurons: &impl Neurons) {
        self.latest.retain(|validator, _| neurons.may_validate(validator, self.netuid));
    }

    /// What validators think of a neuron, each weighed by its `stake`; none when nobody with stake has said anything.
    pub fn opinion(
        &self,
        of: &Registration,
        stake: impl Fn(&NodeId) -> u64,
        now: UnixMillis,
    ) -> Option<Opinion> {
        let current = self.latest.iter().filter(|(_, kept)| now.since(kept.issued_at) < MAX_SCORES_AGE);
        let votes: Vec<(Option<LiveScore>, u64)> = current
            .map(|(validator, kept)| {
                let said = kept.scores.get(&of.node).filter(|said| said.block == of.block);
                (said.copied(), stake(validator))
            })
            .filter(|(_, stake)| *stake > 0)
            .collect();
        let testers = votes.iter().filter(|(said, _)| said.is_some()).count();
        if testers == 0 {
            return None;
        }
        let scores = votes.iter().map(|(said, stake)| (said.map_or(UNTESTED, |said| said.score), *stake));
        let tasks = votes.iter().map(|(said, stake)| (said.map_or(0, |said| said.tasks), *stake));
        let tasks = median(tasks.collect())?.saturating_mul(u32::try_from(testers).unwrap_or(u32::MAX));
        Some(Opinion { score: median(scores.collect())?, tasks })
    }

    /// What validators think of everybody that they have said anything about. Costs about as much as decoding their
    /// messages: make it when something changed, not for each question.
    pub fn opinions(
        &self,
        stake: impl Fn(&NodeId) -> u64 + Copy,
        now: UnixMillis,
    ) -> BTreeMap<Registration, Opinion> {
        let said = self.latest.values().flat_map(|kept| kept.scores.values());
        let of: BTreeSet<_> = said.map(|said| Registration { node: said.node, block: said.block }).collect();
        of.into_iter().filter_map(|of| Some((of, self.opinion(&of, stake, now)?))).collect()
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
    use nervure_primitives::BlockHeight;

    use nervure_protocol::LiveScores;

    use super::*;
    use crate::testing::{MESH, NOW, key};

    const NEURON: Registration = Registration { node: NodeId::from_bytes([1; 32]), block: BlockHeight(5) };

    fn score(number: u8, score: Score) -> LiveScore {
        LiveScore { node: NodeId::from_bytes([number; 32]), block: BlockHeight(5), score, tasks: 20 }
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
        signed(validator, |told| told.scores[0].score = value)
    }

    #[test]
    fn the_latest_word_counts_for_its_time() {
        let mut book = LiveScoreBook::new(Netuid(1));
        assert!(book.insert(&says(1, Score::ONE), NOW));
        assert!(!book.insert(&says(1, Score::ZERO), NOW), "no later");
        let later = signed(1, |told| told.issued_at = UnixMillis(NOW.0 + 1));
        assert!(book.insert(&later, NOW));
        let opinion = |now| book.opinion(&NEURON, |_| 1, now).map(|opinion| opinion.score);
        assert_eq!(opinion(NOW), Some(Score::ratio(1, 2)));
        assert_eq!(opinion(NOW.plus(MAX_SCORES_AGE + std::time::Duration::from_millis(1))), None);
    }

    #[test]
    fn opinions_are_of_everybody_and_count_all_tasks() {
        let mut book = LiveScoreBook::new(Netuid(1));
        for validator in 1..=3 {
            let also = |told: &mut LiveScores| told.scores.push(score(9, Score::ONE));
            assert!(book.insert(&signed(validator, also), NOW));
        }
        let opinions = book.opinions(|_| 1, NOW);
        assert_eq!(opinions.len(), 2);
        assert_eq!(opinions[&NEURON], Opinion { score: Score::ratio(1, 2), tasks: 60 });
        assert_eq!(Some(opinions[&NEURON]), book.opinion(&NEURON, |_| 1, NOW));
    }

    #[test]
    fn whoever_is_silent_about_a_neuron_votes_too() {
        let mut book = LiveScoreBook::new(Netuid(1));
        assert!(book.insert(&says(1, Score::ONE), NOW));
        let about_another = |validator| signed(validator, |told| told.scores[0] = score(9, Score::ONE));
        for validator in 2..=3 {
            assert!(book.insert(&about_another(validator), NOW));
        }
        let opinion = |stakes: [u64; 3]| {
            let stake =
                |node: &NodeId| (1..=3).zip(stakes).find(|(n, _)| key(*n).node_id() == *node).unwrap().1;
            book.opinion(&NEURON, stake, NOW).unwrap()
        };
        assert_eq!(opinion([1, 1, 1]), Opinion { score: UNTESTED, tasks: 0 });
        assert_eq!(opinion([3, 1, 1]), Opinion { score: Score::ONE, tasks: 20 });
    }

    #[test]
    fn another_subnet_or_registration_is_another_matter() {
        let mut book = LiveScoreBook::new(Netuid(2));
        assert!(!book.insert(&says(1, Score::ONE), NOW));
        let mut book = LiveScoreBook::new(Netuid(1));
        assert!(book.insert(&says(1, Score::ONE), NOW));
        let again = Registration { block: BlockHeight(6), ..NEURON };
        assert_eq!(book.opinion(&again, |_| 1, NOW), None);
        assert_eq!(book.opinion(&NEURON, |_| 0, NOW), None, "no stake, no opinion");
    }

    #[test]
    fn validators_are_bounded() {
        let mut book = LiveScoreBook::new(Netuid(1));
        for validator in 1..=MAX_VALIDATORS as u8 {
            assert!(book.insert(&says(validator, Score::ONE), NOW));
        }
        assert!(!book.insert(&says(70, Score::ONE), NOW));
        let later = NOW.plus(MAX_SCORES_AGE);
        assert!(book.insert(&signed(70, |told| told.issued_at = later), later), "old ones make room");
    }
}
