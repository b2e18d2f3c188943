//! The two sets of defaults that a node's configuration starts from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use nervure_ledger::spec::{MeshSpec, Scope};

/// The defaults that a node's configuration starts from.
///
/// Both presets leave every port to the system, serve the HTTP API on loopback, give the node no role and no experts,
/// and follow the chain. They differ in this:
///
/// | | `Local` | `Public` |
/// | --- | --- | --- |
/// | sockets of the control and query plane | 127.0.0.1 | 0.0.0.0 and ::, as far as the machine has both |
/// | mesh spec, when none is set | `MeshSpec::local("local")`, a mesh on this machine | none: it has to be set |
///
/// A preset is about this node's sockets. Which addresses of other nodes are dialled follows from the scope in the mesh
/// spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// A node of a mesh on this machine.
    Local,
    /// A node of a mesh on the internet.
    Public,
}

impl Preset {
    /// The preset that fits the scope of `spec`.
    pub fn of(spec: &MeshSpec) -> Self {
        match spec.mesh.scope {
            Scope::Local => Self::Local,
            Scope::Public => Self::Public,
        }
    }

    /// The addresses that the sockets of the control and query plane bind to.
    pub(crate) fn bind(self) -> Vec<IpAddr> {
        match self {
            Self::Local => vec![Ipv4Addr::LOCALHOST.into()],
            Self::Public => every_family(),
        }
    }

    /// The mesh of a node that is given no spec.
    pub(crate) fn spec(self) -> Option<MeshSpec> {
        match self {
            Self::Local => Some(MeshSpec::local("local")),
            Self::Public => None,
        }
    }
}

/// All addresses of IPv4 and IPv6, without the family that the machine does not have. Both, if it is not known: then the start
/// says what is wrong.
fn every_family() -> Vec<IpAddr> {
    let both = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let existing: Vec<IpAddr> = both.into_iter().filter(|ip| UdpSocket::bind((*ip, 0)).is_ok()).collect();
    if existing.is_empty() { both.to_vec() } else { existing }
}
