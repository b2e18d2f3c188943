//! The directory: answers other nodes from the catalog, publishes own records to the responsible nodes, and finds
//! records that this node does not have yet.
//!
//! Each received record is verified before it enters the catalog, as with gossip. A responsible node can leave records
//! out, so more than one is asked for each shard.

use std::{collections::BTreeMap, num::NonZeroUsize, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, stream};
use lru::LruCache;
use nervure_p2p::{InboundRequest, NetworkHandle, ProtocolSpec};
use nervure_primitives::{Capability, Hash, MeshId, NodeId, cbor};
use nervure_protocol::{
    SignedRecord,
    bounds::MAX_PUBLISH,
    directory::{
        COPIES, DirectoryRequest as Request, FindRecords, REPLICAS, SHARDS, epoch, epochs, key, keys,
    },
    protocols::DIRECTORY,
};
use nervure_subnet::directory::{PROTOCOL, read_page, read_published};
use parking_lot::Mutex;
use serde_bytes::ByteBuf;
use tokio::sync::{mpsc, watch};

use super::{
    catalog::ExpertCatalog, clock, dispatch::Dispatcher, light::LightHandle, registry::LedgerRegistry,
};

/// Responsible nodes that have to answer for each copy of a shard: one may leave records out, those of another copy hardly
/// the same ones.
const NODES_PER_COPY: usize = 1;

/// Nodes close to a key that are tried: some may have gone, or come since the records were published.
const MAX_RESPONSIBLE: usize = 2 * REPLICAS;

/// Pages that are read from one node: at 100 records or more each, far more than a shard holds.
const MAX_PAGES: usize = 64;

/// Lookups and requests in flight for one publication, or for a search in one subnet.
const MAX_PARALLEL_REQUESTS: usize = 8;

/// Subnets that are searched at once, which bounds how long an ephemeral client waits in a mesh with many.
const MAX_PARALLEL_SUBNETS: usize = 8;

/// How long a capability without experts is not looked up again.
const NEGATIVE_LOOKUP_INTERVAL: Duration = Duration::from_secs(3);

/// Capabilities without experts that are remembered.
const MAX_NEGATIVE_LOOKUPS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

/// How long a query waits for the first search of a node that has just started.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(3);

/// The time that a mesh needs to form. Lookups before that find little, and take the CPU that handshakes need.
const WARM_UP_DELAY: Duration = Duration::from_secs(3);

/// Between two tries of the first search, and how many there are.
const WARM_UP_RETRY_DELAY: Duration = Duration::from_millis(200);
const MAX_WARM_UP_TRIES: usize = 10;

/// Requests that wait for an answer; the network refuses more.
const MAX_QUEUED_REQUESTS: usize = 256;

/// The bounds of the protocol.
pub(crate) fn protocol() -> ProtocolSpec {
    ProtocolSpec {
        // An unregistered node gets a quarter: enough for one search of a mesh in which one node answers for all keys.
        per_peer_per_second: 240,
        ..ProtocolSpec::of(DIRECTORY)
    }
}

/// The channel on which the network delivers requests.
pub(crate) fn channel() -> (mpsc::Sender<InboundRequest>, mpsc::Receiver<InboundRequest>) {
    mpsc::channel(MAX_QUEUED_REQUESTS)
}

/// The handlers of request protocols.
pub(crate) type ProtocolHandlers = Dispatcher<InboundRequest>;

/// Hands each request to its protocol's handler, until the network ends.
pub(crate) async fn serve(mut requests: mpsc::Receiver<InboundRequest>, protocols: ProtocolHandlers) {
    while let Some(request) = requests.recv().await {
        // A dropped request is refused.
        if let Some(handle) = protocols.handler(request.protocol) {
            handle(request).await;
        }
    }
}

/// Registers the handler of the directory.
pub(crate) fn register(protocols: &mut ProtocolHandlers, catalog: &Arc<ExpertCatalog>) {
    let catalog = catalog.clone();
    protocols.register(DIRECTORY.name, move |request| {
        let answer = catalog.answer(&request.data);
        request.respond(answer).boxed()
    });
}

/// Registers a handler that runs concurrently: as many requests at once as the protocol's bound admits.
pub(crate) fn register_concurrent<F, A>(protocols: &mut ProtocolHandlers, name: &'static str, answer: F)
where
    F: Fn(InboundRequest) -> A + Send + Sync + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    protocols.register(name, move |request| {
        // Bounded by the slots of the protocol: the request holds one until it is answered.
        tokio::spawn(answer(request));
        std::future::ready(()).boxed()
    });
}

/// Asks the directory.
pub(crate) struct Directory {
    network: NetworkHandle,
    catalog: Arc<ExpertCatalog>,
    mesh: MeshId,
    registry: LedgerRegistry,
    /// Finds experts for a client without a state.
    light: Option<LightHandle>,
    expiry: Duration,
    /// Whether the first search is over.
    warm: watch::Sender<bool>,
    negative_lookups: Mutex<LruCache<Option<Capability>, tokio::time::Instant>>,
}

impl Directory {
    /// The directory of a mesh with the subnets that `registry` has, whose records live for `expiry`.
    pub(crate) fn new(
        network: NetworkHandle,
        catalog: Arc<ExpertCatalog>,
        (mesh, registry): (MeshId, LedgerRegistry),
        expiry: Duration,
    ) -> Self {
        let negative_lookups = Mutex::new(LruCache::new(MAX_NEGATIVE_LOOKUPS));
        let warm = watch::Sender::new(false);
        Self { network, catalog, mesh, registry, light: None, expiry, warm, negative_lookups }
    }

