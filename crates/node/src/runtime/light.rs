//! `light/1`: what a node serves to clients without a state, and the client that asks for it.
//!
//! A client verifies certificates from the genesis of its mesh spec, or a block that its user trusts, to the newest block,
//! and proves single records of its state. So `--mesh` costs some kilobytes, however large the state is.
//!
//! What a hostile peer can do: hide newer blocks, records and experts, as long as every other asked peer does so too; have
//! this client verify some certificates; answer slowly. What it cannot do: make the client believe a record, a slot or a
//! block that the validators did not agree on. Nothing unverified is used instead.

mod client;
mod experts;
mod failure;
mod hints;
mod records;
mod server;
mod slots;
mod source;
mod spec;
mod transactions;

use nervure_p2p::ProtocolSpec;
use nervure_protocol::{bounds, protocols::LIGHT};

use super::directory::{ProtocolHandlers, register_concurrent};

pub(crate) use client::{LightHandle, Submitted};
pub(crate) use failure::{LightFailure, PeerFault};
pub(crate) use records::PartialState;
pub(crate) use server::LightServer;
pub(crate) use slots::ProvenSlots;
pub(crate) use spec::fetch as fetch_spec;

// The largest parts of a response.
const _: () = assert!(
    bounds::MAX_LIGHT_RESPONSE
        >= nervure_light::score::MAX_EPOCH_PROOF_LEN + nervure_ledger::checkpoint::MAX_CHECKPOINT_LEN + 1024
);
const _: () = assert!(
    bounds::MAX_LIGHT_RESPONSE >= bounds::LIGHT_PAGE + nervure_ledger::tree::MAX_FACT_LEN + 16 * 1024
);

/// Requests that read from the disk at the same time.
const MAX_CONCURRENT_REQUESTS: usize = 8;

/// Requests of one registered peer per second; a stranger has a quarter, which is more than a question needs.
const PER_PEER_PER_SECOND: u32 = 80;

/// The bounds of the protocol.
pub(super) fn protocol() -> ProtocolSpec {
    ProtocolSpec {
        per_peer_per_second: PER_PEER_PER_SECOND,
        inbound: MAX_CONCURRENT_REQUESTS,
        ..ProtocolSpec::of(LIGHT)
    }
}

/// Registers the handler of requests for proofs.
pub(super) fn register(protocols: &mut ProtocolHandlers, server: &LightServer) {
    let server = server.clone();
    register_concurrent(protocols, LIGHT.name, move |request| {
        let server = server.clone();
        async move {
            if let Some(bytes) = server.response(&request.data).await {
                request.respond(bytes).await;
            }
        }
    });
}
