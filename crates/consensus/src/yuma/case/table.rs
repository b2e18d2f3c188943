//! The results of an epoch as a table.

use serde::Serialize;

use super::case_state::CaseState;
use crate::yuma::EpochOutput;

/// One uid's results. Proportions are of 65,535, amounts are base units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of EpochOutput")]
pub struct TableRow {
    pub uid: u16,
    pub stake: u64,
    pub new_permit: bool,
    pub consensus: u16,
    pub incentive: u16,
    pub dividends: u16,
    pub validator_trust: u16,
    pub server_emission: u64,
    pub validator_emission: u64,
    pub emission: u64,
}

/// One row per uid.
pub(super) fn table(state: &CaseState, output: &EpochOutput) -> Vec<TableRow> {
    let row = |(uid, slot): (usize, &super::case_state::CaseNeuron)| TableRow {
        uid: uid as u16,
        stake: slot.stake,
        new_permit: output.new_permits[uid],
        consensus: output.consensus[uid],
        incentive: output.incentive[uid],
        dividends: output.dividends[uid],
        validator_trust: output.validator_trust[uid],
        server_emission: output.server_emission[uid],
        validator_emission: output.validator_emission[uid],
        emission: output.emission[uid],
    };
    state.slots().iter().enumerate().map(row).collect()
}
