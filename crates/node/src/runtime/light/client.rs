//! The client: finds peers, verifies the newest block, and proves records under it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use nervure_anchor::AnchorDomain;
use nervure_api::Client;
use nervure_ledger::{checkpoint::Checkpoint, spec::MeshSpec, tree::Key};
use nervure_light::{Source, TrustAnchor, TrustedBlock, TrustingPeriod, Verifier, VerifierError};
use nervure_p2p::{NetworkHandle, RequestError};
use nervure_primitives::{BlockHeight, Hash, MeshId, Netuid, NodeId};
use rand::seq::SliceRandom;
use tokio::sync::Mutex;

use super::{
    LightFailure, PeerFault, ProvenSlots,
    source::{PeerSource, Road},
};
use crate::runtime::{clock, peers};

/// How long to wait for the first peer.
const FIRST_PEER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait for a first peer when some were of another mesh.
const OTHER_MESH_TIMEOUT: Duration = Duration::from_secs(3);

/// How long to wait for more peers after the first one: one alone could hide newer blocks.
const MORE_PEERS_DELAY: Duration = Duration::from_millis(200);

/// Between two checks of the connected peers.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Peers that are asked for their newest block, or to take a transaction.
pub(super) const ASKED_PEERS: usize = 4;

/// How long a peer may take to name its newest block, while others have done so.
const NEWEST_TIMEOUT: Duration = Duration::from_secs(3);

/// For how long a newest block counts as such, at least.
const MIN_FRESH: Duration = Duration::from_millis(200);

pub(super) type Unproven = VerifierError<PeerFault>;

/// A client without a state. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LightHandle(pub(super) Arc<Light>);

pub(super) struct Light {
    network: NetworkHandle,
    pub(super) spec: MeshSpec,
    anchor: TrustAnchor,
    slots: Arc<ProvenSlots>,
    /// HTTP APIs that are asked instead of peers.
    endpoints: Vec<Client>,
    head: Mutex<Option<Head>>,
    submitted: parking_lot::Mutex<BTreeMap<Hash, Submitted>>,
}

/// A transaction that this client submitted: it is in a block when the nonce of the key is higher.
#[derive(Clone, Copy)]
pub(crate) struct Submitted {
    pub(crate) key: Key,
    pub(crate) nonce: u64,
}

/// The newest block that was verified.
#[derive(Clone)]
struct Head {
    checkpoint: Arc<Checkpoint>,
    at: Instant,
}

impl LightHandle {
    /// A client of the mesh of `spec` that trusts `anchor`, and keeps the neurons that it proves in `slots`. With
    /// `endpoints`, those are asked instead of peers.
    pub(crate) fn new(
        network: NetworkHandle,
        spec: &MeshSpec,
        anchor: TrustAnchor,
        slots: Arc<ProvenSlots>,
        endpoints: Vec<Client>,
    ) -> Self {
        let (head, submitted) = (Mutex::default(), parking_lot::Mutex::default());
        let spec = spec.clone();
        Self(Arc::new(Light { network, spec, anchor, slots, endpoints, head, submitted }))
    }

    /// The mesh.
    pub(crate) fn mesh(&self) -> MeshId {
        self.0.spec.mesh_id()
    }

    /// Remembers a transaction of this client's user. A client lives for one command, and submits few.
    pub(crate) fn remember(&self, id: Hash, submitted: Submitted) {
        self.0.submitted.lock().insert(id, submitted);
    }

    /// A transaction that this client submitted.
    pub(crate) fn submitted(&self, id: &Hash) -> Option<Submitted> {
        self.0.submitted.lock().get(id).copied()
    }

    /// The neurons that are proven.
    pub(crate) fn slots(&self) -> &ProvenSlots {
        &self.0.slots
    }

