//! The incentive mechanism of a subnet: its name and parameters, as the owner writes them.
//!
//! Parameters are whole numbers by name, so that they have one form in TOML, JSON and CBOR and the
//! ledger has no floats. The code that builds mechanisms gives names and parameters their meaning.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Upper bound for the parameters of a mechanism.
pub const MAX_PARAMETERS: usize = 16;

/// Upper bound for the name of a mechanism or a parameter, in bytes.
const MAX_NAME_BYTES: usize = 32;

/// The largest value: TOML integers have 63 bits.
const MAX_VALUE: u64 = i64::MAX as u64;

/// A mechanism by name, with the parameters that are not left at their defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MechanismSpec {
    /// Its name, such as `next-byte`.
    pub name: String,
    /// Parameters by name; at most [`MAX_PARAMETERS`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, u64>,
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

    /// Whether names are 1 to 32 lower-case letters, digits, hyphens and underscores, and parameters
    /// are within their bounds. Does not check whether there is such a mechanism.
    pub fn is_well_formed(&self) -> bool {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        let name = |text: &String| (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(plain);
        name(&self.name)
            && self.parameters.len() <= MAX_PARAMETERS
            && self.parameters.iter().all(|(key, value)| name(key) && *value <= MAX_VALUE)
    }
}

impl std::fmt::Display for MechanismSpec {
    /// `next-byte contexts=48 zero_at=3500`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        self.parameters.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_has_one_form_in_text_and_json() {
        let spec = MechanismSpec::named("next-byte").with("contexts", 8);
        assert_eq!(spec.to_string(), "next-byte contexts=8");
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(json, r#"{"name":"next-byte","parameters":{"contexts":8}}"#);
        assert_eq!(serde_json::from_str::<MechanismSpec>(&json).unwrap(), spec);
        assert!(serde_json::from_str::<MechanismSpec>(r#"{"name":"a","extra":1}"#).is_err());
    }

    #[test]
    fn refuses_specs_out_of_bounds() {
        let spec = MechanismSpec::named("next-byte");
        assert!(spec.clone().with("zero_at", MAX_VALUE).is_well_formed());
        assert!(!spec.clone().with("zero_at", MAX_VALUE + 1).is_well_formed());
        assert!(!spec.clone().with("Zero", 1).is_well_formed());
        assert!(!MechanismSpec::named("").is_well_formed());
        assert!(!MechanismSpec::named("a".repeat(33)).is_well_formed());
        assert!(!(0..17).fold(spec, |spec, n| spec.with(format!("p{n}"), n)).is_well_formed());
    }
}
