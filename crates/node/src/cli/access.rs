//! How a command reaches the mesh: through a running node, or with `--mesh` as an ephemeral client, which joins the
//! mesh for as long as the command runs, or with `--from` as one that asks HTTP APIs of others instead.
//!
//! The client trusts the genesis of the spec, or a block that the user names, and nothing else: it verifies the newest block
//! by the validators' certificates, and each record of its state by a proof. So it knows the experts, balances and
//! incentives of now without a state of its own.

use std::{str::FromStr, time::Duration};

use anyhow::Context;
use nervure_api::{Client, Endpoint, ParseEndpointError};
use nervure_ledger::spec::MeshSpec;
use nervure_light::{TrustAnchor, TrustedBlock, TrustingPeriod, Verifier};
use nervure_primitives::{NodeId, NodeKey};
use nervure_protocol::invite::SignedInvite;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Global, invite, mesh, output,
    trust::{self, NodeVerifier},
};
use crate::{
    config::{Beginning, NodeConfig, Preset},
    local::LocalNode,
    runtime::{Node, Payment, clock},
};

/// How long an endpoint may take for one answer.
const HTTP_TIMEOUT: Duration = Duration::from_secs(10);

/// After this time, the user is told what takes so long.
const NOTE_DELAY: Duration = Duration::from_secs(2);

/// How to reach the mesh.
#[derive(Debug, clap::Args)]
pub(crate) struct Access {
    /// Join the mesh of this spec (a file, a URL or an invite) for as long as the command runs, instead of asking a running
    /// node
    #[arg(long = "mesh", value_name = "SPEC")]
    mesh: Option<String>,
    /// With --mesh or --from, trust this block instead of the genesis
    #[arg(long = "mesh-trust", value_name = "HEIGHT:BLOCK")]
    mesh_trust: Option<TrustedBlock>,
    /// Ask the HTTP API of this node, which is not trusted, instead of a node of your own; `spec` asks the endpoints in the
    /// mesh spec (--mesh, or mesh.toml in the directory); can be given several times
    #[arg(id = "endpoint", long = "from", value_name = "URL|IP:PORT|spec")]
    from: Vec<From>,
}

/// Whom `--from` asks.
#[derive(Clone, Debug)]
enum From {
    Spec,
    Endpoint(Endpoint),
}

impl FromStr for From {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, ParseEndpointError> {
        if text == "spec" { Ok(Self::Spec) } else { text.parse().map(Self::Endpoint) }
    }
}

/// A node to ask. An ephemeral client has to be closed.
pub(crate) struct Session {
    pub(crate) node: LocalNode,
    ephemeral: Option<EphemeralClient>,
}

/// A node without a name or role, with a key and a directory that exist for one command.
struct EphemeralClient {
    node: Node,
    /// What its user trusts.
    anchor: TrustAnchor,
    spec: MeshSpec,
    /// Stops the node when it is dropped.
    stop: DropGuard,
    dir: TempDir,
}

impl Access {
    /// Connects to a running node, or joins the mesh.
    pub(crate) async fn open(&self, global: &Global) -> anyhow::Result<Session> {
        let spec = match &self.mesh {
            Some(link) if SignedInvite::is_link(link) => invite::accept(link).await?.0,
            Some(source) => mesh::read(source).await?,
            None if self.from.is_empty() => {
                anyhow::ensure!(self.mesh_trust.is_none(), "--mesh-trust needs --mesh or --from");
                return Ok(Session { node: LocalNode::find(&global.node_dir()?)?, ephemeral: None });
            }
            None => trust::read_spec(&trust::spec_here(global)?).await?,
        };
        let endpoints = self.endpoints(&spec)?;
        let beginning = self.mesh_trust.map_or(Beginning::Genesis, Beginning::Block);
        // On the heap: every command that talks to a node would carry this future.
        let client = Box::pin(join_mesh(spec, beginning, endpoints)).await?;
        let node = LocalNode::of(client.dir.path(), client.node.file())?;
        Ok(Session { node, ephemeral: Some(client) })
    }
}

impl Access {
    /// Joins the mesh of `spec`, which is trusted, as an ephemeral client.
    pub(crate) async fn join(spec: MeshSpec) -> anyhow::Result<Session> {
        let client = Box::pin(join_mesh(spec, Beginning::Genesis, Vec::new())).await?;
        Ok(Session { node: LocalNode::of(client.dir.path(), client.node.file())?, ephemeral: Some(client) })
    }

