//! Nodes without a permit gossip scores, to praise their friends and to fill memories.
//!
//! Defence: only validators' scores are believed, one message of each, weighed by stake.

use nervure_primitives::{BlockHeight, Netuid, NodeId};
use nervure_subnet::{
    Neurons, Score,
    score::{LiveScore, LiveScoreBook, LiveScores, MAX_VALIDATORS, SignedLiveScores},
};

use crate::world::{Ledger, MESH, NOW, SUBNET, id, key, registration};

const HONEST: [u8; 3] = [1, 2, 3];
const GOOD: u8 = 10;
const FRIEND: u8 = 11;
const SPAMMERS: std::ops::Range<u8> = 100..200;

/// Believes everybody.
struct Nobody;

impl Neurons for Nobody {
    fn may_validate(&self, _: &NodeId, _: Netuid) -> bool {
        true
    }

    fn registered_at(&self, _: &NodeId, _: Netuid) -> Option<BlockHeight> {
        Some(BlockHeight(1))
    }
}

fn told(by: u8, good: Score, friend: Score) -> Vec<u8> {
    let score = |miner, score| LiveScore { node: id(miner), block: BlockHeight(1), score, tasks: 20 };
    let mut scores = vec![score(GOOD, good), score(FRIEND, friend)];
    scores.sort_by_key(|score| score.node);
    let message = LiveScores { netuid: SUBNET, validator: id(by), issued_at: NOW, scores };
    SignedLiveScores::sign(&key(by), &MESH, message).unwrap().bytes().to_vec()
}

/// What is thought of the good miner and of the spammers' friend when the spam came first.
fn opinions(neurons: &impl Neurons, stake: impl Fn(&NodeId) -> u64 + Copy) -> [Option<Score>; 2] {
    let mut book = LiveScoreBook::new(SUBNET);
    let mut hear = |bytes: Vec<u8>| {
        if let Ok(scores) = SignedLiveScores::verify(&bytes, &MESH, NOW, neurons) {
            book.insert(&scores, NOW);
        }
    };
    SPAMMERS.for_each(|spammer| hear(told(spammer, Score::ZERO, Score::ONE)));
    HONEST.iter().for_each(|validator| hear(told(*validator, Score::ratio(9, 10), Score::ratio(1, 10))));
    [GOOD, FRIEND].map(|miner| book.opinion(&registration(miner), stake, NOW).map(|opinion| opinion.score))
}

#[test]
fn spam_changes_no_opinion() {
    let stake = |node: &NodeId| u64::from(HONEST.iter().any(|validator| id(*validator) == *node));
    assert_eq!(opinions(&Ledger, stake), [Some(Score::ratio(9, 10)), Some(Score::ratio(1, 10))]);
    let defenceless = opinions(&Nobody, |_| 1);
    assert_eq!(defenceless, [Some(Score::ZERO), Some(Score::ONE)], "everybody is believed");
    assert!(usize::from(SPAMMERS.end - SPAMMERS.start) > MAX_VALIDATORS, "the spam is more than the memory");
    assert_eq!(opinions(&Nobody, stake), [None, None], "it even keeps the honest out");
}
