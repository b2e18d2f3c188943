//! The running node behind its HTTP API.

#![deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

use std::{sync::Arc, time::Instant};

use futures::{FutureExt, future::BoxFuture};
use nervure_api::{
    AccountView, AnswerStream, AuditPage, Catalog, EvidenceView, ExpertPage, ExpertSearch, ExpertView,
    NodeStatus, PeerReachView, PeerView, Query, ServiceError, TransactionView,
};
use nervure_gateway::{LedgerReader, LightCall, MeshService};
use nervure_ledger::spec::Role;
use nervure_p2p::{NetworkHandle, NetworkStatus};
use nervure_primitives::{Envelope, Hash, MeshId, NodeId};
use nervure_protocol::ExpertRecord;
use nervure_router::{Router, expert_view, parse_filter};
use nervure_subnet::IndexSearch;
use prometheus_client::registry::Registry;
use serde_json::Value;

use super::{
    address::QueryPlace,
    audit::{Auditor, Releaser},
    catalog::ExpertCatalog,
    chain::ChainView,
    clock,
    directory::Directory,
    ledger::LedgerQueries,
    light::LightServer,
    metrics,
    peer_reach::PeerReach,
    reach,
    serving::ServedExperts,
    skew::Skew,
    traffic::TrafficGossip,
    view,
};

/// The parts of a node that the HTTP API reaches.
pub(crate) struct NodeService {
    pub mesh: MeshId,
    pub role: Option<Role>,
    pub started: Instant,
    /// Whether the mesh spec names no other node to connect to.
    pub alone: bool,
    /// Whether the mesh is on one machine or network.
    pub is_local: bool,
    /// Where this node answers queries.
    pub query: Option<QueryPlace>,
    pub network: NetworkHandle,
    pub peer_reach: PeerReach,
    pub ledger: LedgerQueries,
    pub router: Router,
    pub releaser: Releaser,
    /// Where this node is a validator.
    pub auditor: Option<Arc<Auditor>>,
    pub catalog: Arc<ExpertCatalog>,
    pub directory: Arc<Directory>,
    pub traffic: Arc<TrafficGossip>,
    pub skew: Arc<Skew>,
    pub metrics: Registry,
    pub experts: Arc<ServedExperts>,
    /// What it serves to clients without a state; none without a chain.
    pub light: Option<LightServer>,
}

impl NodeService {
    /// The network's state; a stopped network has none.
    async fn network_status(&self) -> NetworkStatus {
        self.network.status().await.unwrap_or_default()
    }

    /// Why this node cannot do its role now.
    fn not_ready(&self, network: &NetworkStatus, view: Option<&ChainView>) -> Option<String> {
        if network.connected == 0 && !self.alone {
            return Some(not_ready_reason(network));
        }
        let view = view?;
        if let Some(failed) = &view.failed {
            return Some(format!("it has stopped following the chain: {failed}"));
        }
        if let Some(age) = view.standing_still(clock::now()) {
            let height = view.tip.header.height;
            return Some(format!(
                "the chain stands still: the last block here, {height}, is {} s old",
                age.as_secs()
            ));
        }
        let node = self.network.node();
        let has_slot = view.tip.state.subnets().values().any(|subnet| subnet.uid_of(&node).is_some());
        match self.role {
            Some(Role::Miner) if !has_slot => Some(format!(
                "this miner has no slot in a subnet any more; with the owner's key: nervure neuron register --netuid N \
                 --node {node}"
            )),
            Some(Role::Miner) if self.experts.iter().next().is_none() => {
                Some("this miner serves no expert: name one with --expert".into())
            }
            Some(Role::Validator) if !has_slot && !view.tip.state.roster().has_joined(&node) => {
                Some(format!(
                    "this validator has neither a slot in a subnet nor joined those that make blocks; with the owner's key: \
                 nervure validator join {node}"
                ))
            }
            Some(Role::Miner | Role::Validator | Role::Gateway) | None => None,
        }
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
        let trust = self.router.trust();
        let view = |record: &ExpertRecord| {
            let seen = self.catalog.seen(&record.node, &record.expert);
            ExpertView { trust: Some(trust.of(record).figures()), ..expert_view(record, &seen, now) }
        };
        Ok(ExpertPage { experts: page.records.iter().map(view).collect(), next: page.next.map(view::cursor) })
    }
}

