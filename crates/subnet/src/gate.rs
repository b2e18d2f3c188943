//! The gate: whom to ask, and why.
//!
//! Each candidate gets a cost in milliseconds, the lowest is asked first:
//!
//! ```text
//! cost = latency + load * 2 + in_flight * 50 + failures * 500 + price weight
//! ```
//!
//! The terms stay apart in the [`Route`], so that a choice can be explained. An expert that was never asked
//! counts as if it began after 20 ms, so that newcomers are tried. Equal costs are decided by a
//! hash of the seed and the expert, so that load spreads over equals and a choice can be repeated.

use nervure_primitives::{Amount, Capability, Hash, UnixMillis};
use serde::Serialize;

use crate::{ExpertRecord, Filter, Observation};

/// Milliseconds to the first byte that an expert is given credit for before it was ever asked.
const UNKNOWN_LATENCY_MS: u64 = 20;
/// Milliseconds for each percent of load.
const LOAD_MS: u64 = 2;
/// Milliseconds for each query of ours that is with the expert already.
const IN_FLIGHT_MS: u64 = 50;
/// Milliseconds for each failure since the last success.
const FAILURE_MS: u64 = 500;
/// Base units per 1,000 tokens that weigh as much as one millisecond: a thousandth of a token.
const PRICE_PER_MS: u64 = 1_000_000;
/// Queries of ours that one expert has at most.
const MAX_IN_FLIGHT: u32 = 64;

/// What an asker wants of an expert.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Only experts that this covers.
    pub capability: Option<Capability>,
    /// Only experts with this model.
    pub model: Option<String>,
    /// Only experts that pass.
    pub filter: Option<Filter>,
    /// The most to pay per 1,000 tokens of output.
    pub budget: Amount,
    /// Decides between equals.
    pub seed: u64,
}

/// An expert that could be asked, and what was seen of it.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its record.
    pub record: ExpertRecord,
    /// What this node saw of it.
    pub seen: Observation,
}

/// An expert to ask, with the terms of its cost, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// Its record.
    pub record: ExpertRecord,
    /// All terms together: the lowest is asked first.
    pub cost: u64,
    /// Smoothed time to its first byte, or the credit of a newcomer.
    pub latency: u64,
    /// For the load that it advertises.
    pub load: u64,
    /// For our own queries that are with it.
    pub in_flight: u64,
    /// For its failures since the last success.
    pub failures: u64,
    /// For its price.
    pub price: u64,
}

/// Why an expert is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Exclusion {
    /// It cannot do what is asked for.
    OtherCapability,
    /// It serves another model.
    OtherModel,
    /// The asker's filter leaves it out.
    FilteredOut,
    /// It costs more than the asker pays.
    OverBudget,
    /// It failed several times in a row and is left alone for a while.
    Paused,
    /// Enough of our queries are with it.
    Saturated,
}

/// An expert that is not asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Filtered {
    /// Its record.
    pub record: ExpertRecord,
    /// Why not.
    pub reason: Exclusion,
}

/// Whom to ask, in order, and who was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Route {
    /// The experts to ask, best first.
    pub choices: Vec<Choice>,
    /// Those left out, and why.
    pub filtered: Vec<Filtered>,
}

/// Orders `candidates` for a question on `terms`.
pub fn rank(candidates: Vec<Candidate>, terms: &Terms, now: UnixMillis) -> Route {
    let mut route = Route::default();
    for candidate in candidates {
        match exclusion(&candidate, terms, now) {
            Some(reason) => route.filtered.push(Filtered { record: candidate.record, reason }),
            None => route.choices.push(choice(candidate)),
        }
    }
    route.choices.sort_by_cached_key(|choice| (choice.cost, tie(&choice.record, terms.seed)));
    route
}

fn exclusion(candidate: &Candidate, terms: &Terms, now: UnixMillis) -> Option<Exclusion> {
    let Candidate { record, seen } = candidate;
    let rules = [
        (
            Exclusion::OtherCapability,
            terms.capability.as_ref().is_some_and(|c| !c.covers(&record.capability)),
        ),
        (Exclusion::OtherModel, terms.model.as_ref().is_some_and(|model| *model != record.model)),
        (Exclusion::FilteredOut, terms.filter.as_ref().is_some_and(|filter| !filter.matches(record))),
        (Exclusion::OverBudget, Amount::from_base_units(record.price) > terms.budget),
        (Exclusion::Paused, seen.paused_until > now),
        (Exclusion::Saturated, seen.in_flight >= MAX_IN_FLIGHT),
    ];
    rules.into_iter().find(|(_, applies)| *applies).map(|(reason, _)| reason)
}

