//! Admission: which nodes are registered in the mesh, and what class of askers they are. Every layer asks; the holder of
//! the registry answers.

use nervure_primitives::NodeId;
use nervure_protocol::{AskerClass, AskerStanding};

/// The registry of the mesh, as the network sees it.
pub trait Admission: Send + Sync + 'static {
    /// Whether `node` is registered. Nodes that are not registered may connect and ask, within tighter
    /// bounds.
    fn is_registered(&self, node: &NodeId) -> bool;

    /// The class of `node` and its weight there. A registry that knows no stake has two classes only.
    fn standing(&self, node: &NodeId) -> AskerStanding {
        AskerStanding::of(match self.is_registered(node) {
            true => AskerClass::Registered,
            false => AskerClass::Stranger,
        })
    }
}
