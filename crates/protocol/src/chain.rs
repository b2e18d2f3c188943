//! Blocks by gossip and by request, and the counter before a consensus message.
//!
//! Blocks and certificates are bytes here. What a hostile peer can do: send bytes that are neither. The receiver uses a
//! block only after its certificate, or its id, was checked.

use nervure_primitives::{
    BlockHeight, Hash,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{
    bounds::{CONSENSUS_COUNTER, MAX_BLOCK_ANNOUNCEMENT},
    protocols::CHAIN,
};

/// Bytes of an announcement besides block and certificate, rounded up.
const ANNOUNCEMENT_OVERHEAD: usize = 64;

/// An encoded block and its encoded commit certificate.
pub type CertifiedBlock = (ByteBuf, ByteBuf);

/// Puts the sending's `number` before an encoded consensus message.
///
/// Gossip carries one message once. A vote that is sent again because it may have been lost is the same message, so two
/// bytes that mean nothing make it another one.
pub fn frame_consensus(message: &[u8], number: u16) -> Vec<u8> {
    [&number.to_be_bytes(), message].concat()
}

/// The encoded consensus message behind the counter.
///
/// # Errors
/// When `bytes` are shorter than the counter.
pub fn unframe_consensus(bytes: &[u8]) -> Result<&[u8], CborError> {
    let (_, message) = bytes.split_at_checked(CONSENSUS_COUNTER).ok_or(CborError::Truncated { at: 0 })?;
    Ok(message)
}

/// That a block was committed: with the block when it is small, else only its height.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockAnnouncement {
    /// Its height.
    pub height: BlockHeight,
    /// The block and its certificate.
    pub block: Option<CertifiedBlock>,
}

impl BlockAnnouncement {
    /// An announcement: without the block when it would be too long.
    pub fn new(height: BlockHeight, block: Vec<u8>, certificate: Vec<u8>) -> Self {
        let small = block.len() + certificate.len() < MAX_BLOCK_ANNOUNCEMENT - ANNOUNCEMENT_OVERHEAD;
        let block = small.then(|| (ByteBuf::from(block), ByteBuf::from(certificate)));
        Self { height, block }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// None in practice: byte strings and integers always encode.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// Reads one.
    ///
    /// # Errors
    /// When the bytes are too many or not an announcement.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(MAX_BLOCK_ANNOUNCEMENT))
    }
}

/// A request of [`CHAIN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BlocksRequest {
    /// The block with this id, if it is proposed now.
    Body(Hash),
    /// Committed blocks from a height on, as many as fit.
    From(BlockHeight),
}

impl BlocksRequest {
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
        cbor::decode(bytes, Limits::new(CHAIN.max_request))
    }
}

/// The response to a [`BlocksRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BlocksResponse {
    /// To [`BlocksRequest::Body`]: the encoded block, if the node has it.
    Body(Option<ByteBuf>),
    /// To [`BlocksRequest::From`]: at most [`MAX_BLOCKS`](crate::bounds::MAX_BLOCKS) blocks, by height.
    Blocks(Vec<CertifiedBlock>),
    /// To [`BlocksRequest::From`]: the node no longer has these blocks, or never had them; it has those from this height,
    /// which is greater than the requested one, on.
    Pruned(BlockHeight),
}

impl BlocksResponse {
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
        cbor::decode(bytes, Limits::new(CHAIN.max_response))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_large_block_is_announced_without_its_bytes() {
        let announced = |len| BlockAnnouncement::new(BlockHeight(7), vec![1; len], vec![2; 9]);
        let (block, certificate) = announced(1_000).block.unwrap();
        assert_eq!((block.len(), certificate.len()), (1_000, 9));
        let large = announced(MAX_BLOCK_ANNOUNCEMENT);
        assert_eq!(large, BlockAnnouncement { height: BlockHeight(7), block: None });
        let longest = announced(MAX_BLOCK_ANNOUNCEMENT - ANNOUNCEMENT_OVERHEAD - 10);
        assert_eq!(BlockAnnouncement::decode(&longest.encode().unwrap()).unwrap(), longest);
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_decoder_panic(bytes: Vec<u8>) {
            let _ = (unframe_consensus(&bytes), BlockAnnouncement::decode(&bytes));
            let _ = (BlocksRequest::decode(&bytes), BlocksResponse::decode(&bytes));
        }
    }
}
