//! Interim scores: what a validator thinks of a subnet's neurons between two epochs, for gateways to route by.
//!
//! Gossiped and signed. They move no tokens; the weights on the ledger do.
//!
//! What a hostile node can do: send [`MAX_INTERIM_LEN`] bytes and make us verify one signature. Only a validator's
//! scores are believed, and only as that validator's opinion.

use std::time::Duration;

use nervure_primitives::{
    BlockHeight, Domain, Envelope, EnvelopeError, MeshId, Netuid, NodeId, NodeKey, UnixMillis,
};
use serde::{Deserialize, Serialize};

use super::{MovingAverageTable, Score};
use crate::{Neurons, Registration};

/// Most scores in a message: the slots of a subnet.
pub const MAX_SCORES: usize = 256;

/// Largest message, in bytes, without its signature.
pub const MAX_INTERIM_LEN: usize = 20 << 10;

/// How old scores may be.
pub(super) const MAX_AGE: Duration = Duration::from_secs(3600);

/// How far ahead a message's clock may be.
const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// What a message's signature is for.
const DOMAIN: Domain = Domain::new("nervure/interim-scores/1");

/// What a validator thinks of one neuron.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterimScore {
    /// Which node.
    #[serde(rename = "n")]
    pub node: NodeId,
    /// Since when it has been registered.
    #[serde(rename = "b")]
    pub block: BlockHeight,
    /// The running average of its quality; what it shares of its reward does not show here.
    #[serde(rename = "s")]
    pub score: Score,
    /// Of how many tasks.
    #[serde(rename = "t")]
    pub tasks: u32,
}

/// What a validator thinks of a subnet's neurons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterimScores {
    /// Of which subnet.
    pub netuid: Netuid,
    /// Who thinks so.
    pub validator: NodeId,
    /// When.
    pub issued_at: UnixMillis,
    /// At most [`MAX_SCORES`], in ascending order of node, nobody twice.
    pub scores: Vec<InterimScore>,
}

/// Why a message is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InterimError {
    /// No signed scores of this mesh.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Signed by another node than the validator that it names.
    #[error("signed by another node than the validator that it names")]
    NotItsOwn,
    /// More than [`MAX_SCORES`], out of order, or somebody twice.
    #[error("the scores are too many or out of order")]
    BadScores,
    /// An hour old, or older.
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

impl InterimScores {
    /// What a validator's board says now, of the first [`MAX_SCORES`] neurons that were set a task.
    pub fn of(board: &MovingAverageTable, (validator, netuid): (NodeId, Netuid), now: UnixMillis) -> Self {
        let known = board.iter().filter(|(_, averages)| averages.tasks > 0).take(MAX_SCORES);
        let scores = known.map(|(Registration { node, block }, averages)| InterimScore {
            node,
            block,
            score: averages.quality,
            tasks: averages.tasks,
        });
        Self { netuid, validator, issued_at: now, scores: scores.collect() }
    }

    fn check(&self) -> Result<(), InterimError> {
        let ordered = self.scores.windows(2).all(|pair| matches!(pair, [a, b] if a.node < b.node));
        match ordered && self.scores.len() <= MAX_SCORES {
            true => Ok(()),
            false => Err(InterimError::BadScores),
        }
    }
}

/// Interim scores that were verified, and the bytes that prove them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedScores {
    scores: InterimScores,
    bytes: Vec<u8>,
}

impl SignedScores {
    /// Signs `scores`.
    ///
    /// # Errors
    /// When they are too many or out of order.
    pub fn sign(key: &NodeKey, mesh: &MeshId, scores: InterimScores) -> Result<Self, InterimError> {
        scores.check()?;
        let bytes = Envelope::seal(key, DOMAIN, mesh, &scores)?.encode()?;
        Ok(Self { scores, bytes })
    }

    /// Verifies scores that came from outside.
    ///
    /// # Errors
    /// The first reason not to believe them.
    pub fn verify(
        bytes: &[u8],
        mesh: &MeshId,
        now: UnixMillis,
        neurons: &impl Neurons,
    ) -> Result<Self, InterimError> {
        let envelope = Envelope::decode(bytes, MAX_INTERIM_LEN)?;
        let scores: InterimScores = envelope.open(DOMAIN, mesh, MAX_INTERIM_LEN)?;
        if envelope.signer() != scores.validator {
            return Err(InterimError::NotItsOwn);
        }
        scores.check()?;
        if scores.issued_at > now.plus(CLOCK_SKEW) {
            return Err(InterimError::FromTheFuture);
        }
        if now.since(scores.issued_at) >= MAX_AGE {
            return Err(InterimError::TooOld);
        }
        if !neurons.may_validate(&scores.validator, scores.netuid) {
            return Err(InterimError::NotAValidator { node: scores.validator, netuid: scores.netuid });
        }
        Ok(Self { scores, bytes: bytes.to_vec() })
    }

