//! Routing policies: how much each term of the cost counts.

use nervure_protocol::Score;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which term of the cost counts most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Policy {
    /// All terms in proportion.
    #[default]
    Balanced,
    /// A quick first byte.
    Fastest,
    /// A low price.
    Cheapest,
    /// A high quality in the validators' tests.
    Trusted,
}

/// A text that is not the name of a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid policy: write balanced, fastest, cheapest or trusted")]
pub struct PolicyError;

/// The factor of each term of the cost, in percent, and the rules beyond the cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyRules {
    /// Factor of the time to the first byte, the load and this node's queries in flight.
    pub speed: u16,
    /// Factor of failures.
    pub failures: u16,
    /// Factor of the price.
    pub price: u16,
    /// Factor of distrust: one minus the quality.
    pub distrust: u16,
    /// An expert whose quality is less than this part of the best one's is known to be bad, in percent; 0 marks none.
    pub bad_below: u8,
    /// How many of 1,000 queries are sent to a newcomer first, if there is one. Few, because validators test newcomers
    /// before others: these are for newcomers where no validator works, and all of them could be liars.
    pub explore: u16,
    /// How much more than the cheapest an expert may cost to be one of the two that are drawn, in percent; 0 draws
    /// none.
    pub about_as_good: u16,
}

impl PolicyRules {
    /// For a node that knows of no validators: its own observations only, without random choices.
    pub const OBSERVATIONS_ONLY: Self = Self {
        speed: 100,
        failures: 100,
        price: 100,
        distrust: 0,
        bad_below: 0,
        explore: 0,
        about_as_good: 0,
    };

    /// The least that the stake behind a subnet has to count outside for its experts to be asked where others are known.
    pub(super) fn least_backing(&self) -> Score {
        Score::ratio(self.bad_below.into(), 100)
    }
}

impl Policy {
    /// The rules of the policy.
    pub const fn rules(self) -> PolicyRules {
        let balanced = PolicyRules {
            distrust: 100,
            bad_below: 25,
            explore: 5,
            about_as_good: 25,
            ..PolicyRules::OBSERVATIONS_ONLY
        };
        match self {
            Self::Balanced => balanced,
            Self::Fastest => PolicyRules { speed: 400, price: 10, distrust: 50, ..balanced },
            Self::Cheapest => PolicyRules { speed: 25, price: 1000, distrust: 50, ..balanced },
            Self::Trusted => PolicyRules { speed: 50, price: 25, distrust: 500, bad_below: 50, ..balanced },
        }
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Balanced => "balanced",
            Self::Fastest => "fastest",
            Self::Cheapest => "cheapest",
            Self::Trusted => "trusted",
        }
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let all = [Self::Balanced, Self::Fastest, Self::Cheapest, Self::Trusted];
        all.into_iter().find(|policy| policy.as_str() == text).ok_or(PolicyError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_wire() {
        for policy in [Policy::Balanced, Policy::Fastest, Policy::Cheapest, Policy::Trusted] {
            assert_eq!(policy.as_str().parse(), Ok(policy));
            assert_eq!(serde_json::to_string(&policy).unwrap(), format!("\"{}\"", policy.as_str()));
        }
        assert_eq!("best".parse::<Policy>(), Err(PolicyError));
    }
}
