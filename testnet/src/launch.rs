//! Starts nodes as processes: their command lines, standard streams and ends.

use std::{
    ffi::OsString,
    fs::{DirBuilder, File, OpenOptions},
    io,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::Path,
    process::{ExitStatus, Stdio},
};

use tokio::{
    process::{Child, Command},
    task::JoinSet,
};

use crate::{
    Layout, NodeFile, ProcessRef, TestnetError,
    chain::{CHAIN, ChainState},
    mock_server::{self, MOCK_SERVER},
    state::NodeState,
};

/// The exit code of a node whose configured port is in use.
pub const PORT_IN_USE_EXIT: u8 = 5;

/// The flag that makes a node stop when its standard input ends.
pub const STOP_WITH_STDIN_FLAG: &str = "--stop-with-stdin";

/// Worker threads of a node, unless the user sets them: all nodes share the cores of this machine.
const WORKER_THREADS: (&str, &str) = ("NERVURE_WORKER_THREADS", "2");

/// The `NERVURE_` variables that a node inherits. Others are removed: settings of the user's own node (an API key, a
/// port) must not apply to the nodes of a testnet.
const INHERITED_VARIABLES: [&str; 3] = ["NERVURE_LOG", "NERVURE_LOG_FORMAT", WORKER_THREADS.0];

/// Starts `node` from `binary`, with `variables` in its environment. With a `stdin` it stops when that ends. Its output
/// is appended to its log.
pub(crate) fn spawn(
    binary: &Path,
    layout: &Layout,
    (node, chain): (&NodeState, Option<&ChainState>),
    stdin: Option<File>,
    variables: &[(&str, String)],
) -> Result<Child, TestnetError> {
    let paths = layout.node(&node.name);
    // Otherwise the file of the earlier process could be taken for that of the new one.
    NodeFile::remove(paths.dir()).map_err(TestnetError::io("remove", paths.file()))?;
    start(binary, layout, (&node.name, arguments(layout, node, chain)), stdin, variables)
}

/// Starts the mock model server.
pub(crate) fn spawn_mock_server(
    binary: &Path,
    layout: &Layout,
    listen: SocketAddr,
    stdin: Option<File>,
) -> Result<Child, TestnetError> {
    mock_server::make_dir(layout)?;
    start(binary, layout, (MOCK_SERVER, mock_server::arguments(listen).into()), stdin, &[])
}

/// Starts a development chain. It does not notice the end of the owner: `down` or the next start ends it.
pub(crate) fn spawn_chain(layout: &Layout, chain: &ChainState) -> Result<Child, TestnetError> {
    let dir = layout.node(CHAIN);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir.dir());
    made.map_err(TestnetError::io("make", dir.dir()))?;
    let arguments = chain.arguments.iter().map(OsString::from).collect();
    start(&chain.program, layout, (CHAIN, arguments), None, &[])
}

fn start(
    binary: &Path,
    layout: &Layout,
    (name, arguments): (&str, Vec<OsString>),
    stdin: Option<File>,
    variables: &[(&str, String)],
) -> Result<Child, TestnetError> {
    let paths = layout.node(name);
    let log = OpenOptions::new().create(true).append(true).open(paths.log());
    let log = log.map_err(TestnetError::io("open", paths.log()))?;
    let error_log = log.try_clone().map_err(TestnetError::io("open", paths.log()))?;

    let mut command = Command::new(binary);
    command.args(arguments).stdout(log).stderr(error_log);
    match stdin {
        Some(stdin) => command.arg(STOP_WITH_STDIN_FLAG).stdin(stdin),
        None => command.stdin(Stdio::null()),
    };
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("NERVURE_") && !INHERITED_VARIABLES.contains(&name))
        {
            command.env_remove(name);
        }
    }
    if std::env::var_os(WORKER_THREADS.0).is_none() {
        command.env(WORKER_THREADS.0, WORKER_THREADS.1);
    }
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    // In a separate process group: Ctrl-C in the terminal must reach only `up`, which shuts its nodes down.
    command.process_group(0);
    command.spawn().map_err(|source| TestnetError::Spawn {
        name: name.to_owned(),
        binary: binary.into(),
        source,
    })
}