fn choice(Candidate { record, seen }: Candidate) -> Choice {
    let latency = seen.latency_ms.map_or(UNKNOWN_LATENCY_MS, u64::from);
    let load = u64::from(record.load) * LOAD_MS;
    let in_flight = u64::from(seen.in_flight) * IN_FLIGHT_MS;
    let failures = u64::from(seen.failures) * FAILURE_MS;
    let price = record.price / PRICE_PER_MS;
    let cost = latency + load + in_flight + failures + price;
    Choice { record, cost, latency, load, in_flight, failures, price }
}

fn tie(record: &ExpertRecord, seed: u64) -> Hash {
    Hash::of("nervure/gate/tie", &[&seed.to_be_bytes(), record.node.as_bytes(), record.expert.as_bytes()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::tests::{NOW, record};

    fn terms() -> Terms {
        let budget = Amount::from_base_units(u64::MAX);
        Terms { capability: None, model: None, filter: None, budget, seed: 1 }
    }

    fn candidate(seed: u8) -> Candidate {
        Candidate { record: record(seed, "a", "text.generate.rust"), seen: Observation::default() }
    }

    fn reason(candidate: Candidate, terms: &Terms) -> Option<Exclusion> {
        rank(vec![candidate], terms, NOW).filtered.first().map(|filtered| filtered.reason)
    }

    #[test]
    fn every_exclusion_names_its_reason() {
        let other = Terms { capability: Some("image".parse().unwrap()), ..terms() };
        assert_eq!(reason(candidate(1), &other), Some(Exclusion::OtherCapability));
        assert_eq!(
            reason(candidate(1), &Terms { model: Some("x".into()), ..terms() }),
            Some(Exclusion::OtherModel)
        );
        let filter = Some("context > 100000".parse().unwrap());
        assert_eq!(reason(candidate(1), &Terms { filter, ..terms() }), Some(Exclusion::FilteredOut));
        let mut dear = candidate(1);
        dear.record.price = 1;
        assert_eq!(reason(dear, &Terms { budget: Amount::ZERO, ..terms() }), Some(Exclusion::OverBudget));
        let seen = Observation { paused_until: UnixMillis(NOW.0 + 1), ..Observation::default() };
        assert_eq!(reason(Candidate { seen, ..candidate(1) }, &terms()), Some(Exclusion::Paused));
        let seen = Observation { in_flight: MAX_IN_FLIGHT, ..Observation::default() };
        assert_eq!(reason(Candidate { seen, ..candidate(1) }, &terms()), Some(Exclusion::Saturated));
        assert_eq!(reason(candidate(1), &terms()), None);
    }

    #[test]
    fn equals_share_the_load() {
        let first = |seed| {
            let candidates = (1..=4).map(candidate).collect();
            rank(candidates, &Terms { seed, ..terms() }, NOW).choices[0].record.node
        };
        let chosen: std::collections::BTreeSet<_> = (0..64).map(first).collect();
        assert_eq!(chosen.len(), 4);
        assert_eq!(first(7), first(7), "the same seed chooses the same");
    }

    #[test]
    fn a_newcomer_is_tried_before_the_slow() {
        let mut slow = candidate(1);
        slow.seen.latency_ms = Some(200);
        let route = rank(vec![slow, candidate(2)], &terms(), NOW);
        assert_eq!(route.choices[0].record, candidate(2).record);
    }

    proptest! {
        #[test]
        fn what_is_worse_in_one_respect_never_ranks_higher(
            latency in 0u32..5000, load in 0u8..100, in_flight in 0u32..63, price in 0u64..1 << 40, which in 0..4
        ) {
            let mut better = candidate(1);
            better.record.load = load;
            better.record.price = price;
            better.seen = Observation { latency_ms: Some(latency), in_flight, ..Observation::default() };
            let mut worse = better.clone();
            worse.record.node = candidate(2).record.node;
            match which {
                0 => worse.seen.latency_ms = Some(latency + 1),
                1 => worse.record.load += 1,
                2 => worse.seen.failures += 1,
                _ => worse.record.price += PRICE_PER_MS,
            }
            let route = rank(vec![worse.clone(), better.clone()], &terms(), NOW);
            prop_assert_eq!(&route.choices[0].record, &better.record);
        }
    }
}
