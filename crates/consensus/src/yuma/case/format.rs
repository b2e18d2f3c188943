//! The JSON form of a case, field by field.
//!
//! Objects that affect the computation refuse unknown fields, so that a misspelt one is not ignored.
//! The outermost object and the steps allow them: vectors keep expected results and sources there.

use nervure_primitives::Uid;
use serde::Deserialize;

use super::{CaseError, patch::Patch};
use crate::yuma::{ACTIVITY_FACTOR_MILLI, BondsRule, Cell, LiquidAlpha, Params, activity_cutoff};

/// A case as it is written.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct CaseText {
    /// The kind of the file; only `epoch` is a case.
    #[serde(default)]
    kind: Option<String>,
    /// How many uids there are.
    pub n: usize,
    /// The emission of every epoch, in base units.
    #[serde(default = "one_token")]
    pub emission: u64,
    /// The subnet's parameters; those left out are a new subnet's.
    #[serde(default)]
    pub params: ParamsText,
    /// The state before the first step.
    pub initial: Initial,
    /// The steps.
    pub steps: Vec<Step>,
}

impl CaseText {
    /// Refuses other kinds of files.
    pub(super) fn check_kind(&self) -> Result<(), CaseError> {
        match self.kind.as_deref() {
            None | Some("epoch") => Ok(()),
            Some(other) => {
                Err(CaseError::invalid("kind", format!("this runs cases of kind 'epoch', not '{other}'")))
            }
        }
    }
}

/// One token, the default emission.
fn one_token() -> u64 {
    nervure_primitives::BASE_UNITS_PER_TOKEN
}

/// The parameters as they are written: flat, each with a default.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ParamsText {
    kappa_u16: u16,
    bonds_penalty_u16: u16,
    bonds_moving_average_ppm: u32,
    liquid_alpha: bool,
    alpha_low_u16: u16,
    alpha_high_u16: u16,
    alpha_sigmoid_steepness: i32,
    yuma3: bool,
    max_allowed_validators: u32,
    tempo: u64,
    activity_cutoff_blocks: Option<u64>,
    stake_threshold: u64,
    owner_uid: Option<Uid>,
    last_step_block: u64,
}

impl Default for ParamsText {
    fn default() -> Self {
        let (params, liquid) = (Params::default(), LiquidAlpha::default());
        Self {
            kappa_u16: params.kappa,
            bonds_penalty_u16: params.bonds_penalty,
            bonds_moving_average_ppm: params.bonds_moving_average,
            liquid_alpha: false,
            alpha_low_u16: liquid.low,
            alpha_high_u16: liquid.high,
            alpha_sigmoid_steepness: liquid.steepness,
            yuma3: true,
            max_allowed_validators: params.max_validators,
            tempo: params.tempo,
            activity_cutoff_blocks: None,
            stake_threshold: params.stake_threshold,
            owner_uid: params.owner,
            last_step_block: params.last_step_block,
        }
    }
}

impl ParamsText {
    /// The parameters. Liquid alpha is a variant of Yuma 3 and has no effect on Yuma 2.
    pub(super) fn params(&self) -> Params {
        let liquid = LiquidAlpha {
            low: self.alpha_low_u16,
            high: self.alpha_high_u16,
            steepness: self.alpha_sigmoid_steepness,
        };
        let bonds = match (self.yuma3, self.liquid_alpha) {
            (false, _) => BondsRule::Yuma2,
            (true, false) => BondsRule::Yuma3,
            (true, true) => BondsRule::Yuma3Liquid(liquid),
        };
        let cutoff = self.activity_cutoff_blocks;
        Params {
            kappa: self.kappa_u16,
            bonds_penalty: self.bonds_penalty_u16,
            bonds_moving_average: self.bonds_moving_average_ppm,
            bonds,
            max_validators: self.max_allowed_validators,
            tempo: self.tempo,
            activity_cutoff: cutoff.unwrap_or_else(|| activity_cutoff(ACTIVITY_FACTOR_MILLI, self.tempo)),
            stake_threshold: self.stake_threshold,
            owner: self.owner_uid,
            last_step_block: self.last_step_block,
            ..Params::default()
        }
    }
}

/// The state before the first step. Lists that are left out are empty; all but the permits must
/// otherwise have an entry for every uid.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Initial {
    #[serde(default)]
    pub block: u64,
    pub stake: Vec<u64>,
    #[serde(default)]
    pub validator_permit: Vec<bool>,
    #[serde(default)]
    pub last_update: Vec<u64>,
    #[serde(default)]
    pub registered: Vec<u64>,
    #[serde(default)]
    pub weights: Vec<Vec<Cell>>,
    #[serde(default)]
    pub bonds: Vec<Vec<Cell>>,
}

/// Changes, and then an epoch.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Step {
    #[serde(default)]
    pub set: Changes,
    #[serde(default = "run_epoch_by_default")]
    pub run_epoch: bool,
}

/// Steps run an epoch unless they say otherwise.
fn run_epoch_by_default() -> bool {
    true
}

/// What a step changes, in the order in which it is applied.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Changes {
    pub block: Option<u64>,
    pub stake: Patch<u64>,
    pub registered: Patch<u64>,
    pub last_update: Patch<u64>,
    pub validator_permit: Patch<bool>,
    pub weights: Patch<Vec<Cell>>,
    pub reset_bonds_col: Option<Uid>,
    pub commit_blocks: Patch<Option<u64>>,
    pub reregister: Option<Reregister>,
}

/// A uid that is registered to a new holder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reregister {
    pub uid: Uid,
    pub block: u64,
    #[serde(default)]
    pub stake: u64,
}
