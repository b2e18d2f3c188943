//! A question's way: whom to ask ([`select`]), asking them with failover and racing ([`pool`]), and the stream of
//! the one that answers ([`attempt`]).
//!
//! Until an expert has begun to answer, another can take its place and the asker never knows. From its
//! first event on the answer is bound to it: text of two experts never mixes.

mod attempt;
mod one;
mod pool;
mod select;

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use futures::{FutureExt, StreamExt, stream};
use nervure_experts::ExpertEvent;
use nervure_p2p::{NetworkHandle, Scope, query::QueryClient};
use nervure_primitives::{MeshId, NodeId};
use serde_json::Value;

use super::{Mesh, catalog::ExpertCatalog, opinions::Opinions, view, wire};
use crate::service::{Answer, Ask, AskError, RouteView, Strategy};
use attempt::{Begun, Rest};

pub(crate) use one::NotWhole;
pub(crate) use select::parse as parse_filter;

/// Routes questions to experts. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Router {
    catalog: Arc<ExpertCatalog>,
    client: QueryClient,
    network: NetworkHandle,
    scope: Scope,
    opinions: Arc<Opinions>,
    mesh: MeshId,
    /// Who asks.
    own: NodeId,
}

impl Router {
    /// A router for the node of `mesh`, that asks through `client`, and through the swarm where that cannot reach.
    pub(crate) fn new(mesh: &Mesh, client: QueryClient, scope: Scope) -> Self {
        Self {
            catalog: mesh.catalog.clone(),
            client,
            network: mesh.network.clone(),
            scope,
            opinions: mesh.opinions.clone(),
            mesh: mesh.id,
            own: mesh.network.node(),
        }
    }

    /// Asks, and returns once an expert has begun to answer. Dropping the future or the answer frees every expert
    /// that works on it.
    pub(crate) async fn ask(&self, ask: Ask) -> Result<Answer, AskError> {
        let until = Instant::now() + ask.deadline;
        let (block, trusts) = self.opinions.trusts();
        let route = select::select(&self.catalog, &trusts, &ask)?;
        let body = wire::encode_request(&ask.request)
            .map_err(|error| AskError::Internal { reason: error.to_string() })?;
        let attempts = self.attempts(Arc::from(body), ask.budget, until);
        let candidates: Vec<_> = route.choices.iter().map(|choice| choice.record.clone()).collect();
        let pooled = pool::first(attempts, candidates, ask.strategy);
        let won = match tokio::time::timeout_at(until.into(), pooled.boxed()).await {
            Ok(won) => won?,
            Err(_) => return Err(AskError::DeadlineExceeded { after: ask.deadline }),
        };
        let detail = ask.explain.then(|| serde_json::to_value(&route).unwrap_or(Value::Null));
        let route = RouteView {
            strategy: ask.strategy.to_string(),
            policy: ask.policy,
            block,
            candidates: count(route.choices.len()),
            filtered: count(route.filtered.len()),
            tried: count(won.tried),
            detail,
        };
        Ok(self.answer(won.begun, route, &ask, until))
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// An answer in progress: its rest, and an event that has come already.
struct Coming {
    next: Option<(ExpertEvent, bool)>,
    rest: Rest,
}

impl Coming {
    async fn event(&mut self) -> Result<(ExpertEvent, bool), String> {
        match self.next.take() {
            Some(event) => Ok(event),
            None => self.rest.next().await,
        }
    }
}

impl Router {
    /// The answer that began, with its deadline over it.
    fn answer(&self, begun: Begun, route: RouteView, ask: &Ask, until: Instant) -> Answer {
        let expert = view::expert(&begun.record, &self.catalog, super::clock::now());
        let receipt = Arc::new(OnceLock::new());
        let (deadline, own, mesh) = (ask.deadline, self.own, self.mesh);
        let wanted = ask.receipt.then(|| receipt.clone());
        let coming = Coming { next: Some(begun.first), rest: begun.rest };
        let events = stream::unfold(Some(coming), move |coming| {
            let wanted = wanted.clone();
            async move {
                let mut coming = coming?;
                Some(match tokio::time::timeout_at(until.into(), coming.event()).await {
                    Ok(Ok((event, false))) => (Ok(event), Some(coming)),
                    Ok(Ok((event, true))) => {
                        if let Some(wanted) = wanted {
                            // Nobody else sets it.
                            let _ = wanted.set(coming.rest.into_receipt().view(own, mesh));
                        }
                        (Ok(event), None)
                    }
                    Ok(Err(reason)) => (Err(AskError::Interrupted { reason }), None),
                    Err(_) => (Err(AskError::DeadlineExceeded { after: deadline }), None),
                })
            }
        });
        Answer { route, expert, events: events.boxed(), receipt }
    }
}

/// How many experts may be tried for one question, those that race among them.
fn most_tries(strategy: Strategy) -> usize {
    strategy.width() + 5
}