impl MeshService for NodeService {
    fn ask(&self, ask: Query) -> BoxFuture<'_, Result<AnswerStream, ServiceError>> {
        async move {
            self.traffic.count(&ask.request, ask.deadline, ask.budget);
            self.directory.warm().await;
            // Before the first connection, "no expert is known" would be a wrong answer.
            if self.catalog.len() == 0 && !self.alone && self.network_status().await.connected == 0 {
                let reason = "no node of the mesh is connected yet".into();
                return Err(ServiceError::Unavailable { reason });
            }
            let ask = self.releaser.decided(ask);
            // The caller enforces the query's bounds over all of this.
            let answered = match self.router.start(ask.clone()).await {
                Err(ServiceError::NoExpert { capability, .. }) => {
                    self.directory.look_up(&capability).await;
                    self.router.start(ask).await
                }
                answered => answered,
            };
            answered.map(|answer| self.releaser.watch(answer))
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
            let view = self.ledger.chain.as_ref().map(|chain| chain.view().clone());
            let not_ready = self.not_ready(&network, view.as_ref());
            let query = match &self.query {
                Some(place) => place.addresses(&self.network).await,
                None => Vec::new(),
            };
            NodeStatus {
                node: self.network.node(),
                mesh: self.mesh,
                role: self.role.map_or("none".into(), |role| role.to_string()),
                version: env!("CARGO_PKG_VERSION").into(),
                uptime_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
                not_ready,
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
                reach: reach::view(&network, self.is_local, &query),
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
        self.ledger.transaction(id).boxed()
    }

    fn light(&self, call: LightCall) -> BoxFuture<'_, Result<Vec<u8>, ServiceError>> {
        async move {
            let server = self.light.as_ref().ok_or_else(|| ServiceError::Unavailable {
                reason: "this node is an ephemeral client and has no state".into(),
            })?;
            let bad = || ServiceError::InvalidRequest {
                field: "request".into(),
                message: "it is no request of this version, or beyond its bounds".into(),
            };
            match call {
                LightCall::Proof(bytes) => server.response(&bytes).await.ok_or_else(bad),
                LightCall::Transaction(bytes) => {
                    // A stranger's, as on the swarm: this node's own users have another way.
                    let taken = server.chain.take_submission(self.network.node(), bytes).await;
                    taken.encode().map_err(|_| bad())
                }
            }
        }
        .boxed()
    }

    fn audits(&self) -> AuditPage {
        self.auditor.as_ref().map(|auditor| auditor.page()).unwrap_or_default()
    }

    fn evidence(&self, query: &Hash) -> Option<EvidenceView> {
        self.auditor.as_ref()?.evidence(query)
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

    fn peer_reach(&self, peer: NodeId) -> BoxFuture<'_, PeerReachView> {
        self.peer_reach.look(peer).boxed()
    }

    fn metrics(&self) -> String {
        metrics::render(&self.metrics)
    }
}

/// Why no node is connected, as far as this node knows.
fn not_ready_reason(network: &NetworkStatus) -> String {
    match (network.wrong_mesh, network.turned_away) {
        (0, 0) => "no node of the mesh is connected yet".into(),
        (0, count) => format!(
            "no node of the mesh is connected: {count} connections were closed by the other side at once, which has no room \
             for more unregistered nodes of this network; wait, use another network, or register this node"
        ),
        (count, _) => format!(
            "no node of the mesh is connected, and {count} connections led to nodes of another one: compare the mesh's id \
             with theirs (nervure mesh show), and join with their spec"
        ),
    }
}
