//! Work that waits for the network runs on the runtime's tasks; results return to the thread as events.

use std::{sync::mpsc::SyncSender, time::Duration};

use nervure_consensus::bft::Candidate;
use nervure_ledger::block::Block;
use nervure_p2p::NetworkHandle;
use nervure_primitives::{BlockHeight, Hash, NodeId};
use nervure_protocol::{chain::BlocksRequest, protocols::CHAIN};
use tokio::runtime::Handle;
use tracing::Instrument;

use super::{blocks, task::Event};

/// Rounds in which the proposer and other peers are asked for a block.
const MAX_FETCH_ROUNDS: u32 = 20;

/// Delay between two such rounds.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// Peers besides the proposer that are asked in each round.
const MAX_OTHER_PEERS: usize = 3;

/// Reaches the network, and returns results to the thread.
#[derive(Clone)]
pub(super) struct Net {
    network: NetworkHandle,
    runtime: Handle,
    events: SyncSender<Event>,
}

impl Net {
    /// Runs its work on the current runtime, and returns results to `events`.
    pub(super) fn new(network: NetworkHandle, events: SyncSender<Event>) -> Self {
        Self { network, runtime: Handle::current(), events }
    }

    /// This node.
    pub(super) fn node(&self) -> NodeId {
        self.network.node()
    }

    /// Fetches committed blocks from `height` on from a connected registered node.
    pub(super) fn poll(&self, height: BlockHeight) {
        let net = self.clone();
        self.spawn(async move {
            let peers = net.network.peers().await.unwrap_or_default();
            // Rotates with the height, so that a peer that is behind or silent is not asked forever.
            let registered: Vec<_> = peers.into_iter().filter(|peer| peer.registered).collect();
            let turn = height.0 as usize % registered.len().max(1);
            match registered.get(turn) {
                Some(peer) => net.blocks(peer.node, height),
                None => net.report(Event::Blocks(net.node(), None)),
            }
        });
    }

    /// Fetches committed blocks from `height` on of the first registered node that is connected, as soon as one is.
    pub(super) fn handshake_heights(&self, height: BlockHeight) {
        let net = self.clone();
        self.spawn(async move {
            for _ in 0..MAX_FETCH_ROUNDS {
                let peers = net.network.peers().await.unwrap_or_default();
                if let Some(peer) = peers.into_iter().find(|peer| peer.registered) {
                    return net.blocks(peer.node, height);
                }
                tokio::time::sleep(RETRY_DELAY).await;
            }
        });
    }

    /// Publishes a message. Without peers it is lost; the caller sends it again later.
    pub(super) fn publish(&self, topic: &'static str, data: Vec<u8>) {
        let network = self.network.clone();
        self.spawn(async move {
            if let Err(error) = network.publish(topic, data).await {
                tracing::debug!(topic, %error, "not published");
            }
        });
    }

    /// Does something that only needs the runtime, within the span of the height.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(future.in_current_span());
    }

    /// Fetches the block of a proposal.
    pub(super) fn body(&self, candidate: Candidate) {
        let net = self.clone();
        self.spawn(async move {
            let block = net.fetch_block(candidate.proposer, candidate.value).await;
            net.report(Event::Body(candidate, block));
        });
    }

    /// Fetches committed blocks from `height` on, of `peer` first.
    pub(super) fn blocks(&self, peer: NodeId, height: BlockHeight) {
        let net = self.clone();
        self.spawn(async move {
            let asked = net
                .network
                .request(peer, CHAIN.name, BlocksRequest::From(height).encode().unwrap_or_default())
                .await;
            let blocks = match &asked {
                Ok(bytes) => blocks::read_blocks(bytes),
                Err(error) => {
                    tracing::debug!(%peer, %error, "no blocks");
                    None
                }
            };
            net.report(Event::Blocks(peer, blocks));
        });
    }

    async fn fetch_block(&self, proposer: NodeId, id: Hash) -> Option<Block> {
        for _ in 0..MAX_FETCH_ROUNDS {
            let peers = self.network.peers().await.ok()?;
            let others = peers.into_iter().filter(|peer| peer.registered && peer.node != proposer);
            for peer in [proposer].into_iter().chain(others.map(|peer| peer.node).take(MAX_OTHER_PEERS)) {
                if peer == self.network.node() {
                    continue;
                }
                let answer = self
                    .network
                    .request(peer, CHAIN.name, BlocksRequest::Body(id).encode().unwrap_or_default())
                    .await;
                if let Some(block) = answer.ok().and_then(|bytes| blocks::read_body(&bytes, &id)) {
                    return Some(block);
                }
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
        None
    }

    /// Drops the result when the queue is full: the requester asks again.
    fn report(&self, event: Event) {
        let _ = self.events.try_send(event);
    }
}
