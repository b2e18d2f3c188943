//! `nervure join`: become a node of a mesh.

use std::{
    io::Read,
    net::IpAddr,
    path::{Path, PathBuf},
};

use anyhow::Context;
use nervure_ledger::spec::MeshSpec;
use nervure_p2p::Multiaddr;
use nervure_primitives::{Amount, NodeKey, key_file};
use tokio_util::sync::CancellationToken;

use super::{Global, key, mesh, output, trust::MESH_FILE};
use crate::{
    config::{Beginning, ExpertSpec, FileConfig, NodeConfig, NodeRole, Said, parse_role},
    runtime::{self, Node},
};

/// Name of the config file in a node's directory.
const CONFIG_FILE: &str = "node.toml";

/// Joins a mesh as a node and stays until it is stopped
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Settings come from these flags, then from node.toml in the node's directory
(the same names with _ for -). Keys for the HTTP API come from NERVURE_API_KEY
or api_keys in node.toml; logging from NERVURE_LOG (info, debug, ...) and
NERVURE_LOG_FORMAT (text, json).

Examples:
  nervure join mesh.toml --role miner --expert builtin:rust
  nervure join mesh.toml --role miner --expert openai:http://127.0.0.1:8000/v1
  nervure join mesh.toml --role gateway --http-port 8080
  nervure join mesh.toml                                   no role: look around and ask")]
pub(crate) struct JoinArgs {
    /// The mesh spec: a file or a URL
    mesh: String,
    /// miner, validator, gateway or none
    #[arg(long, value_parser = parse_role, value_name = "ROLE")]
    role: Option<NodeRole>,
    /// What to serve: builtin:NAME or openai:URL, with ,name= ,price= ,capability= ,netuid= (more than once)
    #[arg(long = "expert", value_name = "EXPERT")]
    experts: Vec<ExpertSpec>,
    /// A validator's private texts: a directory for each capability, a file for each text. In a mesh on one machine,
    /// texts of this program are used when there are none
    #[arg(long, value_name = "DIR", env = "NERVURE_CORPUS")]
    corpus: Option<PathBuf>,
    /// The address of the node's own sockets [default: loopback in a local mesh, all in a public one]
    #[arg(long, value_name = "IP")]
    bind: Option<IpAddr>,
    /// UDP and TCP port of the control plane [default: a free one]
    #[arg(long, value_name = "PORT")]
    p2p_port: Option<u16>,
    /// UDP port of the query plane [default: a free one]
    #[arg(long, value_name = "PORT")]
    query_port: Option<u16>,
    /// TCP port of the HTTP API [default: a free one]
    #[arg(long, value_name = "PORT")]
    http_port: Option<u16>,
    /// The address of the HTTP API; anything but loopback needs an API key [default: 127.0.0.1]
    #[arg(long, value_name = "IP")]
    http_bind: Option<IpAddr>,
    /// The most that one question to the HTTP API may spend, in tokens of the mesh [default: 0]
    #[arg(long, value_name = "AMOUNT")]
    max_budget: Option<Amount>,
    /// An address at which others reach this node, such as /ip4/203.0.113.7/udp/4001/quic-v1
    #[arg(long, value_name = "MULTIADDR")]
    external: Vec<Multiaddr>,
    /// Relay for nodes that cannot be dialled, within the network's limits
    #[arg(long)]
    relay_server: bool,
    /// Look for nodes of the mesh on the local network by multicast (local meshes only)
    #[arg(long)]
    mdns: bool,
    /// Begin with the state of a recent block instead of replaying history: certificates lead there from this block,
    /// or from the genesis, or from the last one in the mesh's contract (with --anchor-rpc). For a node without a chain; one that has a chain goes on with it
    #[arg(long, value_name = "HEIGHT:BLOCK|genesis|anchored")]
    checkpoint: Option<Beginning>,
    /// An endpoint (JSON-RPC over HTTP) of the chain that keeps the mesh's checkpoints; several have to agree
    #[arg(long, value_name = "URL")]
    anchor_rpc: Vec<String>,
    /// The file with the secret key of the account that pays for anchoring [default: the anchor key of this validator]
    #[arg(long, value_name = "FILE")]
    anchor_account: Option<PathBuf>,
    /// The config file [default: node.toml in the node's directory]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Stop when standard input ends
    #[arg(long, hide = true)]
    stop_with_stdin: bool,
}

