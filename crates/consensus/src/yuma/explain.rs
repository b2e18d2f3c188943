//! The reasons for one uid's incentive, out of a traced epoch.
//!
//! Shares are [`I32F32`]: they print as decimals, and serialise as decimal text.

use nervure_primitives::Uid;
use serde::Serialize;

use super::{EpochOutput, Trace};
use crate::fixed::I32F32;

/// The reasons for a uid's incentive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The uid.
    pub uid: u16,
    /// The weight of each permitted validator with stake or weights, most voting stake first.
    pub validators: Vec<ValidatorWeight>,
    /// The largest weight that the majority of stake gives. Weights above it are clipped to it.
    pub consensus: I32F32,
    /// The sum of all contributions.
    pub rank: I32F32,
    /// The sum of all uids' ranks.
    pub rank_sum: I32F32,
    /// The share of its stake-weighted weights that clipping left.
    pub trust: I32F32,
    /// The rank as a share of all ranks.
    pub incentive: I32F32,
    /// What it earns as a miner, in base units.
    pub server_emission: u64,
}

/// A validator's weight for a uid, before and after clipping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ValidatorWeight {
    /// The validator.
    pub validator: u16,
    /// Its raw stake, in base units.
    pub stake: u64,
    /// Its share of the voting stake; zero when it is inactive.
    pub active_stake: I32F32,
    /// Its normalised weight for the uid; zero when it gives none or the weight was masked.
    pub weight: I32F32,
    /// The consensus weight that clips it.
    pub consensus: I32F32,
    /// The clipped weight.
    pub clipped: I32F32,
    /// Whether it was clipped.
    pub was_clipped: bool,
    /// Voting stake times clipped weight.
    pub contribution: I32F32,
}

/// Collects the reasons out of a traced epoch; `stakes` are the raw stakes of all uids. `None` when there is no
/// such uid.
pub fn explain(uid: Uid, stakes: &[u64], (output, trace): (&EpochOutput, &Trace)) -> Option<Explanation> {
    let column = usize::from(uid.0);
    let consensus = *trace.consensus.get(column)?;
    let validator_weight = |(validator, stake): (usize, &u64)| {
        let weight = trace.weights.get(validator, column).unwrap_or_default();
        let clipped = trace.clipped.get(validator, column).unwrap_or_default();
        ValidatorWeight {
            validator: validator as u16,
            stake: *stake,
            active_stake: trace.active_stake[validator],
            weight,
            consensus,
            clipped,
            was_clipped: clipped < weight,
            contribution: trace.active_stake[validator] * clipped,
        }
    };
    let matters = |one: &ValidatorWeight| one.active_stake > I32F32::ZERO || one.weight > I32F32::ZERO;
    let mut validators: Vec<ValidatorWeight> =
        stakes.iter().enumerate().map(validator_weight).filter(matters).collect();
    validators.sort_by_key(|one| (std::cmp::Reverse(one.active_stake), one.validator));
    Some(Explanation {
        uid: uid.0,
        validators,
        consensus,
        rank: trace.rank[column],
        rank_sum: trace.rank.iter().copied().sum(),
        trust: trace.trust[column],
        incentive: trace.incentive[column],
        server_emission: output.server_emission[column],
    })
}