    /// The endpoints, or the connected peers, as sources in random order.
    pub(super) async fn sources(&self) -> Vec<PeerSource> {
        let domain = self.0.spec.network.anchor.map_or(AnchorDomain::LOCAL, |place| place.domain());
        if !self.0.endpoints.is_empty() {
            let mut endpoints = self.0.endpoints.clone();
            endpoints.shuffle(&mut rand::rng());
            let source = |client| PeerSource { road: Road::Http(client), domain };
            return endpoints.into_iter().map(source).collect();
        }
        let peers = peers::all(&self.0.network, &BTreeSet::new()).await;
        let source = |peer| PeerSource { road: Road::Swarm(Box::new(self.0.network.clone()), peer), domain };
        peers.into_iter().map(source).collect()
    }

    /// The newest block, verified; asked for again when the last one is older than a block time.
    pub(crate) async fn head(&self) -> Result<Arc<Checkpoint>, LightFailure> {
        let fresh = Duration::from_millis(self.0.spec.consensus.block_milliseconds.into()).max(MIN_FRESH);
        // Held while peers are asked: others wait for the same answer.
        let mut head = self.0.head.lock().await;
        if let Some(known) = head.as_ref().filter(|known| known.at.elapsed() < fresh) {
            return Ok(known.checkpoint.clone());
        }
        let known = head.as_ref().map(|known| known.checkpoint.clone());
        let found = self.newest(known.as_deref()).await?;
        // A peer that is behind does not turn time back.
        let found = match known {
            Some(known) if known.height() >= found.height() => known,
            _ => Arc::new(found),
        };
        *head = Some(Head { checkpoint: found.clone(), at: Instant::now() });
        Ok(found)
    }

    /// How old the newest block is, if it is old for this mesh.
    pub(crate) async fn age_if_old(&self) -> Result<Option<Duration>, LightFailure> {
        let block = Duration::from_millis(self.0.spec.consensus.block_milliseconds.into());
        let age = clock::now().since(self.head().await?.header.time);
        let recent = block.saturating_mul(60).max(Duration::from_secs(60));
        Ok((age > recent).then_some(age))
    }

    /// Asks several peers for their newest block, and verifies the highest one that holds.
    async fn newest(&self, known: Option<&Checkpoint>) -> Result<Checkpoint, LightFailure> {
        let peers = self.wait_for_peers().await?;
        let asked = peers.into_iter().take(ASKED_PEERS).map(|source| async move {
            let answer = tokio::time::timeout(NEWEST_TIMEOUT, source.newest()).await;
            let claimed = answer.unwrap_or(Err(RequestError::TimedOut.into()));
            (source, claimed.and_then(|bytes| Checkpoint::decode(&bytes).map_err(|_| PeerFault::Malformed)))
        });
        let (mut claims, mut failed) = (Vec::new(), None);
        for (source, claim) in join_all(asked).await {
            match claim {
                Ok(checkpoint) => claims.push((source, checkpoint)),
                Err(error) => failed = Some((source.name(), VerifierError::Source(error))),
            }
        }
        // The highest first: the first one that verifies is the newest.
        claims.sort_by_key(|(_, checkpoint)| Reverse(checkpoint.height()));
        let anchor = known.map(|known| TrustedBlock { height: known.height(), block: known.header.id() });
        for (source, claim) in claims {
            if known.is_some_and(|known| known.height() >= claim.height()) {
                return known.cloned().ok_or(LightFailure::NoBlock);
            }
            let (peer, height) = (source.name(), claim.height());
            match self.verified(source, anchor, Some(height)).await {
                Ok(checkpoint) => return Ok(checkpoint),
                Err(error) => {
                    tracing::warn!(%peer, %height, %error, "the newest block of a peer does not verify");
                    failed = Some((peer, error));
                }
            }
        }
        Err(match failed {
            Some((_, VerifierError::Source(PeerFault::NotHere(_)))) => LightFailure::NoBlock,
            Some((peer, error)) => LightFailure::Unverified { peer, error: Box::new(error) },
            None => LightFailure::NoPeer,
        })
    }

