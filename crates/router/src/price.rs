//! What an answer may cost: a price per 1,000 tokens of output, times the most tokens that were asked for.

use nervure_primitives::Amount;
use nervure_protocol::{ExpertRequest, text_tokens};

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

/// What `bytes` of text cost at `price` base units per 1,000 tokens, at least, rounded down: the rest of a text then
/// fits into the rest of a budget that was enough for all of it.
pub(crate) fn cost_of_text(price: u64, bytes: usize) -> Amount {
    let cost = u128::from(price) * u128::from(text_tokens(bytes)) / 1000;
    Amount::from_base_units(u64::try_from(cost).unwrap_or(u64::MAX))
}

fn tokens(request: &ExpertRequest) -> u64 {
    match request {
        ExpertRequest::Complete { sampling, .. } | ExpertRequest::Chat { sampling, .. } => {
            // At least one token, so that the division above is defined.
            u64::from(sampling.remaining_tokens())
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
        fn a_text_in_parts_costs_no_more_than_the_whole(
            price in 0u64..1 << 40, max_tokens in 1u32..1 << 20, bytes in 0usize..1 << 18
        ) {
            let sampling = Sampling { max_tokens, prefix: "x".repeat(bytes), ..Sampling::default() };
            let rest = ExpertRequest::Complete { prompt: String::new(), sampling };
            prop_assume!(text_tokens(bytes) < max_tokens);
            let whole = max_cost(price, &request(max_tokens));
            let left = whole.saturating_sub(cost_of_text(price, bytes));
            prop_assert!(max_cost(price, &rest) <= left);
        }

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
