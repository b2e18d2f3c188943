//! How a command reaches the mesh: through a running node, or with `--mesh` as an ephemeral client, which joins the
//! mesh for as long as the command runs.

use anyhow::Context;
use nervure_primitives::NodeKey;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{Global, mesh};
use crate::{
    config::{NodeConfig, Preset},
    local::LocalNode,
    runtime::Node,
};

/// How to reach the mesh.
#[derive(Debug, clap::Args)]
pub(crate) struct Access {
    /// Join the mesh of this spec (a file or a URL) for as long as the command runs, instead of asking a running node
    #[arg(long = "mesh", value_name = "SPEC")]
    mesh: Option<String>,
}

/// A node to ask. An ephemeral client has to be closed.
pub(crate) struct Session {
    pub(crate) node: LocalNode,
    ephemeral: Option<EphemeralClient>,
}

/// A node without a name or role, with a key and a directory that exist for one command.
struct EphemeralClient {
    node: Node,
    stop: CancellationToken,
    _dir: TempDir,
}

impl Access {
    /// Connects to a running node, or joins the mesh.
    pub(crate) async fn open(&self, global: &Global) -> anyhow::Result<Session> {
        let Some(source) = &self.mesh else {
            return Ok(Session { node: LocalNode::find(&global.node_dir()?)?, ephemeral: None });
        };
        let client = join_mesh(source).await?;
        let node = LocalNode::of(client.node.file())?;
        Ok(Session { node, ephemeral: Some(client) })
    }
}

impl Session {
    /// Whether the node runs for this command only.
    pub(crate) fn is_ephemeral(&self) -> bool {
        self.ephemeral.is_some()
    }

    /// Leaves the mesh, if the command joined it.
    pub(crate) async fn close(self) {
        if let Some(client) = self.ephemeral {
            client.stop.cancel();
            client.node.wait().await;
        }
    }
}

async fn join_mesh(source: &str) -> anyhow::Result<EphemeralClient> {
    let spec = mesh::read(source).await?;
    anyhow::ensure!(
        !spec.network.bootstrap.is_empty(),
        "the mesh spec {source} names no bootstrap nodes, so its mesh cannot be found\nadd one under [network]"
    );
    let dir = tempfile::tempdir().context("cannot create a directory for a temporary node")?;
    let key = NodeKey::generate().context("the system has no randomness for a key")?;
    let stop = CancellationToken::new();
    let mut config = NodeConfig::new(Preset::of(&spec), dir.path().into());
    // One query does not need the chain.
    config.follow = false;
    let node = Node::start(config, &spec, key, stop.clone()).await?;
    Ok(EphemeralClient { node, stop, _dir: dir })
}
