//! The gate: ranks the candidates for a query by cost.
//!
//! # Design
//! Each candidate gets a cost in milliseconds, the lowest is asked first:
//!
//! ```text
//! cost = latency + load * 2 + in_flight * 50 + failures * 500 + price + distrust * 2,000
//! ```
//!
//! each term times the [`Policy`]'s factor. *Distrust* is one minus the quality that validators found, times the weight
//! that the stake behind the expert's subnet has: see [`Trust`]. The [`Route`] keeps the terms, so that a choice can be
//! explained. An expert that was never asked counts as if it began after 20 ms, and one that validators have not tested
//! has no trust. Equal costs are decided by a number made of the seed and the expert, so that load spreads over equals and
//! a choice can be repeated.
//!
//! Then [`route`] looks beyond the cost:
//! * *Known bad* experts, and those of subnets that no other validators stand behind, come last under every policy.
//! * *Newcomers* are asked first now and then, so that a good one is found.
//! * Among those that cost about as much as the best, *two random choices*: two are drawn and the less busy one is
//!   asked, so that gateways that think alike do not all ask the same one.
//!
//! An expert that failed several times in a row is paused and then tried with one query at a time.
//!
//! # What a hostile miner can do
//! * *Lie about its load or price*: load weighs little next to what is measured, and no query is charged more than the
//!   record says.
//! * *Come back under new names*: all newcomers together get the policy's share of exploration, each node as much as any
//!   other, however many experts it names.
//! * *Praise itself in a subnet of its own*: what such a subnet finds counts by the stake behind it.
//! * *Put a bad expert beside a good one*: trust is in one expert, and not in its node.
//! * *Claim a capability that it lacks*: validators' tasks show it, and it comes last.

mod cost;
mod pick;
mod policy;
mod trust;

use nervure_primitives::{Amount, Capability, UnixMillis};
use nervure_protocol::Score;
pub use policy::{Policy, PolicyError, PolicyRules};
use serde::Serialize;
pub use trust::{Trust, TrustFigures};

use crate::{Filter, Observation};
use cost::RankedCandidate;
use nervure_protocol::ExpertRecord;

/// Upper bound for this node's queries in flight with one expert.
const MAX_IN_FLIGHT: u32 = 64;

/// The terms of a query: which experts may answer it.
#[derive(Clone, Debug)]
pub struct QueryTerms {
    /// Only experts that this capability covers.
    pub capability: Option<Capability>,
    /// Only experts with this model.
    pub model: Option<String>,
    /// Only experts that pass this filter.
    pub filter: Option<Filter>,
    /// The maximum price per 1,000 tokens of output.
    pub budget: Amount,
    /// Decides between equals.
    pub seed: u64,
}

/// An expert that matches a query, with this node's observations.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its record.
    pub record: ExpertRecord,
    /// This node's observations.
    pub seen: Observation,
}

/// An expert to ask, with the terms of its cost, in milliseconds as the policy weighs them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// Its record.
    pub record: ExpertRecord,
    /// All terms together: the lowest is asked first.
    pub cost: u64,
    /// Smoothed time to its first byte, or the default of an expert that was never asked.
    pub latency: u64,
    /// For the load that it advertises.
    pub load: u64,
    /// For this node's queries in flight.
    pub in_flight: u64,
    /// For its failures since the last success.
    pub failures: u64,
    /// For its price.
    pub price: u64,
    /// For the quality that validators found lacking.
    pub distrust: u64,
    /// The trust in it, and what it is made of.
    pub trust: TrustFigures,
    /// The trust in it, as exactly as it is known.
    #[serde(skip)]
    pub quality: Score,
    /// What besides its cost decided its place.
    pub note: Note,
}

/// What besides its cost decided an expert's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Note {
    /// Only its cost.
    #[default]
    None,
    /// It is new and gets a chance.
    Explored,
    /// It was the less busy one of two about as good.
    OfTwo,
    /// Validators found it to be bad.
    KnownBad,
    /// Too little of the mesh's stake stands behind its subnet, as behind that of every other expert.
    Unbacked,
}

