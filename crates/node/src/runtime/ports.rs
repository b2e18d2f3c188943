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
    let mut trial = Trial::default();
    if !config.sealed {
        trial.planes(&config.bind, config.p2p_port, config.query_port)?;
    }
    trial.tcp(config.http_bind, config.http_port)
}

/// Checks the ports of the control and the query plane on each of `addresses`.
pub(crate) fn planes(addresses: &[IpAddr], p2p: u16, query: u16) -> Result<(), PortError> {
    Trial::default().planes(addresses, p2p, query)
}

/// Checks that TCP `port` on `address` is free; 0 always is.
pub(crate) fn tcp(address: IpAddr, port: u16) -> Result<(), PortError> {
    Trial::default().tcp(address, port)
}

/// Sockets that are bound to try ports, and stay so until the end: two ports of one node may collide.
#[derive(Default)]
struct Trial {
    udp: Vec<UdpSocket>,
    tcp: Vec<TcpListener>,
}

impl Trial {
    fn planes(&mut self, addresses: &[IpAddr], p2p: u16, query: u16) -> Result<(), PortError> {
        addresses.iter().try_for_each(|address| {
            self.udp(*address, p2p)?;
            self.tcp(*address, p2p)?;
            self.udp(*address, query)
        })
    }

    fn udp(&mut self, address: IpAddr, port: u16) -> Result<(), PortError> {
        let own = self.udp.iter().any(|socket| socket.local_addr().is_ok_and(|at| at.port() == port));
        let bound = UdpSocket::bind(SocketAddr::new(address, port));
        let socket =
            bound.map_err(|source| refused(PortError { port, protocol: "UDP", address, source }, own))?;
        self.udp.push(socket);
        Ok(())
    }

    fn tcp(&mut self, address: IpAddr, port: u16) -> Result<(), PortError> {
        let own = self.tcp.iter().any(|socket| socket.local_addr().is_ok_and(|at| at.port() == port));
        let bound = TcpListener::bind(SocketAddr::new(address, port));
        let listener =
            bound.map_err(|source| refused(PortError { port, protocol: "TCP", address, source }, own))?;
        self.tcp.push(listener);
        Ok(())
    }
}

/// The error for a port that cannot be bound; `own` says whether this node has it for something else.
fn refused(error: PortError, own: bool) -> PortError {
    let source = match own && error.in_use() {
        true => io::Error::new(io::ErrorKind::AddrInUse, "this node has the port for something else already"),
        false => error.source,
    };
    PortError { source, ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_differs_from_other_errors() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let taken = UdpSocket::bind((loopback, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let mut trial = Trial::default();
        assert!(trial.udp(loopback, port).unwrap_err().in_use());
        let elsewhere = tcp([192, 0, 2, 1].into(), 1).unwrap_err();
        assert!(!elsewhere.in_use() && elsewhere.hint().contains("--bind"), "{elsewhere}");
        assert!(trial.udp(loopback, 0).is_ok());
    }

    #[test]
    fn two_ports_of_one_node_that_are_the_same_are_named() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let port = TcpListener::bind((loopback, 0)).unwrap().local_addr().unwrap().port();
        let mut trial = Trial::default();
        trial.planes(&[loopback], port, 0).unwrap();
        let collision = trial.tcp(loopback, port).unwrap_err();
        assert!(
            collision.in_use() && collision.to_string().contains("this node has the port"),
            "{collision}"
        );
    }
}
