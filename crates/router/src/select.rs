//! Which experts a query can be put to: the gate's ranking of all known ones, or why there is none.

use std::{collections::BTreeSet, time::Duration};

use nervure_api::{Query, QueryTarget, ServiceError};
use nervure_primitives::Netuid;
use nervure_protocol::{ExpertRecord, Score};
use nervure_subnet::{
    Candidate, Exclusion, Filter, FilterError, IndexSearch, QueryTerms, Route, Trust, route,
    score::MAX_EXPERTS_OF_NEURON,
};

use crate::{Catalog, Environment, TrustSnapshot, price};

/// When to ask again, when all experts are busy or paused.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Known names that one error lists.
const MAX_KNOWN_NAMES: usize = 64;

/// Ranks the experts for `query`; at least one can be asked.
pub(crate) fn select(
    environment: &Environment,
    trust: &TrustSnapshot,
    query: &Query,
) -> Result<Route, ServiceError> {
    let catalog = environment.catalog.as_ref();
    let terms = terms(environment, query)?;
    // Only what matches: an explanation of a query about code does not list image models.
    let matching = IndexSearch {
        capability: terms.capability.clone(),
        model: terms.model.clone(),
        ..IndexSearch::default()
    };
    let mut matching = catalog.find(&matching).records;
    if matching.is_empty() {
        return Err(no_expert(&terms, catalog));
    }
    keep_subnets(&mut matching, query)?;
    let candidate = |record: ExpertRecord| {
        let mut trust = trust_in(&record, trust, catalog);
        if !query.subnets.is_empty() {
            // The asker vouches for the subnets that it names, whatever stake stands behind them.
            trust.backing = Score::ONE;
        }
        (Candidate { seen: catalog.observation(&record.node, &record.expert), record }, trust)
    };
    let candidates = matching.into_iter().map(candidate).collect();
    let route = route(candidates, &terms, &query.policy.rules(), environment.clock.now());
    match route.choices.is_empty() {
        true => Err(all_excluded(&route, query)),
        false => Ok(route),
    }
}

/// The trust in the expert of `record`.
pub(crate) fn trust_in(record: &ExpertRecord, trust: &TrustSnapshot, catalog: &dyn Catalog) -> Trust {
    trust.table.of(record, || {
        let after = Some((record.node, String::new()));
        let netuid = Some(record.netuid);
        let of_node = IndexSearch { netuid, after, limit: MAX_EXPERTS_OF_NEURON, ..IndexSearch::default() };
        catalog.find(&of_node).records.iter().filter(|other| other.node == record.node).count()
    })
}

/// Keeps the experts of the subnets that `query` names, if it names some.
fn keep_subnets(matching: &mut Vec<ExpertRecord>, query: &Query) -> Result<(), ServiceError> {
    if query.subnets.is_empty() {
        return Ok(());
    }
    let found: BTreeSet<Netuid> = matching.iter().map(|record| record.netuid).collect();
    matching.retain(|record| query.subnets.contains(&record.netuid));
    match matching.is_empty() {
        true => Err(ServiceError::NotInSubnets {
            subnets: query.subnets.clone(),
            found: found.into_iter().take(MAX_KNOWN_NAMES).collect(),
        }),
        false => Ok(()),
    }
}

/// Parses a filter; the error shows the place.
///
/// # Errors
/// [`ServiceError::InvalidFilter`] when it does not parse.
pub fn parse_filter(source: &str) -> Result<Filter, ServiceError> {
    source.parse().map_err(|error: FilterError| ServiceError::InvalidFilter {
        column: error.column,
        message: error.message.clone(),
        rendered: error.render(source),
    })
}

/// What the gate needs to know of `query`.
fn terms(environment: &Environment, query: &Query) -> Result<QueryTerms, ServiceError> {
    let catalog = environment.catalog.as_ref();
    let filter = query.filter.as_deref().map(parse_filter).transpose()?;
    let target = query.target.clone().resolve(|name| catalog.has_model(name));
    let (capability, model) = match target.map_err(|error| with_known_names(error, catalog))? {
        QueryTarget::Capability(capability) => (Some(capability), None),
        QueryTarget::Model(model) | QueryTarget::Named(model) => (None, Some(model)),
    };
    Ok(QueryTerms {
        capability,
        model,
        filter,
        budget: price::max_price(query.budget, &query.request),
        // Drawn for each query: an expert that could predict it would choose a name that wins ties.
        seed: environment.entropy.bits(),
    })
}

fn no_expert(terms: &QueryTerms, catalog: &dyn Catalog) -> ServiceError {
    let known = Vec::new();
    let error = match (&terms.capability, &terms.model) {
        (Some(capability), _) => ServiceError::NoExpert { capability: capability.clone(), known },
        (None, model) => ServiceError::UnknownModel { model: model.clone().unwrap_or_default(), known },
    };
    with_known_names(error, catalog)
}

/// The same error with the names that the asker could have used.
fn with_known_names(error: ServiceError, catalog: &dyn Catalog) -> ServiceError {
    let all = catalog.find(&IndexSearch::default()).records;
    let names = |name: fn(&ExpertRecord) -> String| {
        let distinct: BTreeSet<_> = all.iter().map(name).collect();
        distinct.into_iter().take(MAX_KNOWN_NAMES).collect()
    };
    match error {
        ServiceError::NoExpert { capability, .. } => {
            ServiceError::NoExpert { capability, known: names(|record| record.capability.to_string()) }
        }
        ServiceError::UnknownModel { model, .. } => {
            ServiceError::UnknownModel { model, known: names(|record| record.model.to_string()) }
        }
        other => other,
    }
}

/// Experts match and none may be asked: the reason that the asker can do most about.
fn all_excluded(route: &Route, query: &Query) -> ServiceError {
    let because = |reason| route.filtered.iter().filter(move |filtered| filtered.reason == reason);
    // Before the budget: waiting costs the asker nothing, and the busy expert is within the budget, which is
    // checked first.
    if because(Exclusion::Saturated).chain(because(Exclusion::Paused)).next().is_some() {
        return ServiceError::Busy { retry_after: BUSY_RETRY_AFTER };
    }
    let costs =
        because(Exclusion::OverBudget).map(|filtered| price::max_cost(filtered.record.price, &query.request));
    match costs.min() {
        Some(cheapest) => ServiceError::OverBudget { cheapest, budget: query.budget },
        None => ServiceError::NoMatch { known: route.filtered.len() },
    }
}

#[cfg(test)]
mod tests;
