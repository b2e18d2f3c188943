//! Rounds as the core counts them, and back.

use arc_malachitebft_core_types as core;

use crate::statement::Round;

/// Our round for the core's. The core starts at -1 (no round), we start at 0.
pub(in crate::bft) fn round_of(round: core::Round) -> Round {
    Round(round.as_u32().unwrap_or(0))
}

/// The core's round for ours.
pub(in crate::bft) const fn core_round(round: Round) -> core::Round {
    core::Round::new(round.0)
}
