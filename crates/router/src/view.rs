//! What the API shows of experts and routes.

use nervure_primitives::{BlockHeight, UnixMillis};
use nervure_protocol::ExpertRecord;
use nervure_subnet::{Observation, Route};
use serde_json::Value;

use crate::Router;
use nervure_api::{ExpertView, Query, RouteView};

/// An expert as its record describes it, with what this node observed of it.
pub fn expert_view(record: &ExpertRecord, observation: &Observation, now: UnixMillis) -> ExpertView {
    ExpertView {
        node: record.node,
        netuid: record.netuid,
        expert: record.expert.clone(),
        capability: record.capability.clone(),
        model: record.model.clone(),
        context: record.context,
        max_output: record.max_output,
        price: record.price,
        byte_level: record.byte_level,
        load: record.load,
        relayed: record.addresses.is_empty(),
        expires_in_ms: u64::try_from(record.expires_at.since(now).as_millis()).unwrap_or(u64::MAX),
        latency_ms: observation.latency_ms,
    }
}

impl Router {
    pub(crate) fn expert_view(&self, record: &ExpertRecord) -> ExpertView {
        let observation = self.environment.catalog.observation(&record.node, &record.expert);
        expert_view(record, &observation, self.environment.clock.now())
    }

    /// What is known of a route before an expert has answered.
    pub(crate) fn route_view(&self, query: &Query, block: BlockHeight, route: &Route) -> RouteView {
        RouteView {
            strategy: query.strategy.to_string(),
            policy: query.policy,
            block,
            candidates: count(route.choices.len()),
            filtered: count(route.filtered.len()),
            tried: 0,
            participants: Vec::new(),
            detail: query.explain.then(|| serde_json::to_value(route).unwrap_or(Value::Null)),
        }
    }
}

pub(crate) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
