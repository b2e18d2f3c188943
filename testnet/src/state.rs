//! `testnet.json`: the state of a testnet's run, for later commands.
//!
//! The `up` that starts a run writes it after each process that it starts, so that a kill at any moment leaves no
//! unknown process. Afterwards it changes only when a node is restarted or the run ends, under [`edit_turn`].

use std::{fs, io, path::PathBuf};

use nervure_ledger::spec::Role;
use nervure_primitives::{MeshId, Netuid, NodeId, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::{
    Layout, ProcessRef, Shape, TestnetError, Timings,
    chain::{CHAIN, ChainState},
    mock_server::{MOCK_SERVER, MockServerState},
    node_file::write_json,
    owner::edit_turn,
    stop::NamedProcess,
};

/// The only version of the state file that this program writes and reads.
const VERSION: u32 = 1;

/// Largest state file that is read; that of 64 nodes has about 30 kB.
const MAX_STATE_BYTES: u64 = 1024 * 1024;

/// The stage of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Its `up` is starting it.
    Starting,
    /// It answered its first query.
    Ready,
    /// It was stopped.
    Stopped,
}

/// One run of a testnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Version of the file format.
    pub version: u32,
    /// The id of its mesh.
    pub mesh: MeshId,
    /// The program of its nodes.
    pub binary: PathBuf,
    /// Its stage.
    pub stage: Stage,
    /// The `up` in the foreground that the nodes end with; `None` once detached.
    pub owner: Option<ProcessRef>,
    /// When it was started.
    pub started_unix_ms: UnixMillis,
    /// How long its start took.
    pub timings_ms: Timings,
    /// Its nodes.
    pub nodes: Vec<NodeState>,
    /// Its mock model server, where it has one.
    #[serde(default, alias = "stand_in")] // the earlier name
    pub mock_server: Option<MockServerState>,
    /// The chain whose contract keeps its checkpoints, where it has one of its own.
    #[serde(default)]
    pub chain: Option<ChainState>,
}

/// One node of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeState {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Its experts, in the form of `--expert`.
    #[serde(default)]
    pub experts: Vec<String>,
    /// The subnets that it is registered in from the beginning.
    #[serde(default)]
    pub netuids: Vec<Netuid>,
    /// Its node id.
    pub node: NodeId,
    /// The port of its control plane, where the mesh spec names it; others let the system choose.
    pub p2p_port: Option<u16>,
    /// Its process, once started.
    pub process: Option<ProcessRef>,
}

impl NodeState {
    /// Its process, if that still runs.
    pub fn alive(&self) -> Option<ProcessRef> {
        self.process.filter(ProcessRef::is_alive)
    }
}

impl State {
    /// A run without any started process.
    pub(crate) fn new(
        mesh: MeshId,
        binary: PathBuf,
        nodes: Vec<NodeState>,
        mock_server: Option<MockServerState>,
    ) -> Self {
        Self {
            version: VERSION,
            mesh,
            binary,
            stage: Stage::Starting,
            owner: Some(ProcessRef::own()),
            started_unix_ms: std::time::SystemTime::now().into(),
            timings_ms: Timings::default(),
            nodes,
            mock_server,
            chain: None,
        }
    }

    /// The same nodes and mesh in a further run of `binary`, of which no process is started yet.
    pub(crate) fn again(self, binary: PathBuf) -> Self {
        let nodes = self.nodes.into_iter().map(|node| NodeState { process: None, ..node }).collect();
        let mock_server = self.mock_server.map(|server| MockServerState { process: None, ..server });
        Self::new(self.mesh, binary, nodes, mock_server)
    }

    /// How many nodes of each role it has.
    pub(crate) fn shape(&self) -> Shape {
        let count = |role| self.nodes.iter().filter(|node| node.role == role).count();
        Shape {
            validators: count(Role::Validator),
            miners: count(Role::Miner),
            gateways: count(Role::Gateway),
        }
    }

