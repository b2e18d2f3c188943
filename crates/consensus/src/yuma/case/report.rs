//! [`Report`]: the results of a case, as JSON.

use serde::Serialize;

use crate::yuma::{Cell, EpochOutput};

/// The results of all steps, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// One entry per step; an empty object for a step that runs no epoch.
    pub steps: Vec<StepReport>,
}

/// The results of a step's epoch; all `None` (and left out of the JSON) when it ran none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StepReport {
    #[serde(flatten)]
    epoch: Option<EpochReport>,
}

/// An epoch's output under the names that vectors use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct EpochReport {
    consensus_u16: Vec<u16>,
    incentive_u16: Vec<u16>,
    dividends_u16: Vec<u16>,
    validator_trust_u16: Vec<u16>,
    emission: Vec<u64>,
    server_emission: Vec<u64>,
    validator_emission: Vec<u64>,
    new_validator_permit: Vec<bool>,
    bonds_u16: Vec<Vec<Cell>>,
}

impl StepReport {
    /// The report of an epoch.
    pub(super) fn new(output: EpochOutput) -> Self {
        Self {
            epoch: Some(EpochReport {
                consensus_u16: output.consensus,
                incentive_u16: output.incentive,
                dividends_u16: output.dividends,
                validator_trust_u16: output.validator_trust,
                emission: output.emission,
                server_emission: output.server_emission,
                validator_emission: output.validator_emission,
                new_validator_permit: output.new_permits,
                bonds_u16: output.bonds,
            }),
        }
    }

    /// Whether the step ran an epoch.
    pub fn ran(&self) -> bool {
        self.epoch.is_some()
    }
}