    /// A block that one peer has, verified from `anchor` on, else from what the user trusts.
    async fn verified(
        &self,
        source: PeerSource,
        anchor: Option<TrustedBlock>,
        height: Option<BlockHeight>,
    ) -> Result<Checkpoint, Unproven> {
        let anchor = anchor.map_or_else(|| self.0.anchor.clone(), TrustAnchor::Block);
        let mut verifier = self.verifier_from(source, anchor).await?;
        Ok(Checkpoint::clone(&*verifier.checkpoint(height).await?))
    }

    async fn verifier_from(
        &self,
        source: PeerSource,
        anchor: TrustAnchor,
    ) -> Result<Verifier<PeerSource>, Unproven> {
        let period = TrustingPeriod::of(&self.0.spec, clock::now());
        Verifier::start(source, anchor, period).await
    }

    pub(super) async fn wait_for_peers(&self) -> Result<Vec<PeerSource>, LightFailure> {
        let started = Instant::now();
        let mut first = None;
        loop {
            let peers = self.sources().await;
            if !peers.is_empty() {
                let since = first.get_or_insert_with(Instant::now).elapsed();
                let enough = ASKED_PEERS.min(self.0.spec.network.bootstrap.len());
                if !self.0.endpoints.is_empty() || peers.len() >= enough || since >= MORE_PEERS_DELAY {
                    return Ok(peers);
                }
            } else if started.elapsed() >= OTHER_MESH_TIMEOUT {
                let wrong = self.0.network.status().await.map_or(0, |status| status.wrong_mesh);
                match wrong {
                    0 if started.elapsed() < FIRST_PEER_TIMEOUT => {}
                    0 => return Err(LightFailure::NoPeer),
                    count => return Err(LightFailure::OtherMesh(count)),
                }
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// The block at `height`, or the last one that ended an epoch, verified; from any peer that has it.
    pub(crate) async fn block(&self, height: Option<BlockHeight>) -> Result<Checkpoint, LightFailure> {
        let head = self.head().await?;
        if height == Some(head.height()) {
            return Ok(Checkpoint::clone(&head));
        }
        let this = self.clone();
        self.ask_any(move |source| {
            let this = this.clone();
            async move { this.verified(source, None, height).await }.boxed()
        })
        .await
    }

    /// The proof of the last epoch of a node, and its block, both encoded and verified.
    pub(crate) async fn epoch(
        &self,
        netuid: Netuid,
        node: NodeId,
    ) -> Result<(Checkpoint, Vec<u8>), LightFailure> {
        let this = self.clone();
        self.ask_any(move |source| {
            let this = this.clone();
            async move {
                let mut verifier = this.verifier_from(source.clone(), this.0.anchor.clone()).await?;
                let (checkpoint, _) = verifier.score(netuid, &node).await?;
                let answer = source.epoch(netuid, node).await.map_err(VerifierError::Source)?;
                Ok((Checkpoint::clone(&checkpoint), answer.proof))
            }
            .boxed()
        })
        .await
    }

    /// The anchored checkpoint at `height`, encoded. The caller compares it with the contract.
    pub(crate) async fn submission(&self, height: BlockHeight) -> Result<Vec<u8>, LightFailure> {
        self.ask_any(move |source| {
            async move { source.submission(height).await.map_err(VerifierError::Source) }.boxed()
        })
        .await
    }

    /// What the first peer answers that can; peers are asked in random order.
    async fn ask_any<T>(
        &self,
        ask: impl Fn(PeerSource) -> BoxFuture<'static, Result<T, Unproven>> + Send,
    ) -> Result<T, LightFailure> {
        let mut failed = LightFailure::NoPeer;
        for source in self.wait_for_peers().await?.into_iter().take(ASKED_PEERS) {
            let peer = source.name();
            match ask(source).await {
                Ok(found) => return Ok(found),
                Err(error) => failed = LightFailure::Unverified { peer, error: Box::new(error) },
            }
        }
        Err(failed)
    }
}
