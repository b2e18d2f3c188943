//! An operator's settings: flags of `nervure join`, and the config file (`node.toml` in the node's directory, or the
//! file that `--config` names), with the same names.

use std::{
    io,
    net::IpAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use anyhow::Context;
use nervure_ledger::spec::Role;
use nervure_p2p::Multiaddr;
use nervure_primitives::Amount;
use serde::Deserialize;

use super::{Beginning, ExpertSpec, NodeRole};

/// One layer of settings. All are optional: `None` and empty mean that a setting is not given.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Role of the node: miner, validator, gateway or none
    #[arg(long, value_parser = parse_role, value_name = "ROLE")]
    #[serde(deserialize_with = "role")]
    pub role: Option<NodeRole>,
    /// An expert to serve: builtin:NAME or openai:URL, with ,name= ,price= ,capability= ,netuid=; can be given
    /// several times
    #[arg(long = "expert", value_name = "EXPERT")]
    pub experts: Vec<ExpertSpec>,
    /// Directory of a validator's private texts, with a directory for each capability and a file for each text. In a
    /// mesh on one machine, the default is texts of this program
    #[arg(long, value_name = "DIR", env = "NERVURE_CORPUS")]
    pub corpus: Option<PathBuf>,
    /// Address that the control and query plane bind to [default: loopback in a local mesh, all in a public one]
    #[arg(long, value_name = "IP")]
    pub bind: Option<IpAddr>,
    /// UDP and TCP port of the control plane [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub p2p_port: Option<u16>,
    /// UDP port of the query plane [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub query_port: Option<u16>,
    /// TCP port of the HTTP API [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub http_port: Option<u16>,
    /// Address that the HTTP API binds to; anything but loopback needs an API key [default: 127.0.0.1]
    #[arg(long, value_name = "IP")]
    pub http_bind: Option<IpAddr>,
    /// API keys of the HTTP API. Not a flag, because other users of the machine could see it
    #[arg(skip)]
    pub api_keys: Vec<String>,
    /// Maximum budget of one query to the HTTP API, in tokens of the mesh [default: 0]
    #[arg(long, value_name = "AMOUNT")]
    #[serde(deserialize_with = "amount")]
    pub max_budget: Option<Amount>,
    /// An address at which peers reach this node, such as /ip4/203.0.113.7/udp/4001/quic-v1
    #[arg(long, value_name = "MULTIADDR")]
    pub external: Vec<Multiaddr>,
    /// Relay for peers that cannot be dialled, within the limits of the network
    #[arg(long)]
    pub relay_server: bool,
    /// Find peers on the local network by multicast (local meshes only)
    #[arg(long)]
    pub mdns: bool,
    /// Fetch the state of a recent block instead of replaying the history. Trust this block, the genesis, or the last
    /// checkpoint in the mesh's contract (with --anchor-rpc). A node that already has a chain continues it instead
    #[arg(long, value_name = "HEIGHT:BLOCK|genesis|anchored")]
    #[serde(deserialize_with = "beginning")]
    pub checkpoint: Option<Beginning>,
    /// Endpoint (JSON-RPC over HTTP) of the chain that keeps the mesh's checkpoints; can be given several times, and
    /// then all have to agree
    #[arg(long, value_name = "URL")]
    pub anchor_rpc: Vec<String>,
    /// File with the secret key of the account that pays for anchoring [default: this validator's anchor key]
    #[arg(long, value_name = "FILE")]
    pub anchor_account: Option<PathBuf>,
    /// Worker threads of the node, at least 2 [default: one for each core]
    #[arg(long, value_name = "N", env = "NERVURE_WORKER_THREADS")]
    pub worker_threads: Option<NonZeroUsize>,
}

impl Settings {
    /// Parses TOML; the error names line and column.
    pub(crate) fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Reads `path`; a missing file counts as empty, unless the user named it.
    pub(crate) fn read(path: &Path, asked_for: bool) -> anyhow::Result<Self> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).with_context(|| format!("in the config file {}", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !asked_for => Ok(Self::default()),
            Err(error) => {
                Err(error).with_context(|| format!("cannot read the config file {}", path.display()))
            }
        }
    }
}

/// Reads a role by the name that the command line uses.
fn role<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<NodeRole>, D::Error> {
    let name = String::deserialize(deserializer)?;
    parse_role(&name).map(Some).map_err(serde::de::Error::custom)
}

/// Reads a trusted header as the command line does.
fn beginning<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Beginning>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// Reads an amount in tokens: `"0.5"`.
fn amount<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Amount>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// A role by name; `none` is a node without one.
pub(crate) fn parse_role(name: &str) -> Result<NodeRole, String> {
    match name {
        "miner" => Ok(Some(Role::Miner)),
        "validator" => Ok(Some(Role::Validator)),
        "gateway" => Ok(Some(Role::Gateway)),
        "none" => Ok(None),
        other => Err(format!("'{other}' is not a valid role: write miner, validator, gateway or none")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_an_unknown_setting_with_its_line() {
        let error = Settings::parse("bind = \"127.0.0.1\"\nquery_prot = 7\n").unwrap_err().to_string();
        assert!(error.contains("query_prot") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn accepts_a_missing_file_unless_it_is_named() {
        let path = Path::new("/nonexistent/node.toml");
        assert!(Settings::read(path, false).is_ok());
        assert!(Settings::read(path, true).is_err());
    }

    #[test]
    fn parses_roles_by_the_names_of_the_command_line() {
        assert_eq!(Settings::parse("role = \"none\"").unwrap().role, Some(None));
        assert_eq!(Settings::parse("role = \"miner\"").unwrap().role, Some(Some(Role::Miner)));
        assert!(Settings::parse("role = \"king\"").is_err());
    }
}
