//! A proof that whoever registers an anchor key has it.
//!
//! Without it a validator could register the address of another one, or one whose key nobody has. The
//! statement names the mesh and the node, so that a proof seen on the ledger is worth nothing to others.

use nervure_primitives::{MeshId, NodeId};
use serde::{Deserialize, Serialize};

use super::{
    abi::{Word, hash, keccak, typed},
    key::{AnchorAddress, AnchorKey, AnchorSignature, InvalidSignature},
};

const DOMAIN_TYPE: &[u8] = b"EIP712Domain(string name,string version)";
const NAME: &[u8] = b"Nervure anchor key";
const VERSION: &[u8] = b"1";
const STATEMENT_TYPE: &[u8] = b"AnchorKey(bytes32 mesh,bytes32 node)";

/// The word of an anchor key that it belongs to a node of a mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProofOfPossession(AnchorSignature);

impl ProofOfPossession {
    /// The word of `key` that it belongs to `node` on `mesh`.
    pub fn prove(key: &AnchorKey, node: &NodeId, mesh: &MeshId) -> Self {
        Self(key.sign(&digest(node, mesh)))
    }

    /// Checks that the key of `address` said so. Random bytes may fit a random address, to which nobody has
    /// the key; they fit none that was chosen before them.
    ///
    /// # Errors
    /// When it did not.
    pub fn verify(
        &self,
        address: &AnchorAddress,
        node: &NodeId,
        mesh: &MeshId,
    ) -> Result<(), InvalidSignature> {
        let signer = self.0.signer(&digest(node, mesh))?;
        if signer == *address { Ok(()) } else { Err(InvalidSignature) }
    }
}

fn digest(node: &NodeId, mesh: &MeshId) -> Word {
    let domain = hash(&[keccak(DOMAIN_TYPE), keccak(NAME), keccak(VERSION)]);
    typed(&domain, &hash(&[keccak(STATEMENT_TYPE), *mesh.as_bytes(), *node.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_for_one_node_of_one_mesh() {
        let (node, other) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
        let (mesh, elsewhere) = (MeshId::from_bytes([3; 32]), MeshId::from_bytes([4; 32]));
        let key = AnchorKey::from_secret(&[5; 32]).unwrap();
        let proof = ProofOfPossession::prove(&key, &node, &mesh);
        let address = key.address();
        assert_eq!(proof.verify(&address, &node, &mesh), Ok(()));
        assert_eq!(proof.verify(&address, &other, &mesh), Err(InvalidSignature));
        assert_eq!(proof.verify(&address, &node, &elsewhere), Err(InvalidSignature));
    }
}
