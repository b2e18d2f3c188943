//! Tokens of a test mesh for the asking: a node with a faucet pays who has done some work.
//!
//! The work is a nonce with which the hash of the claim begins with zeros. It names the faucet and a recent block, so that it
//! cannot be done ahead, or used twice.
//!
//! What a hostile peer can do: do the work. What it gets is bounded by the faucet's limits on owners, on networks and on time.

use nervure_primitives::{
    Amount, BlockHeight, Hash, MeshId, NodeId, UntrustedText,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

use crate::{bounds::MAX_REFUSAL, domains::FAUCET_WORK, protocols::FAUCET};

/// A request of [`FAUCET`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaucetRequest {
    /// What the node pays, and for how much work.
    Terms,
    /// A claim with its work.
    Claim(FaucetClaim),
}

/// Who wants tokens, and the work done for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaucetClaim {
    /// The owner key that is paid.
    pub owner: NodeId,
    /// A recent block.
    pub height: BlockHeight,
    /// Its id.
    pub block: Hash,
    /// The number that was searched for.
    pub nonce: u64,
}

/// The response to a [`FaucetRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaucetResponse {
    /// To [`FaucetRequest::Terms`].
    Terms {
        /// Zero bits that the hash of a claim begins with.
        bits: u8,
        /// What is paid for it.
        amount: Amount,
    },
    /// To [`FaucetRequest::Claim`]: the transaction that pays.
    Paid {
        /// Its id.
        transaction: Hash,
    },
    /// Nothing is paid.
    Refused {
        /// Why not.
        reason: UntrustedText<MAX_REFUSAL>,
    },
}

impl FaucetClaim {
    /// The zero bits that its hash begins with.
    pub fn work(&self, mesh: &MeshId, faucet: &NodeId) -> u8 {
        let Self { owner, height, block, nonce } = self;
        let parts: [&[u8]; 6] = [
            mesh.as_bytes(),
            faucet.as_bytes(),
            owner.as_bytes(),
            &height.0.to_be_bytes(),
            block.as_bytes(),
            &nonce.to_be_bytes(),
        ];
        let hash = Hash::of(FAUCET_WORK, &parts);
        let mut bits = 0u8;
        for byte in hash.as_bytes() {
            let zeros = byte.leading_zeros() as u8;
            bits = bits.saturating_add(zeros);
            if zeros < 8 {
                break;
            }
        }
        bits
    }

    /// The same claim with a nonce that does `bits` of work, if there is one below `tries`.
    pub fn with_work(self, bits: u8, (mesh, faucet): (&MeshId, &NodeId), tries: u64) -> Option<Self> {
        (0..tries).map(|nonce| Self { nonce, ..self }).find(|claim| claim.work(mesh, faucet) >= bits)
    }
}

impl FaucetRequest {
    /// Its bytes.
    ///
    /// # Errors
    /// None in practice.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// Reads one.
    ///
    /// # Errors
    /// When the bytes are too many or not a request.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(FAUCET.max_request))
    }
}

impl FaucetResponse {
    /// A refusal with a reason, which is cut where it is too long.
    pub fn refused(reason: impl std::fmt::Display) -> Self {
        Self::Refused { reason: UntrustedText::new(reason) }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// None in practice.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// Reads one.
    ///
    /// # Errors
    /// When the bytes are too many or not a response.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(FAUCET.max_response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESH: MeshId = MeshId::from_bytes([7; 32]);

    #[test]
    fn work_is_for_one_faucet_one_owner_and_one_block() {
        let (faucet, owner) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
        let claim = FaucetClaim { owner, height: BlockHeight(3), block: Hash::from_bytes([4; 32]), nonce: 0 };
        let done = claim.with_work(10, (&MESH, &faucet), 1 << 16).unwrap();
        assert!(done.work(&MESH, &faucet) >= 10);
        let elsewhere = [
            done.work(&MESH, &owner),
            done.work(&MeshId::from_bytes([8; 32]), &faucet),
            FaucetClaim { owner: faucet, ..done }.work(&MESH, &faucet),
            FaucetClaim { block: Hash::from_bytes([5; 32]), ..done }.work(&MESH, &faucet),
        ];
        assert!(elsewhere.iter().all(|bits| *bits < 10), "{elsewhere:?}");
        assert_eq!(claim.with_work(64, (&MESH, &faucet), 100), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_a_decoder_panic(bytes: Vec<u8>) {
            let _ = (FaucetRequest::decode(&bytes), FaucetResponse::decode(&bytes));
        }
    }
}
