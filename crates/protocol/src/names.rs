//! The names under which nodes of one mesh find each other: libp2p protocols, identify's fields, the ALPN name.
//!
//! Each carries the mesh id, so that nodes of different meshes do not talk at all.

use std::time::{SystemTime, UNIX_EPOCH};

use nervure_primitives::{Hash, MeshId, UntrustedText};

use crate::domains;

/// Characters of an incarnation in an [`agent`].
const INCARNATION_CHARS: usize = 8;

/// The HTTP header with which a server that passes a question on says how many servers have done so, itself included. A
/// question without it comes from its first asker.
pub const HOPS_HEADER: &str = "x-nervure-hops";

/// A part of the agent string of a peer, which reports what it likes.
pub type AgentName = UntrustedText<64>;

/// The protocol version that identify reports; a peer with another one is of another mesh.
pub fn mesh_version(mesh: &MeshId) -> String {
    format!("/nervure/{mesh}")
}

/// The agent string that identify reports: the program, its `version`, and the incarnation that started at `start`.
pub fn agent(version: &str, start: SystemTime) -> String {
    let moment = start.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let incarnation = Hash::of(domains::INCARNATION, &[&moment.to_be_bytes()]).to_string();
    let incarnation = incarnation.get(..INCARNATION_CHARS).unwrap_or_default();
    format!("nervure/{version} {incarnation}")
}

/// The program and the incarnation that an [`agent`] names; the incarnation is empty when it names none.
pub fn agent_and_incarnation(agent: &str) -> (AgentName, AgentName) {
    let (program, incarnation) = agent.rsplit_once(' ').unwrap_or((agent, ""));
    (program.into(), incarnation.into())
}

/// The DHT's protocol; a peer that speaks it answers lookups.
pub fn dht(mesh: &MeshId) -> String {
    format!("/nervure/{}/kad/1", mesh.short())
}

/// The gossip protocol, to which gossipsub adds its version.
pub fn gossip(mesh: &MeshId) -> String {
    format!("/nervure/{}/gossip", mesh.short())
}

/// The protocol that carries all request protocols.
pub fn requests(mesh: &MeshId) -> String {
    format!("/nervure/{}/request/1", mesh.short())
}

/// The protocol of a query over a stream of the swarm.
pub fn query(mesh: &MeshId) -> String {
    format!("/nervure/{}/query/1", mesh.short())
}

/// The ALPN name of a query over QUIC.
pub fn query_alpn(mesh: &MeshId) -> String {
    format!("nervure-query/1/{mesh}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_incarnation_has_another_agent_string() {
        let now = SystemTime::now();
        let (one, two) = (agent("0.1.0", now), agent("0.1.0", now + std::time::Duration::from_nanos(1)));
        let ((program, incarnation), (_, other)) = (agent_and_incarnation(&one), agent_and_incarnation(&two));
        assert!(program == "nervure/0.1.0" && incarnation != other);
        assert_eq!(incarnation.raw().len(), INCARNATION_CHARS);
        assert_eq!(agent_and_incarnation("nervure/0.1.0"), ("nervure/0.1.0".into(), "".into()));
    }
}
