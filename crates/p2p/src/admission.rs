//! Admission: which nodes are registered in the mesh. Every layer asks; the holder of the registry answers.

use nervure_primitives::NodeId;

/// The registry of the mesh, as the network sees it.
pub trait Admission: Send + Sync + 'static {
    /// Whether `node` is registered. Nodes that are not registered may connect and ask, within tighter
    /// bounds.
    fn is_registered(&self, node: &NodeId) -> bool;
}
