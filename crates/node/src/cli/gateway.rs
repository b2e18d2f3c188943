//! `nervure gateway`: the named keys of a gateway's HTTP API, and what they used.
//!
//! The commands write and read files of the node's directory. A running gateway takes changes within a second.

use std::{
    num::{NonZeroU32, NonZeroU64},
    path::PathBuf,
};

use anyhow::Context;
use data_encoding::HEXLOWER;
use nervure_gateway::{ApiKeyFile, KeyGrant, key_usage};
use nervure_primitives::{Amount, Capability};
use serde::Serialize;

use super::{Global, output};

/// Bytes of randomness in a key.
const SECRET_BYTES: usize = 24;

/// Manages the keys of a gateway's HTTP API
#[derive(Debug, clap::Subcommand)]
pub(crate) enum GatewayCommand {
    /// Adds, lists and revokes named keys
    #[command(subcommand)]
    Key(GatewayKeyCommand),
    /// Shows what named keys used since midnight (UTC), and their limits
    Usage,
}

/// Adds, lists and revokes named keys
#[derive(Debug, clap::Subcommand)]
pub(crate) enum GatewayKeyCommand {
    Add(AddArgs),
    /// Lists the named keys
    List,
    /// Revokes a key; a running gateway refuses it within a second
    Revoke {
        /// Name of the key
        name: String,
    },
}

/// Makes a key, and prints it: only its digest is kept. The first key closes an API that was open on this machine
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nervure gateway key add alice --tokens-per-day 100000
  nervure gateway key add ci --capability text.chat --budget-per-day 0 --requests-per-minute 30
  nervure gateway key add me --operator")]
pub(crate) struct AddArgs {
    /// Name of the key: letters, digits, dots, hyphens and underscores
    name: String,
    /// A model that the key may ask; can be given several times [default: all]
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// A capability that the key may ask, with those below it; can be given several times [default: all]
    #[arg(long = "capability", value_name = "CAPABILITY")]
    capabilities: Vec<Capability>,
    /// Most tokens, read and written, a day
    #[arg(long, value_name = "N")]
    tokens_per_day: Option<NonZeroU64>,
    /// The most that its questions may cost a day, in tokens of the mesh; 0 reaches free experts only
    #[arg(long, value_name = "AMOUNT")]
    budget_per_day: Option<Amount>,
    /// Most questions a minute
    #[arg(long, value_name = "N")]
    requests_per_minute: Option<NonZeroU32>,
    /// Its share of the gateway where several keys wait, relative to that of the others, 1 to 1000
    #[arg(long, value_name = "N", default_value = "1")]
    share: NonZeroU32,
    /// The key sees what all keys used
    #[arg(long)]
    operator: bool,
}

/// A key that was made.
#[derive(Serialize)]
struct NewKey {
    name: String,
    key: String,
    file: PathBuf,
}

impl GatewayCommand {
    /// Runs the command.
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Key(GatewayKeyCommand::Add(args)) => args.run(global),
            Self::Key(GatewayKeyCommand::List) => list(global),
            Self::Key(GatewayKeyCommand::Revoke { name }) => revoke(global, &name),
            Self::Usage => usage(global),
        }
    }
}

impl AddArgs {
    fn run(self, global: &Global) -> anyhow::Result<()> {
        let dir = global.own_node_dir()?;
        let mut file = ApiKeyFile::read(&dir)?;
        let secret = format!("nvk-{}", HEXLOWER.encode(&rand::random::<[u8; SECRET_BYTES]>()));
        let mut grant = KeyGrant::new(self.name, &secret).context("the key that was made")?;
        grant.models = self.models.into_iter().collect();
        grant.capabilities = self.capabilities.into_iter().collect();
        grant.tokens_per_day = self.tokens_per_day;
        grant.budget_per_day = self.budget_per_day;
        grant.requests_per_minute = self.requests_per_minute;
        grant.share = self.share;
        grant.operator = self.operator;
        let name = grant.name.clone();
        file.keys.push(grant);
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        file.write(&dir).context(
            "the key was not added\nsee the keys that there are: nervure gateway key list, or revoke one: nervure gateway key revoke NAME",
        )?;
        let made = NewKey { name, key: secret, file: ApiKeyFile::path(&dir) };
        if global.json {
            return output::json(&made);
        }
        output::line(&made.key)?;
        output::note(&format!(
            "this is the only time that the key is shown; its digest is in {}",
            made.file.display()
        ));
        Ok(())
    }
}

fn list(global: &Global) -> anyhow::Result<()> {
    let keys = ApiKeyFile::read(&global.own_node_dir()?)?.keys;
    if global.json {
        return output::json(&keys);
    }
    let rows = keys.into_iter().map(|key| {
        let capabilities = key.capabilities.iter().map(ToString::to_string);
        let scopes: Vec<_> = key.models.into_iter().chain(capabilities).collect();
        [
            key.name,
            if scopes.is_empty() { "all".into() } else { scopes.join(", ") },
            limit(key.tokens_per_day),
            limit(key.budget_per_day),
            limit(key.requests_per_minute),
            key.share.to_string(),
            if key.operator { "yes" } else { "no" }.into(),
        ]
    });
    output::table(&["name", "asks", "tokens/day", "budget/day", "per minute", "share", "operator"], rows)
}

fn revoke(global: &Global, name: &str) -> anyhow::Result<()> {
    let dir = global.own_node_dir()?;
    let mut file = ApiKeyFile::read(&dir)?;
    let before = file.keys.len();
    file.keys.retain(|key| key.name != name);
    anyhow::ensure!(
        file.keys.len() < before,
        "there is no key '{name}' in {}\nsee the keys that there are: nervure gateway key list",
        ApiKeyFile::path(&dir).display()
    );
    file.write(&dir)?;
    output::note(&format!("revoked {name}"));
    Ok(())
}

fn usage(global: &Global) -> anyhow::Result<()> {
    let keys = key_usage(&global.own_node_dir()?)?;
    if global.json {
        return output::json(&keys);
    }
    let of = |used: String, limit: String| if limit == "-" { used } else { format!("{used} of {limit}") };
    let rows = keys.into_iter().map(|key| {
        [
            key.name,
            key.requests.to_string(),
            key.refused.to_string(),
            of(key.tokens.to_string(), limit(key.tokens_per_day)),
            of(key.spent.to_string(), limit(key.budget_per_day)),
        ]
    });
    output::table(&["name", "questions", "refused", "tokens", "spent"], rows)
}

fn limit<T: ToString>(limit: Option<T>) -> String {
    limit.map_or_else(|| "-".into(), |limit| limit.to_string())
}
