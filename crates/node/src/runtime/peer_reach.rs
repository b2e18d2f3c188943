//! Whether this node and a peer reach each other, and where it fails: what `nervure doctor PEER` shows.
//!
//! This node dials the peer, and asks up to [`MAX_RENDEZVOUS`] nodes that it is connected to whether they reach it. The peer, asked
//! through one of them or on the connection to it, dials this node and reports ([`nervure_protocol::reach`] has what hostile nodes
//! can do).

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use futures::future::join_all;
use nervure_api::{PeerReachView, PeerReportView, QueryPortView, RendezvousView, RoadView};
use nervure_p2p::{
    AddressScope, InboundRequest, Multiaddr, NetworkHandle, ProtocolSpec, RequestError, Road,
    query::QueryClient,
};
use nervure_primitives::{NodeId, UntrustedText};
use nervure_protocol::{
    protocols::REACH,
    reach::{AddressText, ReachReport, ReachRequest, ReachResponse, SeenAsker},
};
use tokio::time::timeout;

use super::{
    catalog::ExpertCatalog,
    chain::ChainHandle,
    dialer::dialable,
    directory::{ProtocolHandlers, register_concurrent},
    peers,
};

/// Nodes that are asked whether they reach the peer: one may be hostile, and one may not serve this.
const MAX_RENDEZVOUS: usize = 3;

/// How long the peer may take to dial, a third node to ask the peer, and this node to ask the third. Each is within the next.
const DIAL_TIMEOUT: Duration = Duration::from_secs(4);
const ASK_TIMEOUT: Duration = Duration::from_secs(6);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(8);

/// How long one query address of the peer is tried.
const PORT_TIMEOUT: Duration = Duration::from_secs(2);

/// Probes in progress at once; more are refused.
const MAX_PROBES: usize = 16;

/// The bounds of the protocol.
pub(super) fn protocol() -> ProtocolSpec {
    ProtocolSpec {
        per_peer_per_second: 4,
        inbound: MAX_PROBES,
        timeout: REQUEST_TIMEOUT,
        ..ProtocolSpec::of(REACH)
    }
}

/// Answers others' questions about reachability.
#[derive(Clone)]
pub(super) struct ReachServer {
    network: NetworkHandle,
    chain: Option<ChainHandle>,
}

impl ReachServer {
    pub(super) fn new(network: NetworkHandle, chain: Option<ChainHandle>) -> Self {
        Self { network, chain }
    }

    /// Registers the handler.
    pub(super) fn register(self, protocols: &mut ProtocolHandlers) {
        register_concurrent(protocols, REACH.name, move |request| {
            let server = self.clone();
            async move { server.answer(request).await }
        });
    }

    async fn answer(&self, request: InboundRequest) {
        let response = match ReachRequest::decode(&request.data) {
            Ok(ReachRequest::Ask { peer }) if peer != request.from => self.ask(request.from, peer).await,
            Ok(ReachRequest::Probe { asker, addresses }) if asker == request.from || request.registered => {
                // Only registered nodes may have this one dial an address.
                let addresses = if request.registered { addresses } else { Vec::new() };
                ReachResponse::Report(self.report(asker, &addresses).await)
            }
            // Dropped, it is refused and counted.
            Ok(ReachRequest::Ask { .. } | ReachRequest::Probe { .. }) | Err(_) => return,
        };
        if let Ok(bytes) = response.encode() {
            request.respond(bytes).await;
        }
    }

    /// Asks `peer` for `asker`, which is connected to this node.
    async fn ask(&self, asker: NodeId, peer: NodeId) -> ReachResponse {
        if peer == self.network.node() {
            return ReachResponse::Report(self.report(asker, &[]).await);
        }
        let connected = self.network.peers().await.unwrap_or_default();
        let seen = connected.iter().find(|one| one.node == asker && !one.hides_address);
        let addresses = seen.map(|one| UntrustedText::new(&one.address)).into_iter().collect();
        let probe = ReachRequest::Probe { asker, addresses };
        match timeout(ASK_TIMEOUT, send(&self.network, peer, &probe)).await {
            Ok(Ok(report @ ReachResponse::Report(_))) => report,
            Ok(Ok(ReachResponse::PeerUnreachable { reason })) => ReachResponse::PeerUnreachable { reason },
            Ok(Err(reason)) => ReachResponse::PeerUnreachable { reason: UntrustedText::new(reason) },
            Err(_) => ReachResponse::PeerUnreachable { reason: UntrustedText::new("no answer in time") },
        }
    }

    /// What this node sees of itself and of `asker`.
    async fn report(&self, asker: NodeId, addresses: &[AddressText]) -> ReachReport {
        let asker = self.reach(asker, addresses).await;
        let status = self.network.status().await.unwrap_or_default();
        let relays = status.listening.iter().filter_map(super::address::relay).collect::<BTreeSet<_>>();
        ReachReport {
            agent: UntrustedText::new(format_args!("nervure/{}", env!("CARGO_PKG_VERSION"))),
            height: self.chain.as_ref().map(|chain| chain.view().tip.header.height),
            peers: status.connected,
            dialable: status.reachable,
            relays: u32::try_from(relays.len()).unwrap_or(u32::MAX),
            asker,
        }
    }

    async fn reach(&self, asker: NodeId, addresses: &[AddressText]) -> SeenAsker {
        let unreachable =
            |reason: &dyn std::fmt::Display| SeenAsker::Unreachable { reason: UntrustedText::new(reason) };
        if self.network.status().await.is_ok_and(|status| status.sealed) {
            return unreachable(&"it is sealed, and dials only its contacts");
        }
        let addresses: Vec<Multiaddr> =
            addresses.iter().filter_map(|address| address.raw().parse().ok()).collect();
        match timeout(DIAL_TIMEOUT, self.network.reach(asker, addresses)).await {
            Ok(Ok(road)) => connected(&self.network, asker, road).await,
            Ok(Err(error)) => unreachable(&error),
            Err(_) => unreachable(&"no connection in time"),
        }
    }
}

