//! A rule of a subnet and its new value, as the command line writes it: `tempo=120`.

use std::{fmt, str::FromStr};

use nervure_ledger::subnet::Hyperparameter;
use serde_json::{Value, json};

/// The rules that can be set.
pub(super) const HELP: &str = "\
Rules: tempo, kappa, bonds (yuma2, yuma3, or yuma3_liquid with its defaults), bonds_penalty,
bonds_moving_average, max_validators, activity_milli, immunity, min_weights, weights_interval,
commit_reveal (true, false), version_key, registrations (true, false). docs/ledger.md has their limits.

Example:
  nervure subnet set 3 tempo=120 commit_reveal=false";

/// A rule and its new value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    text: String,
    pub(super) to: Hyperparameter,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("not of the form NAME=VALUE")?;
        let value = match (name, value) {
            ("bonds", "yuma3_liquid") => {
                json!({ "yuma3_liquid": nervure_consensus::yuma::LiquidAlpha::default() })
            }
            ("bonds", other) => Value::String(other.to_owned()),
            (_, number) => serde_json::from_str(number)
                .map_err(|_| format!("'{number}' is not a valid value of {name}"))?,
        };
        // The names are the ledger's, so every rule of the ledger can be set.
        let change = serde_json::from_value(json!({ name: value }));
        let to = change.map_err(|error| format!("{error}; see nervure subnet set --help"))?;
        Ok(Self { text: text.to_owned(), to })
    }
}

#[cfg(test)]
mod tests {
    use nervure_consensus::yuma::BondsRule;

    use super::*;

    #[test]
    fn parses_rules_by_the_names_of_the_ledger() {
        let parsed = |text: &str| text.parse::<Rule>().map(|rule| rule.to);
        assert_eq!(parsed("tempo=120"), Ok(Hyperparameter::Tempo(120)));
        assert_eq!(parsed("commit_reveal=false"), Ok(Hyperparameter::CommitReveal(false)));
        assert_eq!(parsed("bonds=yuma2"), Ok(Hyperparameter::Bonds(BondsRule::Yuma2)));
        assert!(matches!(parsed("bonds=yuma3_liquid"), Ok(Hyperparameter::Bonds(BondsRule::Yuma3Liquid(_)))));
        for bad in ["tempo", "tempo=x", "tempo=-1", "tempo=true", "speed=1", "kappa=70000", "bonds=yuma9"] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }
}
