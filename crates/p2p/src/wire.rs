//! The names that this crate speaks under. Changed ones are another protocol; the test freezes them.

use nervure_primitives::MeshId;

/// What identify calls a mesh; a peer that says another one is of another mesh.
pub(crate) fn mesh_version(mesh: &MeshId) -> String {
    format!("/nervure/{mesh}")
}

/// The DHT's protocol; whoever speaks it answers lookups.
pub(crate) fn dht(mesh: &MeshId) -> String {
    format!("/nervure/{}/kad/1", mesh.short())
}

/// Gossip's protocol, to which gossipsub adds its version.
pub(crate) fn gossip(mesh: &MeshId) -> String {
    format!("/nervure/{}/gossip", mesh.short())
}

/// The protocol that carries all request protocols.
pub(crate) fn requests(mesh: &MeshId) -> String {
    format!("/nervure/{}/request/1", mesh.short())
}

/// The protocol of a question over a stream of the swarm's.
pub(crate) fn query(mesh: &MeshId) -> String {
    format!("/nervure/{}/query/1", mesh.short())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_frozen() {
        let mesh = MeshId::from_bytes([0xab; 32]);
        let names = [mesh_version(&mesh), dht(&mesh), gossip(&mesh), requests(&mesh), query(&mesh)];
        let (long, short) = ("ab".repeat(32), &mesh.short());
        let wanted = [
            format!("/nervure/{long}"),
            format!("/nervure/{short}/kad/1"),
            format!("/nervure/{short}/gossip"),
            format!("/nervure/{short}/request/1"),
            format!("/nervure/{short}/query/1"),
        ];
        assert_eq!(names, wanted);
        assert!(long.starts_with(short.as_str()), "{short}");
    }
}
