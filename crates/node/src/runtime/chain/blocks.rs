//! Blocks by request: the body of a proposal by its id, and committed blocks with their certificates.
//!
//! What a hostile peer can do: ask for as many bytes as an answer may have, as often as its rate allows.
//! What it answers is used only after its certificate, or its id, has been checked.

use nervure_consensus::checkpoint::CommitCertificate;
use nervure_ledger::block::{Block, MAX_BLOCK_LEN};
use nervure_p2p::ProtocolSpec;
use nervure_primitives::{
    BlockHeight, Hash,
    cbor::{self, Limits},
};
use nervure_store::{Reader, Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::bodies::Bodies;

/// Name and version of the protocol.
pub(super) const PROTOCOL: &str = "chain/1";

/// Most blocks of one answer.
pub(super) const MOST: u16 = 500;

/// Longest answer in bytes: the largest block, its certificate, and what goes around them.
const MAX_ANSWER: usize = MAX_BLOCK_LEN + 128 * 1024;

/// The bounds of the protocol.
pub(crate) fn protocol() -> ProtocolSpec {
    ProtocolSpec {
        max_request: 64,
        max_response: MAX_ANSWER,
        per_peer_per_second: 50,
        ..ProtocolSpec::new(PROTOCOL)
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Request {
    /// The block with this id, if it is proposed now.
    Body(Hash),
    /// Committed blocks from a height on, as many as fit.
    From(BlockHeight),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Answer {
    Body(Option<ByteBuf>),
    Blocks(Vec<(ByteBuf, ByteBuf)>),
}

/// A block and the proof that it was agreed on; nothing is verified yet.
pub(super) type Certified = (Block, CommitCertificate);

/// The bytes of a request.
pub(super) fn ask(request: Request) -> Vec<u8> {
    cbor::encode(&request).unwrap_or_default()
}

/// Answers a request; none when it is not one, or the store is damaged.
pub(super) fn answer(store: &Store, bodies: &Bodies, request: &[u8]) -> Option<Vec<u8>> {
    let answer = match cbor::decode(request, Limits::new(64)).ok()? {
        Request::Body(id) => Answer::Body(bodies.get(&id).map(ByteBuf::from)),
        Request::From(height) => match store.read().and_then(|reader| blocks(&reader, height)) {
            Ok(blocks) => Answer::Blocks(blocks),
            Err(error) => {
                tracing::error!(%error, "blocks cannot be served");
                return None;
            }
        },
    };
    cbor::encode(&answer).ok()
}

fn blocks(reader: &Reader, from: BlockHeight) -> Result<Vec<(ByteBuf, ByteBuf)>, StoreError> {
    let mut blocks = Vec::new();
    let mut room = MAX_ANSWER - 64 * 1024;
    for height in (from.0..).take(MOST.into()).map(BlockHeight) {
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

/// The block in an answer to [`Request::Body`], if it is the one with this `id`.
pub(super) fn read_body(bytes: &[u8], id: &Hash) -> Option<Block> {
    let Answer::Body(Some(body)) = cbor::decode(bytes, Limits::new(MAX_ANSWER)).ok()? else { return None };
    let block = Block::decode(&body).ok()?;
    (block.header.id() == *id).then_some(block)
}

/// The blocks in an answer to [`Request::From`], if they are what they should be.
pub(super) fn read_blocks(bytes: &[u8]) -> Option<Vec<Certified>> {
    let Answer::Blocks(blocks) = cbor::decode(bytes, Limits::new(MAX_ANSWER)).ok()? else { return None };
    blocks.into_iter().take(MOST.into()).map(|pair| read(&pair)).collect()
}

/// A block with its certificate, decoded.
pub(super) fn read((block, certificate): &(ByteBuf, ByteBuf)) -> Option<Certified> {
    Some((Block::decode(block).ok()?, CommitCertificate::decode(certificate).ok()?))
}
