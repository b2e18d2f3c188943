//! Whom a question can be put to: the gate's ranking of all known experts, or why there is none.

use std::{collections::BTreeSet, time::Duration};

use nervure_subnet::{Candidate, Exclusion, ExpertRecord, Filter, Find, Route, Terms, route};
use rand::Rng;

use crate::{
    runtime::{catalog::ExpertCatalog, clock, opinions::Trusts, price},
    service::{Ask, AskError, Target},
};

/// When to come back, when all experts are busy or paused.
const LATER: Duration = Duration::from_secs(1);

/// Names that an error lists.
const NAMES: usize = 64;

/// Ranks the experts for `ask`; at least one can be asked.
pub(super) fn select(catalog: &ExpertCatalog, trusts: &Trusts, ask: &Ask) -> Result<Route, AskError> {
    let filter = ask.filter.as_deref().map(parse).transpose()?;
    let target = ask.target.clone().resolve(|name| catalog.has_model(name));
    let target = target.map_err(|error| with_known(error, catalog))?;
    let (capability, model) = match target {
        Target::Capability(capability) => (Some(capability), None),
        Target::Model(model) | Target::Named(model) => (None, Some(model)),
    };
    let terms = Terms {
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
pub(crate) fn parse(source: &str) -> Result<Filter, AskError> {
    source.parse().map_err(|error: nervure_subnet::FilterError| AskError::BadFilter {
        column: error.column,
        message: error.message.clone(),
        rendered: error.render(source),
    })
}

fn nobody(terms: &Terms, catalog: &ExpertCatalog) -> AskError {
    let error = match (&terms.capability, &terms.model) {
        (Some(capability), _) => AskError::NoExpert { capability: capability.clone(), known: Vec::new() },
        (None, model) => {
            AskError::UnknownModel { model: model.clone().unwrap_or_default(), known: Vec::new() }
        }
    };
    with_known(error, catalog)
}

fn with_known(error: AskError, catalog: &ExpertCatalog) -> AskError {
    let all = catalog.find(&Find::default()).records;
    let names = |name: fn(&ExpertRecord) -> String| {
        let distinct: BTreeSet<_> = all.iter().map(name).collect();
        distinct.into_iter().take(NAMES).collect()
    };
    match error {
        AskError::NoExpert { capability, .. } => {
            AskError::NoExpert { capability, known: names(|record| record.capability.to_string()) }
        }
        AskError::UnknownModel { model, .. } => {
            AskError::UnknownModel { model, known: names(|record| record.model.clone()) }
        }
        other => other,
    }
}

/// Experts fit and none may be asked: the reason that the asker can do most about.
fn all_left_out(route: &Route, ask: &Ask) -> AskError {
    let because = |reason| route.filtered.iter().filter(move |filtered| filtered.reason == reason);
    if because(Exclusion::Saturated).chain(because(Exclusion::Paused)).next().is_some() {
        return AskError::Busy { retry_after: LATER };
    }
    let prices =
        because(Exclusion::OverBudget).map(|filtered| price::most(filtered.record.price, &ask.request));
    match prices.min() {
        Some(cheapest) => AskError::OverBudget { cheapest, budget: ask.budget },
        None => AskError::NonePasses { known: route.filtered.len() },
    }
}

#[cfg(test)]
mod tests;
