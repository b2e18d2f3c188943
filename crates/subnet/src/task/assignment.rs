//! Assignments: a validator's signed word that it set a task, without a word about what.
//!
//! What a hostile node can do: send [`MAX_ASSIGNMENT_LEN`] bytes and make us verify one signature and look up
//! [`MAX_MINERS`] nodes.

use std::time::Duration;

use nervure_primitives::{
    Domain, Envelope, EnvelopeError, Hash, MeshId, Netuid, NodeId, NodeKey, UnixMillis,
    cbor::{self, CborError},
};
use serde::{Deserialize, Serialize};

use crate::{Neurons, Seed, mechanism::Question};

/// Largest assignment, in bytes, without its signature.
pub const MAX_ASSIGNMENT_LEN: usize = 4096;

/// Most miners of one task.
pub const MAX_MINERS: usize = 64;

/// Longest time that a task may take.
const MAX_TIME: Duration = Duration::from_secs(600);

/// How far ahead an assignment's clock may be.
const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// What an assignment's signature is for.
const DOMAIN: Domain = Domain::new("nervure/assignment/1");

/// What a validator says about a task that it sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// In which subnet.
    pub netuid: Netuid,
    /// Who set it.
    pub validator: NodeId,
    /// What it is, without saying: see [`commitment`].
    pub task: Hash,
    /// To whom; 1 to [`MAX_MINERS`], in ascending order, nobody twice.
    pub miners: Vec<NodeId>,
    /// When it was set.
    pub issued_at: UnixMillis,
    /// Until when answers count.
    pub deadline: UnixMillis,
}

/// Why an assignment is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssignmentError {
    /// Not a signed assignment of this mesh.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Signed by another node than the validator that it names.
    #[error("signed by another node than the validator that it names")]
    NotItsOwn,
    /// A field out of its bounds.
    #[error("{0} is out of bounds")]
    OutOfBounds(&'static str),
    /// Its time is over.
    #[error("its deadline has passed")]
    Expired,
    /// Its clock is ahead of ours.
    #[error("signed in the future")]
    FromTheFuture,
    /// The node may not set tasks there.
    #[error("{node} may not set tasks in subnet {netuid}")]
    NotAValidator {
        /// The node.
        node: NodeId,
        /// The subnet.
        netuid: Netuid,
    },
    /// It names somebody who is not registered there.
    #[error("{node} is not registered in subnet {netuid}")]
    NotRegistered {
        /// The node.
        node: NodeId,
        /// The subnet.
        netuid: Netuid,
    },
}

/// A commitment to what a validator asks in a task. It binds who asks and where, so that it is worth nothing to
/// anybody else; the salt keeps short questions from being guessed, and is disclosed with them or not at all.
///
/// # Errors
/// None in practice: questions always encode.
pub fn commitment(
    (validator, netuid): (&NodeId, Netuid),
    questions: &[Question],
    salt: &Seed,
) -> Result<Hash, CborError> {
    let content = cbor::encode(&questions)?;
    let parts: [&[u8]; 4] = [validator.as_bytes(), &netuid.0.to_be_bytes(), salt.as_bytes(), &content];
    Ok(Hash::of("nervure/task", &parts))
}

impl Assignment {
    /// Whether this is what was committed to.
    pub fn is_for(&self, questions: &[Question], salt: &Seed) -> bool {
        commitment((&self.validator, self.netuid), questions, salt).as_ref() == Ok(&self.task)
    }

    fn check(&self) -> Result<(), AssignmentError> {
        let ordered = self.miners.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
        let checks = [
            ("miners", (1..=MAX_MINERS).contains(&self.miners.len()) && ordered),
            ("miners", !self.miners.contains(&self.validator)),
            ("deadline", self.deadline > self.issued_at),
            ("deadline", self.deadline.since(self.issued_at) <= MAX_TIME),
        ];
        match checks.into_iter().find(|(_, good)| !good) {
            Some((field, _)) => Err(AssignmentError::OutOfBounds(field)),
            None => Ok(()),
        }
    }

    fn check_neurons(&self, neurons: &impl Neurons) -> Result<(), AssignmentError> {
        let netuid = self.netuid;
        if !neurons.may_validate(&self.validator, netuid) {
            return Err(AssignmentError::NotAValidator { node: self.validator, netuid });
        }
        match self.miners.iter().find(|miner| neurons.registered_at(miner, netuid).is_none()) {
            Some(miner) => Err(AssignmentError::NotRegistered { node: *miner, netuid }),
            None => Ok(()),
        }
    }
}

/// An assignment that was verified, and the bytes that prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAssignment {
    assignment: Assignment,
    bytes: Vec<u8>,
}

impl SignedAssignment {
    /// Signs `assignment`.
    ///
    /// # Errors
    /// When a field is out of its bounds.
    pub fn sign(key: &NodeKey, mesh: &MeshId, assignment: Assignment) -> Result<Self, AssignmentError> {
        assignment.check()?;
        let bytes = Envelope::seal(key, DOMAIN, mesh, &assignment)?.encode()?;
        Ok(Self { assignment, bytes })
    }

    /// Verifies an assignment that came from outside.
    ///
    /// # Errors
    /// The first reason not to believe it.
    pub fn verify(
        bytes: &[u8],
        mesh: &MeshId,
        now: UnixMillis,
        neurons: &impl Neurons,
    ) -> Result<Self, AssignmentError> {
        let envelope = Envelope::decode(bytes, MAX_ASSIGNMENT_LEN)?;
        let assignment: Assignment = envelope.open(DOMAIN, mesh, MAX_ASSIGNMENT_LEN)?;
        if envelope.signer() != assignment.validator {
            return Err(AssignmentError::NotItsOwn);
        }
        assignment.check()?;
        if assignment.issued_at > now.plus(CLOCK_SKEW) {
            return Err(AssignmentError::FromTheFuture);
        }
        if assignment.deadline <= now {
            return Err(AssignmentError::Expired);
        }
        assignment.check_neurons(neurons)?;
        Ok(Self { assignment, bytes: bytes.to_vec() })
    }

    /// What it says.
    pub fn assignment(&self) -> &Assignment {
        &self.assignment
    }

    /// The signed bytes, as others verify them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
pub(super) mod tests;
