//! A few validators praise a miner that has just come, before the others have tested it.
//!
//! Defence: validators that are silent about a neuron vote as well. In a subnet of thousands of miners, where each
//! validator meets a given one now and then, two fifths of all questions went to liars without it
//! (`examples/market.rs`).

use nervure_protocol::{LiveScore, LiveScores, Score, SignedLiveScores};
use nervure_subnet::{Trust, score::LiveScoreTable};

use crate::world::{Ledger, MESH, NOW, SUBNET, expert, id, key};

const FRIENDS: [u8; 2] = [1, 2];
const HONEST: [u8; 3] = [3, 4, 5];
const OLD: u8 = 10;
const NEW: u8 = 11;

fn published(by: u8, miner: u8, score: Score) -> SignedLiveScores {
    let score = LiveScore::new(expert(miner).expert, score, 1_000);
    let said = LiveScores { netuid: SUBNET, validator: id(by), issued_at: NOW, scores: vec![score] };
    let bytes = SignedLiveScores::sign(&key(by), &MESH, said).unwrap().bytes().to_vec();
    SignedLiveScores::verify(&bytes, &MESH, NOW, &Ledger).unwrap()
}

/// The gate's trust in the newcomer when `speaking` validators besides its friends publish scores.
fn newcomer(speaking: &[u8]) -> Trust {
    let mut book = LiveScoreTable::new(SUBNET);
    for friend in FRIENDS {
        assert!(book.insert(&published(friend, NEW, Score::ONE), NOW));
    }
    for validator in speaking {
        assert!(book.insert(&published(*validator, OLD, Score::ratio(9, 10)), NOW));
    }
    Trust::new(None, book.median_of(&expert(NEW).expert, |_| 1, NOW))
}

#[test]
fn early_praise_by_a_few_keeps_a_newcomer() {
    let trust = newcomer(&HONEST);
    assert!(trust.is_newcomer(), "{trust:?}");
    assert_eq!(trust.quality().to_string(), "0.0000");
    let alone = newcomer(&[]);
    assert!(
        !alone.is_newcomer() && alone.quality() == Score::ONE,
        "where only those count who tested it: {alone:?}"
    );
}
