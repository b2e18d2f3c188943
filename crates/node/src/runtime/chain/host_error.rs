//! Why a node stops following the chain.

use std::io;

use nervure_ledger::{chain::BlockError, upgrade::UnknownVersion};
use nervure_primitives::{BlockHeight, Hash};
use nervure_store::StoreError;

/// Why a node stops following the chain.
#[derive(Debug, thiserror::Error)]
pub(super) enum HostError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the write-ahead log: {0}")]
    Wal(#[from] io::Error),
    #[error("a block cannot be made: {0}")]
    Block(BlockError),
    #[error(
        "validators agreed on block {height} ({id}), which this node computes differently: either it or a third of \
         them is faulty; compare versions and check the logs"
    )]
    Contradicted { height: BlockHeight, id: Hash },
    #[error(transparent)]
    UnknownVersion(UnknownVersion),
}

impl HostError {
    /// What to do next.
    pub(super) const fn hint(&self) -> &'static str {
        match self {
            Self::Wal(_) | Self::Store(StoreError::Io(_)) => {
                "make room on the disk, or mend it, and start this node again: nothing that is not on the disk was \
                 signed or is final"
            }
            Self::Store(_) => {
                "stop this node, move chain.redb away, and never consensus.wal, and start it again: the blocks come \
                 from others"
            }
            Self::UnknownVersion(_) => {
                "install a version of nervure that knows it, and start this node again: its blocks are kept, and it \
                 signed nothing from that height on"
            }
            Self::Block(_) => "start this node again, and report it with the log",
            Self::Contradicted { .. } => "ask the other validators before starting it again",
        }
    }
}
