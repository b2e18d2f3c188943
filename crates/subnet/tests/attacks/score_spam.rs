//! Nodes without a permit gossip scores, to praise their own miner and to fill the memory of other nodes.
//!
//! Defence: only validators' scores are believed, one message of each, weighed by stake.

use nervure_primitives::{BlockHeight, Netuid, NodeId};
use nervure_protocol::{LiveScore, LiveScores, Neurons, Score, SignedLiveScores};
use nervure_subnet::score::{LiveScoreTable, MAX_VALIDATORS};

use crate::world::{Ledger, MESH, NOW, SUBNET, expert, id, key};

const HONEST: [u8; 3] = [1, 2, 3];
const GOOD: u8 = 10;
const FRIEND: u8 = 11;
const SPAMMERS: std::ops::Range<u8> = 100..200;

/// Accepts every node as a validator.
struct AllValidators;

impl Neurons for AllValidators {
    fn may_validate(&self, _: &NodeId, _: Netuid) -> bool {
        true
    }

    fn registered_at(&self, _: &NodeId, _: Netuid) -> Option<BlockHeight> {
        Some(BlockHeight(1))
    }
}

fn published(by: u8, good: Score, friend: Score) -> Vec<u8> {
    let score = |miner, score| LiveScore::new(expert(miner).expert, score, 20);
    let mut scores = vec![score(GOOD, good), score(FRIEND, friend)];
    scores.sort_by_key(|score| score.expert);
    let message = LiveScores { netuid: SUBNET, validator: id(by), issued_at: NOW, scores };
    SignedLiveScores::sign(&key(by), &MESH, message).unwrap().bytes().to_vec()
}

/// The medians of the good miner and of the spammers' miner when the spam came first.
fn opinions(neurons: &impl Neurons, stake: impl Fn(&NodeId) -> u64 + Copy) -> [Option<Score>; 2] {
    let mut book = LiveScoreTable::new(SUBNET);
    let mut hear = |bytes: Vec<u8>| {
        if let Ok(scores) = SignedLiveScores::verify(&bytes, &MESH, NOW, neurons) {
            book.insert(&scores, NOW);
        }
    };
    SPAMMERS.for_each(|spammer| hear(published(spammer, Score::ZERO, Score::ONE)));
    HONEST.iter().for_each(|validator| hear(published(*validator, Score::ratio(9, 10), Score::ratio(1, 10))));
    [GOOD, FRIEND].map(|miner| book.median_of(&expert(miner).expert, stake, NOW).map(|opinion| opinion.score))
}

#[test]
fn spam_changes_no_median() {
    let stake = |node: &NodeId| u64::from(HONEST.iter().any(|validator| id(*validator) == *node));
    assert_eq!(opinions(&Ledger, stake), [Some(Score::ratio(9, 10)), Some(Score::ratio(1, 10))]);
    let undefended = opinions(&AllValidators, |_| 1);
    assert_eq!(undefended, [Some(Score::ZERO), Some(Score::ONE)], "all scores count");
    assert!(usize::from(SPAMMERS.end - SPAMMERS.start) > MAX_VALIDATORS, "the spam is more than the memory");
    assert_eq!(opinions(&AllValidators, stake), [None, None], "it even keeps the honest out");
}
