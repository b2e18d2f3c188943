//! Questions to the gate, and to others that choose in a simpler way.

use std::time::Duration;

use nervure_primitives::{Amount, Netuid, NodeId, UnixMillis};
use nervure_protocol::{ExpertRecord, Score};
use nervure_subnet::{
    Candidate, Choice, Dice, Note, Observation, Policy, PolicyRules, QueryTerms, Seed, Trust, rank, route,
    score::MedianScore,
};
use serde::Serialize;

use crate::{
    answers::Moment,
    defences::Defence,
    miners::{Kind, Miner, USELESS},
};

/// An answer worth less is a bad one.
const BAD: f64 = 0.25;

/// Of 1,000 questions, what newcomers got before.
const MUCH_EXPLORATION: u16 = 20;

/// Experts of a subnet that no other validator stands behind.
const OWN_SUBNET: u64 = 3;

/// The names of a miner's experts.
const FIRST: &str = "a";
const SECOND: &str = "b";

/// The results of one way to choose.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Tally {
    /// The number of queries.
    pub(crate) questions: u64,
    /// The sum of the worth of the answers.
    pub(crate) worth: f64,
    /// Answered badly.
    pub(crate) bad: u64,
    /// Answered by a hostile miner.
    pub(crate) to_hostile: u64,
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

/// An answer to a user.
struct Served {
    worth: f64,
    hostile: bool,
    broken: bool,
    explored: bool,
}

impl Tally {
    fn add(&mut self, served: &Served) {
        self.questions += 1;
        self.worth += served.worth;
        self.bad += u64::from(served.worth < BAD);
        self.to_hostile += u64::from(served.hostile);
        self.to_broken += u64::from(served.broken);
        self.explored += u64::from(served.explored);
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

/// An epoch's questions, and the trust in each slot.
pub(crate) struct Questions<'a> {
    pub(crate) moment: Moment<'a>,
    pub(crate) trusts: &'a [Trust],
    pub(crate) attackers: bool,
    pub(crate) now: UnixMillis,
}

impl Questions<'_> {
    /// Asks `count` questions.
    pub(crate) fn ask(&self, count: u64, dice: &mut Dice, tallies: &mut Tallies) {
        let candidates = self.candidates();
        let unknown: Vec<Candidate> = candidates.iter().map(|(candidate, _)| candidate.clone()).collect();
        let slots =
            || (0..self.moment.miners.len()).filter(|slot| !self.moment.miners[*slot].kind.is_hostile());
        let quality = |slot: &usize| self.moment.miners[*slot].quality;
        let best = slots().max_by(|a, b| quality(a).total_cmp(&quality(b)));
        for _ in 0..count {
            let budget = Amount::from_base_units(u64::MAX);
            let terms = QueryTerms { capability: None, model: None, filter: None, budget, seed: dice.bits() };
            for (tally, policy) in
                [(&mut tallies.balanced, Policy::Balanced), (&mut tallies.trusted, Policy::Trusted)]
            {
                let route = route(candidates.clone(), &terms, &self.rules(policy), self.now);
                tally.add(&self.served(&route.choices, dice));
            }
            let alone = rank(unknown.clone(), &terms, self.now);
            tallies.alone.add(&self.served(&alone.choices, dice));
            let mut lot = alone.choices;
            dice.shuffle(&mut lot);
            tallies.lot.add(&self.served(&lot, dice));
            let worth = best.map_or(0.0, |slot| quality(&slot));
            tallies.oracle.add(&Served { worth, hostile: false, broken: false, explored: false });
        }
    }

    fn rules(&self, policy: Policy) -> PolicyRules {
        let rules = policy.rules();
        match self.moment.defences.has(Defence::LittleExploration) {
            true => rules,
            false => PolicyRules { explore: rules.explore.max(MUCH_EXPLORATION), ..rules },
        }
    }

    /// The answer of the first choice that answers in time.
    fn served(&self, choices: &[Choice], dice: &mut Dice) -> Served {
        for choice in choices {
            let explored = choice.note == Note::Explored;
            let slot = self.moment.miners.iter().position(|one| one.registration.node == choice.record.node);
            let Some(slot) = slot else {
                return Served { worth: USELESS, hostile: true, broken: false, explored };
            };
            if self.moment.misses(slot, dice) {
                continue;
            }
            let second = choice.record.expert == SECOND;
            let worth = if second { USELESS } else { self.moment.served(slot, dice) };
            let miner = &self.moment.miners[slot];
            return Served { worth, hostile: miner.kind.is_hostile(), broken: miner.broken, explored };
        }
        Served { worth: 0.0, hostile: false, broken: false, explored: false }
    }

    fn candidates(&self) -> Vec<(Candidate, Trust)> {
        let mut all = Vec::new();
        for (miner, trust) in self.moment.miners.iter().zip(self.trusts) {
            all.push((miner.candidate(FIRST, self.now), *trust));
            if miner.kind == Kind::SecondExpert {
                let tested = MedianScore { score: Score::ratio(2, 100), tasks: 100 };
                let own = Trust { live_score: Some(tested), ..*trust };
                let scoped = self.moment.defences.has(Defence::ExpertScope);
                all.push((miner.candidate(SECOND, self.now), if scoped { own } else { *trust }));
            }
        }
        if self.attackers {
            // The only incentive of its subnet, and all scores of its validators; by stake, next to nothing.
            let scoped = self.moment.defences.has(Defence::SubnetScope);
            let incentive = if scoped { (0, 1) } else { (1, 1) };
            let score = if scoped { Score::ZERO } else { Score::ONE };
            let trust = Trust::new(Some(incentive), Some(MedianScore { score, tasks: 1_000 }));
            all.extend((0..OWN_SUBNET).map(|number| {
                let node = NodeId::from_bytes(*Seed::from(u64::MAX - number).as_bytes());
                (candidate((node, FIRST, 2), (1, true), self.now), trust)
            }));
        }
        all
    }
}

impl Miner {
    fn candidate(&self, expert: &str, now: UnixMillis) -> Candidate {
        let free = matches!(self.kind, Kind::Liar | Kind::Sybil | Kind::Oracle) || expert == SECOND;
        candidate((self.registration.node, expert, 1), (self.latency, free), now)
    }
}

/// An expert with its time to the first byte, and whether it claims to be free and idle.
fn candidate(
    (node, expert, netuid): (NodeId, &str, u16),
    (latency, free): (u32, bool),
    now: UnixMillis,
) -> Candidate {
    let record = ExpertRecord {
        node,
        netuid: Netuid(netuid),
        expert: expert.into(),
        capability: "text.generate".parse().expect("a capability"),
        model: "m".into(),
        identity: Default::default(),
        context: 256,
        max_output: 256,
        price: if free { 0 } else { 5_000_000 },
        byte_level: true,
        load: if free { 0 } else { 30 },
        addresses: Vec::new(),
        relays: Vec::new(),
        seq: 1,
        issued_at: now,
        expires_at: now.plus(Duration::from_secs(60)),
        withdrawn: false,
    };
    Candidate { record, seen: Observation { latency_ms: Some(latency), ..Observation::default() } }
}
