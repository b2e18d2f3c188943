//! The trusted header of a verifying command, and the node that it asks.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::bail;
use nervure_api::{ApiErrorCode, Client, ClientError, Endpoint, SourceError};
use nervure_ledger::spec::MeshSpec;
use nervure_light::{NewestBlock, TrustAnchor, TrustedBlock, TrustingPeriod, Verifier, VerifierError};
use nervure_primitives::{BlockHeight, MeshId};

use super::{Global, mesh, output};
use crate::{
    local::LocalNode,
    runtime::{clock, last_anchored},
};

/// Name of the mesh spec in the directory of a node or a testnet.
pub(crate) const MESH_FILE: &str = "mesh.toml";

/// A newest block that is older than this is worth a warning: many heights with several rounds each.
const OLD: Duration = Duration::from_secs(600);

/// How long a command waits for the signatures of a block that is in the contract, and how often it asks for them.
const KEPT_WAIT: Duration = Duration::from_secs(30);
const KEPT_INTERVAL: Duration = Duration::from_millis(500);

/// A light client over the HTTP API of an untrusted node.
pub(crate) type NodeVerifier = Verifier<Client>;

/// Why a light client over HTTP has no result.
pub(crate) type LightError = VerifierError<SourceError>;

/// The options of a verifying command.
#[derive(Debug, clap::Args)]
pub(crate) struct TrustArgs {
    /// The mesh spec whose genesis is trusted, a file or a URL [default: mesh.toml in the directory]
    #[arg(long = "mesh", value_name = "SPEC", conflicts_with = "trust")]
    mesh: Option<String>,
    /// Trust this block instead of the genesis
    #[arg(long, value_name = "HEIGHT:BLOCK")]
    trust: Option<TrustedBlock>,
    /// Trust the last checkpoint in the mesh's contract instead of the genesis, read from this endpoint of the chain;
    /// can be given several times, and then all have to agree
    #[arg(long, value_name = "URL", conflicts_with = "trust")]
    anchor_rpc: Vec<String>,
    /// Ask the node with its HTTP API at this address [default: the running node in the directory]; with several, the
    /// first one is asked for everything, and all are asked for their newest block
    #[arg(long, value_name = "URL|IP:PORT")]
    from: Vec<Endpoint>,
    /// Refuse to continue when the newest block is older than this many seconds; without it, a warning is printed
    #[arg(long, value_name = "SECONDS")]
    max_age: Option<u64>,
}

impl TrustArgs {
    /// A light client that starts from the trusted header.
    pub(crate) async fn open(&self, global: &Global) -> anyhow::Result<NodeVerifier> {
        let node = match self.from.first() {
            Some(http) => LocalNode::at(http.clone())?,
            None => LocalNode::find(&global.node_dir()?)?,
        };
        let (anchor, spec) = match self.trust {
            Some(block) => (TrustAnchor::Block(block), spec_if_here(global).await?),
            None => {
                let spec = match &self.mesh {
                    Some(spec) => mesh::read(spec).await?,
                    None => read_spec(&spec_here(global)?).await?,
                };
                let anchor = match self.anchor_rpc.is_empty() {
                    true => TrustAnchor::Genesis(Box::new(spec.clone())),
                    false => {
                        let (place, anchored) = last_anchored(&spec, &self.anchor_rpc).await?;
                        wait_until_kept(node.client(), anchored.height).await?;
                        TrustAnchor::Anchored(place, anchored)
                    }
                };
                (anchor, Some(spec))
            }
        };
        let mesh = node.mesh();
        let light = Verifier::start(node.client().clone(), anchor, period(spec.as_ref())).await?;
        if let Some(mesh) = mesh.filter(|mesh| *mesh != light.mesh()) {
            bail!(
                "the node is in mesh {mesh}, but the trusted header is of mesh {}\n\
                 name the right spec with --mesh, or another node with --from",
                light.mesh()
            );
        }
        self.check_age(&light).await?;
        Ok(light)
    }

