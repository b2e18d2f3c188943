//! Transactions by request. Nodes throw away what a node gossips that is not registered, so it asks registered nodes to
//! take the transactions of its user, among them the one that registers it. Registered nodes ask, too: a node that was
//! registered a moment ago is not in others' gossip yet, and a peer can hold gossip back.
//!
//! What a hostile peer can do: have signatures verified, at [`PER_PEER_PER_SECOND`] by each connection; strangers share a
//! bounded number of connections, and a quarter of the rate. What the mempool takes is paid for.

use futures::future::join_all;
use nervure_ledger::mempool::MempoolError;
use nervure_p2p::{InboundRequest, NetworkHandle, ProtocolSpec};
use nervure_primitives::{Hash, NodeId};
use nervure_protocol::{protocols::TRANSACTIONS, submission::SubmitResponse};
use tokio::{
    sync::oneshot,
    time::{Duration, sleep},
};

use super::{
    ChainHandle,
    inbox::{Lane, NotQueued},
    task::Event,
    verifier,
};
use crate::runtime::peers;

/// Requests of one registered peer per second; a stranger has a quarter, which is enough for its user.
const PER_PEER_PER_SECOND: u32 = 8;

/// Transactions that are verified at the same time.
const MAX_CONCURRENT_REQUESTS: usize = 8;

/// Registered nodes that are asked to take a transaction: one may be silent, and one may lie.
const ASKED_NODES: usize = 3;

/// How often they are asked, and the pause after the first time; each further one is twice as long.
const MAX_ROUNDS: u32 = 7;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The bounds of the protocol.
pub(crate) fn protocol() -> ProtocolSpec {
    ProtocolSpec {
        per_peer_per_second: PER_PEER_PER_SECOND,
        inbound: MAX_CONCURRENT_REQUESTS,
        ..ProtocolSpec::of(TRANSACTIONS)
    }
}

impl ChainHandle {
    /// Answers a node that asks this one to take its transaction.
    pub(super) async fn answer_submission(&self, request: InboundRequest) {
        let response = self.take_submission(request.from, request.data.clone()).await;
        if let Ok(bytes) = response.encode() {
            request.respond(bytes).await;
        }
    }

    /// Takes a transaction of another node's user, if the mempool does.
    pub(crate) async fn take_submission(&self, from: NodeId, data: Vec<u8>) -> SubmitResponse {
        let mesh = self.view().tip.header.mesh;
        // A signature takes too long for a task of the runtime.
        let verified = tokio::task::spawn_blocking(move || verifier::verify(&data, &mesh)).await;
        let Ok(Some(signed)) = verified else {
            return SubmitResponse::refused("it is no transaction of this mesh");
        };
        let (reply, answer) = oneshot::channel();
        let event = Event::TakeSubmission { from, signed: Box::new(signed), reply };
        if let Err(NotQueued::Full(_) | NotQueued::Closed(_)) = self.events.send(Lane::Transactions, event) {
            self.metrics.dropped(Lane::Transactions);
            return SubmitResponse::refused("the node is busy");
        }
        match answer.await {
            // A transaction that it has is as good as one that it takes.
            Ok(Ok(_) | Err(MempoolError::Known)) => SubmitResponse::Taken,
            Ok(Err(refusal)) => SubmitResponse::refused(refusal),
            Err(_) => SubmitResponse::refused("the node has stopped following the chain"),
        }
    }
}

/// Asks registered nodes to take the transaction `id`, until one has it or those that answer refuse it; once only if
/// gossip carries it as well.
pub(super) async fn submit_to_others(network: NetworkHandle, id: Hash, data: Vec<u8>, is_gossiped: bool) {
    let mut pause = FIRST_PAUSE;
    for _ in 0..MAX_ROUNDS {
        let peers = peers::registered(&network, &Default::default()).await;
        let asked = peers.into_iter().take(ASKED_NODES).map(|peer| ask(&network, peer, data.clone()));
        let answers: Vec<SubmitResponse> = join_all(asked).await.into_iter().flatten().collect();
        if answers.contains(&SubmitResponse::Taken) {
            return tracing::debug!(%id, "a registered node has the transaction");
        }
        if let Some(SubmitResponse::Refused { reason }) = answers.first() {
            return tracing::warn!(%id, %reason, "registered nodes do not take the transaction");
        }
        if is_gossiped {
            return;
        }
        sleep(pause).await;
        pause = pause.saturating_mul(2);
    }
    tracing::warn!(%id, "no registered node can be asked to take the transaction; it is tried again later");
}

/// What `peer` answers, if it does.
async fn ask(network: &NetworkHandle, peer: NodeId, data: Vec<u8>) -> Option<SubmitResponse> {
    let answer = network.request(peer, TRANSACTIONS.name, data).await;
    let answer =
        answer.inspect_err(|error| tracing::debug!(%peer, %error, "the transaction was not submitted"));
    SubmitResponse::decode(&answer.ok()?).ok()
}
