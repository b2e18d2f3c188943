//! A development chain beside the mesh, whose contract keeps the checkpoints.
//!
//! The caller chooses the program and how the contract is deployed: a [`DevelopmentChain`]. A testnet runs it as a
//! process with a name, like a node.

use std::{
    ffi::OsString,
    fmt,
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::Pin,
};

use nervure_ledger::spec::{AnchorPlace, MeshSpec};
use serde::{Deserialize, Serialize};

use crate::{Layout, ProcessRef, TestnetError};

/// The name of the chain's process.
pub const CHAIN: &str = "chain";

/// The future that [`DevelopmentChain::deploy`] returns.
pub type DeployFuture<'a> = Pin<Box<dyn Future<Output = Result<AnchorPlace, String>> + Send + 'a>>;

/// A chain that runs as a process and holds the contract of a mesh.
pub trait DevelopmentChain: Send + Sync + fmt::Debug {
    /// The program.
    fn program(&self) -> &Path;

    /// Its command line: it listens on `port` of loopback, and keeps its state in the file `state`.
    fn arguments(&self, port: u16, state: &Path) -> Vec<OsString>;

    /// Waits until the chain at `endpoint` answers, deploys the contract for the mesh of `spec`, and funds the
    /// validators' accounts.
    fn deploy<'a>(&'a self, endpoint: &'a str, spec: &'a MeshSpec) -> DeployFuture<'a>;
}

/// The chain of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainState {
    /// Its program.
    pub program: PathBuf,
    /// Its command line.
    pub arguments: Vec<String>,
    /// The address that it listens on.
    pub listen: SocketAddr,
    /// Its process, once started.
    pub process: Option<ProcessRef>,
}

impl ChainState {
    pub(crate) fn new(chain: &dyn DevelopmentChain, listen: SocketAddr, layout: &Layout) -> Self {
        let state = layout.node(CHAIN).dir().join("state.json");
        let arguments = chain.arguments(listen.port(), &state).into_iter();
        let arguments = arguments.map(|argument| argument.to_string_lossy().into_owned()).collect();
        Self { program: chain.program().into(), arguments, listen, process: None }
    }

    /// Its process, if that still runs.
    pub fn alive(&self) -> Option<ProcessRef> {
        self.process.filter(ProcessRef::is_alive)
    }

    /// The URL of its JSON-RPC endpoint.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.listen)
    }
}

/// Deploys the contract and writes its address into the mesh spec of `layout`; the address is not part of the mesh id.
pub(crate) async fn deploy(
    chain: &dyn DevelopmentChain,
    state: &ChainState,
    layout: &Layout,
) -> Result<(), TestnetError> {
    let text = std::fs::read_to_string(layout.mesh()).map_err(TestnetError::io("read", layout.mesh()))?;
    let mut spec = MeshSpec::parse(&text)?;
    let deployed = chain.deploy(&state.endpoint(), &spec).await;
    spec.network.anchor = Some(deployed.map_err(TestnetError::Deploy)?);
    std::fs::write(layout.mesh(), spec.to_toml()).map_err(TestnetError::io("write", layout.mesh()))
}
