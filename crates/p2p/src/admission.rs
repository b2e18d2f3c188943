//! Who belongs to the mesh: asked by every layer, answered by whoever holds the registry.

use nervure_primitives::NodeId;

/// The registry of the mesh, as the network asks it.
pub trait Admission: Send + Sync + 'static {
    /// Whether `node` is registered. Strangers may ask, and are bounded more tightly.
    fn is_registered(&self, node: &NodeId) -> bool;
}
