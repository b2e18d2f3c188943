//! What the swarm tells, and what follows from it.

use libp2p::{
    Multiaddr, PeerId,
    core::ConnectedPoint,
    gossipsub, identify, kad,
    multiaddr::Protocol,
    ping,
    swarm::SwarmEvent,
};
use tokio::time::Instant;

use super::{GossipMessage, Peer, Task};
use crate::{
    Scope,
    behaviour::{BehaviourEvent, dht_protocol, protocol_version},
    is_global,
    network::node_of,
};

/// Addresses of one peer that enter the routing table.
const ADDRESSES_PER_PEER: usize = 8;

/// Longest agent name that is kept, in characters.
const AGENT_LEN: usize = 64;

impl Task {
    pub(super) fn event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(event)) => self.gossip_event(event),
            SwarmEvent::Behaviour(BehaviourEvent::Identify(event)) => self.identified(event),
            SwarmEvent::Behaviour(BehaviourEvent::Kad(event)) => self.dht_event(event),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(event)) => self.ponged(&event),
            SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } => {
                self.connected(peer_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => {
                self.peers.remove(&peer_id);
                self.swarm.behaviour_mut().kad.remove_peer(&peer_id);
                self.dialer.lost(&peer_id, Instant::now());
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                tracing::debug!(%peer, %error, "dialling failed");
                if !self.peers.contains_key(&peer) {
                    self.dialer.lost(&peer, Instant::now());
                }
            }
            _ => {}
        }
    }

    /// A stranger beyond the strangers' share of connections, or a key that is no node's, has to go.
    fn connected(&mut self, peer_id: PeerId, endpoint: &ConnectedPoint) {
        let Some(node) = node_of(peer_id) else {
            return self.disconnect(peer_id);
        };
        let registered = self.admission.is_registered(&node);
        let strangers = self.peers.values().filter(|peer| !peer.registered).count();
        if !registered && strangers >= self.config.strangers as usize {
            self.status.strangers_refused += 1;
            return self.disconnect(peer_id);
        }
        self.dialer.connected(&peer_id);
        self.peers.entry(peer_id).or_insert_with(|| Peer {
            node,
            registered,
            inbound: endpoint.is_listener(),
            address: endpoint.get_remote_address().clone(),
            agent: String::new(),
            rtt_ms: None,
        });
    }

    fn disconnect(&mut self, peer: PeerId) {
        // Fails only when it is gone already.
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    fn identified(&mut self, event: identify::Event) {
        let identify::Event::Received { peer_id, info, .. } = event else { return };
        if info.protocol_version != protocol_version(&self.config.mesh) {
            self.status.wrong_mesh += 1;
            tracing::debug!(peer = %peer_id, "a peer of another mesh");
            return self.disconnect(peer_id);
        }
        let Some(peer) = self.peers.get_mut(&peer_id) else { return };
        peer.agent = info.agent_version.chars().filter(|c| !c.is_control()).take(AGENT_LEN).collect();
        // Only registered nodes are trusted with a place in the routing table, and only servers answer there.
        let dht = dht_protocol(&self.config.mesh);
        if !peer.registered || !info.protocols.iter().any(|protocol| protocol.as_ref() == dht) {
            return;
        }
        let allowed = info.listen_addrs.into_iter().filter(|address| self.may_dial(address));
        let allowed: Vec<_> = allowed.take(ADDRESSES_PER_PEER).collect();
        let first = self.current_routing_is_empty();
        for address in allowed {
            self.swarm.behaviour_mut().kad.add_address(&peer_id, address);
        }
        if first {
            // Fails only without any peer, and there is one now.
            let _ = self.swarm.behaviour_mut().kad.bootstrap();
        }
    }

    fn current_routing_is_empty(&mut self) -> bool {
        self.swarm.behaviour_mut().kad.kbuckets().next().is_none()
    }

    /// Whether an address that somebody named may be dialled.
    fn may_dial(&self, address: &Multiaddr) -> bool {
        let relayed = address.iter().any(|part| part == Protocol::P2pCircuit);
        !relayed && (self.config.scope == Scope::Local || is_global(address))
    }

    fn dht_event(&mut self, event: kad::Event) {
        match event {
            kad::Event::OutboundQueryProgressed {
                id,
                result: kad::QueryResult::GetClosestPeers(result),
                step,
                ..
            } if step.last => {
                let peers = match result {
                    Ok(found) => found.peers,
                    Err(kad::GetClosestPeersError::Timeout { peers, .. }) => peers,
                };
                if let Some(reply) = self.lookups.remove(&id) {
                    let nodes = peers.into_iter().filter_map(|peer| node_of(peer.peer_id));
                    // Nobody waits any more when this fails.
                    let _ = reply.send(nodes.collect());
                }
            }
            kad::Event::RoutablePeer { peer, address } => self.meet(peer, address),
            _ => {}
        }
    }

    /// A lookup came by a registered node that we are not connected to: connect.
    fn meet(&mut self, peer: PeerId, address: Multiaddr) {
        let registered = node_of(peer).is_some_and(|node| self.admission.is_registered(&node));
        if !registered || self.peers.contains_key(&peer) || !self.may_dial(&address) {
            return;
        }
        let options = libp2p::swarm::dial_opts::DialOpts::peer_id(peer).addresses(vec![address]).build();
        // Refused when it is being dialled already.
        let _ = self.swarm.dial(options);
    }

    fn ponged(&mut self, event: &ping::Event) {
        if let (Some(peer), Ok(rtt)) = (self.peers.get_mut(&event.peer), &event.result) {
            peer.rtt_ms = Some(rtt.as_secs_f64() * 1000.0);
        }
    }

    fn gossip_event(&mut self, event: gossipsub::Event) {
        let gossipsub::Event::Message { propagation_source: from, message_id: id, message } = event else {
            return;
        };
        let topic = message.topic.into_string();
        let fits = self.config.topics.iter().any(|spec| spec.name == topic && message.data.len() <= spec.max_len);
        let registered = self.peers.get(&from).is_some_and(|peer| peer.registered);
        if !fits || !registered {
            self.status.gossip_rejected += 1;
            let gossip = &mut self.swarm.behaviour_mut().gossip;
            gossip.report_message_validation_result(&id, &from, gossipsub::MessageAcceptance::Reject);
            return;
        }
        self.status.gossip_received += 1;
        let message = GossipMessage { topic, from, data: message.data, id, verdicts: self.verdicts.clone() };
        if self.gossip.try_send(message).is_err() {
            self.status.gossip_dropped += 1;
        }
    }
}
