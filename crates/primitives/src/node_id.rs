//! The identity of a node: its ed25519 public key, which is also its libp2p PeerId.
//!
//! A PeerId of an ed25519 key is the key after a fixed prefix (an identity multihash of the
//! protobuf-encoded key), so the two convert without loss and without a lookup.

use std::{fmt, str::FromStr};

use libp2p_identity::PeerId;

use crate::{Excerpt, id::serde_bytes32};

/// The prefix of the PeerId of an ed25519 key, before the 32 key bytes: identity multihash of 36
/// bytes, protobuf field 1 (key type ed25519), field 2 (32 bytes of key).
/// Source: libp2p peer-ids specification, "Keys".
const PEER_ID_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// The ed25519 public key of a node. Printed as its PeerId (`12D3Koo...`).
///
/// The bytes are not checked to be a point of the curve: a `NodeId` is only a name until a
/// signature by it verifies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NodeId(
    #[cfg_attr(
        feature = "schema",
        schemars(with = "String", regex(pattern = "^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$"))
    )]
    [u8; 32],
);

/// Why something is not a [`NodeId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeIdError {
    /// Not a PeerId.
    #[error("'{0}' is not a node id: expected a PeerId such as 12D3KooW...")]
    NotAPeerId(Excerpt),
    /// A PeerId of another kind of key.
    #[error("{0} is not the PeerId of an ed25519 key: Nervure nodes have ed25519 keys only")]
    NotEd25519(PeerId),
}

impl NodeId {
    /// Wraps the 32 bytes of an ed25519 public key.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the public key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The libp2p PeerId of this node.
    pub fn peer_id(&self) -> PeerId {
        PeerId::from(*self)
    }

    /// The last eight characters of the PeerId, which differ between nodes where the first do not.
    pub fn short(&self) -> String {
        let text = self.to_string();
        text[text.len() - 8..].to_owned()
    }
}

impl From<NodeId> for PeerId {
    fn from(node: NodeId) -> Self {
        let mut bytes = [0; 38];
        bytes[..6].copy_from_slice(&PEER_ID_PREFIX);
        bytes[6..].copy_from_slice(&node.0);
        // Cannot fail: the prefix makes it a well-formed identity multihash of 36 bytes.
        match PeerId::from_bytes(&bytes) {
            Ok(peer) => peer,
            Err(_) => unreachable!("an identity multihash of 36 bytes is a PeerId"),
        }
    }
}

impl TryFrom<PeerId> for NodeId {
    type Error = NodeIdError;

    fn try_from(peer: PeerId) -> Result<Self, NodeIdError> {
        peer.to_bytes()
            .strip_prefix(&PEER_ID_PREFIX)
            .and_then(|key| key.try_into().ok())
            .map(Self)
            .ok_or(NodeIdError::NotEd25519(peer))
    }
}

impl FromStr for NodeId {
    type Err = NodeIdError;

    fn from_str(text: &str) -> Result<Self, NodeIdError> {
        let peer: PeerId = text.parse().map_err(|_| NodeIdError::NotAPeerId(text.into()))?;
        Self::try_from(peer)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.peer_id().to_base58())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

serde_bytes32!(NodeId);

#[cfg(test)]
mod tests {
    use libp2p_identity::Keypair;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn agrees_with_libp2p() {
        let pair = Keypair::generate_ed25519();
        let key = pair.public().try_into_ed25519().unwrap().to_bytes();
        let node = NodeId::from_bytes(key);
        assert_eq!(node.peer_id(), pair.public().to_peer_id());
        assert_eq!(NodeId::try_from(pair.public().to_peer_id()), Ok(node));
    }

    #[test]
    fn refuses_peer_ids_of_other_keys() {
        let hashed = PeerId::random();
        assert_eq!(NodeId::try_from(hashed), Err(NodeIdError::NotEd25519(hashed)));
        assert!(matches!("12D3Koo".parse::<NodeId>(), Err(NodeIdError::NotAPeerId(_))));
    }

    proptest! {
        #[test]
        fn text_round_trips(bytes: [u8; 32]) {
            let node = NodeId::from_bytes(bytes);
            prop_assert_eq!(node.to_string().parse::<NodeId>().unwrap(), node);
        }
    }
}
