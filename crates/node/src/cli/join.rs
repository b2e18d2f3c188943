//! `nervure join`: joins a mesh as a node.

mod model_servers;
mod wizard;

use std::{
    io::{IsTerminal, Read},
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use anyhow::Context;
use nervure_ledger::spec::MeshSpec;
use nervure_primitives::{
    Amount, NodeId, NodeKey,
    durable::{self, Access},
    key_file,
};
use nervure_protocol::invite::SignedInvite;
use tokio_util::sync::CancellationToken;

use super::{
    Global, invite, key,
    mesh::{self, describe::MeshInfo},
    output, secret,
    trust::MESH_FILE,
};
use crate::{
    config::{Beginning, NodeConfig, Preset, Settings},
    runtime::{self, FaucetSettings, Node},
};

/// What a faucet pays, and the work for it: some seconds of a machine.
const FAUCET_AMOUNT: Amount = Amount::from_base_units(10_000_000_000);
const FAUCET_BITS: u8 = 22;

/// Name of the config file in a node's directory.
pub(super) const CONFIG_FILE: &str = "node.toml";

/// Joins a mesh as a node and runs until it is stopped
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Settings come from these flags, then from node.toml in the node's directory
(the same names with _ for -). Keys for the HTTP API come from NERVURE_API_KEY
or api_keys in node.toml; logging from NERVURE_LOG (info, debug, ...) and
NERVURE_LOG_FORMAT (text, json).

On a terminal, and where neither a flag nor node.toml names a role or an expert,
the command asks what the node is to do; --role none starts without questions.

Examples:
  nervure join nervure:MFRGG…                              with an invite
  nervure join mesh.toml --role miner --expert builtin:rust
  nervure join mesh.toml --role miner --expert openai:http://127.0.0.1:8000/v1
  nervure join mesh.toml --role gateway --http-port 8080
  nervure join mesh.toml                                   without a role: for queries")]
pub(crate) struct JoinArgs {
    /// An invite (from nervure invite), or the mesh spec: a file or a URL [default: mesh.toml in the node's directory]
    mesh: Option<String>,
    #[command(flatten)]
    settings: Settings,
    /// The config file [default: node.toml in the node's directory]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Start although consensus.wal is damaged, and sign nothing that its lost part may contradict. Use it once
    #[arg(long)]
    accept_damaged_log: bool,
    /// The last certified state of the mesh that a recovered mesh continues (from nervure mesh recover). Without it, the
    /// state is fetched from other nodes
    #[arg(long, value_name = "FILE", conflicts_with = "checkpoint")]
    state: Option<PathBuf>,
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
    pub(crate) async fn run(mut self, global: &Global) -> anyhow::Result<()> {
        super::logging::start()?;
        super::descriptors::raise_limit();
        let dir = global.own_node_dir()?;
        let (spec, invite) = self.spec(&dir).await?;
        let key = own_key(&dir)?;
        keep_spec(&dir, &spec)?;
        if let Some(invite) = &invite {
            invite::keep_voucher(&dir, invite)?;
        }
        self.ask_user((&spec, key.node_id()), &dir).await?;
        let stop = CancellationToken::new();
        super::signal::stop_on_signal(stop.clone())?;
        if self.stop_with_stdin {
            stop_with_stdin(stop.clone());
        }
        let preset = Preset::of(&spec);
        let (accept_damaged_log, state) = (self.accept_damaged_log, self.state.clone());
        let mut config = self.resolve(dir, preset)?;
        config.accept_damaged_log = accept_damaged_log;
        if let Some(state) = state {
            begin_from_file(&config, &spec, &state)?;
        }
        let name = spec.mesh.name.clone();
        // A state that no node sends, or a model server that does not answer, must not hold a user who wants to stop.
        let starting = Box::pin(start(preset, config, spec, key, stop.clone()));
        let Some(started) = stop.run_until_cancelled(starting).await else {
            output::note("stopped before the node had joined");
            return Ok(());
        };
        let node = started?;
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

    /// The spec of the mesh, and the invite that led there. An invited user sees what the mesh is.
    async fn spec(&self, dir: &Path) -> anyhow::Result<(MeshSpec, Option<SignedInvite>)> {
        let Some(named) = &self.mesh else {
            let kept = dir.join(MESH_FILE);
            anyhow::ensure!(
                kept.is_file(),
                "no mesh is named, and there is no {} in {}\nname one: nervure join INVITE, or nervure join SPEC",
                MESH_FILE,
                dir.display()
            );
            return Ok((mesh::read(&kept.to_string_lossy()).await?, None));
        };
        if !SignedInvite::is_link(named) {
            return Ok((mesh::read(named).await?, None));
        }
        let (spec, signed) = invite::accept(named).await?;
        output::note(&format!("invited by {}, to a mesh whose spec has the id in the invite:", signed.by()));
        MeshInfo::of(&spec).lines().iter().for_each(|line| output::note(line));
        Ok((spec, Some(signed)))
    }

    /// The settings in the config file.
    fn config_file(&self, dir: &Path) -> anyhow::Result<Settings> {
        Settings::read(&self.config_path(dir), self.config.is_some())
    }

    fn config_path(&self, dir: &Path) -> PathBuf {
        self.config.clone().unwrap_or_else(|| dir.join(CONFIG_FILE))
    }

    /// Asks the user at the terminal, if there is one, what neither a flag nor the config file says. The answers go into the
    /// flags, and into the config file if there is none.
    async fn ask_user(&mut self, mesh: (&MeshSpec, NodeId), dir: &Path) -> anyhow::Result<()> {
        let has_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        if !has_terminal || self.stop_with_stdin || self.says_what_to_do(&self.config_file(dir)?) {
            return Ok(());
        }
        let servers = model_servers::find().await;
        let answers = wizard::ask(&mut wizard::Terminal, mesh, &servers)?;
        answers.apply(&mut self.settings)?;
        let (path, text) = (self.config_path(dir), answers.to_toml()?);
        if path.exists() {
            output::note(&format!("to be asked no more, add this to {}:\n{text}", path.display()));
            return Ok(());
        }
        durable::replace(&path, text.as_bytes(), Access::Default)
            .with_context(|| format!("cannot write {}", path.display()))?;
        output::note(&format!("written to {}", path.display()));
        Ok(())
    }

    /// Whether flags or file name a role or an expert.
    fn says_what_to_do(&self, file: &Settings) -> bool {
        [&self.settings, file].iter().any(|settings| settings.role.is_some() || !settings.experts.is_empty())
    }

    fn resolve(self, dir: PathBuf, preset: Preset) -> anyhow::Result<NodeConfig> {
        let file = self.config_file(&dir)?;
        let api_key = secret::from_environment("NERVURE_API_KEY")?;
        let flags = Settings { api_keys: api_key.into_iter().collect(), ..self.settings };
        let faucet = faucet(&flags, &file)?;
        let mut config = NodeConfig::resolve(dir, flags, file, preset);
        config.faucet = faucet;
        Ok(config)
    }
}

/// Fetches the state that the node begins with, and starts it.
async fn start(
    preset: Preset,
    mut config: NodeConfig,
    spec: MeshSpec,
    key: NodeKey,
    stop: CancellationToken,
) -> anyhow::Result<Node> {
    sync_state(&mut config, &spec, &key).await?;
    Ok(Node::builder(preset).config(config).spec(spec).key(key).start(stop).await?)
}

/// The faucet that the settings name, with its key.
fn faucet(flags: &Settings, file: &Settings) -> anyhow::Result<Option<FaucetSettings>> {
    let Some(path) = flags.faucet.as_ref().or(file.faucet.as_ref()) else { return Ok(None) };
    let key = key::read_owner(path).context("the key of the faucet")?;
    let amount = flags.faucet_amount.or(file.faucet_amount).unwrap_or(FAUCET_AMOUNT);
    let bits = flags.faucet_bits.or(file.faucet_bits).unwrap_or(FAUCET_BITS);
    Ok(Some(FaucetSettings { key, amount, bits }))
}

/// Begins a recovered mesh with the state that it continues, unless there is a chain.
fn begin_from_file(config: &NodeConfig, spec: &MeshSpec, state: &Path) -> anyhow::Result<()> {
    let begun = runtime::begin_from_file(config, spec, state)
        .with_context(|| format!("cannot begin with the state in {}", state.display()))?;
    output::note(&match begun {
        Some(height) => {
            format!("begins with the state of block {height}, which is the one that the spec continues")
        }
        None => "there is a chain here already: it is continued, and the state is not needed".into(),
    });
    Ok(())
}

/// Fetches the state of a recent block, if the operator wants that, or the mesh has no other beginning, and there is no
/// chain yet.
async fn sync_state(config: &mut NodeConfig, spec: &MeshSpec, key: &NodeKey) -> anyhow::Result<()> {
    let beginning = config.beginning.take();
    let fetches = spec.recovered.is_some() && !runtime::has_chain(config);
    let Some(checkpoint) = beginning.or(fetches.then_some(Beginning::Genesis)) else { return Ok(()) };
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
        return Ok(key_file::read(&path, key::passphrase()?.as_ref())?);
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
    fn a_role_or_an_expert_in_flags_or_file_leaves_nothing_to_ask() {
        let says = |arguments: &[&str], file: &str| {
            let all = ["join", "mesh.toml"].into_iter().chain(arguments.iter().copied());
            TestCommand::parse_from(all).join.says_what_to_do(&Settings::parse(file).unwrap())
        };
        assert!(says(&["--role", "none"], "") && says(&["--expert", "builtin:rust"], ""));
        assert!(says(&[], "role = \"gateway\""));
        assert!(!says(&["--query-port", "7"], "p2p_port = 8"));
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