    /// Says how old the newest block of the asked nodes is when it is old, and refuses it beyond `--max-age`.
    async fn check_age(&self, light: &NodeVerifier) -> anyhow::Result<()> {
        let others = self.from.iter().skip(1).map(|http| Ok(LocalNode::at(http.clone())?.client().clone()));
        let others = others.collect::<anyhow::Result<Vec<Client>>>()?;
        let newest = match light.newest(&others).await {
            Ok(newest) => newest,
            // Without a bound it is a warning, and the command may well succeed: its own answers are verified.
            Err(error) if self.max_age.is_none() => {
                output::note(&format!("warning: the newest block is not known: {error}"));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        report_age(newest, self.max_age)
    }
}

/// Waits until the asked node keeps the signatures of a block that the contract already has. The node collects them from
/// gossip, a validator puts them into the contract, and either may be first.
async fn wait_until_kept(node: &Client, height: BlockHeight) -> Result<(), ClientError> {
    let until = Instant::now() + KEPT_WAIT;
    let not_found = ApiErrorCode::NotFound.as_str();
    let mut told = false;
    loop {
        match node.anchored(height).await {
            Err(ClientError::Response(body))
                if body.error.code.as_deref() == Some(not_found) && Instant::now() < until =>
            {
                if !std::mem::replace(&mut told, true) {
                    let seconds = KEPT_WAIT.as_secs();
                    output::note(&format!(
                        "the contract has block {height}, and the asked node does not have its signatures yet: \
                         waiting for at most {seconds} s"
                    ));
                }
                tokio::time::sleep(KEPT_INTERVAL).await;
            }
            answer => return answer.map(drop),
        }
    }
}

/// Warns when the newest block is old, and refuses it when it is older than `max_age` seconds.
fn report_age(newest: NewestBlock, max_age: Option<u64>) -> anyhow::Result<()> {
    let NewestBlock { height, age } = newest;
    let seconds = age.as_secs();
    match max_age {
        Some(most) if seconds > most => bail!(
            "the newest block {height} is {seconds} s old, and --max-age allows {most} s: the mesh makes no blocks, or \
             the asked nodes hide newer ones\n\
             ask other nodes, several at once: --from IP:PORT --from IP:PORT"
        ),
        Some(_) => {}
        None if age > OLD => output::note(&format!(
            "warning: the newest block {height} is {seconds} s old: the mesh makes no blocks, or the asked node hides \
             newer ones; ask others too with --from, and set a bound with --max-age"
        )),
        None => {}
    }
    Ok(())
}

/// The trusting period of a mesh, now. Without a spec, that of a public mesh: it errs towards a refusal.
fn period(spec: Option<&MeshSpec>) -> TrustingPeriod {
    let now = clock::now();
    match spec {
        Some(spec) => TrustingPeriod::of(spec, now),
        None => TrustingPeriod::of(&MeshSpec::public("unknown"), now),
    }
}

/// A light client of `node` that trusts `trust`, else the genesis of the mesh spec in the directory.
pub(crate) async fn begin(
    node: Client,
    trust: Option<TrustedBlock>,
    global: &Global,
) -> anyhow::Result<NodeVerifier> {
    let (anchor, spec) = match trust {
        Some(block) => (TrustAnchor::Block(block), spec_if_here(global).await?),
        None => {
            let spec = read_spec(&spec_here(global)?).await?;
            (TrustAnchor::Genesis(Box::new(spec.clone())), Some(spec))
        }
    };
    Ok(Verifier::start(node, anchor, period(spec.as_ref())).await?)
}

/// The mesh spec of the testnet or node in the directory, if there is one.
async fn spec_if_here(global: &Global) -> anyhow::Result<Option<MeshSpec>> {
    match spec_here(global) {
        Ok(path) => Ok(Some(read_spec(&path).await?)),
        Err(_) => Ok(None),
    }
}

pub(super) async fn read_spec(path: &Path) -> anyhow::Result<MeshSpec> {
    mesh::read(&path.to_string_lossy()).await
}

/// The id of the mesh whose spec is in the directory.
pub(crate) async fn own_mesh(global: &Global) -> anyhow::Result<MeshId> {
    Ok(read_spec(&spec_here(global)?).await?.mesh_id())
}

/// The mesh spec of the testnet or node in the directory.
pub(super) fn spec_here(global: &Global) -> anyhow::Result<PathBuf> {
    let dir = global.node_dir()?;
    let mut places = vec![dir.join(MESH_FILE)];
    // The directory of a testnet's node.
    places.extend(dir.ancestors().nth(2).map(|testnet| testnet.join(MESH_FILE)));
    match places.into_iter().find(|place| place.is_file()) {
        Some(place) => Ok(place),
        None => bail!(
            "there is no mesh spec in {}, so nothing is trusted to begin with\n\
             name one: --mesh SPEC, or a block: --trust HEIGHT:BLOCK",
            dir.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::BlockHeight;

    use super::*;

    #[test]
    fn an_old_newest_block_is_refused_only_beyond_the_given_age() {
        let newest = |seconds| NewestBlock { height: BlockHeight(7), age: Duration::from_secs(seconds) };
        assert!(report_age(newest(1_000_000), None).is_ok(), "a warning");
        assert!(report_age(newest(30), Some(30)).is_ok());
        let refused = report_age(newest(31), Some(30)).unwrap_err().to_string();
        assert!(
            refused.contains("31 s old") && refused.contains("--from IP:PORT --from IP:PORT"),
            "{refused}"
        );
    }

    #[test]
    fn an_unknown_mesh_has_the_trusting_period_of_a_public_one() {
        let public = MeshSpec::public("any");
        assert!(public.consensus.trusting_period().is_some());
        let now = clock::now();
        assert_eq!(period(None).at(now), TrustingPeriod::of(&public, now));
    }
}
