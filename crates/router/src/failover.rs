//! One expert answers: the first that starts to, with failover to others.
//!
//! When there are several and all of them failed, they are asked again for some time, as a node that has just died may
//! be back soon.

use nervure_subnet::{Exclusion, Route};
use tokio::time::{Instant, sleep};

use crate::{
    Router, attempt::AttemptSpec, body::RequestBody, race::race, resumable, select::select, view::count,
};
use nervure_api::{AnswerStream, Query, RouteView, ServiceError};

impl Router {
    /// Asks until an expert starts to answer, or retrying makes no more sense.
    pub(crate) async fn ask_with_failover(
        &self,
        query: &Query,
        deadline: Instant,
    ) -> Result<AnswerStream, ServiceError> {
        let body = RequestBody::of(&query.request)?;
        // The last error, and until when the experts are asked again.
        let mut failed: Option<(ServiceError, Instant)> = None;
        loop {
            let trust = self.environment.trust.snapshot();
            let route = match select(&self.environment, &trust, query) {
                Ok(route) => route,
                // All are paused because they have just failed here: that passes.
                Err(ServiceError::Busy { .. })
                    if failed.as_ref().is_some_and(|(_, give_up)| Instant::now() < *give_up) =>
                {
                    sleep(self.limits.retry_delay).await;
                    continue;
                }
                // The earlier failure says more: this error may only be what it led to, such as that all
                // experts are paused.
                Err(error) => return Err(failed.map_or(error, |(last, _)| last)),
            };
            let spec = self.attempt_spec(body.clone(), query.budget, deadline);
            let spec = AttemptSpec { nonce: query.nonce, ..spec.passed_on(query.hops) };
            let candidates = route.choices.iter().map(|choice| choice.record.clone()).collect();
            match race(spec, candidates, query.strategy).await {
                Ok(winner) => {
                    let route = RouteView {
                        tried: count(winner.tried),
                        ..self.route_view(query, trust.block, &route)
                    };
                    return Ok(resumable::answer(self, winner.answer, route, (query, deadline)));
                }
                Err(error @ ServiceError::AllFailed { .. }) if has_several(&route) => {
                    let give_up = failed
                        .map_or_else(|| Instant::now() + self.limits.retry_timeout, |(_, give_up)| give_up);
                    if Instant::now() >= give_up {
                        return Err(error);
                    }
                    failed = Some((error, give_up));
                    self.metrics.retries.inc();
                    sleep(self.limits.retry_delay).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether more than one expert matches, paused ones among them.
fn has_several(route: &Route) -> bool {
    let paused = route.filtered.iter().filter(|filtered| filtered.reason == Exclusion::Paused);
    route.choices.len() + paused.count() > 1
}

#[cfg(test)]
mod tests;
