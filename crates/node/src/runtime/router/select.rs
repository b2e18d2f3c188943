//! Whom a question can be put to: the gate's ranking of all known experts, or why there is none.

use std::{collections::BTreeSet, time::Duration};

use nervure_subnet::{Candidate, Exclusion, ExpertRecord, Filter, Find, QueryTerms, Route, route};
use rand::Rng;

use crate::{
    runtime::{catalog::ExpertCatalog, clock, opinions::Trusts, price},
    service::{Query, QueryTarget, ServiceError},
};

/// When to come back, when all experts are busy or paused.
const LATER: Duration = Duration::from_secs(1);

/// Names that an error lists.
const NAMES: usize = 64;

/// Ranks the experts for `ask`; at least one can be asked.
pub(super) fn select(catalog: &ExpertCatalog, trusts: &Trusts, ask: &Query) -> Result<Route, ServiceError> {
    let filter = ask.filter.as_deref().map(parse).transpose()?;
    let target = ask.target.clone().resolve(|name| catalog.has_model(name));
    let target = target.map_err(|error| with_known(error, catalog))?;
    let (capability, model) = match target {
        QueryTarget::Capability(capability) => (Some(capability), None),
        QueryTarget::Model(model) | QueryTarget::Named(model) => (None, Some(model)),
    };
    let terms = QueryTerms {
        capability,
        model,
        filter,
        budget: price::affordable(ask.budget, &ask.request),
        seed: rand::rng().random(),
    };
    // An explanation of a question about code lists no painters.
    let fitting =
        Find { capability: terms.capability.clone(), model: terms.model.clone(), ..Find::default() };
    let fitting = catalog.find(&fitting).records;
    if fitting.is_empty() {
        return Err(nobody(&terms, catalog));
    }
    let weighed = |record: ExpertRecord| {
        let trust = trusts.get(&(record.netuid, record.node)).copied().unwrap_or_default();
        (Candidate { seen: catalog.seen(&record.node, &record.expert), record }, trust)
    };
    let candidates = fitting.into_iter().map(weighed).collect();
    let route = route(candidates, &terms, &ask.policy.rules(), clock::now());
    match route.choices.is_empty() {
        true => Err(all_left_out(&route, ask)),
        false => Ok(route),
    }
}

/// Parses a filter; the error shows the place.
pub(crate) fn parse(source: &str) -> Result<Filter, ServiceError> {
    source.parse().map_err(|error: nervure_subnet::FilterError| ServiceError::InvalidFilter {
        column: error.column,
        message: error.message.clone(),
        rendered: error.render(source),
    })
}

fn nobody(terms: &QueryTerms, catalog: &ExpertCatalog) -> ServiceError {
    let error = match (&terms.capability, &terms.model) {
        (Some(capability), _) => ServiceError::NoExpert { capability: capability.clone(), known: Vec::new() },
        (None, model) => {
            ServiceError::UnknownModel { model: model.clone().unwrap_or_default(), known: Vec::new() }
        }
    };
    with_known(error, catalog)
}

fn with_known(error: ServiceError, catalog: &ExpertCatalog) -> ServiceError {
    let all = catalog.find(&Find::default()).records;
    let names = |name: fn(&ExpertRecord) -> String| {
        let distinct: BTreeSet<_> = all.iter().map(name).collect();
        distinct.into_iter().take(NAMES).collect()
    };
    match error {
        ServiceError::NoExpert { capability, .. } => {
            ServiceError::NoExpert { capability, known: names(|record| record.capability.to_string()) }
        }
        ServiceError::UnknownModel { model, .. } => {
            ServiceError::UnknownModel { model, known: names(|record| record.model.clone()) }
        }
        other => other,
    }
}

/// Experts fit and none may be asked: the reason that the asker can do most about.
fn all_left_out(route: &Route, ask: &Query) -> ServiceError {
    let because = |reason| route.filtered.iter().filter(move |filtered| filtered.reason == reason);
    if because(Exclusion::Saturated).chain(because(Exclusion::Paused)).next().is_some() {
        return ServiceError::Busy { retry_after: LATER };
    }
    let prices =
        because(Exclusion::OverBudget).map(|filtered| price::most(filtered.record.price, &ask.request));
    match prices.min() {
        Some(cheapest) => ServiceError::OverBudget { cheapest, budget: ask.budget },
        None => ServiceError::NoMatch { known: route.filtered.len() },
    }
}

#[cfg(test)]
mod tests;