    /// The HTTP APIs that are asked; none when the mesh is joined.
    fn endpoints(&self, spec: &MeshSpec) -> anyhow::Result<Vec<Client>> {
        let mut endpoints = Vec::new();
        for from in &self.from {
            match from {
                From::Endpoint(endpoint) => endpoints.push(endpoint.clone()),
                From::Spec => {
                    anyhow::ensure!(
                        !spec.network.endpoints.is_empty(),
                        "the mesh spec names no endpoints ([network] endpoints)\n\
                         join the mesh instead: --mesh SPEC, or name one: --from URL"
                    );
                    for text in &spec.network.endpoints {
                        let endpoint =
                            text.parse().with_context(|| format!("network.endpoints has '{text}'"));
                        endpoints.push(endpoint?);
                    }
                }
            }
        }
        endpoints.into_iter().map(|endpoint| Ok(Client::new(endpoint)?.with_timeout(HTTP_TIMEOUT))).collect()
    }
}

impl Session {
    /// A light client of the node that trusts `trust`; else what `--mesh` names, or the genesis of the mesh spec in the
    /// directory.
    pub(crate) async fn verifier(
        &self,
        trust: Option<TrustedBlock>,
        global: &Global,
    ) -> anyhow::Result<NodeVerifier> {
        let node = self.node.client().clone();
        match &self.ephemeral {
            Some(EphemeralClient { anchor, spec, .. }) => {
                let anchor = trust.map_or_else(|| anchor.clone(), TrustAnchor::Block);
                Ok(Verifier::start(node, anchor, TrustingPeriod::of(spec, clock::now())).await?)
            }
            None => trust::begin(node, trust, global).await,
        }
    }

    /// Claims tokens for an owner, as an ephemeral client.
    pub(crate) async fn claim_tokens(&self, owner: NodeId) -> Result<Payment, String> {
        match &self.ephemeral {
            Some(client) => client.node.claim_tokens(owner).await,
            None => Err("the mesh was not joined".into()),
        }
    }

    /// Leaves the mesh, if the command joined it.
    pub(crate) async fn close(self) {
        if let Some(client) = self.ephemeral {
            drop(client.stop);
            client.node.wait().await;
        }
    }
}

async fn join_mesh(
    mut spec: MeshSpec,
    beginning: Beginning,
    endpoints: Vec<Client>,
) -> anyhow::Result<EphemeralClient> {
    if !endpoints.is_empty() {
        // The endpoints are asked alone: no node of the swarm has to be reachable.
        spec.network.bootstrap.clear();
    } else {
        anyhow::ensure!(
            !spec.network.bootstrap.is_empty(),
            "the mesh spec names no bootstrap nodes, so its mesh cannot be found\n\
             add one under [network], or ask an HTTP API: --from URL"
        );
    }
    let dir = tempfile::tempdir().context("cannot create a directory for a temporary node")?;
    let key = NodeKey::generate().context("the system has no randomness for a key")?;
    let stop = CancellationToken::new();
    let mut config = NodeConfig::new(Preset::of(&spec), dir.path().into());
    config.beginning = Some(beginning);
    // A client without a state: it proves what the command asks for.
    config.follow = false;
    config.endpoints = endpoints;
    let node = Node::start(config, &spec, key, stop.clone()).await?;
    if let Some(age) = with_note(node.catch_up()).await? {
        output::note(&format!(
            "warning: the newest block that any peer has is {} s old: the mesh makes no blocks, or the peers hide newer ones",
            age.as_secs()
        ));
    }
    let anchor = match beginning {
        Beginning::Block(block) => TrustAnchor::Block(block),
        Beginning::Genesis | Beginning::Anchored => TrustAnchor::Genesis(Box::new(spec.clone())),
    };
    Ok(EphemeralClient { node, anchor, spec, stop: stop.drop_guard(), dir })
}

/// Says what is being waited for when it takes longer than usual.
async fn with_note<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    match tokio::time::timeout(NOTE_DELAY, &mut work).await {
        Ok(done) => done,
        Err(_) => {
            output::note("asking the mesh for blocks and proofs, and verifying them ...");
            work.await
        }
    }
}