async fn connected(network: &NetworkHandle, asker: NodeId, road: Road) -> SeenAsker {
    let peers = network.peers().await.unwrap_or_default();
    match peers.into_iter().find(|peer| peer.node == asker) {
        Some(peer) => SeenAsker::Connected {
            relayed: road == Road::Relayed,
            inbound: peer.inbound,
            address: UntrustedText::new(peer.address),
        },
        None => SeenAsker::Unreachable { reason: UntrustedText::new("the connection was closed again") },
    }
}

async fn send(network: &NetworkHandle, to: NodeId, request: &ReachRequest) -> Result<ReachResponse, String> {
    let bytes = request.encode().map_err(|error| error.to_string())?;
    let answer = network.request(to, REACH.name, bytes).await.map_err(|error| match error {
        RequestError::Refused => "the node does not answer this: its version may be an earlier one".into(),
        other => other.to_string(),
    })?;
    ReachResponse::decode(&answer).map_err(|error| format!("its answer is malformed: {error}"))
}

/// Looks for the ways between this node and a peer.
pub(crate) struct PeerReach {
    pub(crate) network: NetworkHandle,
    pub(crate) catalog: std::sync::Arc<ExpertCatalog>,
    pub(crate) client: QueryClient,
    /// Which query addresses are dialled; none on a sealed node.
    pub(crate) scope: Option<AddressScope>,
}

impl PeerReach {
    /// What is known about the ways to `peer` and back.
    pub(crate) async fn look(&self, peer: NodeId) -> PeerReachView {
        let except = BTreeSet::from([peer]);
        let asked = peers::all(&self.network, &except).await;
        let asking = asked.into_iter().take(MAX_RENDEZVOUS).map(|node| self.ask_third(node, peer));
        let (own, third, query) = futures::join!(self.reach(peer), join_all(asking), self.query_ports(peer));
        let (rendezvous, mut reports): (Vec<_>, Vec<_>) = third.into_iter().unzip();
        // What the peer says on the connection to it counts more than what it said to a third node.
        let direct = match &own {
            RoadView { road: Some(_), .. } => self.ask_peer(peer).await,
            RoadView { .. } => None,
        };
        let report = direct.or_else(|| reports.iter_mut().find_map(Option::take));
        PeerReachView {
            peer,
            connected: u32::try_from(self.network.peers().await.unwrap_or_default().len())
                .unwrap_or(u32::MAX),
            own,
            rendezvous,
            report: report.map(report_view),
            query,
        }
    }

    async fn reach(&self, peer: NodeId) -> RoadView {
        match timeout(REQUEST_TIMEOUT, self.network.reach(peer, Vec::new())).await {
            Ok(Ok(road)) => RoadView { road: Some(road.name().into()), error: None },
            Ok(Err(error)) => RoadView { road: None, error: Some(error.to_string()) },
            Err(_) => RoadView { road: None, error: Some("no connection in time".into()) },
        }
    }

    async fn ask_third(&self, node: NodeId, peer: NodeId) -> (RendezvousView, Option<ReachReport>) {
        let said = |answered, error| RendezvousView { node, answered, reaches: false, error: Some(error) };
        match send(&self.network, node, &ReachRequest::Ask { peer }).await {
            Ok(ReachResponse::Report(report)) => {
                (RendezvousView { node, answered: true, reaches: true, error: None }, Some(report))
            }
            Ok(ReachResponse::PeerUnreachable { reason }) => (said(true, reason.to_string()), None),
            Err(error) => (said(false, error), None),
        }
    }

    async fn ask_peer(&self, peer: NodeId) -> Option<ReachReport> {
        let probe = ReachRequest::Probe { asker: self.network.node(), addresses: Vec::new() };
        match send(&self.network, peer, &probe).await {
            Ok(ReachResponse::Report(report)) => Some(report),
            Ok(ReachResponse::PeerUnreachable { .. }) | Err(_) => None,
        }
    }

    /// Connects to the query addresses in the peer's records; nothing where it has no record.
    async fn query_ports(&self, peer: NodeId) -> Vec<QueryPortView> {
        let records = self.catalog.find(&nervure_subnet::IndexSearch::default()).records;
        let addresses: BTreeSet<SocketAddr> = records
            .iter()
            .filter(|record| record.node == peer)
            .flat_map(|record| dialable(self.scope, record))
            .collect();
        let mut ports = Vec::new();
        // One after the other: the client keeps one connection to each node.
        for address in addresses {
            let error = match timeout(PORT_TIMEOUT, self.client.reach(peer, &[address])).await {
                Ok(reached) => reached.err().map(|error| error.to_string()),
                Err(_) => Some("no answer in time".into()),
            };
            ports.push(QueryPortView { address: address.to_string(), error });
        }
        ports
    }
}

fn report_view(report: ReachReport) -> PeerReportView {
    let ReachReport { agent, height, peers, dialable, relays, asker } = report;
    let (sees, inbound, address, error) = match asker {
        SeenAsker::Connected { relayed, inbound, address } => {
            let road = if relayed { Road::Relayed } else { Road::Direct };
            (Some(road.name().into()), inbound, Some(address.to_string()), None)
        }
        SeenAsker::Unreachable { reason } => (None, false, None, Some(reason.to_string())),
    };
    PeerReportView {
        agent: agent.to_string(),
        height,
        peers,
        dialable,
        relays,
        sees,
        inbound,
        address,
        error,
    }
}