    /// The same, for a client without a state.
    pub(crate) fn with_light(self, light: Option<LightHandle>) -> Self {
        Self { light, ..self }
    }

    /// The first search, for all records: a node that joins late would otherwise get them only with their next renewal.
    /// An ephemeral client searches at once, because it may be gone before that. A registered node waits until the mesh
    /// has formed, and answers meanwhile with what gossip brings.
    pub(crate) async fn warm_up(&self, ephemeral: bool) {
        if !ephemeral {
            self.warm.send_replace(true);
            tokio::time::sleep(WARM_UP_DELAY).await;
        }
        for _ in 0..MAX_WARM_UP_TRIES {
            if self.find(None).await {
                break;
            }
            tokio::time::sleep(WARM_UP_RETRY_DELAY).await;
        }
        self.warm.send_replace(true);
    }

    /// Waits until the first search is over, for [`WARM_UP_TIMEOUT`] at most.
    pub(crate) async fn warm(&self) {
        let mut warm = self.warm.subscribe();
        // After the timeout the query continues with the records that are known.
        let _ = tokio::time::timeout(WARM_UP_TIMEOUT, warm.wait_for(|warm| *warm)).await;
    }

    /// Searches for a capability that no known expert has, unless that was tried a moment ago.
    pub(crate) async fn look_up(&self, capability: &Capability) {
        if self.may_look_up(capability) {
            self.find(Some(capability)).await;
        }
    }

    /// Whether the last search for this capability is long enough ago; notes the one that follows. Only searches count:
    /// otherwise a capability that is asked for often would never be searched again.
    fn may_look_up(&self, capability: &Capability) -> bool {
        let (now, key) = (tokio::time::Instant::now(), Some(capability.clone()));
        let mut lookups = self.negative_lookups.lock();
        let is_recent =
            lookups.get(&key).is_some_and(|before| now.duration_since(*before) < NEGATIVE_LOOKUP_INTERVAL);
        if !is_recent {
            lookups.put(key, now);
        }
        !is_recent
    }

    /// Brings the records of a capability, or all, into the catalog. False when no node answered.
    pub(crate) async fn find(&self, capability: Option<&Capability>) -> bool {
        if let Some(light) = &self.light {
            return light.find(&self.catalog, capability).await;
        }
        let now = clock::now();
        let mut searches = Vec::new();
        let netuids = self.registry.subnets();
        let subnets = netuids.len();
        for netuid in netuids {
            for shard in 0..SHARDS {
                // Records move to other keys with each epoch, and those of the last one live on until they
                // expire.
                for epoch in epochs(now, self.expiry) {
                    let find = FindRecords {
                        netuid,
                        capability: capability.cloned(),
                        shard,
                        filter: None,
                        limit: u16::MAX,
                        after: None,
                    };
                    let key = |copy| key(&self.mesh, (netuid, capability), shard, epoch, copy);
                    searches.extend((0..COPIES).map(|copy| self.find_at(key(copy), find.clone())));
                }
            }
        }
        let at_once = MAX_PARALLEL_REQUESTS * subnets.clamp(1, MAX_PARALLEL_SUBNETS);
        let answered = stream::iter(searches).buffer_unordered(at_once).collect::<Vec<_>>().await;
        answered.into_iter().any(|answered| answered)
    }

    /// Asks the nodes that are responsible for `key`, until [`NODES_PER_COPY`] have answered.
    async fn find_at(&self, key: Hash, find: FindRecords) -> bool {
        let mut answered = 0;
        for node in self.responsible(key).await {
            if self.read_all(node, find.clone()).await {
                answered += 1;
            }
            if answered == NODES_PER_COPY {
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
                    tracing::debug!(%node, %error, "a responsible node sent an invalid answer");
                    return false;
                }
            };
            for record in &page.records {
                // An invalid record costs the others of the page nothing: the responsible node does not write
                // them.
                if let Err(error) = self.catalog.ingest(record) {
                    tracing::debug!(%node, %error, "a responsible node sent an invalid record");
                }
            }
            find.after = page.next;
            if find.after.is_none() {
                break;
            }
        }
        true
    }

    /// Sends own records to the nodes that are responsible for them; returns how many nodes keep some.
    pub(crate) async fn publish(&self, records: &[SignedRecord]) -> usize {
        let epoch = epoch(clock::now());
        let mut wanted: BTreeMap<Hash, Vec<usize>> = BTreeMap::new();
        for (index, signed) in records.iter().enumerate() {
            let record = signed.record();
            for key in keys(&self.mesh, (&record.node, record.netuid), &record.capability, epoch) {
                wanted.entry(key).or_default().push(index);
            }
        }
        let found = stream::iter(wanted)
            .map(|(key, indices)| async move { (self.responsible(key).await, indices) })
            .buffer_unordered(MAX_PARALLEL_REQUESTS)
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
        let kept = stream::iter(handed).buffer_unordered(MAX_PARALLEL_REQUESTS).collect::<Vec<_>>().await;
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
        // Own records are in the catalog already, and a request to oneself cannot be sent.
        found.into_iter().filter(|node| *node != own).take(MAX_RESPONSIBLE).collect()
    }
}
