//! Node keys: ed25519, zeroised on drop and never printable.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use libp2p_identity::Keypair;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::NodeId;

/// An ed25519 signature, 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature(#[serde(with = "serde_bytes")] [u8; 64]);

/// The signature is not by the signer over the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not by {signer} over this message")]
pub struct SignatureError {
    /// The claimed signer.
    pub signer: NodeId,
}

impl Signature {
    /// Wraps 64 raw bytes.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The 64 raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// Checks that `signer` made this signature over `message`. Strict: refuses keys of small order
    /// and signatures that other implementations may accept or not.
    pub fn verify(&self, signer: &NodeId, message: &[u8]) -> Result<(), SignatureError> {
        VerifyingKey::from_bytes(signer.as_bytes())
            .and_then(|key| key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&self.0)))
            .map_err(|_| SignatureError { signer: *signer })
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({}...)", data_encoding::HEXLOWER.encode(&self.0[..4]))
    }
}

/// The secret key that a node signs with. Zeroised when dropped; `Debug` shows the public half only.
///
/// ```
/// use nervure_primitives::NodeKey;
///
/// let key = NodeKey::from_seed(&[1; 32]);
/// let signature = key.sign(b"a message");
/// assert!(signature.verify(&key.node_id(), b"a message").is_ok());
/// assert!(signature.verify(&key.node_id(), b"another one").is_err());
/// ```
#[derive(Clone)]
pub struct NodeKey(SigningKey);

impl NodeKey {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    #[cfg(not(target_family = "wasm"))]
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut())?;
        Ok(Self::from_seed(&seed))
    }

    /// The key of a 32-byte seed. Keep the seed secret: it is the node's identity.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public key.
    pub fn node_id(&self) -> NodeId {
        NodeId::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Signs `message` as it is. Callers sign through [`Envelope`](crate::Envelope), which adds
    /// the domain and the mesh id.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }

    /// The same key as libp2p and its TLS certificates use it.
    pub fn libp2p_keypair(&self) -> Keypair {
        let seed = Zeroizing::new(self.0.to_bytes());
        match Keypair::ed25519_from_bytes(*seed) {
            Ok(pair) => pair,
            Err(_) => unreachable!("32 bytes are an ed25519 secret"),
        }
    }

    /// The 32-byte seed, for a backup of the key: who has it is the node.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn signing_key(&self) -> &SigningKey {
        &self.0
    }

    #[cfg(not(target_family = "wasm"))]
    pub(crate) const fn from_signing_key(key: SigningKey) -> Self {
        Self(key)
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey({}, secret)", self.node_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libp2p_agrees_on_node_and_signature() {
        let key = NodeKey::from_seed(&[7; 32]);
        let pair = key.libp2p_keypair();
        assert_eq!(pair.public().to_peer_id(), key.node_id().peer_id());
        assert_eq!(pair.sign(b"m").unwrap(), key.sign(b"m").as_bytes());
    }

    #[test]
    fn verifies_only_the_signer_and_the_message() {
        let (key, other) = (NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32]));
        let signature = key.sign(b"message");
        assert_eq!(signature.verify(&key.node_id(), b"message"), Ok(()));
        assert!(signature.verify(&key.node_id(), b"massage").is_err());
        assert!(signature.verify(&other.node_id(), b"message").is_err());
    }

    #[test]
    fn refuses_keys_of_small_order() {
        // Under the lax check, the identity point verifies every message.
        let mut identity = [0; 32];
        identity[0] = 1;
        let forged = Signature::from_bytes([0; 64]);
        assert!(forged.verify(&NodeId::from_bytes(identity), b"anything").is_err());
    }

    #[test]
    fn debug_output_has_no_secret() {
        let seed = [0xaa; 32];
        let shown = format!("{:?}", NodeKey::from_seed(&seed));
        assert!(!shown.contains("aaaaaaaa") && !shown.contains("170, 170"), "{shown}");
    }

    #[test]
    fn generated_keys_differ() {
        assert_ne!(NodeKey::generate().unwrap().node_id(), NodeKey::generate().unwrap().node_id());
    }
}
