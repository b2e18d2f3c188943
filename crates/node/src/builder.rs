//! Configures and starts a [`Node`].

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use nervure_ledger::spec::{MeshSpec, Role};
use nervure_p2p::Multiaddr;
use nervure_primitives::{Amount, Netuid, NodeKey, key_file};
use nervure_store::History;
use nervure_subnet::mechanism::Mechanisms;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{self, Beginning, ExpertSpec, HistorySetting, NodeConfig, Preset},
    runtime::{self, Node, StartError},
};

/// Name of the key file in a node's directory.
pub(crate) const KEY_FILE: &str = "key.pem";

/// Configures a [`Node`]. Made by [`Node::builder`].
///
/// Only the directory has to be set, and with [`Preset::Public`] the mesh spec.
#[must_use = "a builder starts nothing until `start` is called"]
pub struct NodeBuilder {
    preset: Preset,
    dir: Option<PathBuf>,
    spec: Option<MeshSpec>,
    key: Option<NodeKey>,
    config: NodeConfig,
}

impl Node {
    /// Configures a node, starting from the defaults of `preset`.
    pub fn builder(preset: Preset) -> NodeBuilder {
        let config = NodeConfig::new(preset, PathBuf::new());
        NodeBuilder { preset, dir: None, spec: None, key: None, config }
    }
}

impl NodeBuilder {
    /// The node's directory: key, chain, peer store, `node.json`. Created when it is missing. Only one running node can
    /// use it.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// The mesh to join.
    pub fn spec(mut self, spec: MeshSpec) -> Self {
        self.spec = Some(spec);
        self
    }

    /// The node key. Without this the key is read from `key.pem` in the node's directory, which is created unencrypted
    /// when it is missing.
    pub fn key(mut self, key: NodeKey) -> Self {
        self.key = Some(key);
        self
    }

    /// The node's role in the mesh. Miners and validators have to be registered there.
    pub fn role(mut self, role: Role) -> Self {
        self.config.role = Some(role);
        self
    }

    /// Adds an expert to what a miner serves: `"builtin:rust".parse()?`.
    pub fn expert(mut self, expert: ExpertSpec) -> Self {
        self.config.experts.push(expert);
        self
    }

    /// The directory of a validator's private texts.
    pub fn corpus(mut self, dir: impl Into<PathBuf>) -> Self {
        self.config.corpus = Some(dir.into());
        self
    }

    /// Adds a model with which a validator repeats questions in subnets with the mechanism `reference`.
    pub fn reference(mut self, model: ExpertSpec) -> Self {
        self.config.references.push(model);
        self
    }

    /// The mechanisms that a validator knows. Without this they are those that every validator knows; a subnet with a
    /// mechanism of your own needs it at each of its validators.
    pub fn mechanisms(mut self, mechanisms: Mechanisms) -> Self {
        self.config.mechanisms = mechanisms;
        self
    }

    /// The addresses that the sockets of the control and query plane bind to, instead of those of the preset. Without any,
    /// those of the preset.
    pub fn bind(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.config.bind = config::bind(addresses.into_iter().collect(), Vec::new(), self.preset);
        self
    }

    /// UDP and TCP port of the control plane, and UDP port of the query plane; 0 lets the system choose.
    pub fn ports(mut self, p2p: u16, query: u16) -> Self {
        (self.config.p2p_port, self.config.query_port) = (p2p, query);
        self
    }

    /// Address and port of the HTTP API; port 0 lets the system choose. Any address but loopback needs an
    /// [`api_key`](Self::api_key).
    pub fn http(mut self, bind: SocketAddr) -> Self {
        (self.config.http_bind, self.config.http_port) = (bind.ip(), bind.port());
        self
    }

