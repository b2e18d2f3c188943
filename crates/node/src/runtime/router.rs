//! A question's way: whom to ask ([`select`]), asking them with failover and racing ([`pool`]), and the stream of
//! the one that answers ([`attempt`]). Several can answer together: with whole answers ([`panel`]), or byte by byte
//! ([`mixture`]).
//!
//! Until an expert has begun to answer, another can take its place and the asker never knows. Afterwards another
//! goes on from the same byte if it dies ([`succession`]); text of two experts does not mix otherwise, unless it is asked for.

mod attempt;
mod mixture;
mod one;
mod panel;
mod pool;
mod select;
mod succession;
mod together;
mod whole;

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use futures::{FutureExt, StreamExt, stream};
use nervure_experts::ExpertRequest;
use nervure_p2p::{NetworkHandle, Scope, query::QueryClient};
use nervure_primitives::{BlockHeight, MeshId, NodeId};
use nervure_subnet::{Exclusion, Route};
use serde_json::Value;

use super::{Mesh, catalog::ExpertCatalog, opinions::Opinions, view, wire};
use crate::service::{AnswerStream, AnswerSummary, Query, RouteView, ServiceError, Strategy};
use attempt::Begun;
use succession::{AGAIN, IDLE, Succession};

pub(crate) use one::NotWhole;
pub(crate) use select::parse as parse_filter;
pub(crate) use succession::resumed;

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
    pub(crate) async fn ask(&self, ask: Query) -> Result<AnswerStream, ServiceError> {
        let until = Instant::now() + ask.deadline;
        let answered = match ask.strategy {
            Strategy::Best | Strategy::Hedge | Strategy::Race(_) => self.ask_first(&ask, until).boxed(),
            Strategy::Vote(_) | Strategy::Average(_) => self.ask_panel(&ask, until).boxed(),
            Strategy::Mix(_) => self.ask_mixture(&ask, until).boxed(),
        };
        match tokio::time::timeout_at(until.into(), answered).await {
            Ok(answer) => answer,
            Err(_) => Err(ServiceError::DeadlineExceeded { after: ask.deadline }),
        }
    }

    /// One expert answers: the first that begins to. When there are several and all of them failed, they are asked again
    /// for some time: whoever has just died may be back.
    async fn ask_first(&self, ask: &Query, until: Instant) -> Result<AnswerStream, ServiceError> {
        let body = body(&ask.request)?;
        // What went wrong last, and until when it is tried again.
        let mut failed: Option<(ServiceError, Instant)> = None;
        loop {
            let (block, trusts) = self.opinions.trusts();
            let route = match select::select(&self.catalog, &trusts, ask) {
                Ok(route) => route,
                Err(ServiceError::Busy { .. })
                    if failed.as_ref().is_some_and(|(_, give_up)| Instant::now() < *give_up) =>
                {
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
                Err(error) => return Err(failed.map_or(error, |(first, _)| first)),
            };
            let attempts = self.attempts(body.clone(), ask.budget, until);
            let candidates: Vec<_> = route.choices.iter().map(|choice| choice.record.clone()).collect();
            match pool::first(attempts, candidates, ask.strategy).await {
                Ok(won) => {
                    let route = RouteView { tried: count(won.tried), ..route_view(ask, block, &route) };
                    return Ok(self.answer(won.begun, route, ask, until));
                }
                Err(error @ ServiceError::AllFailed { .. }) if has_several(&route) => {
                    let give_up = failed.map_or_else(|| Instant::now() + IDLE, |(_, give_up)| give_up);
                    if Instant::now() >= give_up {
                        return Err(error);
                    }
                    failed = Some((error, give_up));
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether more than one expert fits, those that are left alone for a while among them.
fn has_several(route: &Route) -> bool {
    let paused = route.filtered.iter().filter(|filtered| filtered.reason == Exclusion::Paused);
    route.choices.len() + paused.count() > 1
}

/// A request as it travels.
fn body(request: &ExpertRequest) -> Result<Arc<[u8]>, ServiceError> {
    let body = wire::encode_request(request);
    body.map(Arc::from).map_err(|error| ServiceError::Internal { reason: error.to_string() })
}

/// What is known of a route before anybody has answered.
fn route_view(ask: &Query, block: BlockHeight, route: &Route) -> RouteView {
    RouteView {
        strategy: ask.strategy.to_string(),
        policy: ask.policy,
        block,
        candidates: count(route.choices.len()),
        filtered: count(route.filtered.len()),
        tried: 0,
        participants: Vec::new(),
        detail: ask.explain.then(|| serde_json::to_value(route).unwrap_or(Value::Null)),
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Router {
    /// The answer that began, with its deadline over it.
    fn answer(&self, begun: Begun, route: RouteView, ask: &Query, until: Instant) -> AnswerStream {
        let expert = view::expert(&begun.record, &self.catalog, super::clock::now());
        let ending = Arc::new(OnceLock::new());
        let (deadline, own, mesh) = (ask.deadline, self.own, self.mesh);
        let (told, receipt) = (ending.clone(), ask.receipt);
        let coming = Succession::new(self.clone(), (ask, until), begun);
        let events = stream::unfold(Some(Box::new(coming)), move |coming| {
            let told = told.clone();
            async move {
                let mut coming = coming?;
                Some(match tokio::time::timeout_at(until.into(), coming.next()).await {
                    Ok(Ok((event, false))) => (Ok(event), Some(coming)),
                    Ok(Ok((event, true))) => {
                        let took_over = coming.took_over().to_vec();
                        let receipts = match receipt {
                            true => vec![coming.into_receipt().view(own, mesh)],
                            false => Vec::new(),
                        };
                        // Nobody else sets it.
                        let _ = told.set(AnswerSummary { receipts, took_over, ..AnswerSummary::default() });
                        (Ok(event), None)
                    }
                    Ok(Err(reason)) => (Err(ServiceError::Interrupted { reason }), None),
                    Err(_) => (Err(ServiceError::DeadlineExceeded { after: deadline }), None),
                })
            }
        });
        AnswerStream { route, expert, events: events.boxed(), summary: ending }
    }
}

/// How many experts may be tried for one question, those that race among them.
fn most_tries(strategy: Strategy) -> usize {
    strategy.width() + 5
}
