//! Several experts for one query: the trust in each, their shares of the budget, and how many there must be.

use nervure_api::{Query, ServiceError};
use nervure_primitives::Amount;
use nervure_protocol::{ExpertRecord, Score};
use nervure_subnet::Choice;

/// An expert with the trust in it.
pub(crate) type TrustedExpert = (ExpertRecord, Score);

/// The experts of `choices` with the trust in each, in the same order.
pub(crate) fn trusted<'a>(choices: impl Iterator<Item = &'a Choice>) -> impl Iterator<Item = TrustedExpert> {
    choices.map(|choice| (choice.record.clone(), choice.quality))
}

/// The budget of each of so many requests.
pub(crate) fn share(budget: Amount, requests: usize) -> Amount {
    let requests = u64::try_from(requests.max(1)).unwrap_or(u64::MAX);
    Amount::from_base_units(budget.base_units() / requests)
}

/// Whether enough experts were found; `what` says of which kind, for the error.
pub(crate) fn require(
    query: &Query,
    what: &'static str,
    needed: usize,
    found: usize,
) -> Result<(), ServiceError> {
    match found < needed {
        true => {
            Err(ServiceError::TooFewExperts { strategy: query.strategy.to_string(), what, needed, found })
        }
        false => Ok(()),
    }
}

/// The error for a strategy that does not suit the request.
pub(crate) fn unsuitable(strategy: &str, suits: &str) -> ServiceError {
    ServiceError::InvalidRequest { field: "strategy".into(), message: format!("{strategy} is for {suits}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_never_exceed_the_budget() {
        let budget = Amount::from_base_units(10);
        assert_eq!(share(budget, 3), Amount::from_base_units(3));
        assert_eq!(share(budget, 0), budget);
        assert_eq!(share(budget, usize::MAX), Amount::ZERO);
    }
}
