//! The two sets of defaults that a node's configuration starts from.

use std::net::{IpAddr, Ipv4Addr};

use nervure_ledger::spec::{MeshSpec, Scope};

/// The defaults that a node's configuration starts from.
///
/// Both presets leave every port to the system, serve the HTTP API on loopback, give the node no role and no experts,
/// and follow the chain. They differ in this:
///
/// | | `Local` | `Public` |
/// | --- | --- | --- |
/// | sockets of the control and query plane | 127.0.0.1 | 0.0.0.0 |
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

    /// The address that the sockets of the control and query plane bind to.
    pub(crate) fn bind(self) -> IpAddr {
        match self {
            Self::Local => Ipv4Addr::LOCALHOST.into(),
            Self::Public => Ipv4Addr::UNSPECIFIED.into(),
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
