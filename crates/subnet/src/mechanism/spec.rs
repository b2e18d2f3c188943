//! Which mechanism a subnet has, and its parameters, as its owner writes them.
//!
//! Parameters are whole numbers by name, so that they have one form in TOML, JSON and CBOR and no float gets into the
//! ledger. An unknown name or a number out of bounds is an error where the spec is read, never a default.

use std::collections::BTreeMap;

use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, value::MapDeserializer},
};

use super::{BUILT_IN, Mechanism};

/// Most parameters of a mechanism.
pub const MAX_PARAMETERS: usize = 16;

/// A mechanism by name, with the parameters that are not left at their defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MechanismSpec {
    /// Its name, such as `next-byte`.
    pub name: String,
    /// Parameters by name; at most [`MAX_PARAMETERS`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, u64>,
}

/// Why a spec names no mechanism.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// There is no such mechanism.
    #[error("there is no mechanism of this name; there are {}", names())]
    UnknownMechanism,
    /// More than [`MAX_PARAMETERS`].
    #[error("a mechanism has at most {MAX_PARAMETERS} parameters")]
    TooManyParameters,
    /// A parameter that the mechanism does not have, or a number that does not fit it.
    #[error("parameters: {0}")]
    Parameter(String),
    /// A parameter out of the bounds that the mechanism documents.
    #[error("parameter {parameter} is out of bounds")]
    OutOfBounds {
        /// Which one.
        parameter: &'static str,
    },
}

impl MechanismSpec {
    /// A mechanism with its defaults.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), parameters: BTreeMap::new() }
    }

    /// The same with one more parameter set.
    #[must_use]
    pub fn with(mut self, parameter: impl Into<String>, value: u64) -> Self {
        self.parameters.insert(parameter.into(), value);
        self
    }

    /// The mechanism itself.
    ///
    /// # Errors
    /// When there is none of the name, or a parameter is unknown or out of bounds.
    pub fn build(&self) -> Result<Box<dyn Mechanism>, SpecError> {
        if self.parameters.len() > MAX_PARAMETERS {
            return Err(SpecError::TooManyParameters);
        }
        let made = BUILT_IN.iter().find(|(name, _)| *name == self.name);
        made.map_or(Err(SpecError::UnknownMechanism), |(_, make)| make(self))
    }

    pub(super) fn parameters<M: DeserializeOwned>(&self) -> Result<M, SpecError> {
        let parameters = self.parameters.iter().map(|(name, value)| (name.as_str(), *value));
        M::deserialize(MapDeserializer::new(parameters))
            .map_err(|error: serde::de::value::Error| SpecError::Parameter(error.to_string()))
    }
}

fn names() -> String {
    BUILT_IN.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(spec: MechanismSpec) -> SpecError {
        spec.build().unwrap_err()
    }

    #[test]
    fn every_built_in_has_good_defaults() {
        for (name, _) in BUILT_IN {
            assert!(MechanismSpec::named(*name).build().is_ok(), "{name}");
        }
    }

    #[test]
    fn what_is_unknown_or_out_of_bounds_is_refused() {
        assert_eq!(error(MechanismSpec::named("proof-of-luck")), SpecError::UnknownMechanism);
        let spec = MechanismSpec::named("next-byte");
        assert!(matches!(error(spec.clone().with("context", 1 << 40)), SpecError::Parameter(_)));
        assert_eq!(error(spec.clone().with("contexts", 0)), SpecError::OutOfBounds { parameter: "contexts" });
        assert!(error(spec.clone().with("contests", 5)).to_string().contains("contests"));
        let many = (0..17).fold(spec, |spec, n| spec.with(format!("p{n}"), n));
        assert_eq!(error(many), SpecError::TooManyParameters);
    }

    #[test]
    fn a_spec_is_plain_in_every_format() {
        let spec = MechanismSpec::named("next-byte").with("contexts", 8);
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(json, r#"{"name":"next-byte","parameters":{"contexts":8}}"#);
        assert_eq!(serde_json::from_str::<MechanismSpec>(&json).unwrap(), spec);
        assert!(serde_json::from_str::<MechanismSpec>(r#"{"name":"a","extra":1}"#).is_err());
    }
}
