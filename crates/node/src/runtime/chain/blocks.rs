//! Blocks by request: the body of a proposal by its id, and committed blocks with their certificates.
//!
//! What a hostile peer can do: ask for as many bytes as an answer may have, as often as its rate allows. A body that it
//! answers is bound to its header here, before anything is concluded from the certificate of that header: validators
//! sign headers alone, so a peer can put any body behind one.

use nervure_consensus::checkpoint::{CertificateError, CommitCertificate};
use nervure_ledger::block::{Block, DecodeBlockError, MAX_BLOCK_LEN};
use nervure_p2p::ProtocolSpec;
use nervure_primitives::{BlockHeight, Hash, cbor::CborError};
use nervure_protocol::{
    bounds::{self, MAX_BLOCKS},
    chain::{BlocksRequest, BlocksResponse, CertifiedBlock},
    protocols::CHAIN,
};
use nervure_store::{Reader, Store, StoreError};
use serde_bytes::ByteBuf;

use super::proposed::ProposedBlocks;

// The response has room for the largest block and its certificate.
const _: () = assert!(bounds::MAX_BLOCK == MAX_BLOCK_LEN);

/// Bytes of a response that are kept free of blocks: room for what goes around them.
const RESPONSE_OVERHEAD: usize = 64 * 1024;

/// The bounds of the protocol.
pub(crate) fn protocol() -> ProtocolSpec {
    ProtocolSpec { per_peer_per_second: 50, ..ProtocolSpec::of(CHAIN) }
}

/// A block and the proof that it was agreed on; nothing is verified yet.
pub(super) type Certified = (Block, CommitCertificate);

/// Answers a request; none when it is not one, or the store is damaged.
pub(super) fn answer(store: &Store, proposed: &ProposedBlocks, request: &[u8]) -> Option<Vec<u8>> {
    let response = match BlocksRequest::decode(request).ok()? {
        BlocksRequest::Body(id) => BlocksResponse::Body(proposed.get(&id).map(ByteBuf::from)),
        BlocksRequest::From(height) => match store.read().and_then(|reader| blocks(&reader, height)) {
            Ok(response) => response,
            Err(error) => {
                tracing::error!(%error, "blocks cannot be served");
                return None;
            }
        },
    };
    response.encode().ok()
}

fn blocks(reader: &Reader, from: BlockHeight) -> Result<BlocksResponse, StoreError> {
    let kept_from = reader.blocks_from()?;
    // The last block of a chain that began with its state has no body here: a node that asks for it lacks it.
    if from < kept_from && from <= reader.head().height {
        return Ok(BlocksResponse::Pruned(kept_from));
    }
    let mut blocks = Vec::new();
    let mut room = CHAIN.max_response - RESPONSE_OVERHEAD;
    for height in (from.0..).take(MAX_BLOCKS.into()).map(BlockHeight) {
        let (Some(block), Some(certificate)) = (reader.block(height)?, reader.certificate(height)?) else {
            break;
        };
        let Ok(block) = block.encode() else { break };
        let Some(left) = room.checked_sub(block.len() + certificate.len() + 16) else { break };
        room = left;
        blocks.push((ByteBuf::from(block), ByteBuf::from(certificate)));
    }
    Ok(BlocksResponse::Blocks(blocks))
}

/// Why an answer of a peer is its fault: an honest node never sends it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidAnswer {
    #[error("it is not an answer: {0}")]
    Response(CborError),
    #[error("it answers another request")]
    OtherRequest,
    #[error("{} blocks, and at most {MAX_BLOCKS} are allowed", .0)]
    TooMany(usize),
    #[error("a block in it: {0}")]
    Block(#[from] DecodeBlockError),
    #[error("a certificate in it: {0}")]
    Certificate(#[from] CertificateError),
    #[error("the block {actual} instead of {expected}")]
    OtherBlock { expected: Hash, actual: Hash },
}

/// The block in an answer to [`BlocksRequest::Body`]: it has this `id`, and its transactions are those that its header
/// commits to. None when the peer does not have it.
pub(super) fn read_body(bytes: &[u8], id: &Hash) -> Result<Option<Block>, InvalidAnswer> {
    let BlocksResponse::Body(body) = BlocksResponse::decode(bytes).map_err(InvalidAnswer::Response)? else {
        return Err(InvalidAnswer::OtherRequest);
    };
    let Some(body) = body else { return Ok(None) };
    let block = Block::decode(&body)?;
    match block.header.id() {
        actual if actual == *id => Ok(Some(block)),
        actual => Err(InvalidAnswer::OtherBlock { expected: *id, actual }),
    }
}

/// What an answer to [`BlocksRequest::From`] says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FromAnswer {
    /// Blocks; each is bound to its header, and no certificate is verified.
    Blocks(Vec<Certified>),
    /// The peer has blocks from this height on.
    Pruned(BlockHeight),
}

/// Reads the answer to [`BlocksRequest::From`] `height`.
pub(super) fn read_blocks(bytes: &[u8], height: BlockHeight) -> Result<FromAnswer, InvalidAnswer> {
    match BlocksResponse::decode(bytes).map_err(InvalidAnswer::Response)? {
        BlocksResponse::Blocks(blocks) if blocks.len() > usize::from(MAX_BLOCKS) => {
            Err(InvalidAnswer::TooMany(blocks.len()))
        }
        BlocksResponse::Blocks(blocks) => {
            blocks.iter().map(read).collect::<Result<_, _>>().map(FromAnswer::Blocks)
        }
        BlocksResponse::Pruned(from) if from > height => Ok(FromAnswer::Pruned(from)),
        // It says that it has the block that it was asked for.
        BlocksResponse::Pruned(_) | BlocksResponse::Body(_) => Err(InvalidAnswer::OtherRequest),
    }
}

/// A block with its certificate, decoded. The block is bound to its header; the certificate is not verified.
pub(super) fn read((block, certificate): &CertifiedBlock) -> Result<Certified, InvalidAnswer> {
    Ok((Block::decode(block)?, CommitCertificate::decode(certificate)?))
}

#[cfg(test)]
pub(super) mod tests;
