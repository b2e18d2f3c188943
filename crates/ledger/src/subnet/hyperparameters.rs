//! The hyperparameters of a subnet, which its owner may set, and their limits.
//!
//! The limits protect the rest of the mesh: a tempo of one block would make every validator of the mesh
//! compute an epoch per block, and a kappa below one half would let a minority decide the consensus.

use std::fmt;

use nervure_consensus::yuma::{self, BondsRule, LiquidAlpha, activity_cutoff};
use nervure_primitives::Uid;
use serde::{Deserialize, Serialize};

use crate::params::{OutOfRange, Params, within};

/// The hyperparameters of a subnet; see [`Hyperparameter`] for when a change takes effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Hyperparameters {
    /// Blocks between two epochs; default 360.
    pub tempo: u64,
    /// The majority of stake that has to give a weight for it to count in full, of 65,535; default 32,767.
    pub kappa: u16,
    /// The kind of bonds; default Yuma 3.
    pub bonds: BondsRule,
    /// How much of a weight above the consensus is kept out of bonds, of 65,535; default all.
    pub bonds_penalty: u16,
    /// How much of the old bonds an epoch keeps, in millionths; default 900,000.
    pub bonds_moving_average: u32,
    /// Maximum number of validator permits; default 64.
    pub max_validators: u16,
    /// Thousandths of a tempo without weights after which a validator is inactive; default 13,889.
    pub activity_milli: u32,
    /// Blocks in which a new neuron cannot lose its slot to a newcomer; default 5,000.
    pub immunity: u64,
    /// Least number of uids that weights name; default 1.
    pub min_weights: u16,
    /// Blocks between two changes of a validator's plain weights; default 100. Commits have no such limit.
    pub weights_interval: u64,
    /// Whether weights are committed before they are revealed; default yes. Without it, a validator that
    /// copies others' weights earns what they earn.
    pub commit_reveal: bool,
    /// Oldest validator version whose weights count; 0, the default, accepts every version.
    pub version_key: u64,
    /// Whether newcomers may register; default yes.
    pub registrations: bool,
}

impl Default for Hyperparameters {
    fn default() -> Self {
        let epoch = yuma::Params::default();
        Self {
            tempo: epoch.tempo,
            kappa: epoch.kappa,
            bonds: epoch.bonds,
            bonds_penalty: epoch.bonds_penalty,
            bonds_moving_average: epoch.bonds_moving_average,
            max_validators: 64,
            activity_milli: 13_889,
            immunity: 5_000,
            min_weights: 1,
            weights_interval: 100,
            commit_reveal: true,
            version_key: 0,
            registrations: true,
        }
    }
}

/// A new value for one hyperparameter, of the same name and unit as in [`Hyperparameters`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Hyperparameter {
    /// Takes effect when the current epoch ends.
    Tempo(u64),
    /// See [`Hyperparameters::kappa`].
    Kappa(u16),
    /// See [`Hyperparameters::bonds`].
    Bonds(BondsRule),
    /// See [`Hyperparameters::bonds_penalty`].
    BondsPenalty(u16),
    /// See [`Hyperparameters::bonds_moving_average`].
    BondsMovingAverage(u32),
    /// Takes effect with the permits of the next epoch.
    MaxValidators(u16),
    /// See [`Hyperparameters::activity_milli`].
    ActivityMilli(u32),
    /// See [`Hyperparameters::immunity`].
    Immunity(u64),
    /// See [`Hyperparameters::min_weights`].
    MinWeights(u16),
    /// See [`Hyperparameters::weights_interval`].
    WeightsInterval(u64),
    /// Existing commits can still be revealed after it is turned off.
    CommitReveal(bool),
    /// See [`Hyperparameters::version_key`].
    VersionKey(u64),
    /// See [`Hyperparameters::registrations`].
    Registrations(bool),
}

/// The number of hyperparameters.
pub const HYPERPARAMETERS: usize = 13;

