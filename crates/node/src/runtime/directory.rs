//! The directory at work: answers others from the catalog, publishes own records to the nodes that are responsible, and
//! finds records for a node that has not heard of them yet.
//!
//! What comes from others is verified record by record as it enters the catalog, like gossip; whoever answers can leave
//! records out, so each shard is asked of more than one node.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{StreamExt, stream};
use lru::LruCache;
use nervure_p2p::{InboundRequest, NetworkHandle, ProtocolSpec};
use nervure_primitives::{Capability, Hash, MeshId, NodeId, cbor};
use nervure_protocol::protocols::{ANCHOR, CLOCK, DIRECTORY, STATE};
use nervure_subnet::{
    SignedRecord,
    directory::{
        self, FindRecords, MAX_PUBLISH, PROTOCOL, REPLICAS, Request, SHARDS, epochs, keys, read_page,
        read_published,
    },
};
use serde_bytes::ByteBuf;
use tokio::sync::{mpsc, watch};

use super::{
    anchor::Anchoring, catalog::ExpertCatalog, chain::ChainHandle, clock, registry::LedgerRegistry, skew,
    state_sync,
};

/// Responsible nodes that are asked for each shard: one may leave records out, two rarely the same ones.
const ASKED: usize = 2;

/// Pages that are read from one node: at 100 records or more each, far beyond what a shard holds.
const MAX_PAGES: usize = 64;

/// Lookups and requests in flight for one publication, or for a search in one subnet.
const PARALLEL: usize = 8;

/// Subnets that are searched at once; a visitor does not wait for long, however many there are.
const SUBNETS: usize = 8;

/// How long a capability that nobody had is not looked up again.
const NOBODY_FOR: Duration = Duration::from_secs(3);

/// Capabilities that are remembered as nobody's.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

/// How long a question waits for the first search of a node that has just started.
const WARM_UP_PATIENCE: Duration = Duration::from_secs(3);

/// The time that a mesh needs to form: lookups in it find little, and cost it the CPU that handshakes need.
const FORMING: Duration = Duration::from_secs(3);

/// Pause before the first search is tried again, and how often it is.
const AGAIN: Duration = Duration::from_millis(200);
const TRIES: usize = 10;

/// Requests that wait to be answered; more are refused by the network.
const WAITING: usize = 256;

/// The bounds of the protocol.
pub(crate) fn protocol() -> ProtocolSpec {
    ProtocolSpec {
        // A stranger gets a quarter: enough for one search of a mesh that one node answers for alone.
        per_peer_per_second: 120,
        ..ProtocolSpec::of(DIRECTORY)
    }
}

/// The channel that the network hands requests in by.
pub(crate) fn channel() -> (mpsc::Sender<InboundRequest>, mpsc::Receiver<InboundRequest>) {
    mpsc::channel(WAITING)
}

/// Answers requests until the network ends: those for blocks are handed on to the chain, which answers beside this.
pub(crate) async fn serve(
    mut requests: mpsc::Receiver<InboundRequest>,
    catalog: Arc<ExpertCatalog>,
    chain: Option<(ChainHandle, Arc<Anchoring>)>,
) {
    while let Some(request) = requests.recv().await {
        if request.protocol != PROTOCOL {
            if request.protocol == CLOCK.name {
                skew::answer(request).await;
            } else if let Some((chain, anchoring)) = chain.clone() {
                // As many at once as the protocol lets in.
                tokio::spawn(async move {
                    match request.protocol {
                        name if name == ANCHOR.name => anchoring.answer(request).await,
                        name if name == STATE.name => state_sync::answer(&chain, request).await,
                        _ => chain.answer(request).await,
                    }
                });
            }
            continue;
        }
        let answer = catalog.answer(&request.data);
        request.respond(answer).await;
    }
}

/// Asks the directory.
pub(crate) struct Directory {
    network: NetworkHandle,
    catalog: Arc<ExpertCatalog>,
    mesh: MeshId,
    registry: LedgerRegistry,
    expiry: Duration,
    /// Whether the first search is over.
    warm: watch::Sender<bool>,
    nobody: Mutex<LruCache<Option<Capability>, tokio::time::Instant>>,
}

impl Directory {
    /// The directory of a mesh with the subnets that `registry` has, whose records live for `expiry`.
    pub(crate) fn new(
        network: NetworkHandle,
        catalog: Arc<ExpertCatalog>,
        (mesh, registry): (MeshId, LedgerRegistry),
        expiry: Duration,
    ) -> Self {
        let nobody = Mutex::new(LruCache::new(REMEMBERED));
        Self { network, catalog, mesh, registry, expiry, warm: watch::Sender::new(false), nobody }
    }

    /// The first search, for everything: what a node that joins late would otherwise hear only with the next renewals. A
    /// visitor, who may be gone before that, searches at once; a registered node leaves a mesh that is just forming the
    /// time to form, and answers meanwhile with what it hears.
    pub(crate) async fn warm_up(&self, visitor: bool) {
        if !visitor {
            self.warm.send_replace(true);
            tokio::time::sleep(FORMING).await;
        }
        for _ in 0..TRIES {
            if self.find(None).await {
                break;
            }
            tokio::time::sleep(AGAIN).await;
        }
        self.warm.send_replace(true);
    }

