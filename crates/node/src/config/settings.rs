//! An operator's settings: flags of `nervure join`, and the config file (`node.toml` in the node's directory, or the
//! file that `--config` names), with the same names.

use std::{
    io,
    net::IpAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use anyhow::Context;
use nervure_gateway::AllowedOrigin;
use nervure_ledger::spec::Role;
use nervure_p2p::Multiaddr;
use nervure_primitives::{Amount, NodeId};
use serde::Deserialize;

use super::{Beginning, ExpertSpec, GatewaySettings, HistorySetting, NodeRole};

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
    /// A model with which a validator repeats questions in subnets with the mechanism reference: builtin:NAME or
    /// openai:URL; can be given several times
    #[arg(long = "reference", value_name = "EXPERT")]
    pub references: Vec<ExpertSpec>,
    /// Address that the control and query plane bind to; can be given several times [default: loopback in a local mesh, all
    /// of IPv4 and IPv6 in a public one]
    #[arg(long, value_name = "IP")]
    #[serde(deserialize_with = "addresses")]
    pub bind: Vec<IpAddr>,
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
    /// An origin whose web pages may use the HTTP API, such as https://chat.example; can be given several times [default:
    /// only the API's own]
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    #[serde(deserialize_with = "origins")]
    pub allow_origins: Vec<AllowedOrigin>,
    /// The settings of a gateway: a table in the file
    #[command(flatten)]
    pub gateway: GatewaySettings,
    /// Maximum budget of one query to the HTTP API, in tokens of the mesh [default: 0]
    #[arg(long, value_name = "AMOUNT")]
    #[serde(deserialize_with = "amount")]
    pub max_budget: Option<Amount>,
    /// Share of the answers to this node's users that it shows to a validator for an audit, in percent, 0 to 100. A user
    /// who says otherwise in a question decides for it [default: 0]
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub release_percent: Option<u8>,
    /// A subnet whose experts answer queries that name none, and whose trust counts in full; can be given several times
    /// [default: all subnets, each by the stake behind it]
    #[arg(long = "trusted-subnet", value_name = "NETUID")]
    pub trusted_subnets: Vec<u16>,
    /// An address at which peers reach this node, such as /ip4/203.0.113.7/udp/4001/quic-v1
    #[arg(long, value_name = "MULTIADDR")]
    pub external: Vec<Multiaddr>,
    /// Relay for peers that cannot be dialled, within the limits of the network
    #[arg(long)]
    pub relay_server: bool,
    /// Find peers on the local network by multicast (local meshes only)
    #[arg(long)]
    pub mdns: bool,
    /// Hide where this miner is: it listens nowhere, its records name no address, and it connects only to validators and to
    /// the gateways with most stake, which ask it over these connections. Others ask it through a gateway
    #[arg(long)]
    pub sealed: bool,
    /// A node that a sealed miner connects to, instead of those validators and gateways; can be given several times
    #[arg(long = "contact", value_name = "NODE")]
    pub contacts: Vec<NodeId>,
    /// Fetch the state of a recent block instead of replaying the history. Trust this block, the genesis, or the last
    /// checkpoint in the mesh's contract (with --anchor-rpc). A node that already has a chain continues it instead
    #[arg(long, value_name = "HEIGHT:BLOCK|genesis|anchored")]
    #[serde(deserialize_with = "beginning")]
    pub checkpoint: Option<Beginning>,
    /// How many of the last blocks are kept with their transactions and events, or archive for all of them. Headers and
    /// certificates stay in any case [default: the mesh's unbonding period, at least 10000]
    #[arg(long, value_name = "BLOCKS|archive", env = "NERVURE_HISTORY")]
    pub history: Option<HistorySetting>,
    /// Endpoint (JSON-RPC over HTTP) of the chain that keeps the mesh's checkpoints; can be given several times, and
    /// then all have to agree
    #[arg(long, value_name = "URL")]
    pub anchor_rpc: Vec<String>,
    /// File with the secret key of the account that pays for anchoring [default: this validator's anchor key]
    #[arg(long, value_name = "FILE")]
    pub anchor_account: Option<PathBuf>,
    /// Give tokens to those who ask and do some work: the file of the owner key that pays. For test meshes
    #[arg(long, value_name = "FILE")]
    pub faucet: Option<PathBuf>,
    /// What the faucet pays to each owner, in tokens [default: 10]
    #[arg(long, value_name = "AMOUNT", requires = "faucet")]
    #[serde(deserialize_with = "amount")]
    pub faucet_amount: Option<Amount>,
    /// Work for it, in zero bits of a hash: each one more doubles it [default: 22]
    #[arg(long, value_name = "BITS", requires = "faucet", value_parser = clap::value_parser!(u8).range(0..=32))]
    pub faucet_bits: Option<u8>,
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
            Ok(text) => {
                let settings =
                    Self::parse(&text).with_context(|| format!("in the config file {}", path.display()))?;
                settings.check_secrecy(path)?;
                Ok(settings)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !asked_for => Ok(Self::default()),
            Err(error) => {
                Err(error).with_context(|| format!("cannot read the config file {}", path.display()))
            }
        }
    }
}

