//! The way to the mesh for a command: a node that runs, or, with `--mesh`, one that lives as long as the command.

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
    /// Join the mesh of this spec (a file or a URL) for as long as the command takes, instead of asking a node that runs
    #[arg(long = "mesh", value_name = "SPEC")]
    mesh: Option<String>,
}

/// A node to ask. One that lives for this command has to be closed.
pub(crate) struct Session {
    pub(crate) node: LocalNode,
    visitor: Option<Visitor>,
}

/// A node without a name or role, in a directory that goes with it.
struct Visitor {
    node: Node,
    stop: CancellationToken,
    _dir: TempDir,
}

impl Access {
    /// Opens the way.
    pub(crate) async fn open(&self, global: &Global) -> anyhow::Result<Session> {
        let Some(source) = &self.mesh else {
            return Ok(Session { node: LocalNode::find(&global.node_dir()?)?, visitor: None });
        };
        let visitor = visit(source).await?;
        let node = LocalNode::of(visitor.node.file().clone())?;
        Ok(Session { node, visitor: Some(visitor) })
    }
}

impl Session {
    /// Whether the node lives for this command only.
    pub(crate) fn is_visitor(&self) -> bool {
        self.visitor.is_some()
    }

    /// Leaves the mesh again, if it was joined for this.
    pub(crate) async fn close(self) {
        if let Some(visitor) = self.visitor {
            visitor.stop.cancel();
            visitor.node.wait().await;
        }
    }
}

async fn visit(source: &str) -> anyhow::Result<Visitor> {
    let spec = mesh::read(source).await?;
    anyhow::ensure!(
        !spec.network.bootstrap.is_empty(),
        "the mesh spec {source} names no bootstrap nodes, so its mesh cannot be found\nadd one under [network]"
    );
    let dir = tempfile::tempdir().context("cannot make a directory for a short-lived node")?;
    let key = NodeKey::generate().context("the system has no randomness for a key")?;
    let stop = CancellationToken::new();
    let mut config = NodeConfig::new(Preset::of(&spec), dir.path().into());
    config.follow = false;
    let node = Node::start(config, &spec, key, stop.clone()).await?;
    Ok(Visitor { node, stop, _dir: dir })
}
