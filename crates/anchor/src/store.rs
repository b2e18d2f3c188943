//! The rules for storing checkpoints, as the contract has them.
//!
//! [`CheckpointStore::submit`] checks in the same order as `CheckpointAnchor.submit`; a test gives both thousands
//! of submissions and compares the results. The local backend is this store and a file.

use std::collections::BTreeMap;

use nervure_primitives::{BlockHeight, Hash, MeshId, Netuid};

use super::{
    checkpoint::AnchorDomain,
    submission::{Submission, SubmissionError},
};
use nervure_consensus::checkpoint::Quorum;

/// The stored checkpoints of a mesh, and the set that signs the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointStore {
    domain: AnchorDomain,
    mesh: MeshId,
    latest: BlockHeight,
    validators: Hash,
    checkpoints: BTreeMap<BlockHeight, Hash>,
    metagraphs: BTreeMap<(Netuid, u64), Hash>,
    quorum: Quorum,
}

/// Why a submission is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointRejection {
    /// For another mesh.
    #[error("the checkpoint is of mesh {0}")]
    OtherMesh(MeshId),
    /// Another checkpoint is stored for this height.
    #[error("height {height} has checkpoint {stored}, not {submitted}")]
    Conflict {
        /// The height.
        height: BlockHeight,
        /// The id of the stored checkpoint.
        stored: Hash,
        /// The id of the submitted one.
        submitted: Hash,
    },
    /// Not above the last checkpoint.
    #[error("height {height} is not above {latest}, the height of the last checkpoint")]
    Stale {
        /// Its height.
        height: BlockHeight,
        /// The height of the last one.
        latest: BlockHeight,
    },
    /// Signed by another set than the next one.
    #[error("set {submitted} signed, but set {expected} signs the next checkpoint")]
    OtherValidators {
        /// The hash of the set that signs the next checkpoint.
        expected: Hash,
        /// The hash of the submitted set.
        submitted: Hash,
    },
    /// The signatures are not a quorum.
    #[error(transparent)]
    Quorum(#[from] SubmissionError),
    /// Another root is stored for an epoch.
    #[error("epoch {epoch} of subnet {netuid} has another metagraph")]
    ConflictingMetagraph {
        /// The subnet.
        netuid: Netuid,
        /// The epoch.
        epoch: u64,
    },
}

impl CheckpointStore {
    /// An empty store: the first checkpoint has to be above `height` and signed by the set with the hash
    /// `validators`.
    pub fn new(domain: AnchorDomain, mesh: MeshId, height: BlockHeight, validators: Hash) -> Self {
        Self {
            domain,
            mesh,
            latest: height,
            validators,
            checkpoints: BTreeMap::new(),
            metagraphs: BTreeMap::new(),
            quorum: Quorum::TWO_THIRDS,
        }
    }

    /// A broken store, for a test that has to notice it.
    #[cfg(test)]
    pub(crate) fn with_quorum(mut self, quorum: Quorum) -> Self {
        self.quorum = quorum;
        self
    }

    /// The same mesh and domain, from another height and set on.
    pub(crate) fn starting_at(self, height: BlockHeight, validators: Hash) -> Self {
        Self { latest: height, validators, ..self }
    }

    /// The mesh of the checkpoints.
    pub const fn mesh(&self) -> MeshId {
        self.mesh
    }

    /// The domain that signatures have to name.
    pub const fn domain(&self) -> AnchorDomain {
        self.domain
    }

    /// The hash of the set that signs the next checkpoint.
    pub const fn validators(&self) -> Hash {
        self.validators
    }

    /// The height of the last checkpoint; before the first, the one that it has to exceed.
    pub const fn latest(&self) -> BlockHeight {
        self.latest
    }

    /// The id of the checkpoint of a height.
    pub fn checkpoint(&self, height: BlockHeight) -> Option<Hash> {
        self.checkpoints.get(&height).copied()
    }

    /// The root of a subnet's epoch.
    pub fn metagraph(&self, netuid: Netuid, epoch: u64) -> Option<Hash> {
        self.metagraphs.get(&(netuid, epoch)).copied()
    }

    /// Whether a submission would be stored; `false` when the same checkpoint is stored already.
    ///
    /// # Errors
    /// Why it would be rejected.
    pub fn check(&self, submission: &Submission) -> Result<bool, CheckpointRejection> {
        let checkpoint = &submission.checkpoint;
        let (height, id) = (checkpoint.height(), checkpoint.id());
        if checkpoint.mesh() != self.mesh {
            return Err(CheckpointRejection::OtherMesh(checkpoint.mesh()));
        }
        match self.checkpoint(height) {
            Some(stored) if stored == id => return Ok(false),
            Some(stored) => return Err(CheckpointRejection::Conflict { height, stored, submitted: id }),
            None if height <= self.latest => {
                return Err(CheckpointRejection::Stale { height, latest: self.latest });
            }
            None => {}
        }
        let (expected, submitted) = (self.validators, submission.validators.hash());
        if expected != submitted {
            return Err(CheckpointRejection::OtherValidators { expected, submitted });
        }
        submission.verify_for(self.quorum, &self.domain)?;
        for one in checkpoint.metagraphs() {
            let (netuid, epoch) = (one.netuid, one.epoch);
            if self.metagraph(netuid, epoch).is_some_and(|root| root != one.root) {
                return Err(CheckpointRejection::ConflictingMetagraph { netuid, epoch });
            }
        }
        Ok(true)
    }

    /// Stores a checkpoint; `false` when the same one is stored already.
    ///
    /// # Errors
    /// Why it is rejected; nothing has changed then.
    pub fn submit(&mut self, submission: &Submission) -> Result<bool, CheckpointRejection> {
        let new = self.check(submission)?;
        if new {
            let checkpoint = &submission.checkpoint;
            self.checkpoints.insert(checkpoint.height(), checkpoint.id());
            self.latest = checkpoint.height();
            self.validators = checkpoint.next_validators();
            // A root of zeros means no rows: no proof leads to it, so that it is not stored.
            let roots = checkpoint.metagraphs().iter().filter(|one| one.root != Hash::from_bytes([0; 32]));
            self.metagraphs.extend(roots.map(|one| ((one.netuid, one.epoch), one.root)));
        }
        Ok(new)
    }
}
