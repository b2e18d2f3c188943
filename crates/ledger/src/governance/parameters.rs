//! Which parameters a proposal can change, by name.
//!
//! A name is the place in the mesh spec: that below `[economy]`, or below `[consensus]` with that word before it. All
//! values are whole numbers; yes and no are 1 and 0. The result as a whole has to pass the checks of a mesh spec, when it
//! is proposed and when it takes effect.
//!
//! A parameter is fixed when programs read it before they know any state, or when what happened before the change is
//! judged by it. A test compares both lists with all parameters that there are.

use nervure_primitives::Excerpt;
use serde::{Deserialize, Serialize};

use crate::{
    params::Params,
    spec::{ConsensusSection, SpecError, check_rules},
};

/// A parameter and its new value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ParameterValue {
    /// Its name.
    pub name: String,
    /// The value.
    pub value: u64,
}

/// What a proposal makes of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ParameterChange {
    /// Its name.
    pub name: String,
    /// The value now.
    pub from: u64,
    /// The value that it would have.
    pub to: u64,
}

/// Why a parameter cannot have a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// No parameter has this name.
    #[error("there is no parameter {0}")]
    Unknown(Excerpt),
    /// Votes cannot change it.
    #[error("{name} cannot be changed by a vote: {why}")]
    Fixed {
        /// The parameter.
        name: &'static str,
        /// Why.
        why: &'static str,
    },
    /// The value does not fit.
    #[error("{name} cannot be {value}")]
    Value {
        /// The parameter.
        name: Excerpt,
        /// The value.
        value: u64,
    },
    /// A parameter that is named twice.
    #[error("{0} is named twice")]
    Twice(Excerpt),
    /// The parameters would contradict each other.
    #[error(transparent)]
    Check(#[from] SpecError),
}

/// The parameters that the state of a mesh has: those of its spec, and what votes made of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rulebook {
    /// `[economy]`.
    pub economy: Params,
    /// `[consensus]`.
    pub consensus: ConsensusSection,
}

/// What a parameter can be.
trait Number: Copy + Sized {
    fn number(self) -> u64;
    fn of(number: u64) -> Option<Self>;
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Number for $type {
            fn number(self) -> u64 {
                self.into()
            }

            fn of(number: u64) -> Option<Self> {
                number.try_into().ok()
            }
        }
    )*};
}

numbers!(u16, u32, u64);

/// A parameter that older meshes do not have: absent is 0.
impl Number for Option<u16> {
    fn number(self) -> u64 {
        self.unwrap_or(0).into()
    }

    fn of(number: u64) -> Option<Self> {
        number.try_into().ok().map(Some)
    }
}

impl Number for bool {
    fn number(self) -> u64 {
        self.into()
    }

