//! Live scores: the moving averages that a validator gossips between epochs, for gateways to route by.
//!
//! They move no tokens; the weights on the ledger do.
//!
//! What a hostile node can do: send [`MAX_LIVE_SCORES_LEN`] bytes and make us verify one signature. Only a validator's
//! scores are valid, and only as that validator's opinion.

use nervure_primitives::{BlockHeight, Envelope, EnvelopeError, MeshId, Netuid, NodeId, NodeKey, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::{
    Neurons, Score,
    bounds::{MAX_CLOCK_SKEW, MAX_LIVE_SCORES_LEN, MAX_SCORES, MAX_SCORES_AGE},
    domains,
};

/// A validator's moving average of one neuron.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveScore {
    /// The node.
    #[serde(rename = "n")]
    pub node: NodeId,
    /// The block of its registration.
    #[serde(rename = "b")]
    pub block: BlockHeight,
    /// The moving average of its quality; shared rewards do not affect it.
    #[serde(rename = "s")]
    pub score: Score,
    /// How many tasks it is an average of.
    #[serde(rename = "t")]
    pub tasks: u32,
}

/// A validator's moving averages of a subnet's neurons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveScores {
    /// The subnet.
    pub netuid: Netuid,
    /// The validator.
    pub validator: NodeId,
    /// When it signed them.
    pub issued_at: UnixMillis,
    /// At most [`MAX_SCORES`], in ascending order of node, without duplicates.
    pub scores: Vec<LiveScore>,
}

/// Why live scores are not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LiveScoresError {
    /// Not signed scores of this mesh.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Signed by another node than the validator that it names.
    #[error("signed by another node than the validator that it names")]
    NotItsOwn,
    /// More than [`MAX_SCORES`], out of order, or a node twice.
    #[error("the scores are too many or out of order")]
    BadScores,
    /// [`MAX_SCORES_AGE`] old, or older.
    #[error("too old")]
    TooOld,
    /// Its clock is ahead of ours.
    #[error("signed in the future")]
    FromTheFuture,
    /// The node may not publish scores there.
    #[error("{node} may not publish scores in subnet {netuid}")]
    NotAValidator {
        /// The node.
        node: NodeId,
        /// The subnet.
        netuid: Netuid,
    },
}

impl LiveScores {
    fn check(&self) -> Result<(), LiveScoresError> {
        let ordered = self.scores.windows(2).all(|pair| matches!(pair, [a, b] if a.node < b.node));
        match ordered && self.scores.len() <= MAX_SCORES {
            true => Ok(()),
            false => Err(LiveScoresError::BadScores),
        }
    }
}

/// Live scores that were verified, and the bytes that prove them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedLiveScores {
    scores: LiveScores,
    bytes: Vec<u8>,
}

impl SignedLiveScores {
    /// Signs `scores`.
    ///
    /// # Errors
    /// When they are too many or out of order.
    pub fn sign(key: &NodeKey, mesh: &MeshId, scores: LiveScores) -> Result<Self, LiveScoresError> {
        scores.check()?;
        let bytes = Envelope::seal(key, domains::LIVE_SCORES, mesh, &scores)?.encode()?;
        Ok(Self { scores, bytes })
    }

    /// Verifies scores that came from outside.
    ///
    /// # Errors
    /// The first rule that they break.
    pub fn verify(
        bytes: &[u8],
        mesh: &MeshId,
        now: UnixMillis,
        neurons: &impl Neurons,
    ) -> Result<Self, LiveScoresError> {
        let envelope = Envelope::decode(bytes, MAX_LIVE_SCORES_LEN)?;
        let scores: LiveScores = envelope.open(domains::LIVE_SCORES, mesh, MAX_LIVE_SCORES_LEN)?;
        if envelope.signer() != scores.validator {
            return Err(LiveScoresError::NotItsOwn);
        }
        scores.check()?;
        if scores.issued_at > now.plus(MAX_CLOCK_SKEW) {
            return Err(LiveScoresError::FromTheFuture);
        }
        if now.since(scores.issued_at) >= MAX_SCORES_AGE {
            return Err(LiveScoresError::TooOld);
        }
        if !neurons.may_validate(&scores.validator, scores.netuid) {
            return Err(LiveScoresError::NotAValidator { node: scores.validator, netuid: scores.netuid });
        }
        Ok(Self { scores, bytes: bytes.to_vec() })
    }

