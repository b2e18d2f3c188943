//! Blocks by request: the body of a proposal by its id, and committed blocks with their certificates.
//!
//! What a hostile peer can do: ask for as many bytes as an answer may have, as often as its rate allows.
//! What it answers is used only after its certificate, or its id, has been checked.

use nervure_consensus::checkpoint::CommitCertificate;
use nervure_ledger::block::{Block, MAX_BLOCK_LEN};
use nervure_p2p::ProtocolSpec;
use nervure_primitives::{BlockHeight, Hash};
use nervure_protocol::{
    bounds::{self, MAX_BLOCKS},
    chain::{BlocksRequest, BlocksResponse, CertifiedBlock},
    protocols::CHAIN,
};
use nervure_store::{Reader, Store, StoreError};
use serde_bytes::ByteBuf;

use super::bodies::Bodies;

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
pub(super) fn answer(store: &Store, bodies: &Bodies, request: &[u8]) -> Option<Vec<u8>> {
    let response = match BlocksRequest::decode(request).ok()? {
        BlocksRequest::Body(id) => BlocksResponse::Body(bodies.get(&id).map(ByteBuf::from)),
        BlocksRequest::From(height) => match store.read().and_then(|reader| blocks(&reader, height)) {
            Ok(blocks) => BlocksResponse::Blocks(blocks),
            Err(error) => {
                tracing::error!(%error, "blocks cannot be served");
                return None;
            }
        },
    };
    response.encode().ok()
}

fn blocks(reader: &Reader, from: BlockHeight) -> Result<Vec<CertifiedBlock>, StoreError> {
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
    Ok(blocks)
}

/// The block in an answer to [`BlocksRequest::Body`], if it is the one with this `id`.
pub(super) fn read_body(bytes: &[u8], id: &Hash) -> Option<Block> {
    let BlocksResponse::Body(Some(body)) = BlocksResponse::decode(bytes).ok()? else { return None };
    let block = Block::decode(&body).ok()?;
    (block.header.id() == *id).then_some(block)
}

/// The blocks in an answer to [`BlocksRequest::From`], if they are what they should be.
pub(super) fn read_blocks(bytes: &[u8]) -> Option<Vec<Certified>> {
    let BlocksResponse::Blocks(blocks) = BlocksResponse::decode(bytes).ok()? else { return None };
    blocks.into_iter().take(MAX_BLOCKS.into()).map(|pair| read(&pair)).collect()
}

/// A block with its certificate, decoded.
pub(super) fn read((block, certificate): &CertifiedBlock) -> Option<Certified> {
    Some((Block::decode(block).ok()?, CommitCertificate::decode(certificate).ok()?))
}
