//! The weight that each validator gave a neuron, and how much of it counted.

use std::{cmp::Reverse, fmt};

use nervure_consensus::{fixed::I32F32, yuma::Params};
use nervure_primitives::{Amount, BlockHeight, NodeId, Uid};
use serde::Serialize;

use super::Computed;
use nervure_ledger::subnet::{EpochInputs, NeuronInputs};

/// One validator's weight for one neuron. Shares are decimals in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScoreOpinion {
    /// The validator's slot.
    pub uid: Uid,
    /// The validator.
    pub validator: NodeId,
    /// The stake behind it.
    pub stake: Amount,
    /// Its share of the voting stake; zero when it does not vote.
    pub voting_share: I32F32,
    /// The weight as the ledger stores it, of 65,535.
    pub raw: u16,
    /// The normalised weight: the part of this validator's weights that is for the neuron.
    pub weight: I32F32,
    /// The weight after clipping by consensus.
    pub clipped: I32F32,
    /// Voting share times the clipped weight.
    pub contributes: I32F32,
    /// Why the stored weight does not count; `None` when it does.
    pub ignored: Option<Ignored>,
}

/// Why a validator's weight does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ignored {
    /// It has no validator permit.
    NoPermit,
    /// Its weights are too old.
    TooOld {
        /// The block at which it last set weights.
        last_update: BlockHeight,
        /// Weights set before this block do not count.
        counts_from: BlockHeight,
    },
    /// It set the weight before the neuron registered, for the node that had the slot then.
    BeforeRegistration {
        /// The block at which it last set weights.
        last_update: BlockHeight,
        /// The block at which the neuron registered.
        registered: BlockHeight,
    },
    /// It committed to the weight before the neuron registered.
    CommittedBefore {
        /// The block of the commit.
        committed: BlockHeight,
        /// The block at which the neuron registered.
        registered: BlockHeight,
    },
    /// Only the subnet's owner may weigh itself.
    Itself,
    /// It has no stake, or too little.
    NoStake,
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPermit => f.write_str("it has no validator permit"),
            Self::TooOld { last_update, counts_from } => write!(
                f,
                "its weights are too old: set at block {last_update}, only those since block {counts_from} count"
            ),
            Self::BeforeRegistration { last_update, registered } => {
                write!(f, "set at block {last_update}, the node came at block {registered}")
            }
            Self::CommittedBefore { committed, registered } => {
                write!(f, "committed at block {committed}, the node came at block {registered}")
            }
            Self::Itself => f.write_str("a validator cannot weigh itself"),
            Self::NoStake => f.write_str("it has too little stake"),
        }
    }
}

/// The weight for `uid` of each validator that may set weights or has set one for it, most voting stake first.
pub(super) fn all(computed: &Computed, uid: Uid) -> Vec<ScoreOpinion> {
    let Computed { inputs, trace, .. } = computed;
    let column = usize::from(uid.0);
    let opinion = |(row, neuron): (usize, &NeuronInputs)| {
        let raw = neuron.weights.iter().find(|(about, _)| *about == uid).map_or(0, |(_, weight)| *weight);
        let weight = trace.weights.get(row, column).unwrap_or_default();
        let clipped = trace.clipped.get(row, column).unwrap_or_default();
        let voting_share = trace.active_stake[row];
        ScoreOpinion {
            uid: Uid(row as u16),
            validator: neuron.node,
            stake: Amount::from_base_units(neuron.stake),
            voting_share,
            raw,
            weight,
            clipped,
            contributes: voting_share * clipped,
            ignored: (raw > 0).then(|| ignored(computed, row, column)).flatten(),
        }
    };
    let matters = |one: &ScoreOpinion| one.raw > 0 || trace.permits[usize::from(one.uid.0)];
    let mut opinions: Vec<_> = inputs.neurons.iter().enumerate().map(opinion).filter(matters).collect();
    opinions.sort_by_key(|one| (Reverse(one.voting_share), one.uid));
    opinions
}

/// Why the weight of `row` for `column` does not count, by the first rule that excludes it, in the order of consensus.
fn ignored(Computed { inputs, trace, .. }: &Computed, row: usize, column: usize) -> Option<Ignored> {
    let EpochInputs { block, params, neurons, .. } = inputs;
    let Params { activity_cutoff, owner, .. } = params;
    let (validator, registered) = (&neurons[row], neurons[column].registered);
    let last_update = BlockHeight(validator.last_update);
    if !trace.permits[row] {
        return Some(Ignored::NoPermit);
    }
    if row == column && owner.is_none_or(|owner| usize::from(owner.0) != row) {
        return Some(Ignored::Itself);
    }
    if validator.last_update <= registered {
        return Some(Ignored::BeforeRegistration { last_update, registered: BlockHeight(registered) });
    }
    if let Some(committed) = validator.commit_block.filter(|committed| *committed < registered) {
        let (committed, registered) = (BlockHeight(committed), BlockHeight(registered));
        return Some(Ignored::CommittedBefore { committed, registered });
    }
    if !trace.active[row] {
        let counts_from = BlockHeight(block.saturating_sub(*activity_cutoff));
        return Some(Ignored::TooOld { last_update, counts_from });
    }
    (trace.active_stake[row] == I32F32::ZERO).then_some(Ignored::NoStake)
}