    /// What they are.
    pub fn scores(&self) -> &InterimScores {
        &self.scores
    }

    /// The signed bytes, as others verify them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::record::tests::{MESH, NOW, key};

    /// Nodes 1 to 79 are validators of subnet 1.
    pub(in crate::score) struct Validators;

    impl Neurons for Validators {
        fn may_validate(&self, node: &NodeId, netuid: Netuid) -> bool {
            netuid == Netuid(1) && (1..80).any(|seed| key(seed).node_id() == *node)
        }

        fn registered_at(&self, _: &NodeId, _: Netuid) -> Option<BlockHeight> {
            None
        }
    }

    pub(in crate::score) fn score(number: u8, score: Score) -> InterimScore {
        InterimScore { node: NodeId::from_bytes([number; 32]), block: BlockHeight(5), score, tasks: 20 }
    }

    pub(in crate::score) fn scores(validator: u8, scores: Vec<InterimScore>) -> InterimScores {
        InterimScores { netuid: Netuid(1), validator: key(validator).node_id(), issued_at: NOW, scores }
    }

    fn verified(signer: u8, scores: &InterimScores) -> Result<SignedScores, InterimError> {
        let bytes = Envelope::seal(&key(signer), DOMAIN, &MESH, scores).unwrap().encode().unwrap();
        SignedScores::verify(&bytes, &MESH, NOW, &Validators)
    }

    #[test]
    fn only_a_validators_own_recent_scores_are_believed() {
        let good = scores(1, vec![score(1, Score::ONE), score(2, Score::ZERO)]);
        assert!(verified(1, &good).is_ok());
        assert_eq!(verified(2, &good), Err(InterimError::NotItsOwn));
        let stranger = scores(90, vec![score(1, Score::ONE)]);
        assert!(matches!(verified(90, &stranger), Err(InterimError::NotAValidator { .. })));
        let elsewhere = InterimScores { netuid: Netuid(2), ..good.clone() };
        assert!(matches!(verified(1, &elsewhere), Err(InterimError::NotAValidator { .. })));
        let early = InterimScores { issued_at: NOW.plus(Duration::from_secs(31)), ..good.clone() };
        assert_eq!(verified(1, &early), Err(InterimError::FromTheFuture));
        let bytes = SignedScores::sign(&key(1), &MESH, good).unwrap().bytes;
        let later = SignedScores::verify(&bytes, &MESH, NOW.plus(MAX_AGE), &Validators);
        assert_eq!(later, Err(InterimError::TooOld));
    }

    #[test]
    fn the_wire_is_frozen() {
        let signed = SignedScores::sign(&key(1), &MESH, scores(1, vec![score(1, Score::ONE)])).unwrap();
        assert_eq!(
            nervure_primitives::Hash::of("frozen", &[signed.bytes()]).to_string(),
            "686497af4c2b0c33b80b38e613053f9eac6d1ab2e1bc0068235ad5e80a20b965"
        );
    }

    #[test]
    fn scores_are_ordered_and_bounded() {
        let refused = |list| assert_eq!(verified(1, &scores(1, list)), Err(InterimError::BadScores));
        refused(vec![score(2, Score::ONE), score(1, Score::ONE)]);
        refused(vec![score(1, Score::ONE), score(1, Score::ZERO)]);
        let many = |count: u16| {
            let node = |n: u16| {
                NodeId::from_bytes([[(n >> 8) as u8; 16], [n as u8; 16]].concat().try_into().unwrap())
            };
            (0..count).map(|n| InterimScore { node: node(n), ..score(1, Score::ONE) }).collect::<Vec<_>>()
        };
        refused(many(MAX_SCORES as u16 + 1));
        let largest = many(MAX_SCORES as u16).into_iter().map(|score| InterimScore {
            block: BlockHeight(u64::MAX),
            tasks: u32::MAX,
            ..score
        });
        assert!(verified(1, &scores(1, largest.collect())).is_ok(), "the largest fits");
    }

    #[test]
    fn a_board_tells_what_it_knows() {
        let mut board = MovingAverageTable::new(super::super::ScoringRules::default()).unwrap();
        let neuron = |n: u8| Registration { node: NodeId::from_bytes([n; 32]), block: BlockHeight(5) };
        board.set_registered([neuron(1), neuron(2)]);
        board.record(&neuron(2), Score::ONE);
        let told = InterimScores::of(&board, (key(1).node_id(), Netuid(1)), NOW);
        assert_eq!(told.scores, [InterimScore { tasks: 1, ..score(2, Score::ONE) }]);
        assert!(told.check().is_ok());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            proptest::prop_assert!(SignedScores::verify(&bytes, &MESH, NOW, &Validators).is_err());
        }
    }
}
