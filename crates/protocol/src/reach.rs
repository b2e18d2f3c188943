//! Whether two nodes reach each other, asked from one of them: the peer itself is asked, or a third node that both know asks it.
//!
//! A node that cannot reach a peer does not know whose fault that is. [`ReachRequest::Ask`] goes to a third node, which asks the
//! peer with [`ReachRequest::Probe`]; the peer tries to reach the first node and reports what it sees.
//!
//! What a hostile peer can do. *As the one that asks*: have the third node send one small request, and the peer dial the asker,
//! whose key the connection to the third node proves. *As the third node*: name up to [`MAX_REACH_ADDRESSES`] addresses that are
//! not the asker's; the dial filter of the peer judges them, and only registered nodes may name any. *As the peer*: report what is
//! not true, which misleads the reader of a diagnosis and changes nothing else.

use nervure_primitives::{
    BlockHeight, NodeId, UntrustedText,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

use crate::{
    bounds::{MAX_AGENT_LEN, MAX_REACH_ADDRESSES, MAX_REFUSAL, MAX_SEED_LEN},
    protocols::REACH,
};

/// A multiaddress as text. It is parsed where it is used.
pub type AddressText = UntrustedText<MAX_SEED_LEN>;

/// A request of [`REACH`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ReachRequest {
    /// To a third node: ask `peer` whether it reaches the sender of this.
    Ask {
        /// The node that is asked.
        peer: NodeId,
    },
    /// To the peer: try to reach `asker`, and report.
    Probe {
        /// The node to reach.
        asker: NodeId,
        /// Its addresses, as the sender of this sees them.
        addresses: Vec<AddressText>,
    },
}

/// The response to a [`ReachRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ReachResponse {
    /// What the peer sees.
    Report(ReachReport),
    /// The third node does not reach the peer.
    PeerUnreachable {
        /// Why not.
        reason: UntrustedText<MAX_REFUSAL>,
    },
}

/// What a node says about itself and about its connection to the asker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReachReport {
    /// Its program.
    pub agent: UntrustedText<MAX_AGENT_LEN>,
    /// Its last block; none on a node that does not follow the chain.
    pub height: Option<BlockHeight>,
    /// The nodes that it is connected to.
    pub peers: u32,
    /// Whether others can dial it, as far as it knows.
    pub dialable: Option<bool>,
    /// The relays that hold a place for it.
    pub relays: u32,
    /// How it is connected to the asker, after it has tried.
    pub asker: SeenAsker,
}

/// How a node reaches the asker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SeenAsker {
    /// There is a connection.
    Connected {
        /// Whether it leads through a relay.
        relayed: bool,
        /// Whether the asker dialled; then nothing is known about the other direction.
        inbound: bool,
        /// The asker's address there.
        address: AddressText,
    },
    /// There is none, and none could be made.
    Unreachable {
        /// Why not.
        reason: UntrustedText<MAX_REFUSAL>,
    },
}

impl ReachRequest {
    /// Its bytes.
    ///
    /// # Errors
    /// None in practice.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// Reads one. Of the addresses in a probe, the first [`MAX_REACH_ADDRESSES`] are kept.
    ///
    /// # Errors
    /// When the bytes are too many or not a request.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let mut request = cbor::decode(bytes, Limits::new(REACH.max_request))?;
        if let Self::Probe { addresses, .. } = &mut request {
            addresses.truncate(MAX_REACH_ADDRESSES);
        }
        Ok(request)
    }
}

impl ReachResponse {
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
        cbor::decode(bytes, Limits::new(REACH.max_response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_messages_are_within_their_bounds() {
        let node = NodeId::from_bytes([1; 32]);
        let long = || UntrustedText::new("x".repeat(1000));
        let addresses = vec![UntrustedText::new("x".repeat(1000)); MAX_REACH_ADDRESSES];
        let probe = ReachRequest::Probe { asker: node, addresses };
        assert_eq!(ReachRequest::decode(&probe.encode().unwrap()).unwrap(), probe);
        let report = |asker| {
            ReachResponse::Report(ReachReport {
                agent: UntrustedText::new("x".repeat(1000)),
                height: Some(BlockHeight(u64::MAX)),
                peers: u32::MAX,
                dialable: Some(false),
                relays: u32::MAX,
                asker,
            })
        };
        let address = UntrustedText::new("x".repeat(1000));
        for response in [
            report(SeenAsker::Connected { relayed: false, inbound: false, address }),
            report(SeenAsker::Unreachable { reason: long() }),
            ReachResponse::PeerUnreachable { reason: long() },
        ] {
            assert_eq!(ReachResponse::decode(&response.encode().unwrap()).unwrap(), response);
        }
    }

    #[test]
    fn more_addresses_than_the_bound_are_left_out() {
        let addresses = vec![UntrustedText::new("/ip4/8.8.4.4/tcp/1"); MAX_REACH_ADDRESSES + 1];
        let probe = ReachRequest::Probe { asker: NodeId::from_bytes([1; 32]), addresses };
        let ReachRequest::Probe { addresses, .. } = ReachRequest::decode(&probe.encode().unwrap()).unwrap()
        else {
            panic!()
        };
        assert_eq!(addresses.len(), MAX_REACH_ADDRESSES);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_a_decoder_panic(bytes: Vec<u8>) {
            let _ = (ReachRequest::decode(&bytes), ReachResponse::decode(&bytes));
        }
    }
}
