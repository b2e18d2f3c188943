//! What one question reserves of its key's limits, and what it is charged.
//!
//! Experts are not trusted to count: an answer is charged at least for its bytes, at most for what was reserved. A client
//! that leaves is charged for what it got.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use nervure_api::{AnswerSummary, ApiErrorCode, Query, RouteView, Strategy};
use nervure_primitives::Amount;
use nervure_protocol::{ExpertEvent, Usage, text_tokens};

use super::{
    KeyGrant, NamedKeys,
    book::{Cost, Exhausted, LimitReached},
    unix_seconds,
};
use crate::error::ApiError;

/// A question's part of its key's limits. Settles when it is dropped.
pub(crate) struct KeyCharge {
    keys: NamedKeys,
    name: String,
    reserved: Cost,
    request_bytes: usize,
    /// Since an expert has begun to answer.
    answer: Option<ChargedAnswer>,
}

struct ChargedAnswer {
    /// Base units per 1,000 tokens of output; none where several experts are paid.
    price: Option<u64>,
    bytes: usize,
    usage: Option<Usage>,
    summary: Arc<OnceLock<AnswerSummary>>,
}

/// Tokens that are reserved for an answer whose request states no number: as long as most models answer.
const UNSTATED_TOKENS: u64 = 4_096;

impl KeyCharge {
    /// Admits a question of a key: within its scopes and limits. Gives the query as the key may ask it.
    pub(crate) fn admit(
        keys: &NamedKeys,
        grant: &KeyGrant,
        mut query: Query,
    ) -> Result<(Self, Query), ApiError> {
        query.target = grant.permit(query.target).ok_or_else(|| {
            let message =
                "this key is not for this model: GET /usage names the key, its operator knows its models";
            ApiError::new(ApiErrorCode::KeyNotAllowed, message)
        })?;
        let request_bytes = query.request.text_bytes();
        // A token has at least one byte, except in what a model writes: there the request bounds tokens.
        let read = u64::try_from(request_bytes).unwrap_or(u64::MAX);
        let written = query.request.sampling().map_or(0, |sampling| match sampling.unset.max_tokens {
            true => UNSTATED_TOKENS,
            false => u64::from(sampling.max_tokens),
        });
        let cost = Cost { tokens: read.saturating_add(written), money: query.budget };
        let reserved = keys.0.book.lock().reserve(grant, cost, unix_seconds());
        let reserved = reserved.map_err(|limit| refused(grant, limit))?;
        query.budget = reserved.money;
        let charge =
            Self { keys: keys.clone(), name: grant.name.clone(), reserved, request_bytes, answer: None };
        Ok((charge, query))
    }

    /// An expert of this price has begun to answer.
    pub(crate) fn begun(&mut self, price: u64, route: &RouteView, summary: &Arc<OnceLock<AnswerSummary>>) {
        // What the others of a race or a vote are paid is not known here: then the whole reservation counts.
        let single = route.strategy == Strategy::Best.to_string() && route.participants.is_empty();
        let price = single.then_some(price);
        self.answer = Some(ChargedAnswer { price, bytes: 0, usage: None, summary: summary.clone() });
    }

    /// The answer continues.
    pub(crate) fn observe(&mut self, event: &ExpertEvent) {
        let Some(answer) = &mut self.answer else { return };
        match event {
            ExpertEvent::Text(_) | ExpertEvent::Fields(_) => {
                answer.bytes = answer.bytes.saturating_add(event.content_bytes());
            }
            ExpertEvent::Done { usage, .. } => answer.usage = Some(*usage),
            ExpertEvent::Embedding { .. } | ExpertEvent::Distribution(_) => {}
        }
    }

    fn actual(&self) -> Cost {
        let Some(answer) = &self.answer else { return Cost::default() };
        let usage = answer.usage.unwrap_or_default();
        let read = usage.prompt_tokens.max(text_tokens(self.request_bytes));
        let written = usage.completion_tokens.max(text_tokens(answer.bytes));
        let tokens = u64::from(read) + u64::from(written);
        let took_over = answer.summary.get().is_some_and(|summary| !summary.took_over.is_empty());
        let money = match answer.price {
            Some(price) if !took_over => {
                // Without its end, each byte may have been a token.
                let bytes = u64::try_from(answer.bytes).unwrap_or(u64::MAX);
                let paid = answer.usage.map_or(bytes, |_| u64::from(written));
                Amount::from_base_units(price.saturating_mul(paid).div_ceil(1000))
            }
            _ => self.reserved.money,
        };
        Cost { tokens, money }
    }
}

impl Drop for KeyCharge {
    fn drop(&mut self) {
        let actual = self.actual();
        self.keys.0.book.lock().settle(&self.name, self.reserved, actual, unix_seconds());
    }
}

/// The error for a limit, with the time of its reset.
fn refused(grant: &KeyGrant, limit: LimitReached) -> ApiError {
    let LimitReached { which, resets_after } = limit;
    let (code, what) = match which {
        Exhausted::Requests => (ApiErrorCode::KeyLimitReached, "questions a minute"),
        Exhausted::Tokens => (ApiErrorCode::KeyLimitReached, "tokens a day, with what this question may use"),
        Exhausted::Money => (ApiErrorCode::KeyBudgetSpent, "budget a day, with questions in progress"),
    };
    let message =
        format!("the key '{}' has reached its {what}: it resets in {}", grant.name, time(resets_after));
    ApiError::new(code, message).retry_after(resets_after)
}

/// A time in words.
fn time(after: Duration) -> String {
    match after.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7200 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h", seconds.div_ceil(3600)),
    }
}
