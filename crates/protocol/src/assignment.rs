//! Assignments: which task a validator set to which miners, committed to before the questions and opened after them.
//!
//! # Design
//! At a regular pace, whatever it asks, a validator gossips a [`TaskBatch`]: the root of a tree with [`BATCH_LEAVES`]
//! leaves. Some leaves are salted commitments to an [`Assignment`], the others are random. When the batch has ended, the
//! validator gossips an [`AssignmentOpening`] for each assignment. So a miner cannot tell from a batch whether it was set
//! a task, nor which of its questions was one; and the validator cannot choose afterwards what it asked of whom.
//!
//! # What a hostile node can do
//! Send [`MAX_TASK_BATCH_LEN`] bytes and make us verify one signature, or send [`MAX_ASSIGNMENT_LEN`] bytes and make us
//! compute one path of hashes. An opening needs no signature: only the signer of the batch knows a salt under its root.

mod tree;

use nervure_primitives::{
    Envelope, EnvelopeError, Hash, MeshId, Netuid, NodeId, NodeKey, UnixMillis,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

use crate::{
    ExpertRequest, Neurons,
    bounds::{
        MAX_ASSIGNMENT_LEN, MAX_BATCH_TIME, MAX_CLOCK_SKEW, MAX_MINERS, MAX_TASK_BATCH_LEN, MAX_TASK_TIME,
    },
    domains,
};

pub use tree::{BATCH_LEAVES, TaskTree};

/// A validator's commitment to the tasks that it sets in a subnet until a moment, if any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskBatch {
    /// The subnet.
    pub netuid: Netuid,
    /// The validator.
    pub validator: NodeId,
    /// Its number: each one of a validator in a subnet has a higher one than the one before.
    pub number: u64,
    /// The root of a [`TaskTree`].
    pub root: Hash,
    /// When it was made.
    pub issued_at: UnixMillis,
    /// From when on its assignments are opened: no answer counts that comes later.
    pub opens_at: UnixMillis,
}

/// Which task was set to which miners, and until when answers counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// The [`commitment`] to the task's content.
    pub task: Hash,
    /// The assigned miners; 1 to [`MAX_MINERS`], in ascending order, without duplicates.
    pub miners: Vec<NodeId>,
    /// Until when answers counted.
    pub deadline: UnixMillis,
}

/// An assignment, and the proof that a batch committed to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignmentOpening {
    /// The subnet of the batch.
    pub netuid: Netuid,
    /// The validator of the batch.
    pub validator: NodeId,
    /// The number of the batch.
    pub batch: u64,
    /// Which leaf it is.
    pub index: u8,
    /// What kept the leaf from being guessed.
    pub salt: Hash,
    /// The assignment.
    pub assignment: Assignment,
    /// The hashes beside the path from the leaf to the root.
    pub path: Vec<Hash>,
}

