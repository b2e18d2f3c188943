//! The reasons for one uid's incentive, out of a traced epoch.
//!
//! Shares are [`I32F32`]: they print as decimals, and serialise as decimal text.

use nervure_primitives::Uid;
use serde::Serialize;

use super::{EpochOutput, Trace};
use crate::fixed::I32F32;

/// Why a uid earned what it earned as a miner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The uid.
    pub uid: u16,
    /// What each permitted validator with stake or weights said about it, most voting stake first.
    pub validators: Vec<Opinion>,
    /// The largest weight that the majority of stake gives: weights above it are cut to it.
    pub consensus: I32F32,
    /// The sum of all contributions.
    pub rank: I32F32,
    /// The sum of all uids' ranks.
    pub rank_sum: I32F32,
    /// How much of the stake-weighted weights the clip left.
    pub trust: I32F32,
    /// The rank as a share of all ranks.
    pub incentive: I32F32,
    /// What it earns as a miner, in base units.
    pub server_emission: u64,
}

/// What one validator said about a uid and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Opinion {
    /// The validator.
    pub validator: u16,
    /// Its raw stake, in base units.
    pub stake: u64,
    /// Its share of the voting stake; zero when it is inactive.
    pub active_stake: I32F32,
    /// Its normalised weight for the uid; zero when it gives none or the weight was masked.
    pub weight: I32F32,
    /// The consensus that the weight was held against.
    pub consensus: I32F32,
    /// What was left of the weight.
    pub clipped: I32F32,
    /// Whether the consensus cut it.
    pub was_clipped: bool,
    /// Voting stake times clipped weight.
    pub contribution: I32F32,
}

/// Collects the reasons out of a traced epoch; `stakes` are the raw stakes of all uids. `None` when there is no
/// such uid.
pub fn explain(uid: Uid, stakes: &[u64], (output, trace): (&EpochOutput, &Trace)) -> Option<Explanation> {
    let column = usize::from(uid.0);
    let consensus = *trace.consensus.get(column)?;
    let opinion = |(validator, stake): (usize, &u64)| {
        let weight = trace.weights.get(validator, column).unwrap_or_default();
        let clipped = trace.clipped.get(validator, column).unwrap_or_default();
        Opinion {
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
    let matters = |opinion: &Opinion| opinion.active_stake > I32F32::ZERO || opinion.weight > I32F32::ZERO;
    let mut validators: Vec<Opinion> = stakes.iter().enumerate().map(opinion).filter(matters).collect();
    validators.sort_by_key(|opinion| (std::cmp::Reverse(opinion.active_stake), opinion.validator));
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
