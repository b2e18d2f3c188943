//! Sends a task's requests as a user's queries are sent, and collects an expert's events into an answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use nervure_primitives::cbor::CborError;
use nervure_protocol::{ExpertEvent, ExpertRecord, ExpertRequest, query::body};
use nervure_router::{DirectError, Router, price};
use nervure_subnet::mechanism::{Answer, MAX_ANSWER_TEXT, Reply};

use super::Validator;

/// Longest pause before an expert without room is asked again.
const MAX_BUSY_DELAY: Duration = Duration::from_secs(2);

/// The answer that its events form together.
fn answer(events: Vec<ExpertEvent>) -> Answer {
    let (mut text, mut vectors, mut distribution) = (String::new(), Vec::new(), None);
    for event in events {
        match event {
            ExpertEvent::Text(piece) if text.len() <= MAX_ANSWER_TEXT => text.push_str(&piece),
            // Experts send vectors in order; any other order is not an answer.
            ExpertEvent::Embedding { index, vector } if index as usize == vectors.len() => {
                vectors.push(vector)
            }
            ExpertEvent::Distribution(probabilities) => distribution = Some(probabilities),
            _ => return Answer::Missing,
        }
    }
    match (distribution, vectors.is_empty()) {
        (Some(probabilities), _) => Answer::Distribution(probabilities),
        (None, false) => Answer::Vectors(vectors),
        (None, true) => Answer::Text(text),
    }
}

/// The bodies of a task's requests, encoded once for all miners.
pub(super) struct EncodedRequests(Vec<(ExpertRequest, Arc<[u8]>)>);

impl EncodedRequests {
    /// Encodes these requests.
    pub(super) fn of(requests: &[ExpertRequest]) -> Result<Self, CborError> {
        let encode =
            |request: &ExpertRequest| Ok((request.clone(), Arc::from(body::encode_request(request)?)));
        Ok(Self(requests.iter().map(encode).collect::<Result<_, CborError>>()?))
    }

    /// Sends one expert all requests, one after the other, so that no validator takes more than one place in its
    /// queue. An answer that is late, or has no valid receipt, is missing.
    pub(super) async fn ask(
        &self,
        validator: &Validator,
        record: &ExpertRecord,
        until: Instant,
    ) -> Vec<Reply> {
        let mut replies = Vec::with_capacity(self.0.len());
        for (request, body) in &self.0 {
            // The most that the request may cost: a miner would refuse a smaller budget, and the answer would
            // be missing.
            let budget = price::max_cost(record.price, request);
            let answer = one(&validator.router, record, (body, budget), until).await;
            validator.metrics.reply(answer.as_ref().map(|(_, took)| *took));
            replies.push(answer.map_or_else(Reply::missing, |(answer, took)| Reply::new(answer, took)));
        }
        replies
    }
}

/// One request's answer and how long it took; none without a valid receipt.
async fn one(
    router: &Router,
    record: &ExpertRecord,
    (body, budget): (&Arc<[u8]>, nervure_primitives::Amount),
    until: Instant,
) -> Option<(Answer, Duration)> {
    while Instant::now() < until {
        match router.ask_directly(record.clone(), (body.clone(), budget), until.into()).await {
            Ok(direct) => match direct.receipt {
                Ok(_) => return Some((answer(direct.events), direct.duration)),
                Err(error) => {
                    tracing::debug!(node = %record.node, %error, "an answer without a receipt counts for nothing");
                    return None;
                }
            },
            Err(DirectError::Busy(after)) => tokio::time::sleep(after.min(MAX_BUSY_DELAY)).await,
            Err(DirectError::Failed(reason)) => {
                tracing::debug!(node = %record.node, reason, "no answer to a task's question");
                return None;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_one_kind_of_answer_or_none() {
        let text = |text: &str| ExpertEvent::Text(text.into());
        assert_eq!(answer(vec![text("a"), text("b")]), Answer::Text("ab".into()));
        let vector = |index| ExpertEvent::Embedding { index, vector: vec![1.0] };
        assert_eq!(answer(vec![vector(0), vector(1)]), Answer::Vectors(vec![vec![1.0]; 2]));
        assert_eq!(answer(vec![vector(1), vector(0)]), Answer::Missing, "out of order");
        assert_eq!(answer(vec![ExpertEvent::Distribution(vec![0.5; 2])]), Answer::Distribution(vec![0.5; 2]));
        assert_eq!(answer(vec![text(&"x".repeat(MAX_ANSWER_TEXT + 1)), text("y")]), Answer::Missing);
    }
}