    /// Adds a key of the HTTP API, which then requires one.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.config.add_api_key(key.into());
        self
    }

    /// The most that one query to the HTTP API may spend.
    pub fn max_budget(mut self, amount: Amount) -> Self {
        self.config.max_budget = amount;
        self
    }

    /// The share of the answers to users that is shown to a validator for an audit, in percent; none by default.
    pub fn release_percent(mut self, percent: u8) -> Self {
        self.config.release_percent = percent.min(100);
        self
    }

    /// The subnets that are trusted when a query names none; without any, all are asked, each by the stake behind it.
    pub fn trusted_subnets(mut self, netuids: impl IntoIterator<Item = Netuid>) -> Self {
        self.config.trusted_subnets = netuids.into_iter().collect();
        self
    }

    /// Adds an address at which others reach this node, where it is not a bound one.
    pub fn external(mut self, address: Multiaddr) -> Self {
        self.config.external.push(address);
        self
    }

    /// The block from which a node without a chain syncs the state, instead of replaying history from the genesis.
    pub fn checkpoint(mut self, checkpoint: Beginning) -> Self {
        self.config.beginning = Some(checkpoint);
        self
    }

    /// How far back the node keeps blocks with their transactions and events.
    pub fn history(mut self, history: History) -> Self {
        self.config.history = Some(HistorySetting(history));
        self
    }

    /// Replaces every setting, the directory included, with those of `config`.
    pub fn config(mut self, config: NodeConfig) -> Self {
        self.dir = Some(config.dir.clone());
        self.config = config;
        self
    }

    /// Starts the node. It runs until `stop` is cancelled; then [`Node::wait`] waits for its orderly end.
    ///
    /// # Errors
    /// [`StartError::Incomplete`] when the directory or the mesh spec is not set; the other variants say what the node
    /// could not open, bind, read or verify.
    pub async fn start(self, stop: CancellationToken) -> Result<Node, StartError> {
        let Self { preset, dir, spec, key, mut config } = self;
        config.dir = dir.ok_or(StartError::Incomplete { missing: "dir" })?;
        let spec = spec.or_else(|| preset.spec()).ok_or(StartError::Incomplete { missing: "spec" })?;
        let key = key.map_or_else(|| own_key(&config.dir), Ok)?;
        // The first state of a recovered mesh does not follow from its spec.
        let fetches = spec.recovered.is_some() && !runtime::has_chain(&config);
        if let Some(checkpoint) = config.beginning.or(fetches.then_some(Beginning::Genesis)) {
            // A node that has a chain keeps it: there is nothing to sync then.
            let synced = Box::pin(runtime::begin(&config, &spec, &key, checkpoint)).await;
            if let Some(height) = synced.map_err(Box::new)? {
                tracing::info!(%height, "synced the verified state of a block");
            }
        }
        Node::start(config, &spec, key, stop).await
    }
}

/// The key in `dir`, created when there is none.
fn own_key(dir: &Path) -> Result<NodeKey, StartError> {
    let path = dir.join(KEY_FILE);
    match key_file::read(&path, None) {
        Err(key_file::KeyFileError::Missing(_)) => {
            let key = NodeKey::generate().map_err(|_| StartError::NoRandomness)?;
            key_file::create(&path, &key, None)?;
            Ok(key)
        }
        read => Ok(read?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_builder_without_directory_or_public_spec_starts_nothing() {
        let missing = |started: Result<Node, StartError>| match started {
            Err(StartError::Incomplete { missing }) => missing,
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("started"),
        };
        let stop = CancellationToken::new;
        assert_eq!(missing(Node::builder(Preset::Local).start(stop()).await), "dir");
        assert_eq!(missing(Node::builder(Preset::Public).dir("/d").start(stop()).await), "spec");
    }

    #[tokio::test]
    async fn an_embedded_node_has_an_address_and_keeps_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let mut ids = Vec::new();
        for _ in 0..2 {
            let stop = CancellationToken::new();
            let dir = dir.path().join("node");
            let node = Node::builder(Preset::Local).dir(&dir).start(stop.clone()).await.unwrap();
            assert!(node.http_addr().ip().is_loopback() && node.http_addr().port() != 0);
            ids.push(node.id());
            stop.cancel();
            node.wait().await;
        }
        assert_eq!(ids[0], ids[1]);
    }
}
