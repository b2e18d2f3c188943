//! The configuration of a node: flags over environment over config file over the defaults of the mesh's scope.
//!
//! Flags and environment are one layer of [`Settings`] (`clap` merges them, flags first), the config file is the
//! other; [`NodeConfig::resolve`] combines them and fills in defaults. Nothing below this
//! module reads an environment variable.

mod beginning;
mod expert_spec;
mod gateway;
mod history;
mod preset;
mod settings;

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use nervure_api::Client;
use nervure_gateway::{AllowedOrigin, ApiKey, ApiKeyError};
use nervure_ledger::spec::Role;
use nervure_p2p::Multiaddr;
use nervure_primitives::{Amount, Netuid, NodeId};
use nervure_subnet::mechanism::Mechanisms;

use crate::runtime::FaucetSettings;

pub use beginning::Beginning;
pub use expert_spec::{ExpertSource, ExpertSpec, ExpertSpecError};
pub(crate) use gateway::GatewaySettings;
pub use history::HistorySetting;
pub use preset::Preset;
pub(crate) use settings::{Settings, parse_role};

/// The configuration of a long-running node besides the mesh spec.
#[derive(Clone)]
pub struct NodeConfig {
    /// The role of the node in the mesh.
    pub role: NodeRole,
    /// Its directory: key, peer store, `node.json`.
    pub dir: PathBuf,
    /// The addresses that the sockets of the control and query plane bind to; never empty.
    pub bind: Vec<IpAddr>,
    /// UDP and TCP port of the control plane; 0 lets the system choose.
    pub p2p_port: u16,
    /// UDP port of the query plane; 0 lets the system choose.
    pub query_port: u16,
    /// TCP port of the HTTP API; 0 lets the system choose.
    pub http_port: u16,
    /// The address of the HTTP API; anything but loopback needs an API key.
    pub http_bind: IpAddr,
    /// API keys of the HTTP API, as the operator wrote them.
    api_key_texts: Vec<String>,
    /// Origins whose web pages may use the HTTP API, besides its own.
    pub allow_origins: Vec<AllowedOrigin>,
    /// Limits of the HTTP API, and names of models that it knows besides those of the mesh.
    pub(crate) gateway: GatewaySettings,
    /// Maximum budget of one query to the HTTP API.
    pub max_budget: Amount,
    /// Share of users' answers that is shown to validators, in percent.
    pub release_percent: u8,
    /// The subnets that are trusted when a query names none; empty for all, each by the stake behind it.
    pub trusted_subnets: Vec<Netuid>,
    /// Addresses at which peers reach this node, if they differ from the bound ones.
    pub external: Vec<Multiaddr>,
    /// Whether the node relays for peers that cannot be dialled.
    pub relay_server: bool,
    /// Whether the node finds peers on its local network by multicast.
    pub mdns: bool,
    /// Whether a miner hides its address: it listens nowhere, and connects to its contacts only.
    pub sealed: bool,
    /// The contacts of a sealed miner; empty for the validators and the gateways with most stake.
    pub contacts: Vec<NodeId>,
    /// The experts of a miner.
    pub experts: Vec<ExpertSpec>,
    /// Directory of a validator's private texts.
    pub corpus: Option<PathBuf>,
    /// The models with which a validator repeats questions of the mechanism `reference`.
    pub references: Vec<ExpertSpec>,
    /// The mechanisms that a validator knows; those of `nervure-subnet` by default.
    pub mechanisms: Mechanisms,
    /// Endpoints of the chain of the mesh's contract; without any, the node neither reads nor submits checkpoints
    /// there.
    pub anchor_rpc: Vec<String>,
    /// Key of the account that pays for anchoring; the validator's anchor key if not given.
    pub anchor_account: Option<PathBuf>,
    /// The trusted header of a state sync; `None` replays the history.
    pub beginning: Option<Beginning>,
    /// How far back the node keeps blocks; `None` follows the mesh ([`HistorySetting::DEFAULT`]).
    pub history: Option<HistorySetting>,
    /// Whether the node starts with a damaged log of what it signed. It then signs nothing at the heights that the
    /// lost part may be about.
    pub accept_damaged_log: bool,
    /// Whether the node follows the chain, as every node except an ephemeral client does.
    pub follow: bool,
    /// The faucet of this node, if it has one.
    pub(crate) faucet: Option<FaucetSettings>,
    /// HTTP APIs that an ephemeral client asks instead of the nodes of the swarm.
    pub(crate) endpoints: Vec<Client>,
}

/// A role, or none: a node without one follows the mesh and serves the DHT.
pub type NodeRole = Option<Role>;

impl NodeConfig {
    /// The defaults of `preset` for a node in `dir`.
    pub fn new(preset: Preset, dir: PathBuf) -> Self {
        Self::resolve(dir, Settings::default(), Settings::default(), preset)
    }

