//! The task that owns the swarm: it handles commands, swarm events and timers.

mod auto_relay;
mod contacts;
mod dht;
mod event;
mod gossip;
mod identity;
mod reach;
mod reaching;
mod relay_share;
mod requests;
mod roaming;
mod routine;
mod seen;
mod topics;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use futures::StreamExt;
use libp2p::{Multiaddr, PeerId, Swarm, gossipsub::IdentTopic, kad};
use nervure_primitives::NodeId;
use nervure_protocol::names::AgentName;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    circuits::Circuits,
    command::{Command, GossipMessage, OutboundRequest},
    dialer::Dialer,
    handle::{NetworkStatus, PeerInfo},
};
use crate::{
    Admission, NetworkConfig, NetworkMetrics, behaviour::Behaviour, circuit_limits::StatedLimits,
    gossip::Standing, peer_store::PeerStore,
};
use gossip::Gossip;
use identity::Restarts;
use reaching::{Attempts, Roads};
use relay_share::RelayShare;
use requests::Requests;
use roaming::Sources;
use routine::Routine;
pub use seen::PortMapping;
use seen::Seen;
use topics::Topics;

pub(super) struct Task {
    swarm: Swarm<Behaviour>,
    config: NetworkConfig,
    admission: Arc<dyn Admission>,
    gossip: Gossip,
    topics: Topics,
    requests: Requests,
    dialer: Dialer,
    circuits: Circuits,
    book: PeerStore,
    /// By connected peer, so bounded by the connection limits.
    peers: BTreeMap<PeerId, Peer>,
    lookups: HashMap<kad::QueryId, Lookup>,
    routine: Routine,
    metrics: NetworkMetrics,
    /// Whether other nodes can dial this one, as AutoNAT last found.
    reachable: Option<bool>,
    /// How others see this node.
    seen: Seen,
    /// Connections of this node that the other side closed before it was identified.
    turned_away: u64,
    restarts: Restarts,
    relay_share: RelayShare,
    /// Nodes that are being reached for questions.
    attempts: Attempts,
    /// From which own address each connection leaves.
    sources: Sources,
    /// What relays let through.
    limits: StatedLimits,
}

/// A connected peer.
struct Peer {
    node: NodeId,
    registered: bool,
    inbound: bool,
    /// Whether it dialled us and has named no address at which others reach it.
    hides_address: bool,
    /// When its first connection was established.
    since: Instant,
    address: Multiaddr,
    agent: AgentName,
    /// Identifies this start of the node's process; none until identify has reported it.
    incarnation: Option<AgentName>,
    /// The addresses that it reports and that may be dialled; empty unless it answers lookups.
    routes: Vec<Multiaddr>,
    /// Whether it relays for others.
    offers_relay: bool,
    roads: Roads,
    rtt_ms: Option<f64>,
    /// Its class in gossip, and its messages beyond the rate.
    standing: Standing,
}

/// What a lookup is for.
enum Lookup {
    /// A caller that wants the closest nodes.
    Closest(oneshot::Sender<Vec<NodeId>>),
    /// A request that needs the address of its node.
    Request(OutboundRequest),
    /// A question that needs the address of its node.
    Road(PeerId),
    /// A contact of this sealed node, which is not connected.
    Contact(PeerId),
}

impl Task {
    pub(super) fn new(
        mut swarm: Swarm<Behaviour>,
        config: NetworkConfig,
        admission: Arc<dyn Admission>,
        gossip: mpsc::Sender<GossipMessage>,
    ) -> Result<Self, String> {
        for topic in &config.topics {
            let topic = IdentTopic::new(&topic.name);
            swarm.behaviour_mut().gossip.subscribe(&topic).map_err(|error| error.to_string())?;
        }
        Ok(Self {
            dialer: Dialer::new(&config.bootstrap, *swarm.local_peer_id(), config.kept_bootstrap)?,
            circuits: Circuits::new(&config.listen),
            book: config.peer_store.as_deref().map_or_else(PeerStore::new, PeerStore::open),
            gossip: Gossip::new(gossip),
            topics: Topics::new(&config),
            requests: Requests::new(&config),
            peers: BTreeMap::new(),
            lookups: HashMap::new(),
            routine: Routine::new(),
            metrics: config.metrics.clone(),
            reachable: None,
            seen: Seen::default(),
            turned_away: 0,
            restarts: Restarts::default(),
            relay_share: RelayShare::default(),
            attempts: Attempts::default(),
            sources: Sources::default(),
            limits: StatedLimits::default(),
            swarm,
            config,
            admission,
        })
    }