impl JoinArgs {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        super::logging::start()?;
        let dir = global.own_node_dir()?;
        let spec = mesh::read(&self.mesh).await?;
        let key = own_key(&dir)?;
        keep_spec(&dir, &spec)?;
        let stop = CancellationToken::new();
        super::signal::stop_on_signal(stop.clone())?;
        if self.stop_with_stdin {
            stop_with_stdin(stop.clone());
        }
        let public = spec.mesh.scope == nervure_ledger::spec::Scope::Public;
        let config = self.resolve(dir, public)?;
        begin_with_state(&config, &spec, &key).await?;
        let node = Node::start(config, &spec, key, stop).await?;
        let file = node.file();
        tracing::info!(node = %file.node, mesh = %file.mesh, role = %file.role, "joined");
        output::note(&format!(
            "{} {} in mesh {}; HTTP API: http://{}",
            file.role, file.node, spec.mesh.name, file.http
        ));
        node.wait().await;
        tracing::info!("stopped");
        Ok(())
    }

    fn resolve(self, dir: PathBuf, public: bool) -> anyhow::Result<NodeConfig> {
        let named = self.config.is_some();
        let path = self.config.unwrap_or_else(|| dir.join(CONFIG_FILE));
        let file = FileConfig::read(&path, named)?;
        let said = Said {
            role: self.role,
            bind: self.bind,
            p2p_port: self.p2p_port,
            query_port: self.query_port,
            http_port: self.http_port,
            http_bind: self.http_bind,
            api_key: std::env::var("NERVURE_API_KEY").ok().filter(|key| !key.is_empty()),
            max_budget: self.max_budget,
            external: self.external,
            relay_server: self.relay_server,
            mdns: self.mdns,
            experts: self.experts,
            corpus: self.corpus,
            anchor_rpc: self.anchor_rpc,
            anchor_account: self.anchor_account,
            beginning: self.checkpoint,
        };
        Ok(NodeConfig::resolve(dir, said, file, public))
    }
}

/// Fetches the state of a recent block, where the operator wants that and there is no chain yet.
async fn begin_with_state(config: &NodeConfig, spec: &MeshSpec, key: &NodeKey) -> anyhow::Result<()> {
    let Some(beginning) = config.beginning else { return Ok(()) };
    match runtime::begin(config, spec, key, beginning).await? {
        Some(height) => output::note(&format!("begins with the state of block {height}, which is verified")),
        None => output::note("there is a chain here already: it goes on, and the checkpoint is not needed"),
    }
    Ok(())
}

/// Leaves the spec beside the key: commands that verify what nodes say begin with its genesis.
fn keep_spec(dir: &Path, spec: &MeshSpec) -> anyhow::Result<()> {
    let (path, text) = (dir.join(MESH_FILE), spec.to_toml());
    if std::fs::read_to_string(&path).is_ok_and(|kept| kept == text) {
        // Written over on a full disk, it would be lost.
        return Ok(());
    }
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The key in `dir`; a node that has none yet makes one.
fn own_key(dir: &Path) -> anyhow::Result<NodeKey> {
    let path = dir.join(key::KEY_FILE);
    if path.try_exists().with_context(|| format!("cannot look for the key {}", path.display()))? {
        return Ok(key_file::read(&path, key::passphrase().as_ref())?);
    }
    let key = key::create(&path)?;
    output::note(&format!("made a key for this node: {}", path.display()));
    Ok(key)
}

/// Whoever started the node holds the other end of its standard input and may die without a word.
pub(super) fn stop_with_stdin(stop: CancellationToken) {
    // A thread of its own: a read of standard input cannot be cancelled, and must not keep the runtime.
    std::thread::spawn(move || {
        let mut ignored = [0; 256];
        let mut stdin = std::io::stdin().lock();
        while !matches!(stdin.read(&mut ignored), Ok(0) | Err(_)) {}
        stop.cancel();
    });
}
