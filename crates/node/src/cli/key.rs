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

use super::{Global, output};
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
    fn passphrase(self) -> Option<Passphrase> {
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
                let key = create_with(&path, purpose.passphrase().as_ref())?;
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
    create_with(path, passphrase().as_ref())
}

fn create_with(path: &Path, passphrase: Option<&Passphrase>) -> anyhow::Result<NodeKey> {
    let key = NodeKey::generate().context("the system has no randomness for a key")?;
    key_file::create(path, &key, passphrase)?;
    Ok(key)
}

/// Reads an owner key, or a node key that is used as one: each has its passphrase.
///
/// # Errors
/// When neither passphrase opens it, or it is no key.
pub(crate) fn read_owner(path: &Path) -> Result<NodeKey, KeyFileError> {
    let other = variable(OWNER_PASSPHRASE_VARIABLE).and_then(|_| passphrase());
    match key_file::read(path, owner_passphrase().as_ref()) {
        Err(KeyFileError::WrongPassphrase(_)) if other.is_some() => key_file::read(path, other.as_ref()),
        read => read,
    }
}

/// The passphrase of node keys, from the environment.
pub(crate) fn passphrase() -> Option<Passphrase> {
    variable(PASSPHRASE_VARIABLE)
}

/// The passphrase of owner keys, from the environment. An owner may use one for both.
pub(crate) fn owner_passphrase() -> Option<Passphrase> {
    variable(OWNER_PASSPHRASE_VARIABLE).or_else(passphrase)
}

fn variable(name: &str) -> Option<Passphrase> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(Passphrase::new)
}
