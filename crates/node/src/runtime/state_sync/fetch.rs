//! The requesting side of state sync, which runs before the node has a chain.

use std::{collections::BTreeSet, time::Duration};

use nervure_anchor::{AnchorDomain, AnchoredCheckpoint};
use nervure_ledger::{
    block::Header,
    chain::{StartError as GenesisError, Tip, first_header},
    checkpoint::Checkpoint,
    snapshot::{Assembly, SnapshotError, StatePage},
    spec::MeshSpec,
};
use nervure_light::{
    Bisection, BisectionError, GenesisError as LightGenesisError, LightClient, LightClientError,
    TrustedBlock, TrustingPeriod,
};
use nervure_p2p::{NetworkHandle, RequestError};
use nervure_primitives::{BlockHeight, Hash, NodeId, NodeKey, UnixMillis};
use nervure_protocol::{
    protocols::{ANCHOR, STATE},
    state_sync::{StateRequest, StateResponse},
};
use nervure_store::StoreError;

use crate::{
    config::{Beginning, NodeConfig},
    runtime::{
        AnchoredError, LedgerRegistry, Mesh, MeshSetup, StartError, anchor, chain, clock, last_anchored,
        peers,
    },
};

/// How long to wait for the first peer.
const FIRST_PEER_TIMEOUT: Duration = Duration::from_secs(60);

/// How long to wait for another peer when all connected ones have failed.
const NEXT_PEER_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two checks of the connected peers.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How often a request is repeated when the peer is busy or limits our rate.
const MAX_RETRIES: u32 = 40;

/// Before a request is repeated.
const RETRY_DELAY: Duration = Duration::from_millis(250);

