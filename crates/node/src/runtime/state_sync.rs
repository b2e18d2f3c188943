//! Beginning without history: the state of a recent block by request, verified against its certified root.
//!
//! A node that begins fetches a block with its certificate, follows certificates to it from what its operator trusts
//! ([`fetch`]), and then the records of its state, page by page, of the same peer. Any registered node serves them.
//!
//! What a hostile peer can do: ask for a page of [`PAGE`] bytes as often as its rate allows; answer with up to
//! [`MAX_STATE_LEN`](nervure_ledger::snapshot::MAX_STATE_LEN) bytes of records before the root turns out to be wrong, upon which
//! another peer is asked. What it cannot: have a single record used that is not under the certified root.

mod fetch;

use nervure_ledger::snapshot::StatePage;
use nervure_p2p::{InboundRequest, ProtocolSpec};
use nervure_primitives::{
    BlockHeight, Hash,
    cbor::{self, Limits},
};
use nervure_store::{Reader, StoreError};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::chain::ChainHandle;

pub(crate) use fetch::{StateSyncError, begin};

/// Name and version of the protocol.
pub(super) const PROTOCOL: &str = "state/1";

/// Bytes of records in a page.
const PAGE: usize = 512 << 10;

/// Longest request in bytes.
const MAX_REQUEST: usize = 96;

/// Longest answer in bytes: a page, one more record, and what goes around them.
const MAX_ANSWER: usize = PAGE + nervure_ledger::tree::MAX_RECORD_LEN + (64 << 10);

/// Pages that are read from the disk at once.
const INBOUND: usize = 4;

/// The bounds of the protocol.
pub(super) fn protocol() -> ProtocolSpec {
    ProtocolSpec {
        max_request: MAX_REQUEST,
        max_response: MAX_ANSWER,
        inbound: INBOUND,
        ..ProtocolSpec::new(PROTOCOL)
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    /// A block with what it takes to believe it; without a height, the last checkpoint.
    Block(Option<BlockHeight>),
    /// Records of the state after a block, behind a place of the tree.
    Records(BlockHeight, Option<Hash>),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Answer {
    /// The encoded [`Checkpoint`](nervure_ledger::checkpoint::Checkpoint), if it is here.
    Block(Option<ByteBuf>),
    /// Encoded records, and whether they are the last ones; nothing where the state is not kept.
    Records(Option<(Vec<ByteBuf>, bool)>),
}

/// Answers another node.
pub(super) async fn answer(chain: &ChainHandle, request: InboundRequest) {
    let Ok(asked) = cbor::decode(&request.data, Limits::new(MAX_REQUEST)) else { return };
    match chain.read(move |reader| look_up(reader, asked)).await {
        Ok(answer) => {
            if let Ok(bytes) = cbor::encode(&answer) {
                request.respond(bytes).await;
            }
        }
        Err(error) => tracing::error!(%error, "the state cannot be served"),
    }
}

fn look_up(reader: &Reader, request: Request) -> Result<Answer, StoreError> {
    match request {
        Request::Block(height) => {
            let height = match height {
                Some(height) => Some(height),
                None => reader.epoch_ends(BlockHeight(u64::MAX), 1)?.pop().map(|end| end.height),
            };
            let found = height.map(|height| reader.checkpoint(height)).transpose()?.flatten();
            Ok(Answer::Block(found.and_then(|found| found.encode().ok()).map(ByteBuf::from)))
        }
        Request::Records(height, after) => match reader.page(height, after, PAGE) {
            Ok(StatePage { records, last }) => {
                let records = records.into_iter().map(ByteBuf::from).collect();
                Ok(Answer::Records(Some((records, last))))
            }
            Err(StoreError::NotKept { .. }) => Ok(Answer::Records(None)),
            Err(error) => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_fit_their_bound_and_are_frozen() {
        let bytes = |request: Request| cbor::encode(&request).unwrap();
        let longest = bytes(Request::Records(BlockHeight(u64::MAX), Some(Hash::from_bytes([7; 32]))));
        assert!(longest.len() <= MAX_REQUEST, "{}", longest.len());
        assert_eq!(bytes(Request::Block(None)), b"\xa1\x65block\xf6");
        assert_eq!(bytes(Request::Records(BlockHeight(1), None)), b"\xa1\x67records\x82\x01\xf6");
    }
}
