//! `nervure wallet batch`: several commands in one transaction.

use std::path::PathBuf;

use super::files::BatchFile;
use crate::cli::{Global, output, sign::SpendArgs};

/// Submits what commands with --batch FILE collected: all of it or nothing
#[derive(Debug, clap::Subcommand)]
#[allow(clippy::large_enum_variant, reason = "a process has one")]
pub(crate) enum BatchCommand {
    /// Shows what a batch would do; needs no node
    Show {
        /// File of the batch
        file: PathBuf,
    },
    /// Submits a batch in one transaction; the file stays
    Send {
        /// File of the batch
        file: PathBuf,
        #[command(flatten)]
        terms: SpendArgs,
    },
}

impl BatchCommand {
    /// Runs the command.
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Show { file } => {
                let batch = BatchFile::read(&file)?;
                if global.json {
                    return output::json(&batch);
                }
                batch.calls.iter().try_for_each(|call| output::line(&call.intent()))
            }
            Self::Send { file, terms } => terms.send(BatchFile::read(&file)?.call(), global).await.map(drop),
        }
    }
}
