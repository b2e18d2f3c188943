//! The config file of a node: `node.toml` in its directory, or the one that `--config` names.

use std::{
    io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use anyhow::Context;
use nervure_ledger::spec::Role;
use nervure_p2p::Multiaddr;
use nervure_primitives::Amount;
use serde::Deserialize;

use super::{Beginning, ExpertSpec, NodeRole};

/// The same settings as the flags of `nervure join`, under the same names. All optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileConfig {
    /// `miner`, `validator`, `gateway` or `none`.
    #[serde(deserialize_with = "role")]
    pub role: Option<NodeRole>,
    /// Address of the node's own sockets.
    pub bind: Option<IpAddr>,
    /// Port of the control plane.
    pub p2p_port: Option<u16>,
    /// Port of the query plane.
    pub query_port: Option<u16>,
    /// Port of the HTTP API.
    pub http_port: Option<u16>,
    /// Address of the HTTP API.
    pub http_bind: Option<IpAddr>,
    /// Keys for the HTTP API.
    pub api_keys: Vec<String>,
    /// The most that one question may spend, in tokens of the mesh.
    #[serde(deserialize_with = "amount")]
    pub max_budget: Option<Amount>,
    /// Addresses at which others reach this node.
    pub external: Vec<Multiaddr>,
    /// Whether the node relays for others.
    pub relay_server: bool,
    /// Whether the node looks for others by multicast.
    pub mdns: bool,
    /// What a miner serves.
    pub experts: Vec<ExpertSpec>,
    /// Where a validator's private texts are.
    pub corpus: Option<PathBuf>,
    /// Endpoints of the chain of the mesh's contract.
    pub anchor_rpc: Vec<String>,
    /// The key of the account that pays for anchoring.
    pub anchor_account: Option<PathBuf>,
    /// What a node without a chain begins with: `HEIGHT:BLOCK` or `genesis`.
    #[serde(deserialize_with = "beginning")]
    pub checkpoint: Option<Beginning>,
}

impl FileConfig {
    /// Parses TOML; the error names line and column.
    pub(crate) fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Reads `path`; a missing file is an empty one, unless it was asked for by name.
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

/// Reads what is trusted as the command line does.
fn beginning<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Beginning>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// Reads an amount as people write it: `"0.5"`.
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
        other => Err(format!("'{other}' is no role: write miner, validator, gateway or none")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_setting_is_named_with_its_line() {
        let error = FileConfig::parse("bind = \"127.0.0.1\"\nquery_prot = 7\n").unwrap_err().to_string();
        assert!(error.contains("query_prot") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn a_missing_file_matters_only_when_asked_for() {
        let path = Path::new("/nonexistent/node.toml");
        assert!(FileConfig::read(path, false).is_ok());
        assert!(FileConfig::read(path, true).is_err());
    }

    #[test]
    fn roles_have_the_names_of_the_command_line() {
        assert_eq!(FileConfig::parse("role = \"none\"").unwrap().role, Some(None));
        assert_eq!(FileConfig::parse("role = \"miner\"").unwrap().role, Some(Some(Role::Miner)));
        assert!(FileConfig::parse("role = \"king\"").is_err());
    }
}
