//! Assignments: a validator's signed commitment to a task, without the task's content.
//!
//! What a hostile node can do: send [`MAX_ASSIGNMENT_LEN`] bytes and make us verify one signature and look up
//! [`MAX_MINERS`] nodes.

use nervure_primitives::{
    Envelope, EnvelopeError, Hash, MeshId, Netuid, NodeId, NodeKey, UnixMillis,
    cbor::{self, CborError},
};
use serde::{Deserialize, Serialize};

use crate::{
    ExpertRequest, Neurons,
    bounds::{MAX_ASSIGNMENT_LEN, MAX_CLOCK_SKEW, MAX_MINERS, MAX_TASK_TIME},
    domains,
};

/// That a validator set a task, to which miners and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// The subnet.
    pub netuid: Netuid,
    /// The validator that set it.
    pub validator: NodeId,
    /// The [`commitment`] to its content.
    pub task: Hash,
    /// The assigned miners; 1 to [`MAX_MINERS`], in ascending order, without duplicates.
    pub miners: Vec<NodeId>,
    /// When it was set.
    pub issued_at: UnixMillis,
    /// Until when answers count.
    pub deadline: UnixMillis,
}

/// Why an assignment is not valid.
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
    /// Its deadline has passed.
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
    /// It names a miner that is not registered there.
    #[error("{node} is not registered in subnet {netuid}")]
    NotRegistered {
        /// The node.
        node: NodeId,
        /// The subnet.
        netuid: Netuid,
    },
}

/// A commitment to the requests of a task. It binds the validator and the subnet, so that a copy of it is useless to
/// other validators. The salt keeps short requests from being guessed; it is disclosed with them or not at all.
///
/// # Errors
/// None in practice: requests always encode.
pub fn commitment(
    (validator, netuid): (&NodeId, Netuid),
    requests: &[ExpertRequest],
    salt: &[u8; 32],
) -> Result<Hash, CborError> {
    let content = cbor::encode(&requests)?;
    let parts: [&[u8]; 4] = [validator.as_bytes(), &netuid.0.to_be_bytes(), salt, &content];
    Ok(Hash::of(domains::TASK, &parts))
}

impl Assignment {
    /// Whether these requests were committed to.
    pub fn is_for(&self, requests: &[ExpertRequest], salt: &[u8; 32]) -> bool {
        commitment((&self.validator, self.netuid), requests, salt).as_ref() == Ok(&self.task)
    }

    fn check(&self) -> Result<(), AssignmentError> {
        let ordered = self.miners.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
        let checks = [
            ("miners", (1..=MAX_MINERS).contains(&self.miners.len()) && ordered),
            ("miners", !self.miners.contains(&self.validator)),
            ("deadline", self.deadline > self.issued_at),
            ("deadline", self.deadline.since(self.issued_at) <= MAX_TASK_TIME),
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
        let bytes = Envelope::seal(key, domains::ASSIGNMENT, mesh, &assignment)?.encode()?;
        Ok(Self { assignment, bytes })
    }

    /// Verifies an assignment that came from outside.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn verify(
        bytes: &[u8],
        mesh: &MeshId,
        now: UnixMillis,
        neurons: &impl Neurons,
    ) -> Result<Self, AssignmentError> {
        let envelope = Envelope::decode(bytes, MAX_ASSIGNMENT_LEN)?;
        let assignment: Assignment = envelope.open(domains::ASSIGNMENT, mesh, MAX_ASSIGNMENT_LEN)?;
        if envelope.signer() != assignment.validator {
            return Err(AssignmentError::NotItsOwn);
        }
        assignment.check()?;
        if assignment.issued_at > now.plus(MAX_CLOCK_SKEW) {
            return Err(AssignmentError::FromTheFuture);
        }
        if assignment.deadline <= now {
            return Err(AssignmentError::Expired);
        }
        assignment.check_neurons(neurons)?;
        Ok(Self { assignment, bytes: bytes.to_vec() })
    }

    /// The assignment.
    pub fn assignment(&self) -> &Assignment {
        &self.assignment
    }

    /// The signed bytes, as others verify them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests;
