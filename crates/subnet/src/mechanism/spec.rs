//! Mechanisms by name: an unknown name or a number out of bounds is an error where a spec is built, never a default.

use nervure_primitives::{MAX_PARAMETERS, MechanismSpec};
use serde::de::{DeserializeOwned, value::MapDeserializer};

use super::{Mechanism, Mechanisms};

/// Why a spec does not name a valid mechanism.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// The name is not that of a mechanism.
    #[error("unknown mechanism: the mechanisms are {known}")]
    UnknownMechanism {
        /// The names of the known mechanisms.
        known: String,
    },
    /// More than [`MAX_PARAMETERS`].
    #[error("a mechanism has at most {MAX_PARAMETERS} parameters")]
    TooManyParameters,
    /// A parameter that the mechanism does not have, or a number that does not fit it.
    #[error("parameters: {0}")]
    Parameter(String),
    /// A parameter out of the bounds that the mechanism documents.
    #[error("parameter {parameter} is out of bounds")]
    OutOfBounds {
        /// The parameter.
        parameter: &'static str,
    },
}

/// The mechanism of this crate that `spec` names.
///
/// # Errors
/// When the name or a parameter is unknown, or a parameter is out of bounds.
pub fn build(spec: &MechanismSpec) -> Result<Box<dyn Mechanism>, SpecError> {
    Mechanisms::built_in().build(spec)
}

pub(super) fn parameters<M: DeserializeOwned>(spec: &MechanismSpec) -> Result<M, SpecError> {
    let parameters = spec.parameters.iter().map(|(name, value)| (name.as_str(), *value));
    M::deserialize(MapDeserializer::new(parameters))
        .map_err(|error: serde::de::value::Error| SpecError::Parameter(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(spec: MechanismSpec) -> SpecError {
        build(&spec).unwrap_err()
    }

    #[test]
    fn every_built_in_has_good_defaults() {
        for name in Mechanisms::built_in().names() {
            assert!(build(&MechanismSpec::named(name)).is_ok(), "{name}");
        }
    }

    #[test]
    fn refuses_unknown_names_and_parameters_out_of_bounds() {
        let unknown = error(MechanismSpec::named("proof-of-luck"));
        assert!(matches!(unknown, SpecError::UnknownMechanism { .. }), "{unknown}");
        let spec = MechanismSpec::named("next-byte");
        assert!(matches!(error(spec.clone().with("context", 1 << 40)), SpecError::Parameter(_)));
        assert_eq!(error(spec.clone().with("contexts", 0)), SpecError::OutOfBounds { parameter: "contexts" });
        assert!(error(spec.clone().with("contests", 5)).to_string().contains("contests"));
        let many = (0..17).fold(spec, |spec, n| spec.with(format!("p{n}"), n));
        assert_eq!(error(many), SpecError::TooManyParameters);
    }
}