/// Why a node cannot sync a state.
#[derive(Debug, thiserror::Error)]
pub enum StateSyncError {
    /// The network does not start.
    #[error(transparent)]
    Start(#[from] Box<StartError>),
    /// The spec has no genesis.
    #[error("the mesh spec has no genesis: {0}")]
    Genesis(#[from] GenesisError),
    /// The genesis is too old to start from.
    #[error(transparent)]
    OldGenesis(LightClientError),
    /// The state cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The contract has no usable checkpoint.
    #[error(transparent)]
    Anchored(#[from] AnchoredError),
    /// No peer to ask.
    #[error("no node of the mesh is connected: there is no peer to fetch the state from")]
    NoPeer,
    /// No peer gave a state that verifies.
    #[error("no peer gave a state that verifies; the last, {peer}: {error}")]
    Unverified {
        /// The peer that was asked last.
        peer: NodeId,
        /// Why its state was not used.
        error: Box<PeerError>,
    },
}

/// Why a peer's state was not used.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// It does not answer.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// Its response does not decode, or does not fit the request.
    #[error("its response is malformed")]
    Malformed,
    /// It does not have the block, or no longer its state.
    #[error(
        "it does not have block {0} or its state; its chain may have begun later: name a newer block, or ask others"
    )]
    NotHere(BlockHeight),
    /// It has no checkpoint.
    #[error("it has no checkpoint")]
    NoCheckpoint,
    /// Its block differs from the trusted one.
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

/// A verified state, and the certificate of its block; none for the first header of a mesh.
type Synced = (Tip, Option<Vec<u8>>);

/// The operator's root of trust.
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

/// Fetches the state of a recent block and starts the chain from it. Returns its height; none when there is already a
/// chain.
pub(crate) async fn begin(
    config: &NodeConfig,
    spec: &MeshSpec,
    key: &NodeKey,
    beginning: Beginning,
) -> Result<Option<BlockHeight>, StateSyncError> {
    if chain::exists(config) {
        return Ok(None);
    }
    // An ephemeral client on a free port: the configured ports are for the node that starts afterwards.
    let mut ephemeral = config.clone();
    (ephemeral.follow, ephemeral.p2p_port) = (false, 0);
    if beginning == Beginning::Genesis {
        // Before any peer is asked: no peer can help.
        check_genesis_age(spec, clock::now())?;
    }
    let beginning = Start::of(beginning, spec, config).await?;
    let boxed = |error: StartError| StateSyncError::Start(Box::new(error));
    let registry = LedgerRegistry::of(spec)?;
    let setup = MeshSetup { config: &ephemeral, spec, key, slots: None };
    let mesh = Mesh::start(setup, registry, None).await.map_err(boxed)?;
    let fetched = from_any_peer(&mesh.network, spec, &beginning).await;
    mesh.end().await;
    let (tip, certificate) = fetched?;
    let height = tip.header.height;
    chain::import(config, tip, certificate.as_deref())?;
    Ok(Some(height))
}

/// Refuses a genesis that is older than the trusting period.
fn check_genesis_age(spec: &MeshSpec, now: UnixMillis) -> Result<(), StateSyncError> {
    match LightClient::from_genesis(spec, now) {
        Err(LightGenesisError::Header(expired @ LightClientError::Expired { .. })) => {
            Err(StateSyncError::OldGenesis(expired))
        }
        // Anything else is found where the genesis is used.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Asks one peer after the other, until one gives a state that verifies. Registered ones come first, but this node knows
/// those of the genesis only: years later, none of them may be there.
async fn from_any_peer(
    network: &NetworkHandle,
    spec: &MeshSpec,
    beginning: &Start,
) -> Result<Synced, StateSyncError> {
    let mut until = tokio::time::Instant::now() + FIRST_PEER_TIMEOUT;
    let (mut asked, mut last) = (BTreeSet::new(), None);
    loop {
        let Some(peer) = peers::all(network, &asked).await.first().copied() else {
            if tokio::time::Instant::now() >= until {
                let failed = |(peer, error)| StateSyncError::Unverified { peer, error: Box::new(error) };
                return Err(last.map_or(StateSyncError::NoPeer, failed));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
            continue;
        };
        // Bounded by the number of connections, which the network limits.
        asked.insert(peer);
        let source = Source { network, peer };
        match source.state(spec, beginning).await? {
            Ok(state) => return Ok(state),
            Err(error) => {
                tracing::warn!(%peer, %error, "no state from this peer");
                last = Some((peer, error));
                // Shorter than the first wait: there was a peer, so that the network works.
                until = tokio::time::Instant::now() + NEXT_PEER_TIMEOUT;
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
    ) -> Result<Result<Synced, PeerError>, StateSyncError> {
        let period = TrustingPeriod::of(spec, clock::now());
        let client = match beginning {
            Start::Genesis => {
                let (header, next) = first_header(spec)?;
                let no_validators = PeerError::Start(LightClientError::NextValidators(header.height));
                next.ok_or(no_validators).and_then(|next| Ok(LightClient::trusting(&header, next, period)?))
            }
            Start::Block(block) => self.trusted(*block, period).await,
            Start::Anchored(domain, anchored) => match self.anchored(*domain, anchored).await {
                Ok(block) => self.trusted(block, period).await,
                Err(error) => Err(error),
            },
        };
        Ok(match client {
            Ok(client) => self.follow(spec, client).await,
            Err(error) => Err(error),
        })
    }

    /// The block of an anchored checkpoint: the contract has its hash, the peer has the checkpoint.
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

    async fn trusted(&self, trusted: TrustedBlock, period: TrustingPeriod) -> Result<LightClient, PeerError> {
        let TrustedBlock { height, block: expected } = trusted;
        let checkpoint = self.block(Some(height)).await?;
        let found = checkpoint.header.id();
        // The header is checked by its hash: an operator or a contract named it, and the peer supplies the
        // content only.
        if found != expected {
            return Err(PeerError::OtherBlock { height, expected, found });
        }
        let next = checkpoint.successors().clone();
        Ok(LightClient::trusting(&checkpoint.header, next, period)?)
    }

    /// Follows certificates to the last checkpoint, and fetches its state.
    async fn follow(&self, spec: &MeshSpec, client: LightClient) -> Result<Synced, PeerError> {
        // The peer's word so far. Certificates have to lead to this block before its state is used.
        let mut goal = match self.block(None).await {
            Err(PeerError::NoCheckpoint) if self.may_begin(spec, &client) => return self.first(spec).await,
            goal => goal?,
        };
        if goal.height() < client.height() {
            // The trusted block is later than any checkpoint: fetch the state of that block.
            goal = self.block(Some(client.height())).await?;
        }
        let (height, id) = (goal.height(), goal.header.id());
        if (height, id) != (client.height(), client.id()) {
            let mut bisection = Bisection::new(client, goal.clone());
            while let Some(between) = bisection.advance()? {
                bisection.supply(self.any_block(Some(between)).await?)?;
            }
        } else {
            // The header is the trusted one. Its certificate is the peer's, and will be served to others.
            LightClient::check_contents(&goal)?;
        }
        tracing::info!(%height, block = %id, peer = %self.peer, "block is certified; fetching its state");
        let tip = self.records(spec, &goal.header).await?;
        let certificate = goal.certificate.encode().map_err(|_| PeerError::Malformed)?;
        Ok((tip, Some(certificate)))
    }

    /// Whether the state of the first header can be fetched: a mesh that continues another one has one, which does not
    /// follow from its spec, and may have no checkpoint for a long time.
    fn may_begin(&self, spec: &MeshSpec, client: &LightClient) -> bool {
        spec.recovered.as_ref().is_some_and(|recovered| recovered.height == client.height())
    }

    /// The state that a recovered mesh begins with. Its root is in the spec.
    async fn first(&self, spec: &MeshSpec) -> Result<Synced, PeerError> {
        let (header, _) = first_header(spec).map_err(|_| PeerError::NoCheckpoint)?;
        Ok((self.records(spec, &header).await?, None))
    }

    async fn records(&self, spec: &MeshSpec, header: &Header) -> Result<Tip, PeerError> {
        let height = header.height;
        // The header is certified or trusted by now, and with it its state root: the assembly checks the
        // records against it.
        let mut assembly = Assembly::new(header.clone());
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
        let found = self.any_block(height).await?;
        match height {
            Some(height) if found.height() != height => Err(PeerError::NotHere(height)),
            _ => Ok(found),
        }
    }

    /// The block at `height`, or a later one whose certificate the peer still has.
    async fn any_block(&self, height: Option<BlockHeight>) -> Result<Checkpoint, PeerError> {
        let StateResponse::Block(found) = self.ask(StateRequest::Block(height)).await? else {
            return Err(PeerError::Malformed);
        };
        let missing = height.map_or(PeerError::NoCheckpoint, PeerError::NotHere);
        Checkpoint::decode(&found.ok_or(missing)?).map_err(|_| PeerError::Malformed)
    }

    async fn ask(&self, request: StateRequest) -> Result<StateResponse, PeerError> {
        let data = request.encode().map_err(|_| PeerError::Malformed)?;
        let mut tries = 0;
        loop {
            match self.network.request(self.peer, STATE.name, data.clone()).await {
                Ok(bytes) => {
                    return StateResponse::decode(&bytes).map_err(|_| PeerError::Malformed);
                }
                // The only errors that pass by themselves. Others end the attempt with this peer.
                Err(RequestError::Busy | RequestError::TooOften) if tries < MAX_RETRIES => {
                    tries += 1;
                    tokio::time::sleep(RETRY_DELAY).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
