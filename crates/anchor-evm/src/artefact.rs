//! The compiled contract, which is part of the program.

use alloy::primitives::{Bytes, hex};
use nervure_primitives::MeshId;
use serde::Deserialize;

/// The output of `contracts/compile.mjs`.
const ARTEFACT: &str = include_str!("../../../contracts/CheckpointAnchor.json");

/// The parts of it that this crate uses.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Artefact {
    pub(crate) bytecode: Bytes,
    deployed_bytecode: Bytes,
    immutables: Vec<ImmutableRange>,
}

/// Where the constructor writes the mesh id into the code.
#[derive(Debug, Deserialize)]
struct ImmutableRange {
    start: usize,
    length: usize,
}

impl Artefact {
    pub(crate) fn load() -> Result<Self, String> {
        serde_json::from_str(ARTEFACT).map_err(|error| format!("the compiled contract: {error}"))
    }

    /// The code of a contract that was deployed for `mesh`.
    pub(crate) fn deployed(&self, mesh: &MeshId) -> Vec<u8> {
        let mut code = self.deployed_bytecode.to_vec();
        for place in &self.immutables {
            if let Some(gap) = code.get_mut(place.start..place.start + place.length) {
                // The only immutable is the mesh id, which fills a word.
                gap.copy_from_slice(&mesh.as_bytes()[..gap.len().min(32)]);
            }
        }
        code
    }
}

/// A short form for messages.
pub(crate) fn short(bytes: &[u8]) -> String {
    format!("{} bytes beginning 0x{}", bytes.len(), hex::encode(&bytes[..bytes.len().min(4)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_a_contract_names_its_mesh() {
        let artefact = Artefact::load().unwrap();
        let (one, other) = (MeshId::from_bytes([0xaa; 32]), MeshId::from_bytes([0xbb; 32]));
        let (one, other) = (artefact.deployed(&one), artefact.deployed(&other));
        assert_eq!(one.len(), other.len());
        let different = one.iter().zip(&other).filter(|(a, b)| a != b).count();
        assert_eq!(different, 32 * artefact.immutables.len());
        assert!(!artefact.immutables.is_empty());
        assert!(one.len() <= 24_576, "the most that a chain takes (EIP-170)");
    }
}
