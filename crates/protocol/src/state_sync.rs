//! The state of a recent block by request, verified against its certified root.
//!
//! What a hostile peer can do: answer with bytes that are not under the certified root. The receiver finds out when it
//! has all records, and asks another peer.

use nervure_primitives::{
    BlockHeight, Hash,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::protocols::STATE;

/// A request of [`STATE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum StateRequest {
    /// A block with its certificate and validators, or the next one whose certificate is kept; without a height, the last
    /// checkpoint.
    Block(Option<BlockHeight>),
    /// Records of the state after a block, behind a key of the tree.
    Records(BlockHeight, Option<Hash>),
}

impl StateRequest {
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
        cbor::decode(bytes, Limits::new(STATE.max_request))
    }
}

/// The response to a [`StateRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum StateResponse {
    /// To [`StateRequest::Block`]: the encoded checkpoint, if the node has it.
    Block(Option<ByteBuf>),
    /// To [`StateRequest::Records`]: encoded records, and whether they are the last ones; none when the node does not
    /// keep that state.
    Records(Option<(Vec<ByteBuf>, bool)>),
}

impl StateResponse {
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
        cbor::decode(bytes, Limits::new(STATE.max_response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_request_fits_its_bound() {
        let longest = StateRequest::Records(BlockHeight(u64::MAX), Some(Hash::from_bytes([7; 32])));
        assert_eq!(StateRequest::decode(&longest.encode().unwrap()).unwrap(), longest);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_a_decoder_panic(bytes: Vec<u8>) {
            let _ = (StateRequest::decode(&bytes), StateResponse::decode(&bytes));
        }
    }
}
