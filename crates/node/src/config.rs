//! What a node is told: flags over environment over config file over the defaults of the mesh's scope.
//!
//! Flags and environment are one layer of [`Settings`] (`clap` merges them, flags first), the config file is the
//! other; [`NodeConfig::resolve`] lays one over the other and fills in defaults. Nothing below this
//! module looks at an environment variable.

mod beginning;
mod expert_spec;
mod settings;

use std::{net::IpAddr, path::PathBuf};

use nervure_ledger::spec::Role;
use nervure_p2p::Multiaddr;
use nervure_primitives::Amount;

use crate::gateway::{ApiKey, ApiKeyError};

pub(crate) use beginning::{Beginning, Pin};
pub(crate) use expert_spec::{ExpertSource, ExpertSpec};
pub(crate) use settings::Settings;

/// Everything that a long-running node needs to know besides the mesh spec.
#[derive(Clone)]
pub(crate) struct NodeConfig {
    /// What the node does in the mesh.
    pub role: NodeRole,
    /// Its directory: key, peer store, `node.json`.
    pub dir: PathBuf,
    /// The address that its sockets bind to.
    pub bind: IpAddr,
    /// UDP and TCP port of the control plane; 0 lets the system choose.
    pub p2p_port: u16,
    /// UDP port of the query plane; 0 lets the system choose.
    pub query_port: u16,
    /// TCP port of the HTTP API; 0 lets the system choose.
    pub http_port: u16,
    /// The address of the HTTP API; anything but loopback needs an API key.
    pub http_bind: IpAddr,
    /// Keys that open the HTTP API from elsewhere, as the operator wrote them.
    api_key_texts: Vec<String>,
    /// The most that one question to the HTTP API may spend.
    pub max_budget: Amount,
    /// Addresses at which others reach this node, where the bound ones are not those.
    pub external: Vec<Multiaddr>,
    /// Whether the node relays for others that cannot be dialled.
    pub relay_server: bool,
    /// Whether the node looks for others on its own network by multicast.
    pub mdns: bool,
    /// What a miner serves.
    pub experts: Vec<ExpertSpec>,
    /// Where a validator's private texts are.
    pub corpus: Option<PathBuf>,
    /// Endpoints of the chain of the mesh's contract; without any, nothing is read from it or handed in.
    pub anchor_rpc: Vec<String>,
    /// The key of the account that pays for anchoring; a validator's anchor key where there is none.
    pub anchor_account: Option<PathBuf>,
    /// What a node without a chain begins with, where it is not to replay history.
    pub beginning: Option<Beginning>,
    /// Whether the node follows the chain, as every node does that lives for more than one command.
    pub follow: bool,
}

/// A role, or none: a node without one follows the mesh and serves the DHT.
pub(crate) type NodeRole = Option<Role>;

impl NodeConfig {
    /// Lays `said` over `file` over the defaults. `public` is the mesh's scope: a local mesh stays on loopback
    /// unless told otherwise, a public one listens everywhere.
    pub(crate) fn resolve(dir: PathBuf, said: Settings, file: Settings, public: bool) -> Self {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let everywhere = IpAddr::from([0, 0, 0, 0]);
        Self {
            role: said.role.or(file.role).unwrap_or_default(),
            dir,
            bind: said.bind.or(file.bind).unwrap_or(if public { everywhere } else { loopback }),
            p2p_port: said.p2p_port.or(file.p2p_port).unwrap_or(0),
            query_port: said.query_port.or(file.query_port).unwrap_or(0),
            http_port: said.http_port.or(file.http_port).unwrap_or(0),
            http_bind: said.http_bind.or(file.http_bind).unwrap_or(loopback),
            api_key_texts: said.api_keys.into_iter().chain(file.api_keys).collect(),
            max_budget: said.max_budget.or(file.max_budget).unwrap_or(Amount::ZERO),
            external: or(said.external, file.external),
            relay_server: said.relay_server || file.relay_server,
            mdns: said.mdns || file.mdns,
            experts: or(said.experts, file.experts),
            corpus: said.corpus.or(file.corpus),
            anchor_rpc: or(said.anchor_rpc, file.anchor_rpc),
            anchor_account: said.anchor_account.or(file.anchor_account),
            beginning: said.checkpoint.or(file.checkpoint),
            follow: true,
        }
    }

    /// The keys that open the HTTP API from elsewhere.
    pub(crate) fn api_keys(&self) -> Result<Vec<ApiKey>, ApiKeyError> {
        self.api_key_texts.iter().map(|text| ApiKey::parse(text)).collect()
    }
}

/// What was said, or else what the file says.
fn or<T>(said: Vec<T>, file: Vec<T>) -> Vec<T> {
    if said.is_empty() { file } else { said }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Settings {
        Settings::parse(text).unwrap()
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let said = Settings { query_port: Some(7), ..Settings::default() };
        let file = file("query_port = 8\np2p_port = 9\nexperts = [\"builtin:rust\"]");
        let config = NodeConfig::resolve("/d".into(), said, file, false);
        assert_eq!((config.query_port, config.p2p_port, config.http_port), (7, 9, 0));
        assert_eq!(config.experts.len(), 1);
    }

    #[test]
    fn a_local_mesh_stays_on_loopback_and_http_always_does() {
        let local = NodeConfig::resolve("/d".into(), Settings::default(), Settings::default(), false);
        assert!(local.bind.is_loopback() && local.http_bind.is_loopback());
        let public = NodeConfig::resolve("/d".into(), Settings::default(), Settings::default(), true);
        assert!(public.bind.is_unspecified() && public.http_bind.is_loopback());
    }
}
