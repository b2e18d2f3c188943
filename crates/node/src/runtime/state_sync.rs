//! State sync: a new node fetches the state of a recent block and verifies it against the certified state root.
//!
//! It fetches a block with its certificate, verifies certificates from the operator's trusted block up to that one
//! ([`fetch`]), and then fetches the records of its state, page by page, from the same peer. Any registered node serves
//! them.
//!
//! What a hostile peer can do: ask for a page of [`STATE_PAGE`] bytes as often as its rate allows; answer with up to
//! [`MAX_STATE_LEN`](nervure_ledger::snapshot::MAX_STATE_LEN) bytes of records before the root turns out to be
//! wrong; then another peer is asked. It cannot get a single record used that is not under the certified root.

mod fetch;

use nervure_ledger::snapshot::StatePage;
use nervure_p2p::{InboundRequest, ProtocolSpec};
use nervure_primitives::BlockHeight;
use nervure_protocol::{
    bounds::{self, STATE_PAGE},
    protocols::STATE,
    state_sync::{StateRequest, StateResponse},
};
use nervure_store::{Reader, StoreError};
use serde_bytes::ByteBuf;

use super::{
    chain::ChainHandle,
    directory::{ProtocolHandlers, register_concurrent},
};

pub(crate) use fetch::{StateSyncError, begin};

// The response has room for a page and one more record.
const _: () = assert!(bounds::MAX_STATE_RECORD == nervure_ledger::tree::MAX_RECORD_LEN);

/// Pages that are read from the disk at the same time.
const MAX_CONCURRENT_REQUESTS: usize = 4;

/// The bounds of the protocol.
pub(super) fn protocol() -> ProtocolSpec {
    ProtocolSpec { inbound: MAX_CONCURRENT_REQUESTS, ..ProtocolSpec::of(STATE) }
}

/// Registers the handler of requests for the state.
pub(super) fn register(protocols: &mut ProtocolHandlers, chain: &ChainHandle) {
    let chain = chain.clone();
    register_concurrent(protocols, STATE.name, move |request| {
        let chain = chain.clone();
        async move { answer(&chain, request).await }
    });
}

/// Answers another node.
async fn answer(chain: &ChainHandle, request: InboundRequest) {
    let Ok(asked) = StateRequest::decode(&request.data) else { return };
    match chain.read(move |reader| look_up(reader, asked)).await {
        Ok(answer) => {
            if let Ok(bytes) = answer.encode() {
                request.respond(bytes).await;
            }
        }
        Err(error) => tracing::error!(%error, "the state cannot be served"),
    }
}

fn look_up(reader: &Reader, request: StateRequest) -> Result<StateResponse, StoreError> {
    match request {
        StateRequest::Block(height) => {
            let height = match height {
                Some(height) => Some(height),
                None => reader.epoch_ends(BlockHeight(u64::MAX), 1)?.pop().map(|end| end.height),
            };
            let found = height.map(|height| reader.checkpoint(height)).transpose()?.flatten();
            Ok(StateResponse::Block(found.and_then(|found| found.encode().ok()).map(ByteBuf::from)))
        }
        StateRequest::Records(height, after) => match reader.page(height, after, STATE_PAGE) {
            Ok(StatePage { records, last }) => {
                let records = records.into_iter().map(ByteBuf::from).collect();
                Ok(StateResponse::Records(Some((records, last))))
            }
            Err(StoreError::NotKept { .. }) => Ok(StateResponse::Records(None)),
            Err(error) => Err(error),
        },
    }
}
