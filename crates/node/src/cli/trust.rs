//! The trusted header of a verifying command, and the node that it asks.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::bail;
use nervure_api::{Client, SourceError};
use nervure_light::{TrustAnchor, TrustedBlock, Verifier, VerifierError};

use super::{Global, mesh};
use crate::{local::LocalNode, runtime::last_anchored};

/// Name of the mesh spec in the directory of a node or a testnet.
pub(crate) const MESH_FILE: &str = "mesh.toml";

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
    /// Ask the node with its HTTP API at this address [default: the running node in the directory]
    #[arg(long, value_name = "IP:PORT")]
    from: Option<SocketAddr>,
}

impl TrustArgs {
    /// A light client that starts from the trusted header.
    pub(crate) async fn open(&self, global: &Global) -> anyhow::Result<NodeVerifier> {
        let node = match self.from {
            Some(http) => LocalNode::at(http)?,
            None => LocalNode::find(&global.node_dir()?)?,
        };
        let anchor = match self.trust {
            Some(block) => TrustAnchor::Block(block),
            None => {
                let spec = match &self.mesh {
                    Some(spec) => mesh::read(spec).await?,
                    None => mesh::read(&spec_here(global)?.to_string_lossy()).await?,
                };
                match self.anchor_rpc.is_empty() {
                    true => TrustAnchor::Genesis(Box::new(spec)),
                    false => {
                        let (place, anchored) = last_anchored(&spec, &self.anchor_rpc).await?;
                        TrustAnchor::Anchored(place, anchored)
                    }
                }
            }
        };
        let mesh = node.mesh();
        let light = Verifier::start(node.client().clone(), anchor).await?;
        if let Some(mesh) = mesh.filter(|mesh| *mesh != light.mesh()) {
            bail!(
                "the node is in mesh {mesh}, but the trusted header is of mesh {}\n\
                 name the right spec with --mesh, or another node with --from",
                light.mesh()
            );
        }
        Ok(light)
    }
}

/// A light client of `node` that trusts `trust`, else the genesis of the mesh spec in the directory.
pub(crate) async fn begin(
    node: Client,
    trust: Option<TrustedBlock>,
    global: &Global,
) -> anyhow::Result<NodeVerifier> {
    let anchor = match trust {
        Some(block) => TrustAnchor::Block(block),
        None => TrustAnchor::Genesis(Box::new(mesh::read(&spec_here(global)?.to_string_lossy()).await?)),
    };
    Ok(Verifier::start(node, anchor).await?)
}

/// The mesh spec of the testnet or node in the directory.
fn spec_here(global: &Global) -> anyhow::Result<PathBuf> {
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
