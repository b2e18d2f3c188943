//! What a mesh continues that was recovered from another one.

use nervure_consensus::checkpoint::{Validator, ValidatorSet, ValidatorSetError};
use nervure_primitives::{BlockHeight, Hash, MeshId, NodeId};
use serde::{Deserialize, Serialize};

/// The last certified block of a mesh whose validators are lost, and what the mesh of this spec begins with: see
/// [`recovery`](crate::recovery). Part of the mesh id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recovered {
    /// The mesh before.
    pub mesh: MeshId,
    /// The height of its last certified block; the first block of this mesh is the next one.
    pub height: BlockHeight,
    /// The id of that block.
    pub block: Hash,
    /// The root of the state that its validators certified with that block.
    pub certified_state: Hash,
    /// The root of the state that this mesh begins with: the same, with other validators.
    pub state: Hash,
    /// Who makes the first blocks, sorted by key.
    pub validators: Vec<RecoveredValidator>,
}

/// A validator of the first blocks after a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveredValidator {
    /// Its node key.
    pub node: NodeId,
    /// Its voting power: its stake.
    pub power: u64,
}

impl Recovered {
    /// Who makes the first blocks.
    ///
    /// # Errors
    /// When the list is not a validator set.
    pub fn validator_set(&self) -> Result<ValidatorSet, ValidatorSetError> {
        let members = self.validators.iter().map(|one| Validator { node: one.node, power: one.power });
        ValidatorSet::try_from(members.collect::<Vec<_>>())
    }
}
