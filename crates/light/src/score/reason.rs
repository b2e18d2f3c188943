//! Why a score is what it is, in plain words.

use std::fmt;

use nervure_consensus::fixed::I32F32;
use nervure_primitives::{Amount, BlockHeight};
use serde::Serialize;

use super::{Computed, Score};

/// One reason. Reasons are ordered as a reader would look for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The node had no slot.
    NotRegistered,
    /// The node validates: it earns dividends.
    Validates {
        /// Its share of all dividends.
        dividends: I32F32,
    },
    /// The node came after the last epoch but one.
    New {
        /// The block at which it came.
        registered: BlockHeight,
    },
    /// No validator of the subnet may vote.
    NoVoters,
    /// The validators with a permit have set no weights at all.
    NoWeights,
    /// No validator gives this node a weight.
    NotWeighted {
        /// How many vote.
        voters: usize,
    },
    /// There are weights for the node, and none of them counts.
    NoneCounts {
        /// How many there are.
        weights: usize,
    },
    /// Those who give it a weight have too little stake.
    BelowClip {
        /// Their share of the voting stake.
        share: I32F32,
        /// The share that it takes.
        needed: I32F32,
    },
    /// Its share is too small to be paid.
    TooSmall,
    /// There was nothing to share.
    NothingToShare,
    /// It earned as a miner.
    Earned {
        /// Its share of the miners' part.
        incentive: I32F32,
        /// How many validators' weights made it.
        voters: usize,
        /// What that is.
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
