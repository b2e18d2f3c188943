//! The input of an epoch: [`EpochInput`], with one [`Neuron`] per uid.
//!
//! Rows are borrowed from their store. A row that is ascending by uid is used as it is; a row in
//! another order is sorted into a copy; a row with a duplicate or unknown uid is refused.

use std::borrow::Cow;

use nervure_primitives::Uid;

use super::{Params, Prior, RowKind, YumaError};

/// A cell of a row as it is stored: a uid and a value of 65,535.
pub type Cell = (Uid, u16);

/// Upper bound for the neurons of a subnet: a uid has 16 bits.
const MAX_NEURONS: usize = 1 << 16;

/// The state of one uid that an epoch depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Neuron<'a> {
    /// Raw stake in base units.
    pub stake: u64,
    /// The block at which it last set (or committed) weights.
    pub last_update: u64,
    /// The block at which it was registered.
    pub registered: u64,
    /// Whether the *previous* epoch gave it a validator permit.
    pub permit: bool,
    /// The block of its earliest unexpired commit; `None` when it has none or the subnet does not use
    /// commit-reveal. Weights for a uid registered after it are dropped: they were meant for the slot's
    /// former holder.
    pub commit_block: Option<u64>,
    /// Its weights, with explicit zeros.
    pub weights: &'a [Cell],
    /// Its bonds as the last epoch left them.
    pub bonds: &'a [Cell],
    /// What the last two epochs left in public about it, the last one first; zeros since its registration.
    pub priors: [Prior; 2],
}

/// One epoch of one subnet.
#[derive(Clone, Copy, Debug)]
pub struct EpochInput<'a> {
    /// The subnet's parameters.
    pub params: &'a Params,
    /// The block at which the epoch runs.
    pub block: u64,
    /// The emission to split, in base units.
    pub emission: u64,
    /// The neurons, by uid.
    pub neurons: &'a [Neuron<'a>],
}

impl EpochInput<'_> {
    /// Refuses invalid input. Rows are checked when they are read.
    pub(crate) fn check(&self) -> Result<(), YumaError> {
        if self.neurons.len() > MAX_NEURONS {
            return Err(YumaError::TooManyNeurons { neurons: self.neurons.len() });
        }
        self.params.check(self.neurons.len())
    }

    /// The row of `kind` of uid `row`, ascending, with uids that exist and each of them once.
    pub(crate) fn row(&self, row: usize, kind: RowKind) -> Result<Cow<'_, [Cell]>, YumaError> {
        let neuron = &self.neurons[row];
        let cells = match kind {
            RowKind::Weights => neuron.weights,
            RowKind::Bonds => neuron.bonds,
        };
        let mut cells = Cow::Borrowed(cells);
        if !cells.is_sorted_by_key(|(uid, _)| *uid) {
            cells.to_mut().sort_by_key(|(uid, _)| *uid);
        }
        let owner = Uid(row as u16);
        if let Some(pair) = cells.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(YumaError::DuplicateUid { kind, row: owner, uid: pair[0].0 });
        }
        match cells.last() {
            Some((uid, _)) if usize::from(uid.0) >= self.neurons.len() => {
                Err(YumaError::UidOutOfRange { kind, row: owner, uid: *uid, neurons: self.neurons.len() })
            }
            _ => Ok(cells),
        }
    }

    /// Whether `uid` is the owner's.
    pub(crate) fn is_owner(&self, uid: usize) -> bool {
        self.params.owner.is_some_and(|owner| usize::from(owner.0) == uid)
    }

    /// Whether uid `uid` set weights recently enough to count.
    pub(crate) fn is_active(&self, uid: usize) -> bool {
        self.neurons[uid].last_update.saturating_add(self.params.activity_cutoff) >= self.block
    }
}
