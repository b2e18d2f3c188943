//! The protocol by which answers are released to this node.

use std::sync::Arc;

use futures::FutureExt;
use nervure_p2p::{InboundRequest, ProtocolSpec};
use nervure_protocol::{AuditCase, AuditResponse, protocols::AUDIT};

use super::{Auditor, PER_PEER_PER_SECOND};
use crate::runtime::directory::ProtocolHandlers;

/// Released answers that are decoded and verified at once.
const MAX_CONCURRENT_REQUESTS: usize = 8;

/// The bounds of the protocol.
pub(crate) fn protocol() -> ProtocolSpec {
    ProtocolSpec {
        per_peer_per_second: PER_PEER_PER_SECOND,
        inbound: MAX_CONCURRENT_REQUESTS,
        ..ProtocolSpec::of(AUDIT)
    }
}

/// Registers the handler of released answers.
pub(crate) fn register(protocols: &mut ProtocolHandlers, auditor: &Arc<Auditor>) {
    let auditor = auditor.clone();
    protocols.register(AUDIT.name, move |request| answer(auditor.clone(), request).boxed());
}

async fn answer(auditor: Arc<Auditor>, request: InboundRequest) {
    let data = request.data.clone();
    // A signature and some hundred kilobytes of CBOR take too long for a task of the runtime.
    let taken = tokio::task::spawn_blocking(move || take(&auditor, &data)).await;
    let response = taken.unwrap_or_else(|_| AuditResponse::refused("this node failed on it"));
    if let Ok(bytes) = response.encode() {
        request.respond(bytes).await;
    }
}

fn take(auditor: &Auditor, data: &[u8]) -> AuditResponse {
    let case = match AuditCase::decode(data) {
        Ok(case) => case,
        Err(error) => return AuditResponse::refused(error),
    };
    match auditor.take(case) {
        Ok(()) => AuditResponse::Taken,
        Err(reason) => AuditResponse::refused(reason),
    }
}