    /// The scores.
    pub fn scores(&self) -> &LiveScores {
        &self.scores
    }

    /// The signed bytes, as others verify them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::{MESH, NOW, key};

    /// Nodes 1 to 79 are validators of subnet 1.
    struct Validators;

    impl Neurons for Validators {
        fn may_validate(&self, node: &NodeId, netuid: Netuid) -> bool {
            netuid == Netuid(1) && (1..80).any(|seed| key(seed).node_id() == *node)
        }

        fn registered_at(&self, _: &NodeId, _: Netuid) -> Option<BlockHeight> {
            None
        }
    }

    fn score(number: u8, score: Score) -> LiveScore {
        LiveScore { node: NodeId::from_bytes([number; 32]), block: BlockHeight(5), score, tasks: 20 }
    }

    fn scores(validator: u8, scores: Vec<LiveScore>) -> LiveScores {
        LiveScores { netuid: Netuid(1), validator: key(validator).node_id(), issued_at: NOW, scores }
    }

    fn verified(signer: u8, scores: &LiveScores) -> Result<SignedLiveScores, LiveScoresError> {
        let bytes =
            Envelope::seal(&key(signer), domains::LIVE_SCORES, &MESH, scores).unwrap().encode().unwrap();
        SignedLiveScores::verify(&bytes, &MESH, NOW, &Validators)
    }

    #[test]
    fn accepts_only_a_validators_own_recent_scores() {
        let good = scores(1, vec![score(1, Score::ONE), score(2, Score::ZERO)]);
        assert!(verified(1, &good).is_ok());
        assert_eq!(verified(2, &good), Err(LiveScoresError::NotItsOwn));
        let stranger = scores(90, vec![score(1, Score::ONE)]);
        assert!(matches!(verified(90, &stranger), Err(LiveScoresError::NotAValidator { .. })));
        let elsewhere = LiveScores { netuid: Netuid(2), ..good.clone() };
        assert!(matches!(verified(1, &elsewhere), Err(LiveScoresError::NotAValidator { .. })));
        let early = LiveScores { issued_at: NOW.plus(Duration::from_secs(31)), ..good.clone() };
        assert_eq!(verified(1, &early), Err(LiveScoresError::FromTheFuture));
        let bytes = SignedLiveScores::sign(&key(1), &MESH, good).unwrap().bytes;
        let later = SignedLiveScores::verify(&bytes, &MESH, NOW.plus(MAX_SCORES_AGE), &Validators);
        assert_eq!(later, Err(LiveScoresError::TooOld));
    }

    #[test]
    fn scores_are_ordered_and_bounded() {
        let rejects = |list| assert_eq!(verified(1, &scores(1, list)), Err(LiveScoresError::BadScores));
        rejects(vec![score(2, Score::ONE), score(1, Score::ONE)]);
        rejects(vec![score(1, Score::ONE), score(1, Score::ZERO)]);
        let many = |count: u16| {
            let node = |n: u16| {
                NodeId::from_bytes([[(n >> 8) as u8; 16], [n as u8; 16]].concat().try_into().unwrap())
            };
            (0..count).map(|n| LiveScore { node: node(n), ..score(1, Score::ONE) }).collect::<Vec<_>>()
        };
        rejects(many(MAX_SCORES as u16 + 1));
        let largest = many(MAX_SCORES as u16).into_iter().map(|score| LiveScore {
            block: BlockHeight(u64::MAX),
            tasks: u32::MAX,
            ..score
        });
        assert!(verified(1, &scores(1, largest.collect())).is_ok(), "the largest fits");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>) {
            proptest::prop_assert!(SignedLiveScores::verify(&bytes, &MESH, NOW, &Validators).is_err());
        }
    }
}
