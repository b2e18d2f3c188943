//! The query port, opened in the local router (UPnP, else PCP or NAT-PMP) while this runs: the swarm does that for its own port only.
//!
//! The address counts once the router has opened the port and says that its own address is public. It is renewed well before the
//! router forgets it, and given back at the end.
//!
//! What a hostile machine in the local network can do: answer as a router, name a false address, which costs askers a dial
//! before they come through a relay, and have this node send requests to an address of its choice: the library fetches what the
//! first answer names. Each attempt has a timeout.

mod pcp;

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU16,
    sync::Arc,
    time::Duration,
};

use crab_nat::{PortMapping, pcp::Nonce};
use igd_next::{
    AddPortError, PortMappingProtocol, SearchOptions,
    aio::{
        Gateway,
        tokio::{Tokio, search_gateway},
    },
};
use libp2p::Multiaddr;
use parking_lot::Mutex;
use tokio::{net::UdpSocket, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::is_global;

/// Timeout for finding a router and opening the port there.
const ROUTER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the router keeps the port open without renewal.
const LEASE: Duration = Duration::from_secs(30 * 60);

/// Between two renewals, and between two attempts where there is no router that opens ports.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Timeout for closing the port at the end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What the router shows to its owner.
const DESCRIPTION: &str = "nervure queries";

/// A UDP port that the local router is asked to open. Clones share the state.
#[derive(Clone, Debug)]
pub struct MappedPort {
    port: u16,
    /// By which a router with PCP knows who opened it.
    nonce: Nonce,
    address: Arc<Mutex<Option<SocketAddr>>>,
}

/// Why the router does not open the port.
#[derive(Debug, thiserror::Error)]
enum MappingError {
    /// None answers.
    #[error("no router that opens ports: {0}")]
    NoRouter(String),
    /// It is behind another router, or the provider's.
    #[error("the router's address {0} is not public")]
    NotPublic(IpAddr),
    /// It refuses.
    #[error("the router refuses: {0}")]
    Refused(String),
}

/// A port that the router has opened.
struct Opened {
    router: Router,
    address: SocketAddr,
}

/// The router that has opened it.
enum Router {
    Upnp(Gateway<Tokio>),
    Pcp(Box<PortMapping>),
}

impl Router {
    /// Closes the port. Without an answer, the router forgets it after the lease.
    async fn close(self, outside: u16) {
        let closing = async {
            match self {
                Self::Upnp(router) => drop(router.remove_port(PortMappingProtocol::UDP, outside).await),
                Self::Pcp(mapping) => drop((*mapping).try_drop().await),
            }
        };
        // The timeout bounds how long the node takes to stop.
        let _ = timeout(CLOSE_TIMEOUT, closing).await;
    }
}

impl MappedPort {
    /// `port` of this machine, not opened yet.
    pub fn new(port: u16) -> Self {
        Self { port, nonce: rand::random(), address: Arc::default() }
    }

    /// The address at which others reach the port, while the router keeps it open.
    pub fn address(&self) -> Option<SocketAddr> {
        *self.address.lock()
    }

    /// Keeps the port open until `stop`, then closes it.
    pub async fn keep_open(self, stop: CancellationToken) {
        self.keep_open_at(SearchOptions::default, stop).await;
    }

    /// The same, at a router that is found by `search`.
    async fn keep_open_at(self, search: impl Fn() -> SearchOptions, stop: CancellationToken) {
        let mut last = None;
        loop {
            let Some(opened) = stop.run_until_cancelled(open(&self, search())).await else { break };
            let opened =
                opened.inspect_err(|error| tracing::debug!(%error, "the query port is not mapped")).ok();
            self.tell(opened.as_ref().map(|opened| opened.address));
            // An earlier mapping is closed at the end too, when the router has not answered since.
            last = opened.or(last);
            if stop.run_until_cancelled(tokio::time::sleep(RENEWAL_INTERVAL)).await.is_none() {
                break;
            }
        }
        self.tell(None);
        if let Some(Opened { router, address }) = last {
            router.close(address.port()).await;
        }
    }

    fn tell(&self, address: Option<SocketAddr>) {
        let before = std::mem::replace(&mut *self.address.lock(), address);
        if let Some(address) = address.filter(|_| before != address) {
            tracing::info!(%address, "the router has opened the query port");
        }
    }
}

/// Opens the port in the router, by UPnP or else by PCP or NAT-PMP.
async fn open(
    MappedPort { port, nonce, .. }: &MappedPort,
    search: SearchOptions,
) -> Result<Opened, MappingError> {
    let no_answer = |_| Err(MappingError::NoRouter("no answer in time".into()));
    let opened = timeout(ROUTER_TIMEOUT, open_by_upnp(*port, search)).await.unwrap_or_else(no_answer);
    if !matches!(opened, Err(MappingError::NoRouter(_))) {
        return opened;
    }
    let (Some(router), Some(port)) = (pcp::router().await, NonZeroU16::new(*port)) else { return opened };
    let no_router = |error: std::io::Error| MappingError::NoRouter(error.to_string());
    let (mapping, address) = pcp::map(router, port, LEASE, *nonce).await.map_err(no_router)?;
    match is_global(&Multiaddr::from(address.ip())) {
        true => Ok(Opened { router: Router::Pcp(Box::new(mapping)), address }),
        false => Err(MappingError::NotPublic(address.ip())),
    }
}

/// Opens `port` in the router; another one outside where it is in use there.
async fn open_by_upnp(port: u16, search: SearchOptions) -> Result<Opened, MappingError> {
    let router = search_gateway(search).await.map_err(|error| MappingError::NoRouter(error.to_string()))?;
    let refused = |error: &dyn std::fmt::Display| MappingError::Refused(error.to_string());
    let ip = router.get_external_ip().await.map_err(|error| refused(&error))?;
    if !is_global(&Multiaddr::from(ip)) {
        return Err(MappingError::NotPublic(ip));
    }
    let local = SocketAddr::new(own_address(router.addr).await.map_err(|error| refused(&error))?, port);
    let lease = u32::try_from(LEASE.as_secs()).unwrap_or(u32::MAX);
    let udp = PortMappingProtocol::UDP;
    let outside = match router.add_port(udp, port, local, lease, DESCRIPTION).await {
        Ok(()) => port,
        // Zero is for ever: it is closed at the end.
        Err(AddPortError::OnlyPermanentLeasesSupported) => {
            router.add_port(udp, port, local, 0, DESCRIPTION).await.map_err(|error| refused(&error))?;
            port
        }
        Err(AddPortError::PortInUse) => {
            let any = router.add_any_port(udp, local, lease, DESCRIPTION).await;
            any.map_err(|error| refused(&error))?
        }
        Err(error) => return Err(refused(&error)),
    };
    Ok(Opened { router: Router::Upnp(router), address: SocketAddr::new(ip, outside) })
}

/// The address of this machine towards `router`. Nothing is sent.
async fn own_address(router: SocketAddr) -> std::io::Result<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    socket.connect(router).await?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests;
