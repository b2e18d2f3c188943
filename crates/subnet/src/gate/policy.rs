//! Routing policies: what an asker cares about.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an asker cares about most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Policy {
    /// Everything, in proportion.
    #[default]
    Balanced,
    /// A quick first byte.
    Fastest,
    /// A low price.
    Cheapest,
    /// What validators have found to be good.
    Trusted,
}

/// A policy that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no policy of this name; there are balanced, fastest, cheapest and trusted")]
pub struct PolicyError;

/// What a policy makes of each term of the cost, in percent, and of what is beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyRules {
    /// Of the time to the first byte, load and our own queries that are with it.
    pub speed: u16,
    /// Of failures.
    pub failures: u16,
    /// Of the price.
    pub price: u16,
    /// Of what validators found lacking.
    pub distrust: u16,
    /// An expert whose quality is less than this much of the best one's is known to be bad, in percent; 0 for nobody.
    pub bad_below: u8,
    /// How many of 1,000 questions begin with a newcomer, when there is one.
    pub explore: u16,
    /// How much more than the best an expert may cost to be one of the two that are drawn, in percent; 0 draws
    /// nobody.
    pub about_as_good: u16,
}

impl PolicyRules {
    /// For a node that knows of no validators: what it saw itself, and nothing left to chance.
    pub const ALONE: Self = Self {
        speed: 100,
        failures: 100,
        price: 100,
        distrust: 0,
        bad_below: 0,
        explore: 0,
        about_as_good: 0,
    };
}

impl Policy {
    /// What it makes of the cost.
    pub const fn rules(self) -> PolicyRules {
        let balanced = PolicyRules {
            distrust: 100,
            bad_below: 25,
            explore: 20,
            about_as_good: 25,
            ..PolicyRules::ALONE
        };
        match self {
            Self::Balanced => balanced,
            Self::Fastest => PolicyRules { speed: 400, price: 10, distrust: 50, ..balanced },
            Self::Cheapest => PolicyRules { speed: 25, price: 1000, distrust: 50, ..balanced },
            Self::Trusted => {
                PolicyRules { speed: 50, price: 25, distrust: 500, bad_below: 50, explore: 5, ..balanced }
            }
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
