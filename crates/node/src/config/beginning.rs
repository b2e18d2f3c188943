//! What is trusted to begin with: a block that somebody vouches for, or the genesis.

use std::{fmt, str::FromStr};

use nervure_primitives::{BlockHeight, Hash};

/// A block that somebody vouches for: `HEIGHT:BLOCK`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Its height.
    pub height: BlockHeight,
    /// Its id.
    pub block: Hash,
}

/// What a node without a chain begins with, when it is not to replay history: certificates lead from there to a recent
/// block, whose state is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// The genesis of the mesh spec.
    Genesis,
    /// A block that somebody vouches for.
    Block(Pin),
    /// The last checkpoint in the mesh's contract.
    Anchored,
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.height, self.block)
    }
}

impl FromStr for Pin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (height, block) = text.split_once(':').ok_or("not of the form HEIGHT:BLOCK")?;
        let height = height.parse().map_err(|error| format!("the height: {error}"))?;
        Ok(Self { height, block: block.parse().map_err(|error| format!("the block: {error}"))? })
    }
}

impl FromStr for Beginning {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
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
    fn a_block_or_the_genesis() {
        let text = format!("360:{}", "ab".repeat(32));
        let pin: Pin = text.parse().unwrap();
        assert_eq!((pin.height, pin.to_string()), (BlockHeight(360), text.clone()));
        assert_eq!(text.parse(), Ok(Beginning::Block(pin)));
        assert_eq!("genesis".parse(), Ok(Beginning::Genesis));
        assert_eq!("anchored".parse(), Ok(Beginning::Anchored));
        for bad in ["", "360", "x:ab", "360:ab", ":"] {
            assert!(bad.parse::<Beginning>().is_err(), "{bad}");
        }
    }
}
