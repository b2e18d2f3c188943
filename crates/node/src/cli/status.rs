//! `nervure status`: what a running node says about itself.

use std::time::Duration;

use super::{Global, output};
use crate::{local::LocalNode, service::NodeStatus};

/// Shows the state of a running node
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {}

impl StatusArgs {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let status: NodeStatus = LocalNode::find(&global.node_dir()?)?.get("/status", &[]).await?;
        if global.json {
            return output::json(&status);
        }
        let serving = if status.serving.is_empty() { "nothing".into() } else { status.serving.join(", ") };
        let up = Duration::from_millis(status.uptime_ms).as_secs();
        let rows = [
            ("node", status.node.to_string()),
            ("mesh", status.mesh.to_string()),
            ("role", status.role),
            ("version", status.version),
            ("up for", format!("{up} s")),
            ("ready", status.not_ready.map_or("yes".into(), |why| format!("no: {why}"))),
            ("peers", status.peers_connected.to_string()),
            ("experts", status.experts_known.to_string()),
            ("serves", serving),
        ];
        rows.into_iter()
            .try_for_each(|(name, value)| output::line(&format!("{name:<8} {}", output::printable(&value))))
    }
}