    /// Combines `flags`, `file` and the defaults of `preset`, in this order of precedence.
    pub(crate) fn resolve(dir: PathBuf, flags: Settings, file: Settings, preset: Preset) -> Self {
        Self {
            role: flags.role.or(file.role).unwrap_or_default(),
            dir,
            bind: bind(flags.bind, file.bind, preset),
            p2p_port: flags.p2p_port.or(file.p2p_port).unwrap_or(0),
            query_port: flags.query_port.or(file.query_port).unwrap_or(0),
            http_port: flags.http_port.or(file.http_port).unwrap_or(0),
            http_bind: flags.http_bind.or(file.http_bind).unwrap_or(Ipv4Addr::LOCALHOST.into()),
            api_key_texts: flags.api_keys.into_iter().chain(file.api_keys).collect(),
            allow_origins: first_non_empty(flags.allow_origins, file.allow_origins),
            gateway: flags.gateway.over(file.gateway),
            max_budget: flags.max_budget.or(file.max_budget).unwrap_or(Amount::ZERO),
            release_percent: flags.release_percent.or(file.release_percent).unwrap_or(0).min(100),
            trusted_subnets: first_non_empty(flags.trusted_subnets, file.trusted_subnets)
                .into_iter()
                .map(Netuid)
                .collect(),
            external: first_non_empty(flags.external, file.external),
            relay_server: flags.relay_server || file.relay_server,
            mdns: flags.mdns || file.mdns,
            sealed: flags.sealed || file.sealed,
            contacts: first_non_empty(flags.contacts, file.contacts),
            experts: first_non_empty(flags.experts, file.experts),
            corpus: flags.corpus.or(file.corpus),
            references: first_non_empty(flags.references, file.references),
            mechanisms: Mechanisms::built_in(),
            anchor_rpc: first_non_empty(flags.anchor_rpc, file.anchor_rpc),
            anchor_account: flags.anchor_account.or(file.anchor_account),
            beginning: flags.checkpoint.or(file.checkpoint),
            history: flags.history.or(file.history),
            accept_damaged_log: false,
            follow: true,
            endpoints: Vec::new(),
            faucet: None,
        }
    }

    /// Where the query endpoint listens. That of a sealed miner is not reached from other machines: questions come over
    /// the connections of its swarm.
    pub(crate) fn query_bind(&self) -> Vec<SocketAddr> {
        match self.sealed {
            true => vec![(Ipv4Addr::LOCALHOST, 0).into()],
            false => self.bind.iter().map(|ip| (*ip, self.query_port).into()).collect(),
        }
    }

    /// Adds an API key of the HTTP API. It is checked when the node starts.
    pub(crate) fn add_api_key(&mut self, text: String) {
        self.api_key_texts.push(text);
    }

    /// The API keys of the HTTP API.
    pub(crate) fn api_keys(&self) -> Result<Vec<ApiKey>, ApiKeyError> {
        self.api_key_texts.iter().map(|text| ApiKey::parse(text)).collect()
    }
}

/// The addresses to bind to, each once: those of the flags, else those of the file, else those of `preset`.
pub(crate) fn bind(flags: Vec<IpAddr>, file: Vec<IpAddr>, preset: Preset) -> Vec<IpAddr> {
    let mut named = first_non_empty(flags, file);
    if named.is_empty() {
        named = preset.bind();
    }
    let mut seen = BTreeSet::new();
    named.retain(|ip| seen.insert(*ip));
    named
}

/// The values of the flags, else those of the file.
fn first_non_empty<T>(flags: Vec<T>, file: Vec<T>) -> Vec<T> {
    if flags.is_empty() { file } else { flags }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    fn file(text: &str) -> Settings {
        Settings::parse(text).unwrap()
    }

    #[test]
    fn prefers_flags_to_the_file_and_the_file_to_defaults() {
        let flags = Settings { query_port: Some(7), ..Settings::default() };
        let file = file("query_port = 8\np2p_port = 9\nexperts = [\"builtin:rust\"]");
        let config = NodeConfig::resolve("/d".into(), flags, file, Preset::Local);
        assert_eq!((config.query_port, config.p2p_port, config.http_port), (7, 9, 0));
        assert_eq!(config.experts.len(), 1);
    }

    #[test]
    fn seals_a_miner_by_the_file_alone() {
        let contact = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
        let file = file(&format!("sealed = true\ncontacts = [\"{contact}\"]"));
        let config = NodeConfig::resolve("/d".into(), Settings::default(), file, Preset::Public);
        assert!(config.sealed && config.contacts == [contact.parse().unwrap()]);
        assert!(!NodeConfig::new(Preset::Public, "/d".into()).sealed);
    }

    #[test]
    fn binds_a_local_mesh_and_always_http_to_loopback() {
        let local = NodeConfig::new(Preset::Local, "/d".into());
        assert!(local.bind == [Ipv4Addr::LOCALHOST] && local.http_bind.is_loopback());
        let public = NodeConfig::new(Preset::Public, "/d".into());
        assert!(public.bind.contains(&Ipv4Addr::UNSPECIFIED.into()) && public.http_bind.is_loopback());
    }

    #[test]
    fn binds_to_each_named_address_once_and_to_one_of_the_file_as_before() {
        let settings =
            |text: &str| NodeConfig::resolve("/d".into(), file(text), file(""), Preset::Public).bind;
        let both: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        assert_eq!(settings("bind = [\"127.0.0.1\", \"::1\", \"127.0.0.1\"]"), both);
        assert_eq!(settings("bind = \"::1\""), both[1..]);
        let flags = Settings { bind: vec![both[1]], ..Settings::default() };
        let resolved = NodeConfig::resolve("/d".into(), flags, file("bind = \"127.0.0.1\""), Preset::Public);
        assert_eq!(resolved.bind, both[1..]);
    }
}