impl Settings {
    /// Refuses API keys in a file that other users of the machine can read. A digest (`sha256:...`) is no secret.
    #[cfg(unix)]
    fn check_secrecy(&self, path: &Path) -> anyhow::Result<()> {
        use std::os::unix::fs::PermissionsExt;

        if self.api_keys.iter().all(|key| key.starts_with("sha256:")) {
            return Ok(());
        }
        let mode = std::fs::metadata(path).map(|file| file.permissions().mode());
        let mode = mode.with_context(|| format!("cannot read the mode of {}", path.display()))?;
        anyhow::ensure!(
            mode & 0o077 == 0,
            "the config file {} has API keys, and other users of this machine can read it: chmod 600 {}, or write \
             sha256: and the digest of each key",
            path.display(),
            path.display()
        );
        Ok(())
    }

    #[cfg(not(unix))]
    fn check_secrecy(&self, _: &Path) -> anyhow::Result<()> {
        Ok(())
    }
}

/// Reads a role by the name that the command line uses.
fn role<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<NodeRole>, D::Error> {
    let name = String::deserialize(deserializer)?;
    parse_role(&name).map(Some).map_err(serde::de::Error::custom)
}

/// Reads one address, or a list of them.
fn addresses<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<IpAddr>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "an IP address or a list of them")]
    enum Addresses {
        One(IpAddr),
        Several(Vec<IpAddr>),
    }
    Ok(match Addresses::deserialize(deserializer)? {
        Addresses::One(address) => vec![address],
        Addresses::Several(addresses) => addresses,
    })
}

/// Reads origins as the command line does.
fn origins<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<AllowedOrigin>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
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

    #[cfg(unix)]
    #[test]
    fn refuses_keys_that_others_can_read() {
        use std::{fs, os::unix::fs::PermissionsExt};

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.toml");
        let digest = format!("api_keys = [\"sha256:{}\"]", "a".repeat(64));
        for (text, mode, good) in [
            ("api_keys = [\"correct-horse-battery\"]", 0o644, false),
            ("api_keys = [\"correct-horse-battery\"]", 0o640, false),
            ("api_keys = [\"correct-horse-battery\"]", 0o600, true),
            (digest.as_str(), 0o644, true),
            ("query_port = 7", 0o644, true),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let read = Settings::read(&path, true);
            assert_eq!(read.is_ok(), good, "{text} with {mode:o}");
            if let Err(error) = read {
                assert!(error.to_string().contains("chmod 600"), "{error}");
            }
        }
    }

    #[test]
    fn refuses_an_origin_that_is_none_with_its_line() {
        let good = Settings::parse("allow_origins = [\"https://chat.example\"]").unwrap();
        assert_eq!(good.allow_origins[0].to_string(), "https://chat.example");
        let error = Settings::parse("bind = \"::1\"\nallow_origins = [\"*\"]").unwrap_err().to_string();
        assert!(error.contains("each origin is named") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn parses_roles_by_the_names_of_the_command_line() {
        assert_eq!(Settings::parse("role = \"none\"").unwrap().role, Some(None));
        assert_eq!(Settings::parse("role = \"miner\"").unwrap().role, Some(Some(Role::Miner)));
        assert!(Settings::parse("role = \"king\"").is_err());
    }
}
