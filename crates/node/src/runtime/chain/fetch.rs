//! Work that waits for the network runs on the runtime's tasks; results return to the thread as events.

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use nervure_consensus::bft::Candidate;
use nervure_ledger::block::Block;
use nervure_p2p::NetworkHandle;
use nervure_primitives::{BlockHeight, Hash, NodeId};
use nervure_protocol::{chain::BlocksRequest, protocols::CHAIN};
use tokio::{runtime::Handle, time::sleep};
use tracing::Instrument;

use super::{
    blocks::{self, Certified, FromAnswer, InvalidAnswer},
    inbox::Sender,
    submission,
    task::Event,
};
use crate::runtime::peers;

/// Rounds in which the proposer and other peers are asked for a block.
const MAX_FETCH_ROUNDS: u32 = 20;

/// Delay between two such rounds.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// Peers besides the proposer that are asked for a block in each round.
const MAX_OTHER_PEERS: usize = 3;

/// How much later than the one before each of them is asked: an honest proposer is asked alone.
const STAGGER: Duration = Duration::from_millis(300);

/// Peers that are asked for their height at the start.
const HANDSHAKE_PEERS: usize = 3;

/// What a peer that was asked for committed blocks did.
pub(super) enum BlocksAnswer {
    /// It sent blocks, or none when it has no later ones.
    Blocks(Vec<Certified>),
    /// It has blocks from this height on, and not the requested ones.
    Pruned(BlockHeight),
    /// It did not answer.
    Silent,
    /// It sent what no honest node sends.
    Invalid(InvalidAnswer),
}

/// Reaches the network, and returns results to the thread.
#[derive(Clone)]
pub(super) struct Net {
    network: NetworkHandle,
    runtime: Handle,
    events: Sender<Event>,
}

impl Net {
    /// Runs its work on the current runtime, and returns results to `events`.
    pub(super) fn new(network: NetworkHandle, events: Sender<Event>) -> Self {
        Self { network, runtime: Handle::current(), events }
    }

    /// This node.
    pub(super) fn node(&self) -> NodeId {
        self.network.node()
    }

    /// Fetches committed blocks from `height` on from a connected registered node.
    pub(super) fn poll(&self, height: BlockHeight, except: BTreeSet<NodeId>) {
        let net = self.clone();
        self.spawn(async move {
            match peers::registered(&net.network, &except).await.first() {
                Some(peer) => net.request_blocks(*peer, height).await,
                None => net.report(Event::NoPeerToAsk),
            }
        });
    }

    /// Fetches committed blocks from `height` on of some registered nodes, as soon as one is connected. Several are
    /// asked, so that one that hides what it has does not decide what this node knows when it begins.
    pub(super) fn handshake_heights(&self, height: BlockHeight) {
        let net = self.clone();
        self.spawn(async move {
            for _ in 0..MAX_FETCH_ROUNDS {
                let peers = peers::registered(&net.network, &BTreeSet::new()).await;
                if !peers.is_empty() {
                    let asked = peers.iter().take(HANDSHAKE_PEERS);
                    join_all(asked.map(|peer| net.request_blocks(*peer, height))).await;
                    return net.report(Event::HandshakeDone);
                }
                sleep(RETRY_DELAY).await;
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

    /// Asks registered nodes to take a transaction: more than once, unless gossip carries it as well.
    pub(super) fn submit_to_others(&self, id: Hash, data: Vec<u8>, is_gossiped: bool) {
        self.spawn(submission::submit_to_others(self.network.clone(), id, data, is_gossiped));
    }

    /// Does something that only needs the runtime, within the span of the height.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(future.in_current_span());
    }

    /// Fetches the block of a proposal, of its proposer first.
    pub(super) fn body(&self, candidate: Candidate, except: BTreeSet<NodeId>) {
        let net = self.clone();
        self.spawn(async move {
            let block = net.fetch_block(candidate.proposer, candidate.value, &except).await;
            net.report(Event::Body(candidate, block.map(Box::new)));
        });
    }

    /// Fetches committed blocks from `height` on of `peer`.
    pub(super) fn blocks(&self, peer: NodeId, height: BlockHeight) {
        let net = self.clone();
        self.spawn(async move { net.request_blocks(peer, height).await });
    }

    /// Asks `peer` for committed blocks, and reports its answer.
    async fn request_blocks(&self, peer: NodeId, height: BlockHeight) {
        let request = BlocksRequest::From(height).encode().unwrap_or_default();
        let answer = match self.network.request(peer, CHAIN.name, request).await {
            Ok(bytes) => match blocks::read_blocks(&bytes, height) {
                Ok(FromAnswer::Blocks(blocks)) => BlocksAnswer::Blocks(blocks),
                Ok(FromAnswer::Pruned(from)) => BlocksAnswer::Pruned(from),
                Err(invalid) => BlocksAnswer::Invalid(invalid),
            },
            Err(error) => {
                tracing::debug!(%peer, %error, "no blocks");
                BlocksAnswer::Silent
            }
        };
        self.report(Event::Blocks(peer, answer));
    }

    /// Asks the proposer and, later and later, others. The first valid answer wins: a peer that is silent or lies costs
    /// a delay, and not the block.
    async fn fetch_block(&self, proposer: NodeId, id: Hash, except: &BTreeSet<NodeId>) -> Option<Block> {
        let mut refused = except.clone();
        for _ in 0..MAX_FETCH_ROUNDS {
            let peers = peers::registered(&self.network, &refused).await;
            let proposer = (proposer != self.node() && !refused.contains(&proposer)).then_some(proposer);
            let others = peers.into_iter().filter(|peer| Some(*peer) != proposer).take(MAX_OTHER_PEERS);
            let mut attempts: FuturesUnordered<_> = (0..)
                .zip(proposer.into_iter().chain(others))
                .map(|(turn, peer)| async move {
                    // The proposer at once, each other peer a step later: in the usual case one request is
                    // enough.
                    sleep(STAGGER * turn).await;
                    (peer, self.request_body(peer, id).await)
                })
                .collect();
            while let Some((peer, answer)) = attempts.next().await {
                match answer {
                    Ok(Some(block)) => return Some(block),
                    // It does not have the block yet: no fault, and it is asked again in the next round.
                    Ok(None) => {}
                    Err(invalid) => {
                        refused.insert(peer);
                        self.report(Event::InvalidBody(peer, invalid));
                    }
                }
            }
            sleep(RETRY_DELAY).await;
        }
        None
    }

    /// The proposed block with this `id`; none when `peer` does not have it or does not answer.
    async fn request_body(&self, peer: NodeId, id: Hash) -> Result<Option<Block>, InvalidAnswer> {
        let request = BlocksRequest::Body(id).encode().unwrap_or_default();
        match self.network.request(peer, CHAIN.name, request).await {
            Ok(bytes) => blocks::read_body(&bytes, &id),
            Err(_) => Ok(None),
        }
    }

    fn report(&self, event: Event) {
        self.events.answer(event);
    }
}
