//! The rules of keeping checkpoints, as the contract has them.
//!
//! [`CheckpointStore::submit`] decides in the same order as `CheckpointAnchor.submit`; a test shows both thousands
//! of submissions and compares. The local backend is this and a file.

use std::collections::BTreeMap;

use nervure_primitives::{BlockHeight, Hash, MeshId, Netuid};

use super::{
    checkpoint::AnchorDomain,
    submission::{Submission, SubmissionError},
};
use nervure_consensus::checkpoint::Quorum;

/// What is kept of the checkpoints of a mesh.
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

/// Why a submission is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointRejection {
    /// About another mesh.
    #[error("a checkpoint of mesh {0}")]
    OtherMesh(MeshId),
    /// Another checkpoint is stored for this height.
    #[error("checkpoint {stored} is kept for height {height}, not {submitted}")]
    Conflict {
        /// The height.
        height: BlockHeight,
        /// What is stored.
        stored: Hash,
        /// What was submitted.
        submitted: Hash,
    },
    /// Not above the last checkpoint.
    #[error("height {height} is not above {latest}, that of the last checkpoint")]
    Stale {
        /// Its height.
        height: BlockHeight,
        /// The height of the last one.
        latest: BlockHeight,
    },
    /// Signed by validators that do not count now.
    #[error("it is signed by the set {submitted}, but {expected} signs the next checkpoint")]
    OtherValidators {
        /// The hash of those whose turn it is.
        expected: Hash,
        /// The hash of those who signed.
        submitted: Hash,
    },
    /// The signatures are not a quorum.
    #[error(transparent)]
    Quorum(#[from] SubmissionError),
    /// Another root is stored for an epoch.
    #[error("another metagraph is kept for epoch {epoch} of subnet {netuid}")]
    ConflictingMetagraph {
        /// The subnet.
        netuid: Netuid,
        /// The epoch.
        epoch: u64,
    },
}

impl CheckpointStore {
    /// Keeps nothing yet: the first checkpoint has to be above `height` and signed by the set with the
    /// hash `validators`.
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

    /// A broken keeper, for a test that has to notice.
    #[cfg(test)]
    pub(crate) fn with_quorum(mut self, quorum: Quorum) -> Self {
        self.quorum = quorum;
        self
    }

    /// The same rules for the same mesh and domain, beginning elsewhere.
    pub(crate) fn starting_at(self, height: BlockHeight, validators: Hash) -> Self {
        Self { latest: height, validators, ..self }
    }

    /// The mesh whose checkpoints are kept.
    pub const fn mesh(&self) -> MeshId {
        self.mesh
    }

    /// What signatures have to be for.
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

    /// Whether a submission would be taken; `false` when this very checkpoint is kept already.
    ///
    /// # Errors
    /// Why it would not.
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

    /// Keeps a checkpoint. `false` when this very one is kept already.
    ///
    /// # Errors
    /// Why it is refused; nothing has changed then.
    pub fn submit(&mut self, submission: &Submission) -> Result<bool, CheckpointRejection> {
        let taken = self.check(submission)?;
        if taken {
            let checkpoint = &submission.checkpoint;
            self.checkpoints.insert(checkpoint.height(), checkpoint.id());
            self.latest = checkpoint.height();
            self.validators = checkpoint.next_validators();
            // A root of zeros is that of no rows: nothing can be shown to be in it.
            let roots = checkpoint.metagraphs().iter().filter(|one| one.root != Hash::from_bytes([0; 32]));
            self.metagraphs.extend(roots.map(|one| ((one.netuid, one.epoch), one.root)));
        }
        Ok(taken)
    }
}
