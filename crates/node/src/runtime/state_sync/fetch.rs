//! Fetching a state: what a node does before it has a chain.

use std::time::Duration;

use nervure_anchor::{AnchorDomain, AnchoredCheckpoint};
use nervure_ledger::{
    chain::{StartError as GenesisError, Tip},
    checkpoint::Checkpoint,
    snapshot::{Assembly, SnapshotError, StatePage},
    spec::MeshSpec,
};
use nervure_light::{Bisection, BisectionError, LightClient, LightClientError, TrustedBlock};
use nervure_p2p::{NetworkHandle, RequestError};
use nervure_primitives::{BlockHeight, Hash, NodeId, NodeKey};
use nervure_protocol::{
    protocols::{ANCHOR, STATE},
    state_sync::{StateRequest, StateResponse},
};
use nervure_store::StoreError;

use crate::{
    config::{Beginning, NodeConfig},
    runtime::{AnchoredError, LedgerRegistry, Mesh, StartError, anchor, chain, last_anchored},
};

/// How long the first peer is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long another one is waited for when all that are connected failed.
const PATIENCE_FOR_ANOTHER: Duration = Duration::from_secs(5);

/// Between two looks at who is connected.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How often a page is asked for again when the peer is busy or says that we ask too often.
const RETRIES: u32 = 40;

/// Pause before that.
const PAUSE: Duration = Duration::from_millis(250);

