//! The names that this crate speaks under. Changed ones are another protocol; the test freezes them.

use std::time::{SystemTime, UNIX_EPOCH};

use nervure_primitives::{Hash, MeshId};

/// What identify calls a mesh; a peer that says another one is of another mesh.
pub(crate) fn mesh_version(mesh: &MeshId) -> String {
    format!("/nervure/{mesh}")
}

/// What identify calls this program, and this process of it: one that began at another moment has another name.
pub(crate) fn agent(began: SystemTime) -> String {
    let moment = began.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let life = Hash::of("nervure/life", &[&moment.to_be_bytes()]).to_string();
    let life = life.get(..8).unwrap_or_default();
    format!("nervure/{} {life}", env!("CARGO_PKG_VERSION"))
}

/// The program that an [`agent`] names, and the process; that is empty where nothing is said of it.
pub(crate) fn agent_and_life(agent: &str) -> (&str, &str) {
    agent.rsplit_once(' ').unwrap_or((agent, ""))
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

    #[test]
    fn each_process_has_a_name_of_its_own() {
        let now = SystemTime::now();
        let (one, two) = (agent(now), agent(now + std::time::Duration::from_nanos(1)));
        let ((program, life), (same, other)) = (agent_and_life(&one), agent_and_life(&two));
        assert!(program == same && life != other && life.len() == 8);
        assert_eq!(agent_and_life("nervure/0.1.0"), ("nervure/0.1.0", ""));
    }
}
