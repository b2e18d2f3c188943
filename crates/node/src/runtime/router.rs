//! A question's way: whom to ask ([`select`]), asking them with failover and racing ([`pool`]), and the stream of
//! the one that answers ([`attempt`]).
//!
//! Until an expert has begun to answer, another can take its place and the asker never knows. From its
//! first event on the answer is bound to it: text of two experts never mixes.

mod attempt;
mod one;
mod pool;
mod select;

use std::{sync::Arc, time::Instant};

use futures::{FutureExt, StreamExt, stream};
use nervure_p2p::{NetworkHandle, Scope, query::QueryClient};
use nervure_primitives::{MeshId, NodeId};
use serde_json::Value;

use super::{Mesh, catalog::ExpertCatalog, opinions::Opinions, view, wire};
use crate::service::{Answer, Ask, AskError, RouteView, Strategy};
use attempt::Begun;

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
        Ok(answer(won.begun, route, &self.catalog, (until, ask.deadline)))
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The answer that began, with its deadline over it.
fn answer(
    begun: Begun,
    route: RouteView,
    catalog: &ExpertCatalog,
    (until, deadline): (Instant, std::time::Duration),
) -> Answer {
    let expert = view::expert(&begun.record, catalog, super::clock::now());
    let rest = stream::unfold(Some(begun.rest), move |state| async move {
        let mut rest = state?;
        let next = tokio::time::timeout_at(until.into(), rest.next()).await;
        let (item, ended) = match next {
            Ok(Ok((event, ended))) => (Ok(event), ended),
            Ok(Err(reason)) => (Err(AskError::Interrupted { reason }), true),
            Err(_) => (Err(AskError::DeadlineExceeded { after: deadline }), true),
        };
        Some((item, (!ended).then_some(rest)))
    });
    let (first, ended) = begun.first;
    let events = match ended {
        true => stream::iter([Ok(first)]).boxed(),
        false => stream::iter([Ok(first)]).chain(rest).boxed(),
    };
    Answer { route, expert, events }
}

/// How many experts may be tried for one question, those that race among them.
fn most_tries(strategy: Strategy) -> usize {
    strategy.width() + 5
}
