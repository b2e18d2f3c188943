//! A proof that a node which registers an anchor key has its secret.
//!
//! Without it a validator could register another validator's address, or one without a key. The statement
//! names the mesh and the node, so that a proof on the ledger is worth nothing to other nodes.

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

/// An anchor key's signature under the statement that it belongs to a node of a mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProofOfPossession(AnchorSignature);

impl ProofOfPossession {
    /// Proves that `key` belongs to `node` on `mesh`.
    pub fn prove(key: &AnchorKey, node: &NodeId, mesh: &MeshId) -> Self {
        Self(key.sign(&digest(node, mesh)))
    }

    /// Checks that the key of `address` signed. Random bytes recover to a random address, of which no one has
    /// the key; they match no address that was chosen before them.
    ///
    /// # Errors
    /// When another key signed, or none.
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
