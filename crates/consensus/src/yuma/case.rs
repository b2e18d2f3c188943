//! Cases: epochs described in JSON, to try a weight matrix or to test an implementation.
//!
//! No other part of the crate knows a text format; consensus itself never calls this one. A case
//! names a subnet (`n` uids, `params`, `initial` state) and `steps`; each step changes the state and
//! then, unless it says `"run_epoch": false`, runs an epoch whose bonds and permits the next step
//! starts from. `docs/yuma.md` describes every field.
//!
//! [`Case::parse`] and [`Case::run`] are for hand-written input: an error names the place, by line and
//! column where the text is not a valid case, by path (`steps[2].set.stake`) where a value is invalid.
//! A parsed case is at most a constant factor larger than its text, and an epoch takes time in
//! proportion to the cells and n log n, so a bound on the text bounds both.

mod case_state;
mod error;
mod format;
mod patch;
mod report;
mod table;

pub use error::CaseError;
pub use report::{Report, StepReport};
pub use table::TableRow;

use nervure_primitives::Uid;

use super::{EpochOutput, Explanation, Trace, explain, run_epoch, run_epoch_traced};
use case_state::CaseState;
use format::CaseText;

/// A case whose lists and uids were checked.
#[derive(Clone, Debug)]
pub struct Case {
    text: CaseText,
    initial: CaseState,
}

impl Case {
    /// Parses a case.
    ///
    /// # Errors
    ///
    /// [`CaseError::Json`] where the text is not a case, [`CaseError::Invalid`] where a list has the
    /// wrong length, a uid does not exist or the kind is another one.
    pub fn parse(json: &str) -> Result<Self, CaseError> {
        let text: CaseText = serde_json::from_str(json).map_err(CaseError::from_json)?;
        text.check_kind()?;
        let initial = CaseState::new(&text)?;
        Ok(Self { text, initial })
    }

    /// How many steps the case has.
    pub fn steps(&self) -> usize {
        self.text.steps.len()
    }

    /// Runs all steps.
    ///
    /// # Errors
    ///
    /// [`CaseError::Invalid`] for a step that does not fit the subnet, [`CaseError::Epoch`] for an
    /// epoch that cannot be computed; both name the step.
    pub fn run(&self) -> Result<Report, CaseError> {
        let mut steps = Vec::with_capacity(self.steps());
        self.replay(self.steps(), |output| steps.push(output.map(StepReport::new).unwrap_or_default()))?;
        Ok(Report { steps })
    }

    /// One row per uid about the last epoch that the case runs.
    ///
    /// # Errors
    ///
    /// Those of [`run`](Self::run), and [`CaseError::NoEpoch`] when no step runs one.
    pub fn table(&self) -> Result<Vec<TableRow>, CaseError> {
        let epoch = self.last_epoch()?;
        Ok(table::table(&epoch.state, &epoch.output))
    }

    /// The reasons for the incentive of `uid` in the last epoch that the case runs.
    ///
    /// # Errors
    ///
    /// Those of [`table`](Self::table), and [`CaseError::NoSuchUid`].
    pub fn explain(&self, uid: u16) -> Result<Explanation, CaseError> {
        if usize::from(uid) >= self.initial.len() {
            return Err(CaseError::NoSuchUid { uid, neurons: self.initial.len() });
        }
        let TracedEpoch { state, output, trace } = self.last_epoch()?;
        let stakes: Vec<u64> = state.slots().iter().map(|slot| slot.stake).collect();
        let explained = explain(Uid(uid), &stakes, (&output, &trace));
        explained.ok_or(CaseError::NoSuchUid { uid, neurons: self.initial.len() })
    }

    /// Runs the first `count` steps and hands each one's output (none where it runs no epoch) to
    /// `visit`; returns the state afterwards.
    fn replay(
        &self,
        count: usize,
        mut visit: impl FnMut(Option<EpochOutput>),
    ) -> Result<CaseState, CaseError> {
        let mut state = self.initial.clone();
        for (index, step) in self.text.steps.iter().take(count).enumerate() {
            state.apply(&step.set, index)?;
            let output = step.run_epoch.then(|| {
                state.with_input(run_epoch).map_err(|source| CaseError::Epoch { step: index, source })
            });
            let output = output.transpose()?;
            if let Some(output) = &output {
                state.carry_over(output);
            }
            visit(output);
        }
        Ok(state)
    }

    fn last_epoch(&self) -> Result<TracedEpoch, CaseError> {
        let last = self.text.steps.iter().rposition(|step| step.run_epoch).ok_or(CaseError::NoEpoch)?;
        let mut state = self.replay(last, |_| {})?;
        state.apply(&self.text.steps[last].set, last)?;
        let (output, trace) =
            state.with_input(run_epoch_traced).map_err(|source| CaseError::Epoch { step: last, source })?;
        Ok(TracedEpoch { state, output, trace })
    }
}

/// The last epoch that a case runs.
struct TracedEpoch {
    /// The state that it started from.
    state: CaseState,
    output: EpochOutput,
    trace: Trace,
}
