//! The mechanisms that a validator knows, by name.

use std::fmt;

use nervure_primitives::{MAX_PARAMETERS, MechanismSpec};

use super::{BUILT_IN, Make, Mechanism, Parameters, SpecError, make};

/// The mechanisms that a validator knows: those of this crate, and any that a program adds.
///
/// A subnet's owner names a mechanism on the ledger. A validator that does not know the name sets no tasks in that
/// subnet, so a mechanism of your own needs your program at every validator of the subnet. `examples/custom-mechanism.rs`
/// is such a mechanism.
///
/// ```
/// use nervure_primitives::MechanismSpec;
/// use nervure_subnet::mechanism::Mechanisms;
///
/// let mechanisms = Mechanisms::built_in();
/// assert!(mechanisms.build(&MechanismSpec::named("exact-answer").with("questions", 2)).is_ok());
/// let unknown = mechanisms.build(&MechanismSpec::named("longest-word")).unwrap_err();
/// assert_eq!(unknown.to_string(), "unknown mechanism: the mechanisms are next-byte, exact-answer, embedding, reference, preference");
/// ```
#[derive(Clone)]
pub struct Mechanisms(Vec<(String, Make)>);

/// Why a mechanism is not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddMechanismError {
    /// The ledger does not accept this name.
    #[error(
        "'{0}' cannot name a mechanism: names have 1 to 32 lower-case letters, digits, hyphens and underscores"
    )]
    Name(String),
    /// There is a mechanism of this name. It is not replaced: validators that score by different rules under one name
    /// would not agree.
    #[error("there is a mechanism {0} already")]
    Taken(String),
}

impl Mechanisms {
    /// The mechanisms of this crate.
    pub fn built_in() -> Self {
        Self(BUILT_IN.iter().map(|(name, make)| ((*name).to_owned(), *make)).collect())
    }

    /// Adds the mechanism with parameters `M` under `name`.
    ///
    /// # Errors
    /// When the ledger does not accept the name, or there is a mechanism with it.
    pub fn add<M: Parameters>(&mut self, name: &str) -> Result<(), AddMechanismError> {
        if !MechanismSpec::named(name).is_well_formed() {
            return Err(AddMechanismError::Name(name.escape_default().to_string()));
        }
        if self.names().any(|known| known == name) {
            return Err(AddMechanismError::Taken(name.into()));
        }
        self.0.push((name.into(), make::<M>));
        Ok(())
    }

    /// The mechanism that `spec` names.
    ///
    /// # Errors
    /// When the name or a parameter is unknown, or a parameter is out of bounds.
    pub fn build(&self, spec: &MechanismSpec) -> Result<Box<dyn Mechanism>, SpecError> {
        if spec.parameters.len() > MAX_PARAMETERS {
            return Err(SpecError::TooManyParameters);
        }
        let unknown = || SpecError::UnknownMechanism { known: self.names().collect::<Vec<_>>().join(", ") };
        let (_, make) = self.0.iter().find(|(name, _)| *name == spec.name).ok_or_else(unknown)?;
        make(spec)
    }

    /// The names of all mechanisms.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

impl Default for Mechanisms {
    /// The mechanisms of this crate.
    fn default() -> Self {
        Self::built_in()
    }
}

impl fmt::Debug for Mechanisms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mechanism::longest_word::LongestWord;

    #[test]
    fn builds_an_added_mechanism_within_its_bounds() {
        let spec = MechanismSpec::named("longest-word");
        let mut mechanisms = Mechanisms::built_in();
        assert!(matches!(mechanisms.build(&spec).unwrap_err(), SpecError::UnknownMechanism { .. }));
        mechanisms.add::<LongestWord>("longest-word").unwrap();
        assert!(mechanisms.build(&spec).is_ok());
        let wrong = mechanisms.build(&spec.with("words", 1)).unwrap_err();
        assert_eq!(wrong, SpecError::OutOfBounds { parameter: "words" });
        let unknown = mechanisms.build(&MechanismSpec::named("luck")).unwrap_err();
        assert!(
            unknown
                .to_string()
                .ends_with("next-byte, exact-answer, embedding, reference, preference, longest-word"),
            "{unknown}"
        );
    }

    #[test]
    fn refuses_names_that_are_taken_or_that_the_ledger_refuses() {
        let mut mechanisms = Mechanisms::built_in();
        let taken = AddMechanismError::Taken("next-byte".into());
        assert_eq!(mechanisms.add::<LongestWord>("next-byte"), Err(taken));
        for name in ["", "Longest", "a b", &"a".repeat(33)] {
            assert!(matches!(mechanisms.add::<LongestWord>(name), Err(AddMechanismError::Name(_))), "{name}");
        }
        assert_eq!(mechanisms.names().count(), 5);
    }
}
