//! `--anchor` of `nervure testnet up`: where a testnet's checkpoints are kept.

use std::sync::Arc;

use nervure_testnet::DevelopmentChain;

/// Where a testnet's checkpoints are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum AnchorKind {
    /// In a file of each node.
    #[default]
    Local,
    /// In a contract on a chain.
    Evm,
}

impl AnchorKind {
    /// The chain to start; `None` if checkpoints are kept in files.
    pub(super) fn chain(self) -> anyhow::Result<Option<Arc<dyn DevelopmentChain>>> {
        match self {
            Self::Local => Ok(None),
            #[cfg(feature = "anchor-evm")]
            Self::Evm => super::anvil::find().map(Some),
            #[cfg(not(feature = "anchor-evm"))]
            Self::Evm => Err(crate::cli::absent::error("a client of EVM chains", "anchor-evm")),
        }
    }
}
