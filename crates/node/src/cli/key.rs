//! `nervure key`: node keys.

mod ledger;

use std::path::{Path, PathBuf};

use anyhow::Context;
use nervure_primitives::{
    NodeKey,
    key_file::{self, Passphrase},
};
use serde::Serialize;

use super::{Global, output};
pub(crate) use crate::builder::KEY_FILE;

/// The environment variable with the passphrase of key files.
const PASSPHRASE_VARIABLE: &str = "NERVURE_KEY_PASSPHRASE";

/// Creates, shows and registers keys
#[derive(Debug, clap::Subcommand)]
pub(crate) enum KeyCommand {
    /// Creates a key; encrypts it if NERVURE_KEY_PASSPHRASE is set
    New {
        /// File to write [default: key.pem in the node's directory]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Shows the node id of a key
    Show {
        /// The key file [default: key.pem in the node's directory]
        file: Option<PathBuf>,
    },
    Register(ledger::RegisterArgs),
    Swap(ledger::SwapArgs),
    Deregister(ledger::DeregisterArgs),
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
            Self::New { out } => {
                let path = out.map_or_else(default, Ok)?;
                let key = create(&path)?;
                output::note(&format!("wrote {}", path.display()));
                (path, key)
            }
            Self::Show { file } => {
                let path = file.map_or_else(default, Ok)?;
                let key = key_file::read(&path, passphrase().as_ref())?;
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

/// Creates a key file.
pub(crate) fn create(path: &Path) -> anyhow::Result<NodeKey> {
    let key = NodeKey::generate().context("the system has no randomness for a key")?;
    key_file::create(path, &key, passphrase().as_ref())?;
    Ok(key)
}

/// The passphrase from the environment.
pub(crate) fn passphrase() -> Option<Passphrase> {
    std::env::var(PASSPHRASE_VARIABLE).ok().filter(|text| !text.is_empty()).map(Passphrase::new)
}
