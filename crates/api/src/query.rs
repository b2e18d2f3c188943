//! A query to the mesh, and the answer while it streams.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures::stream::BoxStream;
use nervure_primitives::{Amount, Capability, Hash, Netuid};
use nervure_protocol::{AuditCase, ExpertEvent, ExpertRequest};
use nervure_subnet::Policy;
use serde::{Deserialize, Serialize};

use crate::{ExpertView, ParticipantView, ReceiptView, RouteView, ServiceError, Strategy, TakeoverView};

/// Which experts a query is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum QueryTarget {
    /// Any expert whose capability this one covers.
    Capability(Capability),
    /// An expert that serves the model of this name.
    Model(String),
    /// Either, as in the `model` field of the OpenAI API: a model if one of that name is known,
    /// else a capability, else [`ServiceError::UnknownModel`]. See [`QueryTarget::resolve`].
    Named(String),
}

impl QueryTarget {
    /// Turns [`QueryTarget::Named`] into a model or a capability; the other two stay as they are.
    pub fn resolve(self, knows_model: impl Fn(&str) -> bool) -> Result<Self, ServiceError> {
        let Self::Named(name) = self else { return Ok(self) };
        if knows_model(&name) {
            return Ok(Self::Model(name));
        }
        match Capability::new(&name) {
            Ok(capability) => Ok(Self::Capability(capability)),
            Err(_) => Err(ServiceError::UnknownModel { model: name, known: Vec::new() }),
        }
    }
}

/// One query to the mesh.
#[derive(Debug, Clone)]
pub struct Query {
    /// The experts that it is for.
    pub target: QueryTarget,
    /// The request to the expert.
    pub request: ExpertRequest,
    /// The strategy: how experts are chosen, and how many are asked at once.
    pub strategy: Strategy,
    /// The policy: which of trust, latency and price counts most.
    pub policy: Policy,
    /// The maximum price; zero means free experts only.
    pub budget: Amount,
    /// How long the whole answer may take.
    pub deadline: Duration,
    /// Bytes that the answer may have; see [`crate::ask_within_bounds`].
    pub max_answer: usize,
    /// Whether to fill [`RouteView::detail`]; it costs an allocation per candidate.
    pub explain: bool,
    /// Whether to fill [`AnswerSummary::receipts`]; each costs the check of a signature.
    pub receipt: bool,
    /// A filter over record fields, such as `context >= 4096 and price <= 5`.
    pub filter: Option<String>,
    /// The nonce of the end user's client, which the receipts cover.
    pub nonce: Option<Hash>,
    /// Whether the answer may be shown to a validator, which audits it; the node's operator decides where it says
    /// nothing.
    pub release: Option<bool>,
    /// The subnets that the asker trusts: only their experts are asked, and their trust counts in full. Empty: all
    /// subnets, each by the stake behind it.
    pub subnets: Vec<Netuid>,
    /// How many servers have passed it on before, at most [`nervure_protocol::bounds::MAX_HOPS`]. Zero for a user's own.
    pub hops: u8,
}

/// An answer that has begun. Dropping it cancels the query.
pub struct AnswerStream {
    /// How the expert was chosen.
    pub route: RouteView,
    /// The expert that answers; of several that answer together, the one with the largest weight.
    pub expert: ExpertView,
    /// The events of the answer; [`ExpertEvent::Done`] or an error is the last item. [`crate::ask_within_bounds`] bounds
    /// them.
    pub events: BoxStream<'static, Result<ExpertEvent, ServiceError>>,
    /// The summary, set before [`ExpertEvent::Done`] is yielded; it stays empty where there is nothing to add.
    pub summary: Arc<OnceLock<AnswerSummary>>,
}

/// The part of a trace that is known only when the answer ends.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AnswerSummary {
    /// The takeovers, in order.
    pub took_over: Vec<TakeoverView>,
    /// The receipts of all that took part, if requested; the one whose answer was given comes first.
    pub receipts: Vec<ReceiptView>,
    /// The experts that took part in a mixed text, with their final weights.
    pub participants: Vec<ParticipantView>,
    /// The question and the answer for a validator, if they may be shown to one; clients do not get it.
    pub released: Option<Arc<AuditCase>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_a_name_as_a_model_before_a_capability() {
        let knows = |name: &str| name == "gpt-4" || name == "llama3:8b";
        let named = |name: &str| QueryTarget::Named(name.into()).resolve(knows);
        assert_eq!(named("gpt-4"), Ok(QueryTarget::Model("gpt-4".into())), "though it reads as a capability");
        assert_eq!(named("text.generate"), Ok(QueryTarget::Capability("text.generate".parse().unwrap())));
        assert!(matches!(named("Llama 9"), Err(ServiceError::UnknownModel { .. })));
    }
}
