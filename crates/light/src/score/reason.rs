//! The reasons for a score.

use std::fmt;

use nervure_consensus::fixed::I32F32;
use nervure_primitives::{Amount, BlockHeight};
use serde::Serialize;

use super::{Computed, Score};

/// A reason for a score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The node had no slot.
    NotRegistered,
    /// The node is a validator: it earns dividends.
    Validates {
        /// Its share of all dividends.
        dividends: I32F32,
    },
    /// The node registered within the last two epochs.
    New {
        /// The block at which it registered.
        registered: BlockHeight,
    },
    /// No validator of the subnet has voting stake.
    NoVoters,
    /// The validators with a permit have set no weights for any node.
    NoWeights,
    /// No validator gives this node a weight.
    NotWeighted {
        /// The number of voting validators.
        voters: usize,
    },
    /// The node has weights, and none of them counts.
    NoneCounts {
        /// The number of weights.
        weights: usize,
    },
    /// The validators that weigh it have too little stake.
    BelowClip {
        /// Their share of the voting stake.
        share: I32F32,
        /// The required share.
        needed: I32F32,
    },
    /// Its share rounds to zero.
    TooSmall,
    /// The epoch had no emission.
    NothingToShare,
    /// It earned incentive as a miner.
    Earned {
        /// Its share of the miners' emission.
        incentive: I32F32,
        /// The number of validators whose weights count for it.
        voters: usize,
        /// The tokens that it earned.
        amount: Amount,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRegistered => f.write_str(
                "under this key the node had no slot in the subnet when the epoch was computed; one is taken with nervure neuron register",
            ),
            Self::Validates { dividends } => write!(
                f,
                "the node validates: it earns dividends ({}), not incentive",
                Percent(*dividends)
            ),
            Self::New { registered } => write!(
                f,
                "the node is new: it came at block {registered}, and only weights set after that count for it"
            ),
            Self::NoVoters => {
                f.write_str("no validator of the subnet may vote: none has a permit, stake and weights that are recent")
            }
            Self::NoWeights => f.write_str("the validators of the subnet have set no weights that count, for any node"),
            Self::NotWeighted { voters } => {
                write!(f, "no validator weighs the node: {voters} vote, and none gives it anything")
            }
            Self::NoneCounts { weights } => {
                write!(f, "{weights} validators gave the node a weight, but none of these counts; see why beside each")
            }
            Self::BelowClip { share, needed } => write!(
                f,
                "the consensus cut it to nothing: validators with {} of the voting stake weigh the node, and it takes {}",
                Percent(*share),
                Percent(*needed)
            ),
            Self::TooSmall => f.write_str("its share is too small to show: it rounds to nothing"),
            Self::NothingToShare => f.write_str("there was nothing to share in this epoch"),
            Self::Earned { incentive, voters, amount } => write!(
                f,
                "{voters} validators' weights count for the node: {} of the incentive, {amount} tokens",
                Percent(*incentive)
            ),
        }
    }
}

/// A share of one, in percent with two digits.
struct Percent(I32F32);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Exact enough for people, and without a float: the bits are 2^-32.
        let hundredths = (i128::from(self.0.to_bits()) * 10_000) >> 32;
        write!(f, "{}.{:02} %", hundredths / 100, hundredths % 100)
    }
}

/// The reasons for a score.
pub(super) fn of(computed: &Computed, score: &Score) -> Vec<Reason> {
    let (Some(result), Some(uid)) = (&score.result, score.uid) else { return vec![Reason::NotRegistered] };
    let Computed { inputs, trace, .. } = computed;
    let mut reasons = Vec::new();
    if inputs.emission == 0 {
        reasons.push(Reason::NothingToShare);
    }
    if result.dividends > I32F32::ZERO || result.permit {
        reasons.push(Reason::Validates { dividends: result.dividends });
    }
    let counting: Vec<_> = score
        .opinions
        .iter()
        .filter(|one| one.voting_share > I32F32::ZERO && one.weight > I32F32::ZERO)
        .collect();
    if result.incentive > I32F32::ZERO {
        let (incentive, amount) = (result.incentive, result.as_miner);
        match inputs.emission > 0 && amount.is_zero() {
            true => reasons.push(Reason::TooSmall),
            false => reasons.push(Reason::Earned { incentive, voters: counting.len(), amount }),
        }
        return reasons;
    }
    if result.permit {
        return reasons;
    }
    let voters = trace.active_stake.iter().filter(|share| **share > I32F32::ZERO).count();
    let anything = trace.weights.cells() > 0;
    let given = score.opinions.iter().filter(|one| one.raw > 0).count();
    reasons.push(match (voters, anything, given, counting.len()) {
        (0, ..) => Reason::NoVoters,
        (_, _, 1.., 0) => Reason::NoneCounts { weights: given },
        (_, false, ..) => Reason::NoWeights,
        (_, _, _, 0) => Reason::NotWeighted { voters },
        _ => {
            let share = counting.iter().map(|one| one.voting_share).sum();
            Reason::BelowClip { share, needed: I32F32::from_proportion(inputs.params.kappa) }
        }
    });
    let registered = inputs.neurons[usize::from(uid.0)].registered;
    if registered.saturating_add(inputs.params.tempo.saturating_mul(2)) > inputs.block {
        reasons.push(Reason::New { registered: BlockHeight(registered) });
    }
    reasons
}