/// Why an expert is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Exclusion {
    /// It does not have the requested capability.
    OtherCapability,
    /// It serves another model.
    OtherModel,
    /// The asker's filter leaves it out.
    FilteredOut,
    /// It costs more than the budget.
    OverBudget,
    /// It failed several times in a row and is paused.
    Paused,
    /// It has the maximum number of this node's queries in flight.
    Saturated,
    /// Too little of the mesh's stake stands behind its subnet, and behind that of another expert there is enough.
    Unbacked,
}

impl Exclusion {
    /// Whether the expert will be asked again after a while.
    fn passes(self) -> bool {
        matches!(self, Self::Paused | Self::Saturated)
    }
}

/// An expert that is not asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExcludedExpert {
    /// Its record.
    pub record: ExpertRecord,
    /// Why not.
    pub reason: Exclusion,
}

/// The experts to ask, in order, and those left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Route {
    /// The experts to ask, best first.
    pub choices: Vec<Choice>,
    /// Those left out, and why.
    pub filtered: Vec<ExcludedExpert>,
}

/// Orders `candidates` for a query on `terms` by this node's own observations, without any trust.
pub fn rank(candidates: Vec<Candidate>, terms: &QueryTerms, now: UnixMillis) -> Route {
    let unknown = candidates.into_iter().map(|candidate| (candidate, Trust::default()));
    ordered(unknown, terms, &PolicyRules::OBSERVATIONS_ONLY, now)
}

/// Orders `candidates` for a query on `terms`, each with its trust.
pub fn route(
    candidates: Vec<(Candidate, Trust)>,
    terms: &QueryTerms,
    rules: &PolicyRules,
    now: UnixMillis,
) -> Route {
    ordered(candidates.into_iter(), terms, rules, now)
}

fn ordered(
    candidates: impl Iterator<Item = (Candidate, Trust)>,
    terms: &QueryTerms,
    rules: &PolicyRules,
    now: UnixMillis,
) -> Route {
    let mut filtered = Vec::new();
    let mut ranked = Vec::new();
    let mut knows_backed = false;
    for (candidate, trust) in candidates {
        let reason = exclusion(&candidate, terms, now);
        knows_backed |= reason.is_none_or(Exclusion::passes) && trust.backing >= rules.least_backing();
        match reason {
            Some(reason) => filtered.push(ExcludedExpert { record: candidate.record, reason }),
            None => ranked.push(cost::ranked(candidate, trust, rules)),
        }
    }
    // Not even when the others are busy, slow or paused: an attacker that makes them so would get their queries.
    if knows_backed {
        let is_unbacked = |one: &mut RankedCandidate| one.backing < rules.least_backing();
        let unbacked = ranked.extract_if(.., is_unbacked).map(|one| one.choice.record);
        filtered.extend(unbacked.map(|record| ExcludedExpert { record, reason: Exclusion::Unbacked }));
    }
    Route { choices: pick::order(ranked, terms.seed, rules), filtered }
}

fn exclusion(candidate: &Candidate, terms: &QueryTerms, now: UnixMillis) -> Option<Exclusion> {
    let Candidate { record, seen } = candidate;
    // In this order: the first that applies is shown to the asker, and those that the query itself causes
    // come first.
    let rules = [
        (
            Exclusion::OtherCapability,
            terms.capability.as_ref().is_some_and(|c| !c.covers(&record.capability)),
        ),
        (Exclusion::OtherModel, terms.model.as_ref().is_some_and(|model| record.model != model.as_str())),
        (Exclusion::FilteredOut, terms.filter.as_ref().is_some_and(|filter| !filter.matches(record))),
        (Exclusion::OverBudget, Amount::from_base_units(record.price) > terms.budget),
        (Exclusion::Paused, seen.is_paused(now)),
        (Exclusion::Saturated, seen.in_flight >= MAX_IN_FLIGHT),
    ];
    rules.into_iter().find(|(_, applies)| *applies).map(|(reason, _)| reason)
}

#[cfg(test)]
mod tests;
