//! One peer as the source of a light client, over the swarm or over HTTP.

use std::time::Duration;

use data_encoding::BASE64;
use nervure_anchor::AnchorDomain;
use nervure_api::Client;
use nervure_ledger::tree::Key;
use nervure_light::{EpochResponse, FactResponse, Source};
use nervure_p2p::{NetworkHandle, RequestError};
use nervure_primitives::{BlockHeight, Netuid, NodeId, Uid};
use nervure_protocol::{
    light::{KeysOf, LightRequest, LightResponse},
    protocols::{ANCHOR, LIGHT, TRANSACTIONS},
    submission::SubmitResponse,
};
use serde_bytes::ByteBuf;

use super::PeerFault;
use crate::runtime::anchor;

/// How often a request is repeated when the peer is busy or limits our rate.
const MAX_RETRIES: u32 = 8;

/// Before a request is repeated.
const RETRY_DELAY: Duration = Duration::from_millis(150);

/// How a peer is asked.
#[derive(Clone)]
pub(super) enum Road {
    /// Over the swarm.
    Swarm(Box<NetworkHandle>, NodeId),
    /// Over its HTTP API.
    Http(Client),
}

/// A peer that is asked.
#[derive(Clone)]
pub(super) struct PeerSource {
    pub(super) road: Road,
    /// Where the mesh keeps its checkpoints, if anywhere.
    pub(super) domain: AnchorDomain,
}

impl PeerSource {
    /// Its node id, or where its HTTP API is.
    pub(super) fn name(&self) -> String {
        match &self.road {
            Road::Swarm(_, peer) => peer.to_string(),
            Road::Http(client) => client.address().to_string(),
        }
    }

    /// Asks the peer to take a transaction.
    pub(super) async fn submit(&self, envelope: &[u8]) -> Option<SubmitResponse> {
        let answer = match &self.road {
            Road::Swarm(network, peer) => {
                network.request(*peer, TRANSACTIONS.name, envelope.to_vec()).await.ok()?
            }
            Road::Http(client) => client.submit_light(envelope).await.ok()?,
        };
        SubmitResponse::decode(&answer).ok()
    }

    /// What the peer answers.
    pub(super) async fn ask(&self, request: &LightRequest) -> Result<LightResponse, PeerFault> {
        let data = request.encode().map_err(|_| PeerFault::Malformed)?;
        let mut tries = 0;
        loop {
            let (network, peer) = match &self.road {
                Road::Swarm(network, peer) => (network, *peer),
                Road::Http(client) => {
                    let answer = client.light(&data).await?;
                    return LightResponse::decode(&answer).map_err(|_| PeerFault::Malformed);
                }
            };
            match network.request(peer, LIGHT.name, data.clone()).await {
                Ok(bytes) => return LightResponse::decode(&bytes).map_err(|_| PeerFault::Malformed),
                // The only errors that pass by themselves. Others end the attempt with this peer.
                Err(RequestError::Busy | RequestError::TooOften) if tries < MAX_RETRIES => {
                    tries += 1;
                    tokio::time::sleep(RETRY_DELAY).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn block(&self, request: LightRequest, what: &str) -> Result<Vec<u8>, PeerFault> {
        match self.ask(&request).await? {
            LightResponse::Block(Some(bytes)) => Ok(bytes.into_vec()),
            LightResponse::Block(None) => Err(PeerFault::NotHere(what.into())),
            _ => Err(PeerFault::Malformed),
        }
    }

    /// Encoded facts, in the order of the keys; as many as the peer sends.
    pub(super) async fn facts(&self, height: BlockHeight, keys: &[Key]) -> Result<Vec<ByteBuf>, PeerFault> {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let asked = keys.len();
        match self.ask(&LightRequest::Facts(height, keys)).await? {
            LightResponse::Facts(Some(facts)) if !facts.is_empty() && facts.len() <= asked => Ok(facts),
            LightResponse::Facts(None) => Err(PeerFault::NotHere(format!("the state of block {height}"))),
            _ => Err(PeerFault::Malformed),
        }
    }

    /// The keys of the records of a subject, by the peer's word.
    pub(super) async fn keys(&self, of: KeysOf) -> Result<Vec<Key>, PeerFault> {
        let LightResponse::Keys(texts) = self.ask(&LightRequest::Keys(of)).await? else {
            return Err(PeerFault::Malformed);
        };
        texts.iter().map(|text| text.parse().map_err(|_| PeerFault::Malformed)).collect()
    }
}

impl Source for PeerSource {
    type Error = PeerFault;

    async fn checkpoint(&self, height: Option<BlockHeight>) -> Result<Vec<u8>, PeerFault> {
        let what = height.map_or_else(|| "a checkpoint".into(), |height| format!("block {height}"));
        self.block(LightRequest::Block(height), &what).await
    }

    async fn checkpoint_from(&self, height: BlockHeight) -> Result<Vec<u8>, PeerFault> {
        self.checkpoint(Some(height)).await
    }

    async fn newest(&self) -> Result<Vec<u8>, PeerFault> {
        self.block(LightRequest::Newest, "a block").await
    }

    async fn fact(&self, key: Key, height: BlockHeight) -> Result<FactResponse, PeerFault> {
        let checkpoint = self.checkpoint(Some(height)).await?;
        let fact = self.facts(height, &[key]).await?.pop().ok_or(PeerFault::Malformed)?;
        Ok(FactResponse { checkpoint, fact: fact.into_vec() })
    }

    async fn epoch(&self, netuid: Netuid, node: NodeId) -> Result<EpochResponse, PeerFault> {
        match self.ask(&LightRequest::Epoch(netuid, node)).await? {
            LightResponse::Epoch(Some((checkpoint, proof))) => {
                Ok(EpochResponse { checkpoint: checkpoint.into_vec(), proof: proof.into_vec() })
            }
            LightResponse::Epoch(None) => {
                Err(PeerFault::NotHere(format!("the last epoch of subnet {netuid}")))
            }
            _ => Err(PeerFault::Malformed),
        }
    }

    async fn uid(&self, netuid: Netuid, node: NodeId) -> Result<Option<Uid>, PeerFault> {
        let keys = self.keys(KeysOf::Node(node)).await?;
        Ok(keys.into_iter().find_map(|key| match key {
            Key::Neuron(of, uid) if of == netuid => Some(uid),
            _ => None,
        }))
    }

    async fn submission(&self, height: BlockHeight) -> Result<Vec<u8>, PeerFault> {
        let (network, peer) = match &self.road {
            Road::Swarm(network, peer) => (network, *peer),
            Road::Http(client) => {
                let view = client.anchored(height).await?;
                return BASE64.decode(view.submission.as_bytes()).map_err(|_| PeerFault::Malformed);
            }
        };
        let request = anchor::request(self.domain, height).ok_or(PeerFault::Malformed)?;
        let answer = network.request(peer, ANCHOR.name, request).await?;
        let found = anchor::read_answer(&answer).ok_or(PeerFault::Malformed)?;
        let first = found.first().ok_or_else(|| PeerFault::NotHere(format!("checkpoint {height}")))?;
        first.encode().map_err(|_| PeerFault::Malformed)
    }
}