    /// Waits until the first search is over, though not for long.
    pub(crate) async fn warm(&self) {
        let mut warm = self.warm.subscribe();
        // Too late is as good as over: the question goes on with what is known.
        let _ = tokio::time::timeout(WARM_UP_PATIENCE, warm.wait_for(|warm| *warm)).await;
    }

    /// Searches for a capability that nobody known has, unless that was tried a moment ago.
    pub(crate) async fn look_up(&self, capability: &Capability) {
        let now = tokio::time::Instant::now();
        let key = Some(capability.clone());
        let before = self.nobody.lock().unwrap_or_else(PoisonError::into_inner).put(key, now);
        if before.is_none_or(|before| now.duration_since(before) >= NOBODY_FOR) {
            self.find(Some(capability)).await;
        }
    }

    /// Brings the records of a capability, or all, into the catalog. False when nobody answered.
    pub(crate) async fn find(&self, capability: Option<&Capability>) -> bool {
        let now = clock::now();
        let mut searches = Vec::new();
        let netuids = self.registry.subnets();
        let subnets = netuids.len();
        for netuid in netuids {
            for shard in 0..SHARDS {
                for epoch in epochs(now, self.expiry) {
                    let key = directory::key(&self.mesh, netuid, capability, shard, epoch);
                    let find = FindRecords {
                        netuid,
                        capability: capability.cloned(),
                        shard,
                        filter: None,
                        limit: u16::MAX,
                        after: None,
                    };
                    searches.push(self.find_at(key, find));
                }
            }
        }
        let at_once = PARALLEL * subnets.clamp(1, SUBNETS);
        let answered = stream::iter(searches).buffer_unordered(at_once).collect::<Vec<_>>().await;
        answered.into_iter().any(|answered| answered)
    }

    /// Asks the nodes that are responsible for `key`, until [`ASKED`] have answered.
    async fn find_at(&self, key: Hash, find: FindRecords) -> bool {
        let mut answered = 0;
        for node in self.responsible(key).await {
            if self.read_all(node, find.clone()).await {
                answered += 1;
            }
            if answered == ASKED {
                break;
            }
        }
        answered > 0
    }

    /// Reads page after page from one node.
    async fn read_all(&self, node: NodeId, mut find: FindRecords) -> bool {
        for _ in 0..MAX_PAGES {
            let Ok(request) = cbor::encode(&Request::Find(find.clone())) else { return false };
            let page = match self.network.request(node, PROTOCOL, request).await {
                Ok(bytes) => read_page(&bytes, find.after.as_ref()),
                Err(error) => {
                    tracing::debug!(%node, %error, "a responsible node does not answer");
                    return false;
                }
            };
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    tracing::debug!(%node, %error, "a useless answer of a responsible node");
                    return false;
                }
            };
            for record in &page.records {
                if let Err(error) = self.catalog.ingest(record) {
                    tracing::debug!(%node, %error, "a wrong record from a responsible node");
                }
            }
            find.after = page.next;
            if find.after.is_none() {
                break;
            }
        }
        true
    }

    /// Hands own records to the nodes that are responsible for them; says how many nodes keep some.
    pub(crate) async fn publish(&self, records: &[SignedRecord]) -> usize {
        let epoch = directory::epoch(clock::now());
        let mut wanted: BTreeMap<Hash, Vec<usize>> = BTreeMap::new();
        for (index, signed) in records.iter().enumerate() {
            let record = signed.record();
            for key in keys(&self.mesh, (&record.node, record.netuid), &record.capability, epoch) {
                wanted.entry(key).or_default().push(index);
            }
        }
        let found = stream::iter(wanted)
            .map(|(key, indices)| async move { (self.responsible(key).await, indices) })
            .buffer_unordered(PARALLEL)
            .collect::<Vec<_>>()
            .await;
        let mut by_node: BTreeMap<NodeId, std::collections::BTreeSet<usize>> = BTreeMap::new();
        for (nodes, indices) in found {
            for node in nodes.into_iter().take(REPLICAS) {
                by_node.entry(node).or_default().extend(&indices);
            }
        }
        let handed = by_node.into_iter().map(|(node, indices)| {
            let chosen =
                indices.into_iter().take(MAX_PUBLISH).map(|index| ByteBuf::from(records[index].bytes()));
            self.hand(node, chosen.collect())
        });
        let kept = stream::iter(handed).buffer_unordered(PARALLEL).collect::<Vec<_>>().await;
        kept.into_iter().filter(|kept| *kept).count()
    }

    async fn hand(&self, node: NodeId, records: Vec<ByteBuf>) -> bool {
        let Ok(request) = cbor::encode(&Request::Publish { records }) else { return false };
        match self.network.request(node, PROTOCOL, request).await {
            Ok(bytes) => read_published(&bytes).is_ok_and(|kept| kept > 0),
            Err(error) => {
                tracing::debug!(%node, %error, "a responsible node does not take records");
                false
            }
        }
    }

    /// The nodes closest to `key`, closest first; none when the network has stopped.
    async fn responsible(&self, key: Hash) -> Vec<NodeId> {
        let own = self.network.node();
        let found = self.network.closest(key).await.unwrap_or_default();
        found.into_iter().filter(|node| *node != own).take(REPLICAS).collect()
    }
}
