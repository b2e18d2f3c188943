//! Query streams by the road of their connection: direct, or through a relay.
//!
//! libp2p's stream behaviour opens a stream on any connection to a peer, at random. After a hole was punched there are two, and
//! the relayed one is slow and limited in time and bytes. Here each road has a behaviour of its own, which sees the connections
//! of its road only, so that the asker decides.

use std::task::{Context, Poll};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm,
    },
};
use libp2p_stream::{Behaviour, Control};

use crate::address::is_circuit;

/// How a connection of the swarm leads to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Road {
    /// From machine to machine.
    Direct,
    /// Through a relay, within its limits.
    Relayed,
}

impl Road {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Direct, Self::Relayed];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Relayed => "relayed",
        }
    }

    fn of(relayed: bool) -> Self {
        if relayed { Self::Relayed } else { Self::Direct }
    }
}

/// Streams over both roads.
pub(crate) struct RoadStreams {
    direct: Behaviour,
    relayed: Behaviour,
}

impl RoadStreams {
    pub(crate) fn new() -> Self {
        Self { direct: Behaviour::new(), relayed: Behaviour::new() }
    }

    /// Opens and accepts streams on connections of one road.
    pub(crate) fn control(&self, road: Road) -> Control {
        match road {
            Road::Direct => self.direct.new_control(),
            Road::Relayed => self.relayed.new_control(),
        }
    }

    fn on(&mut self, road: Road) -> &mut Behaviour {
        match road {
            Road::Direct => &mut self.direct,
            Road::Relayed => &mut self.relayed,
        }
    }
}

impl NetworkBehaviour for RoadStreams {
    type ConnectionHandler = THandler<Behaviour>;
    type ToSwarm = ();

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let road = Road::of(is_circuit(local));
        self.on(road).handle_established_inbound_connection(id, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let road = Road::of(is_circuit(address));
        self.on(road).handle_established_outbound_connection(id, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) => {
                self.on(Road::of(established.endpoint.is_relayed())).on_swarm_event(event);
            }
            FromSwarm::ConnectionClosed(closed) => {
                self.on(Road::of(closed.endpoint.is_relayed())).on_swarm_event(event);
            }
            other => Road::ALL.into_iter().for_each(|road| self.on(road).on_swarm_event(other)),
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        // There are none: the type has no value.
        match event {}
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<(), THandlerInEvent<Self>>> {
        match self.direct.poll(context) {
            Poll::Pending => self.relayed.poll(context),
            ready @ Poll::Ready(_) => ready,
        }
    }
}
