//! The cost of asking an expert, in milliseconds.

use super::{Candidate, Choice, Note, PolicyRules, Trust};
use nervure_protocol::Score;

/// Milliseconds to the first byte that an expert counts with before this node has asked it.
const UNKNOWN_LATENCY_MS: u64 = 20;
/// Milliseconds for each percent of load.
const LOAD_MS: u64 = 2;
/// Milliseconds for each query of ours that is with the expert already.
const IN_FLIGHT_MS: u64 = 50;
/// Milliseconds for each failure since the last success.
const FAILURE_MS: u64 = 500;
/// Base units per 1,000 tokens that weigh as much as one millisecond: a thousandth of a token.
const PRICE_PER_MS: u64 = 1_000_000;
/// Milliseconds for an expert with a quality of 0.
const DISTRUST_MS: u64 = 2_000;

/// An expert with its cost and the other inputs of its place in the order.
pub(super) struct RankedCandidate {
    pub(super) choice: Choice,
    pub(super) quality: Score,
    pub(super) newcomer: bool,
    /// How much its subnet's stake counts.
    pub(super) backing: Score,
    /// This node's queries in flight, then the load that the expert advertises.
    pub(super) busy: (u32, u8),
}

/// The cost of a candidate under `rules`.
pub(super) fn ranked(candidate: Candidate, trust: Trust, rules: &PolicyRules) -> RankedCandidate {
    let Candidate { record, seen } = candidate;
    let quality = trust.quality();
    // A score of 1 is `u32::MAX` parts. The product has 43 bits.
    let lacking = u64::from(Score::ONE.less(quality).parts()) * DISTRUST_MS / u64::from(u32::MAX);
    let of = |percent: u16, millis: u64| millis.saturating_mul(percent.into()) / 100;
    let latency = of(rules.speed, seen.latency_ms.map_or(UNKNOWN_LATENCY_MS, u64::from));
    let load = of(rules.speed, u64::from(record.load) * LOAD_MS);
    let in_flight = of(rules.speed, u64::from(seen.in_flight) * IN_FLIGHT_MS);
    let failures = of(rules.failures, u64::from(seen.failures) * FAILURE_MS);
    let price = of(rules.price, record.price / PRICE_PER_MS);
    let distrust = of(rules.distrust, lacking);
    let terms = [latency, load, in_flight, failures, price, distrust];
    let cost = terms.into_iter().fold(0, u64::saturating_add);
    let busy = (seen.in_flight, record.load);
    let (note, backing, newcomer, trust) = (Note::None, trust.backing, trust.is_newcomer(), trust.figures());
    let choice =
        Choice { record, cost, latency, load, in_flight, failures, price, distrust, trust, quality, note };
    RankedCandidate { choice, quality, newcomer, backing, busy }
}

#[cfg(test)]
pub(super) const PRICE_STEP: u64 = PRICE_PER_MS;
