//! What the API shows of experts and routes.

use std::sync::Arc;

use nervure_primitives::{BlockHeight, UnixMillis};
use nervure_protocol::ExpertRecord;
use nervure_subnet::{Observation, Route, Trust};
use serde_json::Value;

use crate::{Catalog, Router, TrustSnapshot, select::trust_in};
use nervure_api::{ExpertView, ModelIdentityView, Query, RouteView};

/// An expert as its record describes it, with what this node observed of it.
pub fn expert_view(record: &ExpertRecord, observation: &Observation, now: UnixMillis) -> ExpertView {
    // Every field is named, so that a new one of the record is shown, or left out on purpose.
    let ExpertRecord {
        node,
        netuid,
        expert,
        capability,
        model,
        identity,
        context,
        max_output,
        price,
        byte_level,
        load,
        addresses,
        relays: _,
        seq: _,
        issued_at: _,
        expires_at,
        withdrawn: _,
    } = record;
    ExpertView {
        node: *node,
        netuid: *netuid,
        expert: expert.clone(),
        capability: capability.clone(),
        model: model.raw().to_owned(),
        identity: ModelIdentityView::of(identity),
        context: *context,
        max_output: *max_output,
        price: *price,
        byte_level: *byte_level,
        load: *load,
        relayed: addresses.is_empty(),
        expires_in_ms: u64::try_from(expires_at.since(now).as_millis()).unwrap_or(u64::MAX),
        latency_ms: observation.latency_ms,
        trust: None,
    }
}

/// The trust in experts, as it is now.
pub struct TrustView {
    snapshot: TrustSnapshot,
    catalog: Arc<dyn Catalog>,
}

impl TrustView {
    /// The trust in the expert of `record`, for one that names no subnets.
    pub fn of(&self, record: &ExpertRecord) -> Trust {
        trust_in(record, &self.snapshot, self.catalog.as_ref())
    }
}

impl Router {
    /// The trust in experts, as it is now.
    pub fn trust(&self) -> TrustView {
        let environment = &self.environment;
        TrustView { snapshot: environment.trust.snapshot(), catalog: environment.catalog.clone() }
    }

    pub(crate) fn expert_view(&self, record: &ExpertRecord) -> ExpertView {
        let observation = self.environment.catalog.observation(&record.node, &record.expert);
        expert_view(record, &observation, self.environment.clock.now())
    }

    /// The view of a route before an expert has answered.
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
