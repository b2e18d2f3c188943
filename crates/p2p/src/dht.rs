//! Kademlia with a bound on what each peer may ask of it.
//!
//! libp2p's Kademlia answers every request at once and reports it without its peer. An answer costs a search in the
//! routing table and about 2 KiB, so a stranger with a few connections could keep a core and the uplink busy. Here each peer has
//! a rate ([`NetworkConfig::lookups_per_second`]); more are refused by a reset of their stream, which costs the asker's
//! lookup one step. A peer that continues far beyond it, or sends a request that no node of a mesh sends (values and
//! providers are not kept in the DHT), is disconnected.

use std::{
    collections::VecDeque,
    ops::{Deref, DerefMut},
    task::{Context, Poll},
    time::Instant,
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    kad::{self, store::MemoryStore},
    swarm::{
        CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler,
        THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    },
};

use crate::{NetworkConfig, NetworkMetrics, rate::Rates};

/// Refusals of one peer in a second, as a multiple of the lookups that are answered; a peer with more is disconnected.
const REFUSALS_PER_LOOKUP: u32 = 4;

type Kademlia = kad::Behaviour<MemoryStore>;
type Event = THandlerOutEvent<Kademlia>;
type Instruction = THandlerInEvent<Kademlia>;

/// Kademlia, and the rates of its askers.
pub(crate) struct Dht {
    kademlia: Kademlia,
    /// Lookups of one peer that are answered in a second.
    per_second: u32,
    answered: Rates<PeerId>,
    refused: Rates<PeerId>,
    metrics: NetworkMetrics,
    /// What the swarm is to do about peers that ask too much; handed over at its next poll.
    measures: VecDeque<ToSwarm<kad::Event, Instruction>>,
}

impl Dht {
    /// `kademlia` with the rate of `config`.
    pub(crate) fn new(kademlia: Kademlia, config: &NetworkConfig) -> Self {
        let (per_second, metrics) = (config.lookups_per_second, config.metrics.clone());
        let (answered, refused) = (Rates::new(), Rates::new());
        Self { kademlia, per_second, answered, refused, metrics, measures: VecDeque::new() }
    }

    /// Whether Kademlia may have `event` of a peer. If not, what is done about it is queued.
    fn admits(&mut self, peer: PeerId, connection: ConnectionId, event: &Event, now: Instant) -> bool {
        let refusals = self.per_second.saturating_mul(REFUSALS_PER_LOOKUP);
        match event {
            Event::FindNodeReq { .. } if self.answered.take(peer, self.per_second, now) => return true,
            Event::FindNodeReq { request_id, .. } if self.refused.take(peer, refusals, now) => {
                self.measures.push_back(ToSwarm::NotifyHandler {
                    peer_id: peer,
                    handler: NotifyHandler::One(connection),
                    event: Instruction::Reset(*request_id),
                });
            }
            Event::FindNodeReq { .. }
            | Event::GetProvidersReq { .. }
            | Event::AddProvider { .. }
            | Event::GetRecord { .. }
            | Event::PutRecord { .. } => {
                let connection = CloseConnection::All;
                self.measures.push_back(ToSwarm::CloseConnection { peer_id: peer, connection });
            }
            // Answers to this node's own lookups, which Kademlia bounds, and news of the connection.
            _ => return true,
        }
        self.metrics.lookups_refused.inc();
        false
    }
}

impl Deref for Dht {
    type Target = Kademlia;

    fn deref(&self) -> &Kademlia {
        &self.kademlia
    }
}

impl DerefMut for Dht {
    fn deref_mut(&mut self) -> &mut Kademlia {
        &mut self.kademlia
    }
}

impl NetworkBehaviour for Dht {
    type ConnectionHandler = <Kademlia as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = kad::Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.kademlia.handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.kademlia.handle_established_outbound_connection(connection, peer, address, role, port)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.kademlia.handle_pending_outbound_connection(connection, peer, addresses, role)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.kademlia.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        if self.admits(peer, connection, &event, Instant::now()) {
            self.kademlia.on_connection_handler_event(peer, connection, event);
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        // Only `on_connection_handler_event` adds to it, after which the swarm polls again.
        match self.measures.pop_front() {
            Some(measure) => Poll::Ready(measure),
            None => self.kademlia.poll(context),
        }
    }
}
