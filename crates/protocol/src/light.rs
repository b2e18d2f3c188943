//! What a client without a state asks: certificates, and records with proofs.
//!
//! Nothing in a response is trusted. A block counts by its certificate, a record by its proof under the root in the header
//! of a certified block, and an expert record by its signature. A list of keys says only where to look: each record is proven.
//!
//! What a hostile peer can do: leave keys, slots and expert records out, for which reason several peers are asked; have
//! records read from the disk, at the low rate of unregistered nodes and a bounded number of them at once.

use nervure_primitives::{
    BlockHeight, Capability, Hash, Netuid, NodeId, Uid,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{directory::PageCursor, protocols::LIGHT};

/// A request of [`LIGHT`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LightRequest {
    /// The last block with its certificate and validators.
    Newest,
    /// A block with its certificate and validators; without a height, the last one that ended an epoch.
    Block(Option<BlockHeight>),
    /// Records of the state after a block, by their keys as text, at most
    /// [`MAX_LIGHT_KEYS`](crate::bounds::MAX_LIGHT_KEYS).
    Facts(BlockHeight, Vec<String>),
    /// The neurons of nodes in subnets, in the state after a block; at most
    /// [`MAX_LIGHT_SLOTS`](crate::bounds::MAX_LIGHT_SLOTS).
    Slots(BlockHeight, Vec<(Netuid, NodeId)>),
    /// The keys of the records of a subject.
    Keys(KeysOf),
    /// What explains the score of a node in the last epoch of a subnet.
    Epoch(Netuid, NodeId),
    /// Expert records of a capability, or all, behind a record.
    Experts(Option<Capability>, Option<PageCursor>),
    /// What became of a transaction.
    Transaction(Hash),
    /// The mesh spec.
    Spec,
}

/// A subject of which a client wants all records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KeysOf {
    /// An owner: its account, stakes, nodes, and what waits for it.
    Owner(NodeId),
    /// A node: its record, its standing as a validator, its slots.
    Node(NodeId),
    /// All subnets, without their neurons.
    Subnets,
    /// A subnet, its neurons and their nodes.
    Subnet(Netuid),
    /// The validators.
    Validators,
}

/// The response to a [`LightRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LightResponse {
    /// To [`LightRequest::Newest`] and [`LightRequest::Block`]: the encoded checkpoint, if the node has it.
    Block(Option<ByteBuf>),
    /// To [`LightRequest::Facts`]: encoded facts, in the order of the keys, as many as fit; none when the node does not
    /// keep that state.
    Facts(Option<Vec<ByteBuf>>),
    /// To [`LightRequest::Slots`]: the slot of each node with its encoded fact, or none, in the order of the request, as
    /// many as fit; none when the node does not keep that state.
    Slots(Option<Vec<Option<(Uid, ByteBuf)>>>),
    /// To [`LightRequest::Keys`]: the keys as text.
    Keys(Vec<String>),
    /// To [`LightRequest::Epoch`]: the encoded checkpoint and epoch proof, if the node has them.
    Epoch(Option<(ByteBuf, ByteBuf)>),
    /// To [`LightRequest::Experts`]: signed expert records, and where the next page begins.
    Experts(Vec<ByteBuf>, Option<PageCursor>),
    /// To [`LightRequest::Transaction`]: the block that it is in and the encoded event, if the node knows it.
    Transaction(Option<(BlockHeight, ByteBuf)>),
    /// To [`LightRequest::Spec`]: the spec as text.
    Spec(ByteBuf),
}

impl LightRequest {
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
        cbor::decode(bytes, Limits::new(LIGHT.max_request))
    }
}

impl LightResponse {
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
        cbor::decode(bytes, Limits::new(LIGHT.max_response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::{MAX_LIGHT_KEY, MAX_LIGHT_KEYS, MAX_LIGHT_SLOTS};

    #[test]
    fn the_longest_requests_fit_their_bound() {
        let node = NodeId::from_bytes([7; 32]);
        let keys = vec!["x".repeat(MAX_LIGHT_KEY); MAX_LIGHT_KEYS];
        let slots = vec![(Netuid(u16::MAX), node); MAX_LIGHT_SLOTS];
        for longest in [
            LightRequest::Facts(BlockHeight(u64::MAX), keys),
            LightRequest::Slots(BlockHeight(u64::MAX), slots),
        ] {
            assert_eq!(LightRequest::decode(&longest.encode().unwrap()).unwrap(), longest);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_a_decoder_panic(bytes: Vec<u8>) {
            let _ = (LightRequest::decode(&bytes), LightResponse::decode(&bytes));
        }
    }
}
