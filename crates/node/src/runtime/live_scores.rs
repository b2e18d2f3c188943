//! Live scores on request: answers other nodes from the gossiped scores, and fetches them when this node starts. Without
//! them it would trust by the last epoch's incentives alone, which are about nodes and not about experts, until each
//! validator has published again.
//!
//! What a hostile node can do: leave messages out, or send some of the last hour that are not the newest. Each is verified
//! and compared with the known one, and several nodes are asked.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::FutureExt;
use nervure_p2p::{NetworkHandle, ProtocolSpec};
use nervure_primitives::{Netuid, NodeId};
use nervure_protocol::{ScoresRequest, ScoresResponse, protocols::SCORES};

use super::{directory::ProtocolHandlers, peers, score_gossip::ScoreGossip};

/// Nodes that are asked: one may leave scores out, two rarely the same ones.
const MAX_ASKED_NODES: usize = 2;

/// Pages that are read of one subnet: a subnet has at most 64 validators.
const MAX_PAGES: usize = 16;

/// Between two tries while no node has answered, and how many there are.
const RETRY_DELAY: Duration = Duration::from_millis(200);
const MAX_TRIES: usize = 10;

/// How long all of it may take; later scores come by gossip.
const FETCH_TIMEOUT: Duration = Duration::from_secs(20);

/// The bounds of the protocol.
pub(crate) fn protocol() -> ProtocolSpec {
    ProtocolSpec { per_peer_per_second: 64, ..ProtocolSpec::of(SCORES) }
}

/// Registers the handler of requests for live scores.
pub(crate) fn register(protocols: &mut ProtocolHandlers, score_gossip: &Arc<ScoreGossip>) {
    let score_gossip = score_gossip.clone();
    protocols.register(SCORES.name, move |request| {
        let page = ScoresRequest::decode(&request.data).map(|asked| score_gossip.page(&asked));
        match page.and_then(|page| page.encode()) {
            Ok(answer) => request.respond(answer).boxed(),
            // A dropped request is refused.
            Err(_) => std::future::ready(()).boxed(),
        }
    });
}

/// Fetches the live scores of `netuids`.
pub(crate) async fn fetch(network: &NetworkHandle, score_gossip: &ScoreGossip, netuids: Vec<Netuid>) {
    let fetching = async {
        for _ in 0..MAX_TRIES {
            let asked = peers::registered(network, &BTreeSet::new()).await;
            let mut answered = false;
            for node in asked.into_iter().take(MAX_ASKED_NODES) {
                answered |= fetch_from(network, node, score_gossip, &netuids).await;
            }
            if answered {
                return;
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    };
    if tokio::time::timeout(FETCH_TIMEOUT, fetching).await.is_err() {
        tracing::debug!("live scores were not fetched in time; they come with gossip");
    }
}

/// Fetches all from one node. False when it does not answer.
async fn fetch_from(
    network: &NetworkHandle,
    node: NodeId,
    score_gossip: &ScoreGossip,
    netuids: &[Netuid],
) -> bool {
    for netuid in netuids {
        let mut request = ScoresRequest { netuid: *netuid, after: None };
        for _ in 0..MAX_PAGES {
            let Ok(bytes) = request.encode() else { return false };
            let Ok(answer) = network.request(node, SCORES.name, bytes).await else { return false };
            let Ok(ScoresResponse { scores, more }) = ScoresResponse::decode(&answer) else { return false };
            // All of them, and not only the last.
            let taken: Vec<NodeId> =
                scores.iter().filter_map(|bytes| score_gossip.take_fetched(bytes)).collect();
            let last = taken.last().copied();
            // An honest node's pages ascend; without progress there is nothing more to ask.
            if !more || last.is_none() || last <= request.after {
                break;
            }
            request.after = last;
        }
    }
    true
}
