//! Live scores: the moving averages that a validator gossips between epochs, for gateways to route by.
//!
//! They move no tokens; the weights on the ledger do. Each is about one expert, not about its node: a node that serves
//! a good model proves nothing about its other ones. They are coarse, in hundredths, so that a score says little about
//! the answer to a single task.
//!
//! What a hostile node can do: send [`MAX_LIVE_SCORES_LEN`] bytes and make us verify one signature. Only a validator's
//! scores are valid, and only as that validator's opinion.

use nervure_primitives::{Envelope, EnvelopeError, MeshId, Netuid, NodeId, NodeKey, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::{
    ExpertId, Neurons, Score,
    bounds::{MAX_CLOCK_SKEW, MAX_LIVE_SCORES_LEN, MAX_SCORES, MAX_SCORES_AGE},
    domains,
};

/// The highest score of a message: a score of 1, in hundredths.
const WHOLE: u8 = 100;

/// A validator's moving average of one expert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveScore {
    /// The expert.
    #[serde(rename = "e")]
    pub expert: ExpertId,
    /// A moving average of its quality, in hundredths, 0 to 100; shared rewards do not affect it.
    #[serde(rename = "s")]
    hundredths: u8,
    /// How many tasks it is an average of; 255 stands for more, too.
    #[serde(rename = "t")]
    tasks: u8,
}

impl LiveScore {
    /// The score of an expert after so many tasks, rounded to the nearest.
    pub fn new(expert: ExpertId, score: Score, tasks: u32) -> Self {
        let one = u64::from(Score::ONE.parts());
        let hundredths = (u64::from(score.parts()) * u64::from(WHOLE) + one / 2) / one;
        Self { expert, hundredths: hundredths as u8, tasks: u8::try_from(tasks).unwrap_or(u8::MAX) }
    }

    /// The moving average of its quality.
    pub fn score(&self) -> Score {
        Score::ratio(self.hundredths.into(), WHOLE.into())
    }

    /// How many tasks it is an average of, at most 255.
    pub fn tasks(&self) -> u32 {
        self.tasks.into()
    }
}

/// A validator's moving averages of a subnet's experts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveScores {
    /// The subnet.
    pub netuid: Netuid,
    /// The validator.
    pub validator: NodeId,
    /// When it signed them.
    pub issued_at: UnixMillis,
    /// At most [`MAX_SCORES`], in ascending order of expert, without duplicates.
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
    /// More than [`MAX_SCORES`], out of order, an expert twice, or a score above 1.
    #[error("the scores are too many, out of order, or above 1")]
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
        let ordered = self.scores.windows(2).all(|pair| matches!(pair, [a, b] if a.expert < b.expert));
        let whole = self.scores.iter().all(|score| score.hundredths <= WHOLE);
        match ordered && whole && self.scores.len() <= MAX_SCORES {
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

    use nervure_primitives::BlockHeight;

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
        LiveScore::new(ExpertId::from_bytes([number; 32]), score, 20)
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
        rejects(vec![LiveScore { hundredths: WHOLE + 1, ..score(1, Score::ONE) }]);
        let many = |count: u16| {
            let expert = |n: u16| {
                let bytes = [[(n >> 8) as u8; 16], [n as u8; 16]].concat().try_into().unwrap();
                LiveScore::new(ExpertId::from_bytes(bytes), Score::ONE, u32::MAX)
            };
            (0..count).map(expert).collect::<Vec<_>>()
        };
        rejects(many(MAX_SCORES as u16 + 1));
        assert!(verified(1, &scores(1, many(MAX_SCORES as u16))).is_ok(), "the largest fits");
    }

    #[test]
    fn a_score_is_coarse_and_its_tasks_are_bounded() {
        let third = score(1, Score::ratio(1, 3));
        assert_eq!((third.score(), third.tasks()), (Score::ratio(33, 100), 20));
        assert_eq!(score(1, Score::ONE).score(), Score::ONE);
        assert_eq!(LiveScore::new(ExpertId::from_bytes([1; 32]), Score::ZERO, 1_000).tasks(), 255);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>) {
            proptest::prop_assert!(SignedLiveScores::verify(&bytes, &MESH, NOW, &Validators).is_err());
        }
    }
}
