//! `nervure key`: node keys.

mod consent;
mod ledger;
mod mnemonic;

use std::path::{Path, PathBuf};

use anyhow::Context;
use nervure_primitives::{
    NodeKey,
    key_file::{self, KeyFileError, Passphrase},
};
use serde::Serialize;

use super::{Global, output, secret};
pub(crate) use crate::builder::KEY_FILE;

/// The environment variable with the passphrase of node keys.
const PASSPHRASE_VARIABLE: &str = "NERVURE_KEY_PASSPHRASE";

/// The environment variable with the passphrase of owner keys; without it, they have that of node keys.
const OWNER_PASSPHRASE_VARIABLE: &str = "NERVURE_OWNER_PASSPHRASE";

/// Creates, shows and registers keys
#[derive(Debug, clap::Subcommand)]
pub(crate) enum KeyCommand {
    /// Creates a key; encrypts it if NERVURE_KEY_PASSPHRASE is set, an owner key if NERVURE_OWNER_PASSPHRASE is
    New {
        /// File to write [default: key.pem in the node's directory]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        purpose: Purpose,
    },
    /// Shows the node id of a key
    Show {
        /// The key file [default: key.pem in the node's directory]
        file: Option<PathBuf>,
    },
    Mnemonic(mnemonic::MnemonicArgs),
    Restore(mnemonic::RestoreArgs),
    Consent(consent::ConsentArgs),
    Register(ledger::RegisterArgs),
    Swap(ledger::SwapArgs),
    Deregister(ledger::DeregisterArgs),
}

/// What a new key file is for.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Purpose {
    /// It is an owner key: the passphrase is that of NERVURE_OWNER_PASSPHRASE, so that a node never needs it
    #[arg(long)]
    owner: bool,
}

impl Purpose {
    fn passphrase(self) -> anyhow::Result<Option<Passphrase>> {
        if self.owner { owner_passphrase() } else { passphrase() }
    }
}

#[derive(Serialize)]
struct KeyInfo<'a> {
    node: String,
    file: &'a Path,
}

impl KeyCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let default = || Ok::<_, anyhow::Error>(global.own_node_dir()?.join(KEY_FILE));
        let (path, key) = match self {
            Self::Register(args) => return args.run(global).await,
            Self::Swap(args) => return args.run(global).await,
            Self::Deregister(args) => return args.run(global).await,
            Self::Consent(args) => return args.run(global).await,
            Self::Mnemonic(args) => return args.run(global),
            Self::Restore(args) => args.run(global)?,
            Self::New { out, purpose } => {
                let path = out.map_or_else(default, Ok)?;
                let key = create_with(&path, purpose.passphrase()?.as_ref())?;
                output::note(&format!("wrote {}", path.display()));
                (path, key)
            }
            Self::Show { file } => {
                let path = file.map_or_else(default, Ok)?;
                let key = read_owner(&path)?;
                (path, key)
            }
        };
        let node = key.node_id().to_string();
        if global.json {
            return output::json(&KeyInfo { node, file: &path });
        }
        output::line(&node)
    }
}

/// Creates the key file of a node.
pub(crate) fn create(path: &Path) -> anyhow::Result<NodeKey> {
    create_with(path, passphrase()?.as_ref())
}

fn create_with(path: &Path, passphrase: Option<&Passphrase>) -> anyhow::Result<NodeKey> {
    let key = NodeKey::generate().context("the system has no randomness for a key")?;
    key_file::create(path, &key, passphrase)?;
    Ok(key)
}

/// Reads an owner key, or a node key that is used as one: each has its passphrase.
///
/// # Errors
/// When neither passphrase opens it, one of them cannot be used, or it is no key.
pub(crate) fn read_owner(path: &Path) -> anyhow::Result<NodeKey> {
    let (own, of_nodes) = (variable(OWNER_PASSPHRASE_VARIABLE)?, passphrase()?);
    match key_file::read(path, own.as_ref().or(of_nodes.as_ref())) {
        Err(KeyFileError::WrongPassphrase(_)) if own.is_some() && of_nodes.is_some() => {
            Ok(key_file::read(path, of_nodes.as_ref())?)
        }
        read => Ok(read?),
    }
}

/// The passphrase of node keys, from the environment.
///
/// # Errors
/// When the variable is set to something that is no passphrase.
pub(crate) fn passphrase() -> anyhow::Result<Option<Passphrase>> {
    variable(PASSPHRASE_VARIABLE)
}

/// The passphrase of owner keys, from the environment. An owner may use one for both.
///
/// # Errors
/// When a variable is set to something that is no passphrase.
pub(crate) fn owner_passphrase() -> anyhow::Result<Option<Passphrase>> {
    Ok(variable(OWNER_PASSPHRASE_VARIABLE)?.or(passphrase()?))
}

fn variable(name: &str) -> anyhow::Result<Option<Passphrase>> {
    Ok(secret::from_environment(name)?.map(Passphrase::new))
}
