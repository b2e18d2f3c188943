//! Checks before the start whether the configured ports are free. The testnet's launcher distinguishes this error from
//! all others.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
};

use crate::config::NodeConfig;

/// A port cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("port {port} ({protocol}) cannot be used on {address}: {source}")]
pub struct PortError {
    /// The port.
    pub port: u16,
    /// UDP or TCP.
    pub protocol: &'static str,
    /// Where it was tried.
    pub address: IpAddr,
    /// The system's error.
    pub source: io::Error,
}

impl PortError {
    /// Whether another process uses it.
    pub(crate) fn in_use(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }
}

/// Checks the ports that a node with this configuration binds.
pub(crate) fn check(config: &NodeConfig) -> Result<(), PortError> {
    if !config.sealed {
        planes(&config.bind, config.p2p_port, config.query_port)?;
    }
    tcp(config.http_bind, config.http_port)
}

/// Checks the ports of the control and the query plane on each of `addresses`.
pub(crate) fn planes(addresses: &[IpAddr], p2p: u16, query: u16) -> Result<(), PortError> {
    addresses.iter().try_for_each(|address| {
        udp(*address, p2p)?;
        tcp(*address, p2p)?;
        udp(*address, query)
    })
}

/// Checks that UDP `port` on `address` is free; 0 always is.
pub(crate) fn udp(address: IpAddr, port: u16) -> Result<(), PortError> {
    let bound = UdpSocket::bind(SocketAddr::new(address, port)).map(drop);
    bound.map_err(|source| PortError { port, protocol: "UDP", address, source })
}

/// Checks that TCP `port` on `address` is free; 0 always is.
pub(crate) fn tcp(address: IpAddr, port: u16) -> Result<(), PortError> {
    let bound = TcpListener::bind(SocketAddr::new(address, port)).map(drop);
    bound.map_err(|source| PortError { port, protocol: "TCP", address, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_differs_from_other_errors() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let taken = UdpSocket::bind((loopback, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(udp(loopback, port).unwrap_err().in_use());
        let elsewhere = IpAddr::from([192, 0, 2, 1]);
        assert!(!tcp(elsewhere, 1).unwrap_err().in_use());
        assert!(udp(loopback, 0).is_ok());
    }
}
