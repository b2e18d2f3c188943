//! The trusted header of a state sync: a block that the operator trusts, the genesis, or the last anchored checkpoint.

use std::str::FromStr;

use nervure_light::{ParseTrustedBlockError, TrustedBlock};

/// The trusted header from which a node without a chain follows certificates to a recent block, whose state it fetches
/// instead of replaying the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// The genesis of the mesh spec.
    Genesis,
    /// A block that the operator trusts.
    Block(TrustedBlock),
    /// The last checkpoint in the mesh's contract.
    Anchored,
}

impl FromStr for Beginning {
    type Err = ParseTrustedBlockError;

    fn from_str(text: &str) -> Result<Self, ParseTrustedBlockError> {
        match text {
            "genesis" => Ok(Self::Genesis),
            "anchored" => Ok(Self::Anchored),
            text => text.parse().map(Self::Block),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_a_block_the_genesis_and_the_anchor() {
        let text = format!("360:{}", "ab".repeat(32));
        let trusted = text.parse().unwrap();
        assert_eq!(text.parse(), Ok(Beginning::Block(trusted)));
        assert_eq!("genesis".parse(), Ok(Beginning::Genesis));
        assert_eq!("anchored".parse(), Ok(Beginning::Anchored));
        for bad in ["", "360", "x:ab", "360:ab", ":"] {
            assert!(bad.parse::<Beginning>().is_err(), "{bad}");
        }
    }
}
