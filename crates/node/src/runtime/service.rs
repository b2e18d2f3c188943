//! The running node behind its HTTP API.

#![deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

use std::{sync::Arc, time::Instant};

use futures::{FutureExt, future::BoxFuture};
use nervure_api::{
    AccountView, AnswerStream, Catalog, ExpertPage, ExpertSearch, NodeStatus, PeerView, Query, ServiceError,
    TransactionView,
};
use nervure_gateway::{LedgerReader, MeshService};
use nervure_ledger::spec::Role;
use nervure_p2p::{NetworkHandle, NetworkStatus};
use nervure_primitives::{Envelope, Hash, MeshId, NodeId};
use nervure_protocol::ExpertRecord;
use nervure_router::{Router, expert_view, parse_filter};
use nervure_subnet::IndexSearch;
use prometheus_client::registry::Registry;
use serde_json::Value;

use super::{
    catalog::ExpertCatalog, clock, directory::Directory, ledger::LedgerQueries, metrics,
    serving::ServedExperts, skew::Skew, view,
};

/// The parts of a node that the HTTP API reaches.
pub(crate) struct NodeService {
    pub mesh: MeshId,
    pub role: Option<Role>,
    pub started: Instant,
    /// Whether the mesh spec names no other node to connect to.
    pub alone: bool,
    pub network: NetworkHandle,
    pub ledger: LedgerQueries,
    pub router: Router,
    pub catalog: Arc<ExpertCatalog>,
    pub directory: Arc<Directory>,
    pub skew: Arc<Skew>,
    pub metrics: Registry,
    pub experts: Arc<ServedExperts>,
}

impl NodeService {
    /// The network's state; a stopped network has none.
    async fn network_status(&self) -> NetworkStatus {
        self.network.status().await.unwrap_or_default()
    }

    fn find(&self, find: &ExpertSearch) -> Result<ExpertPage, ServiceError> {
        let page = self.catalog.find(&IndexSearch {
            capability: find.capability.clone(),
            model: None,
            netuid: find.netuid,
            filter: find.filter.as_deref().map(parse_filter).transpose()?,
            limit: find.limit,
            after: find.cursor.as_deref().map(view::parse_cursor).transpose()?,
        });
        let now = clock::now();
        let view = |record: &ExpertRecord| {
            expert_view(record, &self.catalog.seen(&record.node, &record.expert), now)
        };
        Ok(ExpertPage { experts: page.records.iter().map(view).collect(), next: page.next.map(view::cursor) })
    }
}

impl MeshService for NodeService {
    fn ask(&self, ask: Query) -> BoxFuture<'_, Result<AnswerStream, ServiceError>> {
        async move {
            self.directory.warm().await;
            // Before the first connection, "no expert is known" would be a wrong answer.
            if self.catalog.len() == 0 && !self.alone && self.network_status().await.connected == 0 {
                let reason = "no node of the mesh is connected yet".into();
                return Err(ServiceError::Unavailable { reason });
            }
            // The caller enforces the query's bounds over all of this.
            match self.router.start(ask.clone()).await {
                Err(ServiceError::NoExpert { capability, .. }) => {
                    self.directory.look_up(&capability).await;
                    self.router.start(ask).await
                }
                answered => answered,
            }
        }
        .boxed()
    }

    fn experts(&self, find: ExpertSearch) -> BoxFuture<'_, Result<ExpertPage, ServiceError>> {
        async move {
            self.directory.warm().await;
            let page = self.find(&find)?;
            let Some(capability) = find.capability.as_ref().filter(|_| page.experts.is_empty()) else {
                return Ok(page);
            };
            self.directory.look_up(capability).await;
            self.find(&find)
        }
        .boxed()
    }

    fn catalog(&self) -> BoxFuture<'_, Catalog> {
        let records = self.catalog.find(&IndexSearch::default()).records;
        std::future::ready(view::catalog(&records)).boxed()
    }

    fn status(&self) -> BoxFuture<'_, NodeStatus> {
        async move {
            let network = self.network_status().await;
            let waiting = network.connected == 0 && !self.alone;
            NodeStatus {
                node: self.network.node(),
                mesh: self.mesh,
                role: self.role.map_or("none".into(), |role| role.to_string()),
                version: env!("CARGO_PKG_VERSION").into(),
                uptime_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
                not_ready: waiting.then(|| not_ready_reason(&network)),
                clock: self.skew.warning(),
                peers_connected: network.connected,
                experts_known: u32::try_from(self.catalog.len()).unwrap_or(u32::MAX),
                serving: self.experts.iter().map(|served| served.name.clone()).collect(),
                chain: self.ledger.chain.as_ref().map(|chain| view::chain(&chain.view())),
                anchor: self.ledger.anchoring.as_ref().map(|anchoring| anchoring.status()),
                validator: self
                    .ledger
                    .validator(self.network.node())
                    .filter(|_| self.role == Some(Role::Validator)),
                network: serde_json::to_value(&network).unwrap_or(Value::Null),
            }
        }
        .boxed()
    }

    fn account(&self, owner: NodeId) -> BoxFuture<'_, Result<AccountView, ServiceError>> {
        self.ledger.account(owner).boxed()
    }

    fn submit(
        &self,
        envelope: Envelope,
        dry_run: bool,
    ) -> BoxFuture<'_, Result<TransactionView, ServiceError>> {
        self.ledger.submit(envelope, dry_run).boxed()
    }

    fn transaction(&self, id: Hash) -> BoxFuture<'_, Result<TransactionView, ServiceError>> {
        std::future::ready(self.ledger.transaction(id)).boxed()
    }

    fn ledger(&self) -> &dyn LedgerReader {
        &self.ledger
    }

    fn peers(&self) -> BoxFuture<'_, Vec<PeerView>> {
        async move {
            let peers = self.network.peers().await.unwrap_or_default();
            peers.into_iter().map(view::peer).collect()
        }
        .boxed()
    }

    fn metrics(&self) -> String {
        metrics::render(&self.metrics)
    }
}

/// Why no node is connected, as far as this node knows.
fn not_ready_reason(network: &NetworkStatus) -> String {
    match network.wrong_mesh {
        0 => "no node of the mesh is connected yet".into(),
        count => format!(
            "no node of the mesh is connected, and {count} connections led to nodes of another one: compare the mesh's id \
             with theirs (nervure mesh show), and join with their spec"
        ),
    }
}
