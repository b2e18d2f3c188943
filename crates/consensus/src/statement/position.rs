//! Positions: where in the protocol a statement is made.

use nervure_primitives::BlockHeight;
use serde::{Deserialize, Serialize};

use super::Round;

/// The steps of a round, in the order in which a validator signs in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Step {
    /// The proposer proposes.
    #[serde(rename = "propose")]
    Propose,
    /// Validators prevote.
    #[serde(rename = "prevote")]
    Prevote,
    /// Validators precommit.
    #[serde(rename = "precommit")]
    Precommit,
}

/// A height, round and step: a validator signs one statement there and no other. The order of
/// positions is the order in which an honest validator signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The height.
    #[serde(rename = "h")]
    pub height: BlockHeight,
    /// The round.
    #[serde(rename = "r")]
    pub round: Round,
    /// The step.
    #[serde(rename = "s")]
    pub step: Step,
}