/// Why a batch or an opening is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssignmentError {
    /// Not a signed batch of this mesh.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Not an opening.
    #[error(transparent)]
    Encoding(#[from] CborError),
    /// Signed by another node than the validator that it names.
    #[error("signed by another node than the validator that it names")]
    NotItsOwn,
    /// A field out of its bounds.
    #[error("{0} is out of bounds")]
    OutOfBounds(&'static str),
    /// It ended too long ago.
    #[error("the batch ended too long ago")]
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
    /// The opening is of another batch.
    #[error("the opening is of another batch")]
    AnotherBatch,
    /// The batch is still running: an opening now would tell a miner that it is being tested.
    #[error("the batch has not ended")]
    TooEarly,
    /// The batch did not commit to this assignment.
    #[error("the batch did not commit to this assignment")]
    NotCommitted,
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

impl TaskBatch {
    fn check(&self) -> Result<(), AssignmentError> {
        let checks = [
            ("opens_at", self.opens_at > self.issued_at),
            ("opens_at", self.opens_at.since(self.issued_at) <= MAX_BATCH_TIME),
        ];
        match checks.into_iter().find(|(_, good)| !good) {
            Some((field, _)) => Err(AssignmentError::OutOfBounds(field)),
            None => Ok(()),
        }
    }

    /// The leaf of an assignment in this batch.
    ///
    /// # Errors
    /// None in practice: assignments always encode.
    pub fn leaf(&self, assignment: &Assignment, salt: &Hash) -> Result<Hash, CborError> {
        let content = cbor::encode(assignment)?;
        let (netuid, number) = (self.netuid.0.to_be_bytes(), self.number.to_be_bytes());
        let parts: [&[u8]; 5] = [self.validator.as_bytes(), &netuid, &number, salt.as_bytes(), &content];
        Ok(Hash::of(domains::TASK_LEAF, &parts))
    }
}

impl Assignment {
    fn check(&self) -> Result<(), AssignmentError> {
        let ordered = self.miners.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
        match (1..=MAX_MINERS).contains(&self.miners.len()) && ordered {
            true => Ok(()),
            false => Err(AssignmentError::OutOfBounds("miners")),
        }
    }
}

impl AssignmentOpening {
    /// Decodes an opening that came from outside. It proves nothing before [`AssignmentOpening::verify`].
    ///
    /// # Errors
    /// When it is not one, or a field is out of its bounds.
    pub fn decode(bytes: &[u8]) -> Result<Self, AssignmentError> {
        let opening: Self = cbor::decode(bytes, Limits::new(MAX_ASSIGNMENT_LEN))?;
        opening.assignment.check()?;
        match tree::is_path(opening.index, &opening.path) {
            true => Ok(opening),
            false => Err(AssignmentError::OutOfBounds("path")),
        }
    }

    /// The bytes that others decode.
    ///
    /// # Errors
    /// None in practice: openings always encode.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// Whether `batch` committed to this assignment and has ended.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn verify(&self, batch: &TaskBatch, now: UnixMillis) -> Result<(), AssignmentError> {
        if (self.netuid, self.validator, self.batch) != (batch.netuid, batch.validator, batch.number) {
            return Err(AssignmentError::AnotherBatch);
        }
        let (from, until) = (batch.issued_at, self.assignment.deadline);
        if until > batch.opens_at || until <= from || until.since(from) > MAX_BATCH_TIME {
            return Err(AssignmentError::OutOfBounds("deadline"));
        }
        let leaf = batch.leaf(&self.assignment, &self.salt)?;
        if tree::root(leaf, self.index, &self.path) != batch.root {
            return Err(AssignmentError::NotCommitted);
        }
        // Last: an early opening that proves something is a fault of the clocks, or of its sender.
        if now.plus(MAX_CLOCK_SKEW) < batch.opens_at {
            return Err(AssignmentError::TooEarly);
        }
        Ok(())
    }
}

/// A batch that was verified, and the bytes that prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTaskBatch {
    batch: TaskBatch,
    bytes: Vec<u8>,
}

impl SignedTaskBatch {
    /// Signs `batch`.
    ///
    /// # Errors
    /// When a field is out of its bounds.
    pub fn sign(key: &NodeKey, mesh: &MeshId, batch: TaskBatch) -> Result<Self, AssignmentError> {
        batch.check()?;
        let bytes = Envelope::seal(key, domains::TASK_BATCH, mesh, &batch)?.encode()?;
        Ok(Self { batch, bytes })
    }

    /// Verifies a batch that came from outside.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn verify(
        bytes: &[u8],
        mesh: &MeshId,
        now: UnixMillis,
        neurons: &impl Neurons,
    ) -> Result<Self, AssignmentError> {
        let envelope = Envelope::decode(bytes, MAX_TASK_BATCH_LEN)?;
        let batch: TaskBatch = envelope.open(domains::TASK_BATCH, mesh, MAX_TASK_BATCH_LEN)?;
        if envelope.signer() != batch.validator {
            return Err(AssignmentError::NotItsOwn);
        }
        batch.check()?;
        if batch.issued_at > now.plus(MAX_CLOCK_SKEW) {
            return Err(AssignmentError::FromTheFuture);
        }
        if batch.opens_at.plus(MAX_TASK_TIME) <= now {
            return Err(AssignmentError::Expired);
        }
        if !neurons.may_validate(&batch.validator, batch.netuid) {
            return Err(AssignmentError::NotAValidator { node: batch.validator, netuid: batch.netuid });
        }
        Ok(Self { batch, bytes: bytes.to_vec() })
    }

    /// The batch.
    pub fn batch(&self) -> &TaskBatch {
        &self.batch
    }

    /// The signed bytes, as others verify them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests;