fn arguments(layout: &Layout, node: &NodeState, chain: Option<&ChainState>) -> Vec<OsString> {
    let mut arguments = vec!["join".into(), layout.mesh().into_os_string()];
    let mut option = |name: &str, value: OsString| arguments.extend([name.into(), value]);
    option("--role", node.role.to_string().into());
    option("--dir", layout.node(&node.name).dir().into());
    if let Some(port) = node.p2p_port {
        option("--p2p-port", port.to_string().into());
    }
    for expert in &node.experts {
        option("--expert", expert.into());
    }
    if let Some(chain) = chain {
        option("--anchor-rpc", chain.endpoint().into());
    }
    arguments
}

/// The end of a process.
#[derive(Debug)]
pub(crate) struct ProcessEnd {
    /// The name of its node.
    pub(crate) name: String,
    status: io::Result<ExitStatus>,
}

impl ProcessEnd {
    /// Whether it ended because its port was in use.
    pub(crate) fn port_in_use(&self) -> bool {
        self.status.as_ref().is_ok_and(|status| status.code() == Some(PORT_IN_USE_EXIT.into()))
    }

    /// How it ended, as text.
    pub(crate) fn status(&self) -> String {
        match &self.status {
            Ok(status) => status.to_string(),
            Err(error) => format!("its exit status is not known: {error}"),
        }
    }
}

/// The processes that this one started and must reap. Kills those that still run when it is dropped, unless they were
/// released with [`Children::release`].
#[derive(Debug, Default)]
pub(crate) struct Children {
    waits: JoinSet<ProcessEnd>,
    processes: Vec<ProcessRef>,
}

impl Children {
    /// Adds `child`.
    pub(crate) fn add(&mut self, name: &str, mut child: Child, process: ProcessRef) {
        let name = name.to_owned();
        self.processes.push(process);
        self.waits.spawn(async move { ProcessEnd { name, status: child.wait().await } });
    }

    /// Waits for the next one to end; `None` if there are none left.
    pub(crate) async fn next(&mut self) -> Option<ProcessEnd> {
        loop {
            match self.waits.join_next().await? {
                Ok(ended) => return Some(ended),
                // The tasks do not panic and are aborted only on drop.
                Err(_) => continue,
            }
        }
    }

    /// Leaves the running ones alive after this process.
    pub(crate) fn release(&mut self) {
        self.processes.clear();
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for process in &self.processes {
            process.kill();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nervure_ledger::spec::Role;

    fn node(role: Role, experts: &[&str], p2p_port: Option<u16>) -> NodeState {
        NodeState {
            name: "n-1".into(),
            role,
            experts: experts.iter().map(|expert| (*expert).into()).collect(),
            netuids: Vec::new(),
            node: nervure_primitives::NodeKey::from_seed(&[1; 32]).node_id(),
            p2p_port,
            process: None,
        }
    }

    #[test]
    fn builds_the_command_line_of_the_plan() {
        let layout = Layout::new("/t");
        let miner = arguments(&layout, &node(Role::Miner, &["builtin:rust", "b"], None), None);
        let expected =
            ["join", "/t/mesh.toml", "--role", "miner", "--dir", "/t/nodes/n-1", "--expert", "builtin:rust"];
        assert_eq!(miner[..8], expected);
        assert_eq!(miner[8..], ["--expert", "b"]);
        let chain = ChainState {
            program: "anvil".into(),
            arguments: Vec::new(),
            listen: ([127, 0, 0, 1], 8).into(),
            process: None,
        };
        let validator = arguments(&layout, &node(Role::Validator, &[], Some(9)), Some(&chain));
        let rpc = ["--anchor-rpc", "http://127.0.0.1:8"];
        assert_eq!(validator[4..8], ["--dir", "/t/nodes/n-1", "--p2p-port", "9"]);
        assert_eq!(validator[8..], rpc);
    }

    #[tokio::test]
    async fn kills_dropped_children_but_not_released_ones() {
        for release in [false, true] {
            let mut command = Command::new("sleep");
            let child = command.arg("60").spawn().unwrap();
            let process = ProcessRef::of(child.id().unwrap());
            let mut children = Children::default();
            children.add("sleeper", child, process);
            if release {
                children.release();
            }
            drop(children);
            if release {
                assert!(process.is_alive());
                assert!(process.kill());
            }
            while process.is_alive() {
                tokio::task::yield_now().await;
            }
        }
    }
}
