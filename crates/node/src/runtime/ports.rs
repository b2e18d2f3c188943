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

    /// The next step for the user.
    pub(crate) fn hint(&self) -> &'static str {
        match self.source.kind() == io::ErrorKind::AddrNotAvailable {
            true => {
                "this machine does not have the address: name one that it has with --bind and --http-bind, such as ::1"
            }
            false => "choose another port, or 0 for a free one",
        }
    }
}

/// Checks the ports that a node with this configuration binds.
pub(crate) fn check(config: &NodeConfig) -> Result<(), PortError> {
    if !config.sealed {
        distinct(config)?;
        planes(&config.bind, config.p2p_port, config.query_port)?;
    }
    tcp(config.http_bind, config.http_port)
}

/// Refuses a port that this node would have for two things: each is free alone. Only the numbers are compared, because a
/// socket for IPv6 may take the port of IPv4 too.
fn distinct(config: &NodeConfig) -> Result<(), PortError> {
    let (p2p, query, http) = (config.p2p_port, config.query_port, config.http_port);
    let collision = |port, protocol, address| {
        let source =
            io::Error::new(io::ErrorKind::AddrInUse, "this node has the port for something else already");
        Err(PortError { port, protocol, address, source })
    };
    for address in &config.bind {
        if p2p != 0 && p2p == query {
            return collision(query, "UDP", *address);
        }
        if p2p != 0 && p2p == http && overlap(*address, config.http_bind) {
            return collision(http, "TCP", config.http_bind);
        }
    }
    Ok(())
}

/// Whether a port cannot be bound on both.
fn overlap(one: IpAddr, other: IpAddr) -> bool {
    one == other || one.is_unspecified() || other.is_unspecified()
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
fn udp(address: IpAddr, port: u16) -> Result<(), PortError> {
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
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::config::Preset;

    #[test]
    fn a_port_in_use_differs_from_other_errors() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let taken = UdpSocket::bind((loopback, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(udp(loopback, port).unwrap_err().in_use());
        let elsewhere = tcp([192, 0, 2, 1].into(), 1).unwrap_err();
        assert!(!elsewhere.in_use() && elsewhere.hint().contains("--bind"), "{elsewhere}");
        assert!(udp(loopback, 0).is_ok());
    }

    #[test]
    fn two_ports_of_one_node_that_are_the_same_are_named() {
        let mut config = NodeConfig::new(Preset::Public, "x".into());
        config.bind = vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        (config.p2p_port, config.query_port, config.http_port) = (4001, 4002, 8080);
        assert!(distinct(&config).is_ok(), "both families have the same port");
        config.http_port = 4001;
        let collision = distinct(&config).unwrap_err();
        assert!(
            collision.in_use() && collision.to_string().contains("this node has the port"),
            "{collision}"
        );
        config.bind = vec![[192, 0, 2, 1].into()];
        config.http_bind = Ipv4Addr::LOCALHOST.into();
        assert!(distinct(&config).is_ok(), "on another address");
        config.query_port = 4001;
        assert!(distinct(&config).unwrap_err().in_use());
        (config.p2p_port, config.query_port, config.http_port) = (0, 0, 0);
        assert!(distinct(&config).is_ok(), "the system chooses");
    }
}
