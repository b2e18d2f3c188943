//! `nervure key`: a node's key, by which the mesh knows it.

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
const PASSPHRASE: &str = "NERVURE_KEY_PASSPHRASE";

/// Makes and reads keys
#[derive(Debug, clap::Subcommand)]
pub(crate) enum KeyCommand {
    /// Makes a key; with NERVURE_KEY_PASSPHRASE set, encrypts it
    New {
        /// Where to write it [default: key.pem in the node's directory]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Shows the id that belongs to a key
    Show {
        /// The key file [default: key.pem in the node's directory]
        file: Option<PathBuf>,
    },
    Register(ledger::RegisterArgs),
    Swap(ledger::SwapArgs),
}

#[derive(Serialize)]
struct Shown<'a> {
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
            return output::json(&Shown { node, file: &path });
        }
        output::line(&node)
    }
}

/// Makes a key and writes it.
pub(crate) fn create(path: &Path) -> anyhow::Result<NodeKey> {
    let key = NodeKey::generate().context("the system has no randomness for a key")?;
    key_file::create(path, &key, passphrase().as_ref())?;
    Ok(key)
}

/// The passphrase that the environment has, if any.
pub(crate) fn passphrase() -> Option<Passphrase> {
    std::env::var(PASSPHRASE).ok().filter(|text| !text.is_empty()).map(Passphrase::new)
}
