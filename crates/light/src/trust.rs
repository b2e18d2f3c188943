//! The trusted start of a light client.

use std::{fmt, str::FromStr};

use nervure_anchor::{AnchoredCheckpoint, Submission};
use nervure_ledger::spec::{AnchorPlace, MeshSpec};
use nervure_primitives::{BlockHeight, Hash};

/// A block that a user or an anchor contract names as trusted: `HEIGHT:BLOCK` as text.
///
/// ```
/// use nervure_light::TrustedBlock;
///
/// let text = format!("360:{}", "ab".repeat(32));
/// let trusted: TrustedBlock = text.parse()?;
/// assert_eq!((trusted.height.0, trusted.to_string()), (360, text));
/// # Ok::<(), nervure_light::ParseTrustedBlockError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustedBlock {
    /// Its height.
    pub height: BlockHeight,
    /// Its id.
    pub block: Hash,
}

/// The start that a light client trusts.
#[derive(Clone, Debug)]
pub enum TrustAnchor {
    /// The genesis of a mesh spec.
    Genesis(Box<MeshSpec>),
    /// A block.
    Block(TrustedBlock),
    /// A checkpoint in the contract of the mesh.
    Anchored(AnchorPlace, AnchoredCheckpoint),
}

/// Why a text is not a trusted block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseTrustedBlockError {
    /// The text has no colon.
    #[error("not of the form HEIGHT:BLOCK")]
    Form,
    /// The part before the colon is not a height.
    #[error("the height: {0}")]
    Height(String),
    /// The part after the colon is not a block id.
    #[error("the block: {0}")]
    Block(String),
}

impl TrustedBlock {
    /// The block of an anchored checkpoint, if `submission` is that checkpoint. The signatures in it need no check: the
    /// id in the contract is the hash of everything that the checkpoint says.
    pub fn of_anchored(anchored: &AnchoredCheckpoint, submission: &Submission) -> Option<Self> {
        let checkpoint = &submission.checkpoint;
        let same = checkpoint.id() == anchored.id;
        same.then(|| Self { height: checkpoint.height(), block: checkpoint.block() })
    }
}

impl fmt::Display for TrustedBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.height, self.block)
    }
}

impl FromStr for TrustedBlock {
    type Err = ParseTrustedBlockError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (height, block) = text.split_once(':').ok_or(ParseTrustedBlockError::Form)?;
        let height = height.parse::<BlockHeight>();
        let height = height.map_err(|error| ParseTrustedBlockError::Height(error.to_string()))?;
        let block = block.parse::<Hash>();
        let block = block.map_err(|error| ParseTrustedBlockError::Block(error.to_string()))?;
        Ok(Self { height, block })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trusted_block_reads_back_from_its_text() {
        let text = format!("360:{}", "ab".repeat(32));
        let trusted: TrustedBlock = text.parse().unwrap();
        assert_eq!((trusted.height, trusted.to_string()), (BlockHeight(360), text));
        for bad in ["", "360", "x:ab", "360:ab", ":"] {
            assert!(bad.parse::<TrustedBlock>().is_err(), "{bad}");
        }
    }
}
