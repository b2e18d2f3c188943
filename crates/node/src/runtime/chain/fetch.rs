//! What has to wait for the network, on the runtime's tasks; results come back as events.

use std::{sync::mpsc::SyncSender, time::Duration};

use nervure_consensus::bft::Candidate;
use nervure_ledger::block::Block;
use nervure_p2p::NetworkHandle;
use nervure_primitives::{BlockHeight, Hash, NodeId};
use nervure_protocol::{chain::BlocksRequest, protocols::CHAIN};
use tokio::runtime::Handle;

use super::{blocks, task::Event};

/// How often a block is asked for, of the proposer and of others.
const TRIES: u32 = 20;

/// Pause between two rounds of asking.
const PAUSE: Duration = Duration::from_millis(100);

/// Others that are asked in each round.
const OTHERS: usize = 3;

/// The way to the network, and back to the thread.
#[derive(Clone)]
pub(super) struct Net {
    pub(super) network: NetworkHandle,
    pub(super) runtime: Handle,
    pub(super) events: SyncSender<Event>,
}

impl Net {
    /// Who this node is.
    pub(super) fn node(&self) -> NodeId {
        self.network.node()
    }

    /// Fetches committed blocks from `height` on, of whoever registered is connected.
    pub(super) fn poll(&self, height: BlockHeight) {
        let net = self.clone();
        self.runtime.spawn(async move {
            let peers = net.network.peers().await.unwrap_or_default();
            // Another one for another height, so that one that is behind or silent is not asked forever.
            let registered: Vec<_> = peers.into_iter().filter(|peer| peer.registered).collect();
            let turn = height.0 as usize % registered.len().max(1);
            match registered.get(turn) {
                Some(peer) => net.blocks(peer.node, height),
                None => net.report(Event::Blocks(net.node(), None)),
            }
        });
    }

    /// Fetches committed blocks from `height` on of the first registered node that is connected, as soon as one is.
    pub(super) fn meet(&self, height: BlockHeight) {
        let net = self.clone();
        self.runtime.spawn(async move {
            for _ in 0..TRIES {
                let peers = net.network.peers().await.unwrap_or_default();
                if let Some(peer) = peers.into_iter().find(|peer| peer.registered) {
                    return net.blocks(peer.node, height);
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
    }

    /// Sends a message to everybody. One that nobody is there for is lost: it is sent again.
    pub(super) fn publish(&self, topic: &'static str, data: Vec<u8>) {
        let network = self.network.clone();
        self.runtime.spawn(async move {
            if let Err(error) = network.publish(topic, data).await {
                tracing::debug!(topic, %error, "not published");
            }
        });
    }

    /// Does something that only needs the runtime.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(future);
    }

    /// Fetches the block of a proposal.
    pub(super) fn body(&self, candidate: Candidate) {
        let net = self.clone();
        self.runtime.spawn(async move {
            let block = net.ask_for(candidate.proposer, candidate.value).await;
            net.report(Event::Body(candidate, block));
        });
    }

    /// Fetches committed blocks from `height` on, of `peer` first.
    pub(super) fn blocks(&self, peer: NodeId, height: BlockHeight) {
        let net = self.clone();
        self.runtime.spawn(async move {
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

    async fn ask_for(&self, proposer: NodeId, id: Hash) -> Option<Block> {
        for _ in 0..TRIES {
            let peers = self.network.peers().await.ok()?;
            let others = peers.into_iter().filter(|peer| peer.registered && peer.node != proposer);
            for peer in [proposer].into_iter().chain(others.map(|peer| peer.node).take(OTHERS)) {
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
            tokio::time::sleep(PAUSE).await;
        }
        None
    }

    /// A result that finds no room is lost like a message: whoever needed it asks again.
    fn report(&self, event: Event) {
        let _ = self.events.try_send(event);
    }
}
