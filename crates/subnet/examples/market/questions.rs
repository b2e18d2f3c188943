//! Questions to the gate, and to others that choose in a simpler way.

use nervure_primitives::{Amount, UnixMillis};
use nervure_subnet::{Candidate, Dice, Note, Observation, Policy, QueryTerms, Trust, rank, route};
use serde::Serialize;

use crate::miners::Miner;

/// The results of one way to choose.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Tally {
    /// The number of queries.
    pub(crate) questions: u64,
    /// The sum of the worth of the answers.
    pub(crate) worth: f64,
    /// Answered by a liar.
    pub(crate) to_liars: u64,
    /// Answered by a miner that broke.
    pub(crate) to_broken: u64,
    /// Given to a newcomer so that it gets a chance.
    pub(crate) explored: u64,
}

/// The results of each way to choose.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Tallies {
    /// The best miner at the moment, which no real chooser can know.
    pub(crate) oracle: Tally,
    pub(crate) balanced: Tally,
    pub(crate) trusted: Tally,
    /// The gate without validators: the fastest, least busy and cheapest.
    pub(crate) alone: Tally,
    /// By lot.
    pub(crate) lot: Tally,
}

impl Tally {
    fn add(&mut self, miner: &Miner, explored: bool) {
        self.questions += 1;
        self.worth += miner.quality;
        self.to_liars += u64::from(miner.liar);
        self.to_broken += u64::from(miner.broken);
        self.explored += u64::from(explored);
    }

    /// Of `what`, for each question.
    pub(crate) fn share(&self, what: u64) -> f64 {
        what as f64 / self.questions.max(1) as f64
    }

    /// The mean worth of an answer.
    pub(crate) fn mean(&self) -> f64 {
        self.worth / self.questions.max(1) as f64
    }
}

/// An epoch's questions. `trusts` is by slot, as `miners`.
pub(crate) fn ask(
    count: u64,
    (miners, trusts): (&[Miner], &[Trust]),
    (dice, now): (&mut Dice, UnixMillis),
    tallies: &mut Tallies,
) {
    let candidate = |miner: &Miner| {
        let seen = Observation { latency_ms: Some(miner.latency), ..Observation::default() };
        Candidate { record: miner.record(now), seen }
    };
    let candidates: Vec<Candidate> = miners.iter().map(candidate).collect();
    let trusted: Vec<(Candidate, Trust)> = candidates.iter().cloned().zip(trusts.iter().copied()).collect();
    let of =
        |choice: &nervure_subnet::Choice| miners.iter().find(|m| m.registration.node == choice.record.node);
    let best = miners.iter().max_by(|a, b| a.quality.total_cmp(&b.quality));
    for _ in 0..count {
        let budget = Amount::from_base_units(u64::MAX);
        let terms = QueryTerms { capability: None, model: None, filter: None, budget, seed: dice.bits() };
        for (tally, policy) in
            [(&mut tallies.balanced, Policy::Balanced), (&mut tallies.trusted, Policy::Trusted)]
        {
            let route = route(trusted.clone(), &terms, &policy.rules(), now);
            if let Some((choice, miner)) =
                route.choices.first().and_then(|choice| Some((choice, of(choice)?)))
            {
                tally.add(miner, choice.note == Note::Explored);
            }
        }
        let alone = rank(candidates.clone(), &terms, now);
        if let Some(miner) = alone.choices.first().and_then(of) {
            tallies.alone.add(miner, false);
        }
        if let (Some(lot), Some(best)) = (dice.pick(miners), best) {
            tallies.lot.add(lot, false);
            tallies.oracle.add(best, false);
        }
    }
}
