//! What an answer may cost: a price per 1,000 tokens of output, times the most tokens that were asked for.

use nervure_primitives::Amount;
use nervure_protocol::ExpertRequest;

/// Tokens of output that an answer without a length counts as.
const FLAT_TOKENS: u64 = 1000;

/// The most that an answer to `request` costs at `price` base units per 1,000 tokens of output, rounded up.
pub fn max_cost(price: u64, request: &ExpertRequest) -> Amount {
    let cost = u128::from(price) * u128::from(tokens(request));
    Amount::from_base_units(u64::try_from(cost.div_ceil(1000)).unwrap_or(u64::MAX))
}

/// The highest price per 1,000 tokens at which an answer to `request` stays within `budget`.
pub fn max_price(budget: Amount, request: &ExpertRequest) -> Amount {
    let price = u128::from(budget.base_units()) * 1000 / u128::from(tokens(request));
    Amount::from_base_units(u64::try_from(price).unwrap_or(u64::MAX))
}

fn tokens(request: &ExpertRequest) -> u64 {
    match request {
        ExpertRequest::Complete { sampling, .. } | ExpertRequest::Chat { sampling, .. } => {
            // An answer is at least one token, so that the division above is defined.
            u64::from(sampling.max_tokens).max(1)
        }
        ExpertRequest::Embed { .. } | ExpertRequest::Distribution { .. } => FLAT_TOKENS,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use nervure_protocol::Sampling;

    fn request(max_tokens: u32) -> ExpertRequest {
        let sampling = Sampling { max_tokens, ..Sampling::default() };
        ExpertRequest::Complete { prompt: String::new(), sampling }
    }

    #[test]
    fn a_price_is_for_a_thousand_tokens() {
        assert_eq!(max_cost(5, &request(1000)), Amount::from_base_units(5));
        assert_eq!(max_cost(5, &request(1)), Amount::from_base_units(1), "rounded up");
        assert_eq!(max_cost(5, &ExpertRequest::Embed { inputs: vec![] }), Amount::from_base_units(5));
    }

    proptest! {
        #[test]
        fn an_affordable_price_never_costs_more_than_the_budget(
            budget in 0..u64::MAX, price: u64, max_tokens in 1u32..1 << 20
        ) {
            let (budget, request) = (Amount::from_base_units(budget), request(max_tokens));
            let within = Amount::from_base_units(price) <= max_price(budget, &request);
            prop_assert_eq!(within, max_cost(price, &request) <= budget);
        }
    }
}