/// Why a node does not begin with a state.
#[derive(Debug, thiserror::Error)]
pub enum StateSyncError {
    /// The network does not start.
    #[error(transparent)]
    Start(#[from] Box<StartError>),
    /// The spec has no genesis.
    #[error("the mesh spec has no genesis: {0}")]
    Genesis(#[from] GenesisError),
    /// The state cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The contract says nothing to begin with.
    #[error(transparent)]
    Anchored(#[from] AnchoredError),
    /// Nobody to ask.
    #[error("no registered node of the mesh is connected: nobody to fetch the state from")]
    Nobody,
    /// Nobody gave a state that verifies.
    #[error("no peer gave a state that verifies; the last, {peer}: {error}")]
    Unverified {
        /// Who was asked last.
        peer: NodeId,
        /// What was wrong.
        error: Box<PeerError>,
    },
}

/// What is wrong with a peer, or with what it gave.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// It does not answer.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// It answered something else.
    #[error("what it answered is no answer")]
    Malformed,
    /// It has no such block, or keeps no such state.
    #[error("it does not have block {0} or its state")]
    NotHere(BlockHeight),
    /// It has no checkpoint.
    #[error("it knows no checkpoint")]
    NoCheckpoint,
    /// Another block than the trusted one.
    #[error("its block {height} is {found}, and the one that is trusted is {expected}")]
    OtherBlock {
        /// The height.
        height: BlockHeight,
        /// The trusted id.
        expected: Hash,
        /// The id of its block.
        found: Hash,
    },
    /// The trusted block does not name the validators after it.
    #[error(transparent)]
    Start(#[from] LightClientError),
    /// Certificates do not lead there.
    #[error(transparent)]
    Certificate(#[from] BisectionError),
    /// The records are not the state of the block.
    #[error(transparent)]
    State(#[from] SnapshotError),
}

/// What is trusted, with what the contract says where that is it.
enum Start {
    Genesis,
    Block(TrustedBlock),
    Anchored(AnchorDomain, AnchoredCheckpoint),
}

impl Start {
    async fn of(beginning: Beginning, spec: &MeshSpec, config: &NodeConfig) -> Result<Self, StateSyncError> {
        Ok(match beginning {
            Beginning::Genesis => Self::Genesis,
            Beginning::Block(block) => Self::Block(block),
            Beginning::Anchored => {
                let (place, anchored) = last_anchored(spec, &config.anchor_rpc).await?;
                tracing::info!(height = %anchored.height, contract = %place.contract, "the last anchored checkpoint");
                Self::Anchored(place.domain(), anchored)
            }
        })
    }
}

/// Fetches the state of a recent block and begins the chain with it. Returns the block; none when there is a chain already.
pub(crate) async fn begin(
    config: &NodeConfig,
    spec: &MeshSpec,
    key: &NodeKey,
    beginning: Beginning,
) -> Result<Option<BlockHeight>, StateSyncError> {
    if chain::exists(config) {
        return Ok(None);
    }
    // For as long as this takes, on ports of its own: those that are named are for the node to come.
    let mut visit = config.clone();
    (visit.follow, visit.p2p_port) = (false, 0);
    let beginning = Start::of(beginning, spec, config).await?;
    let boxed = |error: StartError| StateSyncError::Start(Box::new(error));
    let registry = LedgerRegistry::of(spec)?;
    let mesh = Mesh::start(&visit, spec, key, (registry, None)).await.map_err(boxed)?;
    let fetched = from_anybody(&mesh.network, spec, &beginning).await;
    mesh.end().await;
    let (tip, certificate) = fetched?;
    let height = tip.header.height;
    chain::import(config, tip, &certificate)?;
    Ok(Some(height))
}

/// Asks one registered peer after the other, until one gives a state that verifies.
async fn from_anybody(
    network: &NetworkHandle,
    spec: &MeshSpec,
    beginning: &Start,
) -> Result<(Tip, Vec<u8>), StateSyncError> {
    let mut until = tokio::time::Instant::now() + PATIENCE;
    let (mut asked, mut last) = (Vec::new(), None);
    loop {
        let peers = network.peers().await.unwrap_or_default();
        let next = peers.into_iter().find(|peer| peer.registered && !asked.contains(&peer.node));
        let Some(peer) = next else {
            if tokio::time::Instant::now() >= until {
                let failed = |(peer, error)| StateSyncError::Unverified { peer, error: Box::new(error) };
                return Err(last.map_or(StateSyncError::Nobody, failed));
            }
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        };
        // At most as many as are connected, which the network bounds.
        asked.push(peer.node);
        let source = Source { network, peer: peer.node };
        match source.state(spec, beginning).await? {
            Ok(state) => return Ok(state),
            Err(error) => {
                tracing::warn!(peer = %peer.node, %error, "no state from this peer");
                last = Some((peer.node, error));
                until = tokio::time::Instant::now() + PATIENCE_FOR_ANOTHER;
            }
        }
    }
}

/// A peer that is asked.
struct Source<'a> {
    network: &'a NetworkHandle,
    peer: NodeId,
}

impl Source<'_> {
    /// The state of its last checkpoint. The outer error is ours, the inner one the peer's.
    async fn state(
        &self,
        spec: &MeshSpec,
        beginning: &Start,
    ) -> Result<Result<(Tip, Vec<u8>), PeerError>, StateSyncError> {
        let client = match beginning {
            Start::Genesis => {
                let Tip { header, state } = Tip::genesis(spec)?.0;
                let next = state.validators().map(|set| set.as_ref().clone());
                let nobody = PeerError::Start(LightClientError::NextValidators(header.height));
                next.ok_or(nobody).and_then(|next| Ok(LightClient::trusting(&header, next)?))
            }
            Start::Block(block) => self.trusted(*block).await,
            Start::Anchored(domain, anchored) => match self.anchored(*domain, anchored).await {
                Ok(block) => self.trusted(block).await,
                Err(error) => Err(error),
            },
        };
        Ok(match client {
            Ok(client) => self.follow(spec, client).await,
            Err(error) => Err(error),
        })
    }

    /// The block of an anchored checkpoint, of which the contract has the hash and the peer the whole.
    async fn anchored(
        &self,
        domain: AnchorDomain,
        anchored: &AnchoredCheckpoint,
    ) -> Result<TrustedBlock, PeerError> {
        let request = anchor::request(domain, anchored.height).ok_or(PeerError::Malformed)?;
        let answer = self.network.request(self.peer, ANCHOR.name, request).await?;
        let found = anchor::read_answer(&answer).ok_or(PeerError::Malformed)?;
        let block = found.first().and_then(|first| TrustedBlock::of_anchored(anchored, first));
        block.ok_or(PeerError::NotHere(anchored.height))
    }

    async fn trusted(&self, trusted: TrustedBlock) -> Result<LightClient, PeerError> {
        let TrustedBlock { height, block: expected } = trusted;
        let checkpoint = self.block(Some(height)).await?;
        let found = checkpoint.header.id();
        if found != expected {
            return Err(PeerError::OtherBlock { height, expected, found });
        }
        let next = checkpoint.successors().clone();
        Ok(LightClient::trusting(&checkpoint.header, next)?)
    }

    /// Follows certificates to the last checkpoint, and fetches its state.
    async fn follow(&self, spec: &MeshSpec, client: LightClient) -> Result<(Tip, Vec<u8>), PeerError> {
        let mut goal = self.block(None).await?;
        if goal.height() < client.height() {
            // The block that is trusted is later than any checkpoint: the state is to be that of this block.
            goal = self.block(Some(client.height())).await?;
        }
        let (height, id) = (goal.height(), goal.header.id());
        if (height, id) != (client.height(), client.id()) {
            let mut bisection = Bisection::new(client, goal.clone());
            while let Some(between) = bisection.advance()? {
                bisection.supply(self.block(Some(between)).await?)?;
            }
        }
        tracing::info!(%height, block = %id, peer = %self.peer, "block is certified; fetching its state");
        let tip = self.records(spec, &goal).await?;
        let certificate = goal.certificate.encode().map_err(|_| PeerError::Malformed)?;
        Ok((tip, certificate))
    }

    async fn records(&self, spec: &MeshSpec, goal: &Checkpoint) -> Result<Tip, PeerError> {
        let height = goal.height();
        let mut assembly = Assembly::new(goal.header.clone());
        while !assembly.is_complete() {
            let StateResponse::Records(page) =
                self.ask(StateRequest::Records(height, assembly.after())).await?
            else {
                return Err(PeerError::Malformed);
            };
            let (records, last) = page.ok_or(PeerError::NotHere(height))?;
            let records = records.into_iter().map(serde_bytes::ByteBuf::into_vec).collect();
            assembly.take(&StatePage { records, last })?;
            tracing::info!(
                percent = assembly.thousandths() / 10,
                records = assembly.records(),
                bytes = assembly.bytes(),
                "state of block {height}"
            );
        }
        Ok(assembly.finish(spec)?)
    }

    async fn block(&self, height: Option<BlockHeight>) -> Result<Checkpoint, PeerError> {
        let StateResponse::Block(found) = self.ask(StateRequest::Block(height)).await? else {
            return Err(PeerError::Malformed);
        };
        let missing = height.map_or(PeerError::NoCheckpoint, PeerError::NotHere);
        let found = Checkpoint::decode(&found.ok_or(missing)?).map_err(|_| PeerError::Malformed)?;
        match height {
            Some(height) if found.height() != height => Err(PeerError::Malformed),
            _ => Ok(found),
        }
    }

    async fn ask(&self, request: StateRequest) -> Result<StateResponse, PeerError> {
        let data = request.encode().map_err(|_| PeerError::Malformed)?;
        let mut tries = 0;
        loop {
            match self.network.request(self.peer, STATE.name, data.clone()).await {
                Ok(bytes) => {
                    return StateResponse::decode(&bytes).map_err(|_| PeerError::Malformed);
                }
                Err(RequestError::Busy | RequestError::TooOften) if tries < RETRIES => {
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
