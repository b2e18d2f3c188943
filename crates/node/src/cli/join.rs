//! `nervure join`: joins a mesh as a node.

use std::{
    io::Read,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use anyhow::Context;
use nervure_ledger::spec::MeshSpec;
use nervure_primitives::{
    NodeKey,
    durable::{self, Access},
    key_file,
};
use tokio_util::sync::CancellationToken;

use super::{Global, key, mesh, output, trust::MESH_FILE};
use crate::{
    config::{NodeConfig, Preset, Settings},
    runtime::{self, Node},
};

/// Name of the config file in a node's directory.
const CONFIG_FILE: &str = "node.toml";

/// Joins a mesh as a node and runs until it is stopped
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
  nervure join mesh.toml                                   without a role: for queries")]
pub(crate) struct JoinArgs {
    /// The mesh spec: a file or a URL
    mesh: String,
    #[command(flatten)]
    settings: Settings,
    /// The config file [default: node.toml in the node's directory]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Start although consensus.wal is damaged, and sign nothing that its lost part may contradict. Use it once
    #[arg(long)]
    accept_damaged_log: bool,
    /// Stop when standard input ends
    #[arg(long, hide = true)]
    stop_with_stdin: bool,
}

impl JoinArgs {
    /// Threads of the async runtime, if they are set. Reads the config file, as the runtime does not run yet.
    pub(super) fn worker_threads(&self, global: &Global) -> anyhow::Result<Option<NonZeroUsize>> {
        match self.settings.worker_threads {
            Some(threads) => Ok(Some(threads)),
            None => Ok(self.config_file(&global.own_node_dir()?)?.worker_threads),
        }
    }

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
        let preset = Preset::of(&spec);
        let accept_damaged_log = self.accept_damaged_log;
        let mut config = self.resolve(dir, preset)?;
        config.accept_damaged_log = accept_damaged_log;
        sync_state(&mut config, &spec, &key).await?;
        let name = spec.mesh.name.clone();
        let node = Node::builder(preset).config(config).spec(spec).key(key).start(stop.clone()).await?;
        let file = node.file();
        tracing::info!(node = %file.node, mesh = %file.mesh, role = %file.role, "joined");
        output::note(&format!(
            "{} {} in mesh {}; HTTP API: http://{}",
            file.role, file.node, name, file.http
        ));
        let outdated = tokio::select! {
            unknown = node.outdated() => Some(unknown),
            () = stop.cancelled() => None,
        };
        stop.cancel();
        node.wait().await;
        tracing::info!("stopped");
        outdated.map_or(Ok(()), |unknown| Err(unknown.into()))
    }

    /// The settings in the config file.
    fn config_file(&self, dir: &Path) -> anyhow::Result<Settings> {
        let path = self.config.clone().unwrap_or_else(|| dir.join(CONFIG_FILE));
        Settings::read(&path, self.config.is_some())
    }

    fn resolve(self, dir: PathBuf, preset: Preset) -> anyhow::Result<NodeConfig> {
        let file = self.config_file(&dir)?;
        let api_key = std::env::var("NERVURE_API_KEY").ok().filter(|key| !key.is_empty());
        let flags = Settings { api_keys: api_key.into_iter().collect(), ..self.settings };
        Ok(NodeConfig::resolve(dir, flags, file, preset))
    }
}

/// Fetches the state of a recent block, if the operator wants that and there is no chain yet.
async fn sync_state(config: &mut NodeConfig, spec: &MeshSpec, key: &NodeKey) -> anyhow::Result<()> {
    let Some(checkpoint) = config.beginning.take() else { return Ok(()) };
    match runtime::begin(config, spec, key, checkpoint).await? {
        Some(height) => output::note(&format!("begins with the state of block {height}, which is verified")),
        None => {
            output::note("there is a chain here already: it is continued, and the checkpoint is not needed")
        }
    }
    Ok(())
}

/// Writes the spec beside the key: commands that verify the answers of nodes trust its genesis.
fn keep_spec(dir: &Path, spec: &MeshSpec) -> anyhow::Result<()> {
    let (path, text) = (dir.join(MESH_FILE), spec.to_toml());
    if std::fs::read_to_string(&path).is_ok_and(|kept| kept == text) {
        return Ok(());
    }
    durable::replace(&path, text.as_bytes(), Access::Default)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The key in `dir`; creates one if there is none.
fn own_key(dir: &Path) -> anyhow::Result<NodeKey> {
    let path = dir.join(key::KEY_FILE);
    if path.try_exists().with_context(|| format!("cannot check for the key {}", path.display()))? {
        return Ok(key_file::read(&path, key::passphrase().as_ref())?);
    }
    let key = key::create(&path)?;
    output::note(&format!("created a key for this node: {}", path.display()));
    Ok(key)
}

/// Stops when standard input ends: the process that started this one holds the other end and may crash.
pub(super) fn stop_with_stdin(stop: CancellationToken) {
    // On a separate thread: a read of standard input cannot be cancelled and would keep the runtime alive.
    std::thread::spawn(move || {
        let mut ignored = [0; 256];
        let mut stdin = std::io::stdin().lock();
        while !matches!(stdin.read(&mut ignored), Ok(0) | Err(_)) {}
        stop.cancel();
    });
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct TestCommand {
        #[command(flatten)]
        global: Global,
        #[command(flatten)]
        join: JoinArgs,
    }

    #[test]
    fn worker_threads_come_from_the_flag_and_then_from_the_config_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().display().to_string();
        let threads = |arguments: &[&str]| {
            let all = ["join", "mesh.toml", "--dir", &path].into_iter().chain(arguments.iter().copied());
            let TestCommand { global, join } = TestCommand::parse_from(all);
            join.worker_threads(&global).map(|threads| threads.map(NonZeroUsize::get))
        };
        assert_eq!(threads(&[]).unwrap(), None);
        std::fs::write(dir.path().join(CONFIG_FILE), "worker_threads = 6").unwrap();
        assert_eq!(threads(&[]).unwrap(), Some(6));
        assert_eq!(threads(&["--worker-threads", "3"]).unwrap(), Some(3));
        std::fs::write(dir.path().join(CONFIG_FILE), "worker_threads = 0").unwrap();
        assert!(threads(&[]).is_err());
    }
}
