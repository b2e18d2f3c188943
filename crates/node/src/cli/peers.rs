//! `nervure peers`: the peers of a running node.

use super::{Global, output};
use crate::local::LocalNode;

/// Shows the connected peers of a running node
#[derive(Debug, clap::Args)]
pub(crate) struct PeersArgs {}

impl PeersArgs {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let answer = LocalNode::find(&global.node_dir()?)?.client().peers().await?;
        if global.json {
            return output::json(&answer);
        }
        let rows = answer.peers.iter().map(|peer| {
            [
                peer.node.to_string(),
                peer.direction.clone(),
                peer.rtt_ms.map_or_else(|| "-".into(), |rtt| format!("{rtt:.1} ms")),
                peer.agent.clone(),
                peer.addresses.first().cloned().unwrap_or_default(),
            ]
        });
        output::table(&["node", "direction", "round trip", "agent", "address"], rows)?;
        output::note(&format!("{} connected", answer.peers.len()));
        Ok(())
    }
}
