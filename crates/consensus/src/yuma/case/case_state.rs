//! [`CaseState`]: the subnet between the steps of a case.

use nervure_primitives::Uid;

use super::{
    CaseError,
    format::{CaseText, Changes, Initial, Reregister},
};
use crate::yuma::{Cell, EpochInput, EpochOutput, Neuron, Params};

/// A neuron that owns its rows.
#[derive(Clone, Debug, Default)]
pub(super) struct CaseNeuron {
    pub stake: u64,
    pub last_update: u64,
    pub registered: u64,
    pub permit: bool,
    pub commit_block: Option<u64>,
    pub weights: Vec<Cell>,
    pub bonds: Vec<Cell>,
}

/// The subnet before the next epoch.
#[derive(Clone, Debug)]
pub(super) struct CaseState {
    params: Params,
    emission: u64,
    block: u64,
    slots: Vec<CaseNeuron>,
}

impl CaseState {
    /// The state before the first step.
    pub(super) fn new(text: &CaseText) -> Result<Self, CaseError> {
        let initial = &text.initial;
        check_lengths(initial, text.n)?;
        let slot = |uid: usize| CaseNeuron {
            stake: initial.stake[uid],
            last_update: initial.last_update.get(uid).copied().unwrap_or_default(),
            registered: initial.registered.get(uid).copied().unwrap_or_default(),
            permit: initial.validator_permit.get(uid).copied().unwrap_or_default(),
            commit_block: None,
            weights: initial.weights.get(uid).cloned().unwrap_or_default(),
            bonds: initial.bonds.get(uid).cloned().unwrap_or_default(),
        };
        let slots = (0..text.n).map(slot).collect();
        Ok(Self { params: text.params.params(), emission: text.emission, block: initial.block, slots })
    }

    /// How many uids there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The slots, by uid.
    pub(super) fn slots(&self) -> &[CaseNeuron] {
        &self.slots
    }

    /// Applies what step number `step` sets, in the order of the fields of [`Changes`].
    pub(super) fn apply(&mut self, changes: &Changes, step: usize) -> Result<(), CaseError> {
        let slots = &mut self.slots;
        let n = slots.len();
        let path = |field: &'static str| move || format!("steps[{step}].set.{field}");
        self.block = changes.block.unwrap_or(self.block);
        changes.stake.apply(&path("stake"), n, |uid, value| slots[uid].stake = value)?;
        changes.registered.apply(&path("registered"), n, |uid, value| slots[uid].registered = value)?;
        changes.last_update.apply(&path("last_update"), n, |uid, value| slots[uid].last_update = value)?;
        changes
            .validator_permit
            .apply(&path("validator_permit"), n, |uid, value| slots[uid].permit = value)?;
        changes.weights.apply(&path("weights"), n, |uid, row| slots[uid].weights = row)?;
        if let Some(column) = changes.reset_bonds_col {
            check_uid(&path("reset_bonds_col"), column, n)?;
            slots.iter_mut().for_each(|slot| slot.bonds.retain(|(uid, _)| *uid != column));
        }
        changes
            .commit_blocks
            .apply(&path("commit_blocks"), n, |uid, block| slots[uid].commit_block = block)?;
        if let Some(change) = &changes.reregister {
            check_uid(&path("reregister.uid"), change.uid, n)?;
            self.reregister(change);
        }
        Ok(())
    }

    /// Registers a uid to a new holder, which inherits nothing: the weights of others for it become
    /// zero.
    fn reregister(&mut self, change: &Reregister) {
        for slot in &mut self.slots {
            slot.weights.iter_mut().filter(|(uid, _)| *uid == change.uid).for_each(|cell| cell.1 = 0);
        }
        self.slots[usize::from(change.uid.0)] = CaseNeuron {
            stake: change.stake,
            last_update: change.block,
            registered: change.block,
            ..CaseNeuron::default()
        };
    }

    /// Calls `run` with the state as the input of an epoch.
    pub(super) fn with_input<'s, T>(&'s self, run: impl FnOnce(&EpochInput<'_>) -> T) -> T {
        let neuron = |slot: &'s CaseNeuron| Neuron {
            stake: slot.stake,
            last_update: slot.last_update,
            registered: slot.registered,
            permit: slot.permit,
            commit_block: slot.commit_block,
            weights: &slot.weights,
            bonds: &slot.bonds,
            ..Neuron::default()
        };
        let neurons: Vec<Neuron<'_>> = self.slots.iter().map(neuron).collect();
        run(&EpochInput {
            params: &self.params,
            block: self.block,
            emission: self.emission,
            neurons: &neurons,
        })
    }

    /// Takes over the permits and bonds that an epoch leaves to the next one.
    pub(super) fn carry_over(&mut self, output: &EpochOutput) {
        for ((slot, permit), bonds) in self.slots.iter_mut().zip(&output.new_permits).zip(&output.bonds) {
            slot.permit = *permit;
            slot.bonds.clone_from(bonds);
        }
    }
}

/// Refuses lists that do not have an entry for every uid; only permits may be missing.
fn check_lengths(initial: &Initial, n: usize) -> Result<(), CaseError> {
    if n > usize::from(u16::MAX) + 1 {
        return Err(CaseError::invalid("n", format!("{n} uids: there are at most 65536")));
    }
    let lengths = [
        ("stake", initial.stake.len(), true),
        ("last_update", initial.last_update.len(), !initial.last_update.is_empty()),
        ("registered", initial.registered.len(), !initial.registered.is_empty()),
        ("weights", initial.weights.len(), !initial.weights.is_empty()),
        ("bonds", initial.bonds.len(), !initial.bonds.is_empty()),
        ("validator_permit", initial.validator_permit.len(), initial.validator_permit.len() > n),
    ];
    match lengths.iter().find(|(_, len, matters)| *matters && *len != n) {
        Some((field, len, _)) => {
            Err(CaseError::invalid(format!("initial.{field}"), format!("{len} entries for {n} uids")))
        }
        None => Ok(()),
    }
}

/// Refuses a uid that does not exist.
fn check_uid(path: &dyn Fn() -> String, uid: Uid, n: usize) -> Result<(), CaseError> {
    if usize::from(uid.0) < n {
        return Ok(());
    }
    Err(CaseError::invalid(path(), format!("uid {uid} does not exist: there are only the uids below {n}")))
}
