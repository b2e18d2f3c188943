//! What a node is told: flags over environment over config file over the defaults of the mesh's scope.
//!
//! Flags and environment are one layer of [`Settings`] (`clap` merges them, flags first), the config file is the
//! other; [`NodeConfig::resolve`] lays one over the other and fills in defaults. Nothing below this
//! module looks at an environment variable.

mod beginning;
mod expert_spec;
mod preset;
mod settings;

use std::{net::IpAddr, path::PathBuf};

use nervure_ledger::spec::Role;
use nervure_p2p::Multiaddr;
use nervure_primitives::Amount;

use crate::gateway::{ApiKey, ApiKeyError};

pub use beginning::Beginning;
pub use expert_spec::{ExpertSource, ExpertSpec, ExpertSpecError};
pub use preset::Preset;
pub(crate) use settings::Settings;

/// Everything that a long-running node needs to know besides the mesh spec.
#[derive(Clone)]
pub struct NodeConfig {
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
pub type NodeRole = Option<Role>;

impl NodeConfig {
    /// The defaults of `preset` for a node in `dir`.
    pub fn new(preset: Preset, dir: PathBuf) -> Self {
        Self::resolve(dir, Settings::default(), Settings::default(), preset)
    }

    /// Lays `flags` over `file` over the defaults of `preset`.
    pub(crate) fn resolve(dir: PathBuf, flags: Settings, file: Settings, preset: Preset) -> Self {
        Self {
            role: flags.role.or(file.role).unwrap_or_default(),
            dir,
            bind: flags.bind.or(file.bind).unwrap_or(preset.bind()),
            p2p_port: flags.p2p_port.or(file.p2p_port).unwrap_or(0),
            query_port: flags.query_port.or(file.query_port).unwrap_or(0),
            http_port: flags.http_port.or(file.http_port).unwrap_or(0),
            http_bind: flags.http_bind.or(file.http_bind).unwrap_or(Preset::Local.bind()),
            api_key_texts: flags.api_keys.into_iter().chain(file.api_keys).collect(),
            max_budget: flags.max_budget.or(file.max_budget).unwrap_or(Amount::ZERO),
            external: first_non_empty(flags.external, file.external),
            relay_server: flags.relay_server || file.relay_server,
            mdns: flags.mdns || file.mdns,
            experts: first_non_empty(flags.experts, file.experts),
            corpus: flags.corpus.or(file.corpus),
            anchor_rpc: first_non_empty(flags.anchor_rpc, file.anchor_rpc),
            anchor_account: flags.anchor_account.or(file.anchor_account),
            beginning: flags.checkpoint.or(file.checkpoint),
            follow: true,
        }
    }

    /// Adds a key that opens the HTTP API from elsewhere. It is checked when the node starts.
    pub(crate) fn add_api_key(&mut self, text: String) {
        self.api_key_texts.push(text);
    }

    /// The keys that open the HTTP API from elsewhere.
    pub(crate) fn api_keys(&self) -> Result<Vec<ApiKey>, ApiKeyError> {
        self.api_key_texts.iter().map(|text| ApiKey::parse(text)).collect()
    }
}

/// The values of the flags, or else those of the file.
fn first_non_empty<T>(flags: Vec<T>, file: Vec<T>) -> Vec<T> {
    if flags.is_empty() { file } else { flags }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Settings {
        Settings::parse(text).unwrap()
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let flags = Settings { query_port: Some(7), ..Settings::default() };
        let file = file("query_port = 8\np2p_port = 9\nexperts = [\"builtin:rust\"]");
        let config = NodeConfig::resolve("/d".into(), flags, file, Preset::Local);
        assert_eq!((config.query_port, config.p2p_port, config.http_port), (7, 9, 0));
        assert_eq!(config.experts.len(), 1);
    }

    #[test]
    fn a_local_mesh_stays_on_loopback_and_http_always_does() {
        let local = NodeConfig::new(Preset::Local, "/d".into());
        assert!(local.bind.is_loopback() && local.http_bind.is_loopback());
        let public = NodeConfig::new(Preset::Public, "/d".into());
        assert!(public.bind.is_unspecified() && public.http_bind.is_loopback());
    }
}