impl Hyperparameter {
    /// Its index, below [`HYPERPARAMETERS`].
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Tempo(_) => 0,
            Self::Kappa(_) => 1,
            Self::Bonds(_) => 2,
            Self::BondsPenalty(_) => 3,
            Self::BondsMovingAverage(_) => 4,
            Self::MaxValidators(_) => 5,
            Self::ActivityMilli(_) => 6,
            Self::Immunity(_) => 7,
            Self::MinWeights(_) => 8,
            Self::WeightsInterval(_) => 9,
            Self::CommitReveal(_) => 10,
            Self::VersionKey(_) => 11,
            Self::Registrations(_) => 12,
        }
    }
}

/// As users read it: `tempo = 120`.
impl fmt::Display for Hyperparameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tempo(to) => write!(f, "tempo = {to}"),
            Self::Kappa(to) => write!(f, "kappa = {to}"),
            Self::Bonds(BondsRule::Yuma2) => f.write_str("bonds = yuma2"),
            Self::Bonds(BondsRule::Yuma3) => f.write_str("bonds = yuma3"),
            Self::Bonds(BondsRule::Yuma3Liquid(LiquidAlpha { low, high, steepness })) => {
                write!(f, "bonds = yuma3_liquid (low {low}, high {high}, steepness {steepness})")
            }
            Self::BondsPenalty(to) => write!(f, "bonds_penalty = {to}"),
            Self::BondsMovingAverage(to) => write!(f, "bonds_moving_average = {to}"),
            Self::MaxValidators(to) => write!(f, "max_validators = {to}"),
            Self::ActivityMilli(to) => write!(f, "activity_milli = {to}"),
            Self::Immunity(to) => write!(f, "immunity = {to}"),
            Self::MinWeights(to) => write!(f, "min_weights = {to}"),
            Self::WeightsInterval(to) => write!(f, "weights_interval = {to}"),
            Self::CommitReveal(to) => write!(f, "commit_reveal = {to}"),
            Self::VersionKey(to) => write!(f, "version_key = {to}"),
            Self::Registrations(to) => write!(f, "registrations = {to}"),
        }
    }
}

impl Hyperparameters {
    /// A copy with one of them changed.
    ///
    /// # Errors
    /// When the new value is outside the limits of the mesh.
    pub fn with(&self, change: Hyperparameter, params: &Params) -> Result<Self, OutOfRange> {
        let mut next = self.clone();
        match change {
            Hyperparameter::Tempo(to) => next.tempo = to,
            Hyperparameter::Kappa(to) => next.kappa = to,
            Hyperparameter::Bonds(to) => next.bonds = to,
            Hyperparameter::BondsPenalty(to) => next.bonds_penalty = to,
            Hyperparameter::BondsMovingAverage(to) => next.bonds_moving_average = to,
            Hyperparameter::MaxValidators(to) => next.max_validators = to,
            Hyperparameter::ActivityMilli(to) => next.activity_milli = to,
            Hyperparameter::Immunity(to) => next.immunity = to,
            Hyperparameter::MinWeights(to) => next.min_weights = to,
            Hyperparameter::WeightsInterval(to) => next.weights_interval = to,
            Hyperparameter::CommitReveal(to) => next.commit_reveal = to,
            Hyperparameter::VersionKey(to) => next.version_key = to,
            Hyperparameter::Registrations(to) => next.registrations = to,
        }
        next.check(params).map(|()| next)
    }

    /// Refuses values outside the limits of a mesh.
    pub(crate) fn check(&self, params: &Params) -> Result<(), OutOfRange> {
        within("tempo", self.tempo, params.min_tempo..=params.max_tempo)?;
        within("kappa", self.kappa.into(), 32_767..=65_535)?;
        within("bonds_moving_average", self.bonds_moving_average.into(), 0..=975_000)?;
        within("max_validators", self.max_validators.into(), 1..=params.validator_slots().into())?;
        within("activity_milli", self.activity_milli.into(), 1_000..=100_000)?;
        within("immunity", self.immunity, 0..=50_400)?;
        within("min_weights", self.min_weights.into(), 0..=params.slots.into())?;
        within("weights_interval", self.weights_interval, 0..=7_200)?;
        if let BondsRule::Yuma3Liquid(LiquidAlpha { low, high, steepness }) = self.bonds {
            within("bonds.yuma3_liquid.low", low.into(), 1_638..=high.into())?;
            within("bonds.yuma3_liquid.steepness", u64::try_from(steepness).unwrap_or(0), 1..=100_000)?;
        }
        Ok(())
    }

