//! `nervure doctor`: looks at everything that keeps a node from doing its role, and says what to do about it.
//!
//! With a running node it asks that node; without one it joins the mesh as an ephemeral client for as long as the checks
//! run. It changes nothing.

mod machine;
mod mesh;
mod node;
mod peer;
mod report;

use std::{path::PathBuf, time::Duration};

use nervure_api::{NodeStatus, PeerView};
use nervure_ledger::spec::MeshSpec;
use nervure_primitives::NodeId;

use super::{
    Global,
    access::{Access, Session},
    trust,
};
use crate::{config::Settings, local::LocalNode};
use report::{Finding, Report};

/// How long the checks may wait for the network. All of them together are done within ten seconds.
const NETWORK_TIMEOUT: Duration = Duration::from_secs(7);

/// How long a temporary client waits for peers to say how they see it.
const OBSERVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Checks this machine, its node and its connection to the mesh, or to one peer of it, and says what to do
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each line has a verdict: ok, warn (it works, and may fail later), FAIL (it keeps the node from its role) or
skip (it cannot be checked here). The exit code is 1 when a line fails.

Examples:
  nervure doctor                       the node in the directory, running or not
  nervure doctor --mesh mesh.toml      this machine, before there is a node
  nervure doctor PEER                  the ways to a peer and back: the peer is asked by this node, and through
                                       nodes that both know, to dial this one")]
pub(crate) struct DoctorArgs {
    /// The id of a peer: checks the ways to it and back instead
    peer: Option<NodeId>,
    /// The mesh spec, a file or a URL [default: mesh.toml in the directory]
    #[arg(long = "mesh", value_name = "SPEC")]
    mesh: Option<String>,
}

/// What the checks look at.
#[derive(Default)]
struct Patient {
    dir: PathBuf,
    settings: Settings,
    spec: Option<MeshSpec>,
    /// The running node, or the temporary client; none when neither answers.
    status: Option<NodeStatus>,
    peers: Vec<PeerView>,
    /// Whether `status` is that of the user's node.
    is_own: bool,
    /// Why there is no status.
    trouble: Option<String>,
}

impl DoctorArgs {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        if let Some(peer) = self.peer {
            return Box::pin(self.examine_peer(peer, global)).await;
        }
        let mut report = Report::default();
        let patient = Box::pin(self.examine(global, &mut report)).await;
        machine::check(&patient, &mut report);
        node::check(&patient, &mut report);
        mesh::check(&patient, &mut report);
        report.show(global)
    }

    /// Asks the running node about `peer`, else joins the mesh for a moment.
    async fn examine_peer(&self, peer: NodeId, global: &Global) -> anyhow::Result<()> {
        let mut report = Report::default();
        let running = global.node_dir().ok().and_then(|dir| LocalNode::find(&dir).ok());
        let found = match running.filter(|_| self.mesh.is_none()) {
            Some(node) => {
                let own = node.client().status().await?.node;
                anyhow::ensure!(
                    own != peer,
                    "{peer} is this node itself\ncheck it without an id: nervure doctor"
                );
                node.client().peer_reach(&peer).await?
            }
            None => {
                let mut patient =
                    Patient { spec: self.spec(global, &mut report).await, ..Patient::default() };
                let Some(spec) = patient.spec.clone() else {
                    anyhow::bail!("no node runs here, and no mesh spec is known\nname one: --mesh SPEC");
                };
                let session = Access::join(spec).await?;
                let found = match observe(&session, &mut patient).await {
                    Ok(()) => session.node.client().peer_reach(&peer).await.map_err(anyhow::Error::from),
                    Err(error) => Err(error),
                };
                session.close().await;
                found?
            }
        };
        peer::check(&found, &mut report);
        report.show_with(global, &found)
    }

    async fn examine(&self, global: &Global, report: &mut Report) -> Patient {
        let dir = global.node_dir().or_else(|_| global.own_node_dir()).unwrap_or_default();
        let settings = match Settings::read(&dir.join("node.toml"), false) {
            Ok(settings) => settings,
            Err(error) => {
                report.push(Finding::bad("config", format!("{error:#}"), "correct node.toml, or remove it"));
                Settings::default()
            }
        };
        let mut patient = Patient {
            spec: self.spec(global, report).await,
            dir,
            settings,
            status: None,
            peers: Vec::new(),
            is_own: false,
            trouble: None,
        };
        match tokio::time::timeout(NETWORK_TIMEOUT, self.ask(global, &mut patient)).await {
            Ok(Ok(())) => {}
            // The rest of the message is a hint, and the finding has its own.
            Ok(Err(error)) => {
                patient.trouble = format!("{error:#}").lines().next().map(str::to_owned);
            }
            Err(_) => {
                patient.trouble = Some(format!("no answer within {} s", NETWORK_TIMEOUT.as_secs()));
            }
        }
        patient
    }

    async fn spec(&self, global: &Global, report: &mut Report) -> Option<MeshSpec> {
        let read = match &self.mesh {
            Some(source) => super::mesh::read(source).await,
            None => match trust::spec_here(global) {
                Ok(path) => trust::read_spec(&path).await,
                Err(_) => return None,
            },
        };
        match read {
            Ok(spec) => Some(spec),
            Err(error) => {
                let next = "get the spec of the mesh again, or name another one: --mesh SPEC";
                report.push(Finding::bad("mesh spec", format!("{error:#}"), next));
                None
            }
        }
    }

    /// Asks the running node, else joins the mesh for a moment.
    async fn ask(&self, global: &Global, patient: &mut Patient) -> anyhow::Result<()> {
        if self.mesh.is_none()
            && let Ok(node) = LocalNode::find(&global.node_dir()?)
        {
            patient.is_own = true;
            patient.status = Some(node.client().status().await?);
            patient.peers = node.client().peers().await?.peers;
            return Ok(());
        }
        let Some(spec) = patient.spec.clone() else {
            anyhow::bail!("no node runs here, and no mesh spec is known\nname one: --mesh SPEC");
        };
        let session = Access::join(spec).await?;
        let asked = observe(&session, patient).await;
        session.close().await;
        asked
    }
}

/// Asks the temporary client until peers have said how they see it.
async fn observe(session: &Session, patient: &mut Patient) -> anyhow::Result<()> {
    let client = session.node.client();
    let until = tokio::time::Instant::now() + OBSERVE_TIMEOUT;
    loop {
        let status = client.status().await?;
        let is_seen = status.reach.local || status.reach.observed.len() > 1;
        patient.status = Some(status);
        patient.peers = client.peers().await?.peers;
        if is_seen || tokio::time::Instant::now() >= until {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
