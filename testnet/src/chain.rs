//! A development chain beside the mesh, whose contract keeps the checkpoints.
//!
//! Which program that is and how a contract gets there is the caller's: a [`DevelopmentChain`]. Here it is a process with a
//! name, like the nodes.

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

/// Its name, where nodes have theirs.
pub const CHAIN: &str = "chain";

/// What [`DevelopmentChain::deploy`] returns.
pub type Deploying<'a> = Pin<Box<dyn Future<Output = Result<AnchorPlace, String>> + Send + 'a>>;

/// A chain that can be started as a process, and hold the contract of a mesh.
pub trait DevelopmentChain: Send + Sync + fmt::Debug {
    /// The program.
    fn program(&self) -> &Path;

    /// Its command line: it is to listen on `port` of loopback, and to keep what it knows in the file `state`.
    fn arguments(&self, port: u16, state: &Path) -> Vec<OsString>;

    /// Waits until the chain at `endpoint` answers, deploys the contract for the mesh of `spec`, and sees to it that
    /// its validators can pay.
    fn deploy<'a>(&'a self, endpoint: &'a str, spec: &'a MeshSpec) -> Deploying<'a>;
}

/// The chain of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainState {
    /// The program that it is a process of.
    pub program: PathBuf,
    /// Its command line.
    pub arguments: Vec<String>,
    /// Where it listens.
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

    /// Where it answers.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.listen)
    }
}

/// Has the contract deployed, and written into the mesh spec of `layout`, which is not part of the mesh's id.
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