    /// Reads the state of the testnet in `layout`.
    ///
    /// # Errors
    /// [`TestnetError::NotATestnet`] when there is none, [`TestnetError::BadState`] when the file is
    /// malformed.
    pub fn load(layout: &Layout) -> Result<Self, TestnetError> {
        let path = layout.state();
        let bad = |reason: String| TestnetError::BadState { path: layout.state(), reason };
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(TestnetError::NotATestnet(layout.dir().into()));
            }
            Ok(metadata) if metadata.len() > MAX_STATE_BYTES => return Err(bad("it is too large".into())),
            _ => {}
        }
        let text = fs::read(&path).map_err(TestnetError::io("read", path))?;
        let state: Self = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
        match state.version {
            VERSION => Ok(state),
            other => Err(bad(format!("version {other} is not {VERSION}, the one that this program reads"))),
        }
    }

    /// Writes the state, all or nothing.
    pub(crate) fn save(&self, layout: &Layout) -> Result<(), TestnetError> {
        write_json(&layout.state(), self).map_err(TestnetError::io("write", layout.state()))
    }

    /// Reads the state, applies `change`, and writes it back, under the edit lock.
    pub(crate) fn edit(layout: &Layout, change: impl FnOnce(&mut Self)) -> Result<Self, TestnetError> {
        let _turn = edit_turn(layout)?;
        let mut state = Self::load(layout)?;
        change(&mut state);
        state.save(layout)?;
        Ok(state)
    }

    /// The node called `name`.
    ///
    /// # Errors
    /// [`TestnetError::UnknownNode`], with the names that there are.
    pub fn node(&self, name: &str) -> Result<&NodeState, TestnetError> {
        self.nodes
            .iter()
            .find(|node| node.name == name)
            .ok_or_else(|| TestnetError::UnknownNode { name: name.into(), known: self.names() })
    }

    /// Checks that a node, the mock model server or the chain is called `name`.
    ///
    /// # Errors
    /// [`TestnetError::UnknownNode`], with the names that there are.
    pub fn knows(&self, name: &str) -> Result<(), TestnetError> {
        if self.names().iter().any(|known| known == name) { Ok(()) } else { self.node(name).map(drop) }
    }

    /// Checks that the mock model server runs, if the node called `name` serves from it: the node would not start
    /// without it.
    pub(crate) fn can_start(&self, name: &str) -> Result<(), TestnetError> {
        let Some(mock_server) = self.mock_server.as_ref().filter(|mock_server| mock_server.alive().is_none())
        else {
            return Ok(());
        };
        let url = mock_server.url();
        let mut experts = self.nodes.iter().filter(|node| node.name == name).flat_map(|node| &node.experts);
        match experts.any(|expert| expert.contains(&url)) {
            true => Err(TestnetError::MockServerDown(name.to_owned())),
            false => Ok(()),
        }
    }

    /// The mock model server, if there is one and `name` is its name.
    pub(crate) fn mock_server(&self, name: &str) -> Option<&MockServerState> {
        self.mock_server.as_ref().filter(|_| name == MOCK_SERVER)
    }

    /// The chain, if there is one and `name` is its name.
    pub(crate) fn chain(&self, name: &str) -> Option<&ChainState> {
        self.chain.as_ref().filter(|_| name == CHAIN)
    }

    /// The names of its nodes, its mock model server and its chain.
    pub(crate) fn names(&self) -> Vec<String> {
        let mock_server = self.mock_server.as_ref().map(|_| MOCK_SERVER.to_owned());
        let chain = self.chain.as_ref().map(|_| CHAIN.to_owned());
        self.nodes.iter().map(|node| node.name.clone()).chain(mock_server).chain(chain).collect()
    }

    /// Its processes that still run, by name.
    pub(crate) fn living(&self) -> Vec<NamedProcess> {
        let mock_server = self
            .mock_server
            .as_ref()
            .and_then(|mock_server| Some((MOCK_SERVER.to_owned(), mock_server.alive()?)));
        let nodes = self.nodes.iter().filter_map(|node| Some((node.name.clone(), node.alive()?)));
        // Last: nodes may submit checkpoints until they end.
        let chain = self.chain.as_ref().and_then(|chain| Some((CHAIN.to_owned(), chain.alive()?)));
        nodes.chain(mock_server).chain(chain).collect()
    }

    /// The `up` in the foreground that owns this run, if it still lives.
    pub fn living_owner(&self) -> Option<ProcessRef> {
        self.owner.filter(ProcessRef::is_alive)
    }

    /// Whether any of its nodes runs.
    pub fn any_alive(&self) -> bool {
        self.nodes.iter().any(|node| node.alive().is_some())
    }

    /// Whether this is a run that must not be disturbed: ready, with running nodes whose owner, if any, is running too.
    pub(crate) fn is_sound(&self) -> bool {
        self.stage == Stage::Ready
            && self.any_alive()
            && (self.owner.is_none() || self.living_owner().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let node = NodeState {
            name: "validator-1".into(),
            role: Role::Validator,
            experts: Vec::new(),
            netuids: Vec::new(),
            node: nervure_primitives::NodeKey::from_seed(&[1; 32]).node_id(),
            p2p_port: Some(4000),
            process: Some(ProcessRef::own()),
        };
        State::new(MeshId::from_bytes([9; 32]), "/bin/true".into(), vec![node], None)
    }

    #[test]
    fn reads_back_and_edits() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        assert!(matches!(State::load(&layout), Err(TestnetError::NotATestnet(_))));
        state().save(&layout).unwrap();
        let edited = State::edit(&layout, |state| state.stage = Stage::Ready).unwrap();
        assert_eq!(State::load(&layout).unwrap(), edited);
        assert_eq!(edited.stage, Stage::Ready);
    }

    #[test]
    fn refuses_malformed_files_and_other_versions() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        fs::write(layout.state(), "[]").unwrap();
        assert!(matches!(State::load(&layout), Err(TestnetError::BadState { .. })));
        State { version: 2, ..state() }.save(&layout).unwrap();
        let error = State::load(&layout).unwrap_err().to_string();
        assert!(error.contains("version 2"), "{error}");
    }

    #[test]
    fn only_a_ready_run_with_living_nodes_and_owner_is_sound() {
        let ready = State { stage: Stage::Ready, ..state() };
        assert!(ready.is_sound());
        assert!(!state().is_sound(), "still starting");
        let gone = ProcessRef { pid: u32::MAX, started: 1 };
        assert!(!State { owner: Some(gone), ..ready.clone() }.is_sound(), "its owner was killed");
        let mut dead = State { owner: None, ..ready };
        assert!(dead.is_sound(), "detached");
        dead.nodes[0].process = Some(gone);
        assert!(!dead.is_sound(), "all nodes are dead");
    }

    #[test]
    fn the_mock_server_is_known_by_its_name_and_counts_as_running() {
        let listen = ([127, 0, 0, 1], 9).into();
        let mock_server = Some(MockServerState { listen, process: Some(ProcessRef::own()) });
        let state = State { mock_server, ..state() };
        assert!(state.mock_server("mock-server").is_some() && state.mock_server("validator-1").is_none());
        assert_eq!(state.names(), ["validator-1", "mock-server"]);
        assert_eq!(state.living().len(), 2);
        assert!(state.knows("mock-server").is_ok() && state.knows("validator-1").is_ok());
        assert!(state.knows("stand-out").is_err());
        let error = state.node("miner-9").unwrap_err().to_string();
        assert!(error.contains("mock-server"), "{error}");
        let without = serde_json::to_string(&state).unwrap().replace("\"experts\":[],\"netuids\":[],", "");
        assert_eq!(
            serde_json::from_str::<State>(&without).unwrap(),
            state,
            "the state of an older version is read"
        );
    }

    #[test]
    fn a_node_cannot_start_without_the_mock_server_that_it_serves_from() {
        let mock_server = MockServerState { listen: ([127, 0, 0, 1], 9).into(), process: None };
        let mut state = State { mock_server: Some(mock_server), ..state() };
        assert!(state.can_start("validator-1").is_ok());
        state.nodes[0].experts = vec!["builtin:rust".into(), "openai:http://127.0.0.1:9/v1,model=m".into()];
        assert!(matches!(state.can_start("validator-1"), Err(TestnetError::MockServerDown(_))));
        state.mock_server.as_mut().unwrap().process = Some(ProcessRef::own());
        assert!(state.can_start("validator-1").is_ok());
    }

    #[test]
    fn lists_the_known_nodes_for_an_unknown_one() {
        let error = state().node("miner-9").unwrap_err().to_string();
        assert!(error.contains("miner-9") && error.contains("validator-1"), "{error}");
    }
}