    /// The parameters of an epoch.
    pub(crate) fn epoch(&self, weight_stake: u64, owner: Option<Uid>, last_step_block: u64) -> yuma::Params {
        yuma::Params {
            kappa: self.kappa,
            bonds_penalty: self.bonds_penalty,
            bonds_moving_average: self.bonds_moving_average,
            bonds: self.bonds,
            max_validators: self.max_validators.into(),
            tempo: self.tempo,
            activity_cutoff: activity_cutoff(self.activity_milli.into(), self.tempo),
            stake_threshold: weight_stake,
            owner,
            last_step_block,
            ..yuma::Params::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIQUID: LiquidAlpha = LiquidAlpha { low: 2_000, high: 3_000, steepness: 7 };

    /// A change of each.
    const CHANGES: [Hyperparameter; HYPERPARAMETERS] = [
        Hyperparameter::Tempo(400),
        Hyperparameter::Kappa(40_000),
        Hyperparameter::Bonds(BondsRule::Yuma3Liquid(LIQUID)),
        Hyperparameter::BondsPenalty(1),
        Hyperparameter::BondsMovingAverage(1),
        Hyperparameter::MaxValidators(1),
        Hyperparameter::ActivityMilli(1_000),
        Hyperparameter::Immunity(1),
        Hyperparameter::MinWeights(2),
        Hyperparameter::WeightsInterval(1),
        Hyperparameter::CommitReveal(false),
        Hyperparameter::VersionKey(1),
        Hyperparameter::Registrations(false),
    ];

    #[test]
    fn each_change_has_its_own_index_and_field() {
        let (default, params) = (Hyperparameters::default(), Params::default());
        let changed = CHANGES.map(|change| default.with(change, &params).unwrap());
        for (index, change) in CHANGES.into_iter().enumerate() {
            assert_eq!(change.index(), index);
            assert_ne!(changed[index], default);
            assert!((0..index).all(|other| changed[other] != changed[index]));
        }
    }

    /// The name in a text is the name on the wire, by which `nervure subnet set` sets it.
    #[test]
    fn is_shown_with_the_name_by_which_it_is_set() {
        for change in CHANGES {
            let json = serde_json::to_value(change).unwrap();
            let name = json.as_object().unwrap().keys().next().unwrap();
            let text = change.to_string();
            assert_eq!(text.split_once(" = ").unwrap().0, name);
        }
        assert_eq!(Hyperparameter::Tempo(400).to_string(), "tempo = 400");
        assert_eq!(
            Hyperparameter::Bonds(BondsRule::Yuma3Liquid(LIQUID)).to_string(),
            "bonds = yuma3_liquid (low 2000, high 3000, steepness 7)"
        );
    }

    #[test]
    fn limits_hold_at_both_ends() {
        let (default, params) = (Hyperparameters::default(), Params::default());
        let with = |change| default.with(change, &params).map(drop).map_err(|error| error.place);
        assert_eq!(with(Hyperparameter::Tempo(360)), Ok(()));
        assert_eq!(with(Hyperparameter::Tempo(359)), Err("tempo".into()));
        assert_eq!(with(Hyperparameter::Tempo(7_201)), Err("tempo".into()));
        assert_eq!(with(Hyperparameter::MaxValidators(65)), Err("max_validators".into()));
        assert_eq!(with(Hyperparameter::Kappa(32_766)), Err("kappa".into()));
        let crossed = BondsRule::Yuma3Liquid(LiquidAlpha { low: 3_001, ..LIQUID });
        assert_eq!(with(Hyperparameter::Bonds(crossed)), Err("bonds.yuma3_liquid.low".into()));
        let falling = BondsRule::Yuma3Liquid(LiquidAlpha { steepness: -1, ..LIQUID });
        assert_eq!(with(Hyperparameter::Bonds(falling)), Err("bonds.yuma3_liquid.steepness".into()));
    }
}