    fn of(number: u64) -> Option<Self> {
        match number {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

macro_rules! parameters {
    ($($name:literal => $section:ident . $($field:ident).+;)*) => {
        /// The parameters that a proposal can change.
        pub const PARAMETERS: &[&str] = &[$($name),*];

        impl Rulebook {
            /// The value of a parameter that a proposal can change.
            pub fn get(&self, name: &str) -> Option<u64> {
                match name {
                    $($name => Some(self.$section.$($field).+.number()),)*
                    _ => None,
                }
            }

            /// Sets it; `None` when there is none of this name, `Some(false)` when the value does not fit.
            fn set(&mut self, name: &str, value: u64) -> Option<bool> {
                match name {
                    $($name => Some(Number::of(value).map(|value| self.$section.$($field).+ = value).is_some()),)*
                    _ => None,
                }
            }
        }
    };
}

parameters! {
    "min_base_fee" => economy.min_base_fee;
    "max_lifetime" => economy.max_lifetime;
    "lane_quota" => economy.lane_quota;
    "deposit_per_byte" => economy.deposit_per_byte;
    "min_stake" => economy.min_stake;
    "weight_stake" => economy.weight_stake;
    "peer_prediction" => economy.peer_prediction;
    "unbonding" => economy.unbonding;
    "take_interval" => economy.take_interval;
    "slots" => economy.slots;
    "netuid_rest" => economy.netuid_rest;
    "subnet_immunity" => economy.subnet_immunity;
    "emission_average" => economy.emission_average;
    "vote_interval" => economy.vote_interval;
    "share_interval" => economy.share_interval;
    "subnet_share" => economy.subnet_share;
    "registration_interval" => economy.registration_interval;
    "max_registrations" => economy.max_registrations;
    "hyperparameter_interval" => economy.hyperparameter_interval;
    "min_tempo" => economy.min_tempo;
    "max_tempo" => economy.max_tempo;
    "min_self_stake" => economy.min_self_stake;
    "liveness_window" => economy.liveness_window;
    "jail_time" => economy.jail_time;
    "evidence_window" => economy.evidence_window;
    "slash_permille" => economy.slash_permille;
    "burn.half_life" => economy.burn.half_life;
    "burn.multiplier_milli" => economy.burn.multiplier_milli;
    "burn.floor" => economy.burn.floor;
    "burn.ceiling" => economy.burn.ceiling;
    "lock.floor" => economy.lock.floor;
    "lock.interval" => economy.lock.interval;
    "subnet.tempo" => economy.subnet.tempo;
    "subnet.kappa" => economy.subnet.kappa;
    "subnet.bonds_penalty" => economy.subnet.bonds_penalty;
    "subnet.bonds_moving_average" => economy.subnet.bonds_moving_average;
    "subnet.max_validators" => economy.subnet.max_validators;
    "subnet.activity_milli" => economy.subnet.activity_milli;
    "subnet.immunity" => economy.subnet.immunity;
    "subnet.min_weights" => economy.subnet.min_weights;
    "subnet.weights_interval" => economy.subnet.weights_interval;
    "subnet.commit_reveal" => economy.subnet.commit_reveal;
    "subnet.version_key" => economy.subnet.version_key;
    "subnet.registrations" => economy.subnet.registrations;
    "governance.deposit" => economy.governance.deposit;
    "governance.vote_deposit" => economy.governance.vote_deposit;
    "governance.voting_period" => economy.governance.voting_period;
    "governance.delay" => economy.governance.delay;
    "governance.quorum_permille" => economy.governance.quorum_permille;
    "governance.threshold_permille" => economy.governance.threshold_permille;
    "governance.veto_permille" => economy.governance.veto_permille;
    "governance.most_open" => economy.governance.most_open;
    "governance.treasury_permille" => economy.governance.treasury_permille;
    "consensus.precision_milliseconds" => consensus.precision_milliseconds;
    "consensus.message_delay_milliseconds" => consensus.message_delay_milliseconds;
}

/// The parameters that no proposal can change, each with the reason.
pub const FIXED_PARAMETERS: &[(&str, &str)] = &[
    ("max_subnets", "nodes size their gossip by it when they start"),
    ("election_interval", "who answers for an offence, and which blocks become checkpoints, follow from it"),
    ("subnet.bonds", "it is a rule and not a number; owners choose it for their subnets"),
    ("consensus.block_milliseconds", "all times are in blocks, and the limits of a block follow from it"),
    ("consensus.trusting_period_seconds", "light clients read it before they know any state"),
    ("consensus.genesis_unix_milliseconds", "the genesis has passed"),
];

impl Rulebook {
    /// What `values` would make of these parameters, checked as a whole.
    ///
    /// # Errors
    /// When one cannot be changed or does not fit, or they would contradict each other.
    pub fn with(&self, values: &[ParameterValue]) -> Result<Self, ParameterError> {
        let mut next = self.clone();
        for (at, ParameterValue { name, value }) in values.iter().enumerate() {
            if values[..at].iter().any(|before| before.name == *name) {
                return Err(ParameterError::Twice(name.as_str().into()));
            }
            match next.set(name, *value) {
                Some(true) => {}
                Some(false) => {
                    return Err(ParameterError::Value { name: name.as_str().into(), value: *value });
                }
                None => {
                    let fixed = FIXED_PARAMETERS.iter().find(|(fixed, _)| fixed == name);
                    return Err(fixed.map_or_else(
                        || ParameterError::Unknown(name.as_str().into()),
                        |(name, why)| ParameterError::Fixed { name, why },
                    ));
                }
            }
        }
        check_rules(&next.economy, &next.consensus)?;
        Ok(next)
    }

    /// What `values` change, with the values now.
    pub fn changes(&self, values: &[ParameterValue]) -> Vec<ParameterChange> {
        let change = |one: &ParameterValue| ParameterChange {
            name: one.name.clone(),
            from: self.get(&one.name).unwrap_or_default(),
            to: one.value,
        };
        values.iter().map(change).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::spec::MeshSpec;

    fn rulebook() -> Rulebook {
        let spec = MeshSpec::public("rules");
        Rulebook { economy: spec.economy, consensus: spec.consensus }
    }

    fn value(name: &str, value: u64) -> ParameterValue {
        ParameterValue { name: name.into(), value }
    }

    /// The names of all leaves below a value.
    fn leaves(value: &Value, place: &str, found: &mut BTreeSet<String>) {
        let Value::Object(fields) = value else {
            found.insert(place.to_owned());
            return;
        };
        for (name, field) in fields {
            let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
            leaves(field, &place, found);
        }
    }

    #[test]
    fn each_parameter_can_be_changed_or_has_a_reason_why_not() {
        let Rulebook { economy, consensus } = rulebook();
        let mut all = BTreeSet::new();
        leaves(&serde_json::to_value(&economy).unwrap(), "", &mut all);
        leaves(&serde_json::to_value(&consensus).unwrap(), "consensus", &mut all);
        let fixed = FIXED_PARAMETERS.iter().map(|(name, _)| *name);
        let listed: BTreeSet<String> = PARAMETERS.iter().copied().chain(fixed).map(Into::into).collect();
        assert_eq!(listed, all);
        assert_eq!(listed.len(), PARAMETERS.len() + FIXED_PARAMETERS.len(), "none is in both");
    }

    #[test]
    fn each_is_set_under_its_own_name() {
        let rules = rulebook();
        for name in PARAMETERS {
            let mut changed = rules.clone();
            let other = u64::from(rules.get(name).unwrap() == 0);
            assert_eq!(changed.set(name, other), Some(true), "{name}");
            let differs = PARAMETERS.iter().filter(|one| changed.get(one) != rules.get(one));
            assert_eq!(differs.collect::<Vec<_>>(), [name]);
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_reason() {
        let rules = rulebook();
        let why = |values: &[ParameterValue]| rules.with(values).unwrap_err().to_string();
        let changed = rules.with(&[value("min_base_fee", 400), value("subnet.commit_reveal", 0)]).unwrap();
        assert_eq!((changed.economy.min_base_fee, changed.economy.subnet.commit_reveal), (400, false));
        assert_eq!(why(&[value("min_base_fe", 400)]), "there is no parameter min_base_fe");
        assert_eq!(why(&[value("slots", 70_000)]), "slots cannot be 70000");
        assert_eq!(why(&[value("slots", 64), value("slots", 65)]), "slots is named twice");
        assert!(why(&[value("consensus.block_milliseconds", 1)]).contains("cannot be changed by a vote"));
        // Each alone would be in range: the whole contradicts itself.
        assert!(why(&[value("unbonding", 50_000)]).contains("unbonding"));
        // Light clients would trust validators that answer for nothing any more.
        assert!(why(&[value("evidence_window", 100_000)]).contains("trusting_period"));
        assert!(why(&[value("max_lifetime", 7_201)]).contains("max_lifetime"));
        assert!(why(&[value("governance.quorum_permille", 100)]).contains("quorum"));
    }
}