    /// Runs until `stop`, or until the last handle is dropped.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>, stop: CancellationToken) {
        self.tend_contacts(0);
        self.dial_known_nodes();
        loop {
            // Computed in each turn: a command or an event may have made something due earlier.
            let due = self.next_due();
            tokio::select! {
                // The order is the priority: stopping and local work come before what peers send, so that a
                // flood of packets delays neither.
                biased;
                () = stop.cancelled() => break,
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => break,
                },
                Some(judged) = self.gossip.judged.recv() => self.judge(judged),
                Some(answered) = self.requests.answered.recv() => self.respond(answered),
                () = sleep_until(due) => self.due(Instant::now()),
                event = self.swarm.select_next_some() => self.event(event),
            }
        }
        self.save_on_stop().await;
        // Closes the listeners before the commands' channel closes, which `NetworkHandle::stopped` waits for.
        drop(self);
    }

    /// Sending a reply fails only when its caller has stopped waiting, so the error is dropped.
    fn command(&mut self, command: Command) {
        match command {
            Command::Publish { topic, data, reply } => drop(reply.send(self.publish(&topic, data))),
            Command::Follow { family, numbers, reply } => drop(reply.send(self.follow(&family, &numbers))),
            Command::Closest { key, reply } => self.closest(key, reply),
            Command::Request(ask) => self.ask(ask),
            Command::Reach { to, reply } => self.reach(to, reply),
            Command::Peers { reply } => drop(reply.send(self.peer_infos())),
            Command::Status { reply } => drop(reply.send(self.current_status())),
        }
    }

    fn peer_infos(&self) -> Vec<PeerInfo> {
        let gossip = &self.swarm.behaviour().gossip;
        let grafted: BTreeSet<_> = gossip.all_mesh_peers().copied().collect();
        let info = |(id, peer): (&PeerId, &Peer)| PeerInfo {
            node: peer.node,
            inbound: peer.inbound,
            rtt_ms: peer.rtt_ms,
            agent: peer.agent.clone(),
            address: peer.address.clone(),
            registered: peer.registered,
            score: gossip.peer_score(id).unwrap_or_default(),
            grafted: grafted.contains(id),
            hides_address: peer.hides_address,
        };
        self.peers.iter().map(info).collect()
    }

    fn current_status(&mut self) -> NetworkStatus {
        let own = *self.swarm.local_peer_id();
        let listening =
            self.swarm.listeners().filter_map(|address| address.clone().with_p2p(own).ok()).collect();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let routing_table = count(self.routed_nodes());
        let metrics = &self.metrics;
        NetworkStatus {
            connected: count(self.peers.len()),
            listening,
            routing_table,
            topics: count(self.topics.names().len()),
            gossip_received: metrics.gossip_received.get(),
            gossip_rejected: metrics.gossip_rejected.get(),
            gossip_dropped: metrics.gossip_dropped.get(),
            gossip_rate_limited: metrics.gossip_rate_limited.get(),
            requests_received: metrics.requests_received.get(),
            requests_refused: metrics.requests_refused.get(),
            requests_failed: metrics.requests_failed.get(),
            wrong_mesh: metrics.wrong_mesh.get(),
            strangers_refused: metrics.strangers_refused.get(),
            connections_refused: metrics.connections_refused.get(),
            dials_refused: metrics.dials_refused.get(),
            routes_refused: metrics.routes_refused.get(),
            circuits_refused: metrics.circuits_refused.get(),
            holes_punched: metrics.holes_punched.get(),
            reachable: self.reachable,
            external: self.swarm.external_addresses().cloned().collect(),
            observed: self.seen.addresses(),
            mapping: self.seen.mapping,
            turned_away: self.turned_away,
            known: count(self.book.len()),
            sealed: self.config.contacts.is_some(),
        }
    }

    /// Nodes in the routing table of the DHT.
    fn routed_nodes(&mut self) -> usize {
        self.swarm.behaviour_mut().kad.kbuckets().map(|bucket| bucket.num_entries()).sum()
    }

    /// Sets the gauges that follow the swarm's state.
    fn measure(&mut self) {
        let routed = self.routed_nodes();
        self.metrics.routing_table.set(i64::try_from(routed).unwrap_or(i64::MAX));
        self.metrics.connected.set(i64::try_from(self.peers.len()).unwrap_or(i64::MAX));
    }
}
