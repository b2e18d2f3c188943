//! The simulation of a subnet, epoch by epoch.

use std::{collections::BTreeMap, thread};

use nervure_consensus::yuma::EpochOutput;
use nervure_primitives::{MeshId, Netuid, UnixMillis};
use nervure_protocol::{ExpertId, SignedLiveScores, bounds::MAX_SCORES};
use nervure_subnet::{
    Dice, Seed, Trust,
    score::{LiveScoreTable, MedianScore},
};
use serde::Serialize;

use crate::{
    agreement::Agreement,
    answers::Moment,
    consensus::{Consensus, TEMPO},
    defences::{Defence, Defences},
    detection::DetectionTimes,
    miners::{Changes, Miner, Miners, SYBILS},
    pay::Pay,
    questions::{Questions, Tallies},
    report::Report,
    validators::{Public, Validator},
};

const MESH: MeshId = MeshId::from_bytes([7; 32]);

/// Milliseconds of an epoch: blocks of 12 s.
const EPOCH_MS: u64 = TEMPO * 12_000;

/// The first epochs, one in this many, are not counted: all miners are new.
const WARM_UP: u64 = 5;

/// The best of this many equal parts are the miners that should be found.
const PARTS: usize = 10;

/// Strangers lock one in this many miners, those that earn most.
const LOCKED: usize = 20;

/// A newcomer is known when it is taken for one of the best in so many epochs in a row.
const STEADY: u64 = 3;

/// The parameters of the simulation.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Plan {
    pub(crate) miners: usize,
    pub(crate) validators: usize,
    pub(crate) epochs: u64,
    /// Queries in each epoch.
    pub(crate) questions: u64,
    pub(crate) seed: u64,
    /// How far a miner's quality moves in an epoch at most, of 1.
    pub(crate) drift: f64,
    /// Useless keys that register in each epoch.
    pub(crate) sybils: usize,
    /// All attackers at once; otherwise liars only.
    pub(crate) attackers: bool,
    pub(crate) defences: Defences,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            miners: 192,
            validators: 64,
            epochs: 200,
            questions: 64,
            seed: 1,
            drift: 0.02,
            sybils: SYBILS,
            attackers: true,
            defences: Defences::ALL,
        }
    }
}

/// The state of the simulated subnet.
pub(crate) struct Simulation {
    plan: Plan,
    miners: Miners,
    validators: Vec<Validator>,
    consensus: Consensus,
    incentive: Vec<u16>,
    dice: Dice,
    epoch: u64,
    tallies: Tallies,
    pay: Pay,
    agreement: Agreement,
    newcomers: DetectionTimes,
    excellent: DetectionTimes,
    broken: DetectionTimes,
}

impl Simulation {
    pub(crate) fn new(plan: Plan) -> Self {
        let seed = Seed::from(plan.seed);
        let validator = |index| Validator::new(index, seed, plan.attackers);
        Self {
            miners: Miners::new(plan),
            validators: (0..plan.validators).map(validator).collect(),
            consensus: Consensus::new(plan.validators, plan.miners, plan.defences),
            incentive: vec![0; plan.miners],
            dice: Dice::new(seed.derive("questions", 0)),
            epoch: 0,
            tallies: Tallies::default(),
            pay: Pay::default(),
            agreement: Agreement::default(),
            newcomers: DetectionTimes::new(STEADY),
            excellent: DetectionTimes::new(STEADY),
            broken: DetectionTimes::new(1),
            plan,
        }
    }

    /// Runs all epochs.
    pub(crate) fn run(plan: Plan, mut progress: impl FnMut(u64)) -> Report {
        let mut simulation = Self::new(plan);
        for epoch in 1..=plan.epochs {
            simulation.epoch();
            progress(epoch);
        }
        simulation.report()
    }

    /// One epoch: miners change, validators test them, questions are asked, weights are counted.
    fn epoch(&mut self) {
        self.epoch += 1;
        let block = self.epoch * TEMPO;
        let now = UnixMillis(1_000_000_000 + self.epoch * EPOCH_MS);
        let changes = self.miners.live(block, &self.incentive);
        for (slot, left) in changes.came.iter().zip(&changes.left) {
            self.incentive[*slot] = 0;
            self.consensus.replaced(*slot);
            self.agreement.left(&left.registration);
        }
        let locked = self.locked();
        let scores = opinions(self.test(now, &locked), now);
        let trusts = self.trusts(&scores);
        self.watch(&changes, &trusts);
        let (plan, counts) = (self.plan, self.epoch > self.plan.epochs / WARM_UP);
        let moment =
            Moment { miners: &self.miners.all, locked: &locked, defences: plan.defences, epoch: self.epoch };
        if counts {
            let attackers = plan.attackers;
            let questions = Questions { moment, trusts: &trusts, attackers, now };
            questions.ask(plan.questions, &mut self.dice, &mut self.tallies);
        }
        let public = Public { revealed: self.consensus.revealed(), scores: &scores };
        let miners = &self.miners.all;
        let weights = |one: &mut Validator| one.weights(miners, plan, &public);
        let rows = self.validators.iter_mut().map(weights).collect();
        let output = self.consensus.epoch(block, &self.miners.all, rows);
        self.incentive = output.incentive.iter().skip(plan.validators).copied().collect();
        if counts {
            self.count(&output, &locked);
        }
    }

    /// Notes what miners and validators earned, and what users got from each miner.
    fn count(&mut self, output: &EpochOutput, locked: &[usize]) {
        let validators = self.plan.validators;
        self.pay.miners(&self.miners.all, &output.server_emission[validators..], self.epoch);
        self.pay.validators(&self.validators, &output.validator_emission[..validators]);
        let (defences, epoch) = (self.plan.defences, self.epoch);
        let moment = Moment { miners: &self.miners.all, locked, defences, epoch };
        for (slot, miner) in self.miners.all.iter().enumerate() {
            let missed = moment.misses(slot, &mut self.dice);
            let worth = if missed { 0.0 } else { moment.served_by_any(slot, &mut self.dice) };
            self.agreement.add((miner.registration, epoch - miner.since), self.incentive[slot], worth);
        }
    }

    /// The slots that strangers lock.
    fn locked(&self) -> Vec<usize> {
        if !self.plan.attackers {
            return Vec::new();
        }
        let honest = |slot: &usize| !self.miners.all[*slot].kind.is_hostile();
        let mut slots: Vec<usize> = (0..self.incentive.len()).filter(honest).collect();
        slots.sort_by_key(|slot| std::cmp::Reverse((self.incentive[*slot], *slot)));
        slots.truncate(self.incentive.len() / LOCKED);
        slots
    }

    /// The validators' tests and their live scores, by page. On two threads, because validators are independent.
    fn test(&mut self, now: UnixMillis, locked: &[usize]) -> Vec<Vec<SignedLiveScores>> {
        let defences = self.plan.defences;
        let moment = Moment { miners: &self.miners.all, locked, defences, epoch: self.epoch };
        let mut ordered: Vec<&Miner> = self.miners.all.iter().collect();
        ordered.sort_by_key(|miner| miner.registration.node);
        let pages: Vec<Vec<&Miner>> = ordered.chunks(MAX_SCORES).map(<[_]>::to_vec).collect();
        let one = |validator: &mut Validator| {
            validator.test(&moment);
            validator.says(&pages, &MESH, (now, defences))
        };
        let half = self.validators.len() / 2;
        let (first, second) = self.validators.split_at_mut(half);
        thread::scope(|scope| {
            let other = scope.spawn(|| first.iter_mut().map(one).collect::<Vec<_>>());
            let second: Vec<_> = second.iter_mut().map(one).collect();
            other.join().expect("validators that work").into_iter().chain(second).collect()
        })
    }

    /// The gate's trust in each slot.
    fn trusts(&self, opinions: &BTreeMap<ExpertId, MedianScore>) -> Vec<Trust> {
        let largest = self.incentive.iter().copied().max().unwrap_or(0);
        let block = self.epoch * TEMPO;
        let of = |(miner, own): (&Miner, &u16)| {
            let age = match self.plan.defences.has(Defence::EarlyIncentive) {
                true => block - miner.registration.block.0,
                false => u64::MAX,
            };
            let incentive = Trust::incentive_of((*own, largest), (age, TEMPO));
            let live_score = opinions.get(&miner.expert().expert).copied();
            Trust { incentive, live_score, ..Trust::default() }
        };
        self.miners.all.iter().zip(&self.incentive).map(of).collect()
    }

    fn watch(&mut self, Changes { came, broke, .. }: &Changes, trusts: &[Trust]) {
        let believed = best(PARTS, trusts.len(), |slot| f64::from(trusts[slot].quality().parts()));
        let honest = |slot: usize| {
            let miner = &self.miners.all[slot];
            if miner.kind.is_hostile() { 0.0 } else { miner.quality }
        };
        let [good, excellent] = [PARTS, 2 * PARTS].map(|parts| best(parts, trusts.len(), honest));
        let known = |slot: &usize| believed[*slot] && !trusts[*slot].is_newcomer();
        let epoch = self.epoch;
        for slot in came {
            self.broken.retain(|waiting| waiting != slot);
        }
        for (waiting, truly) in [(&mut self.newcomers, good), (&mut self.excellent, excellent)] {
            came.iter().for_each(|slot| waiting.wait_for(*slot, epoch));
            waiting.retain(|slot| truly[*slot]);
            waiting.notice(epoch, known);
        }
        for slot in broke.iter().filter(|slot| known(slot)) {
            self.broken.wait_for(*slot, epoch);
        }
        self.broken.notice(epoch, |slot| !known(slot));
    }

    fn report(&self) -> Report {
        let hostile = self.miners.all.iter().filter(|miner| miner.kind.is_hostile()).count();
        Report {
            plan: self.plan,
            tallies: self.tallies,
            hostile: hostile as f64 / self.miners.all.len().max(1) as f64,
            pay: self.pay.clone(),
            agreement: self.agreement.correlation(),
            newcomers: self.newcomers.times(self.epoch),
            excellent: self.excellent.times(self.epoch),
            broken: self.broken.times(self.epoch),
        }
    }
}

/// The medians of all miners' live scores.
fn opinions(said: Vec<Vec<SignedLiveScores>>, now: UnixMillis) -> BTreeMap<ExpertId, MedianScore> {
    let pages = said.first().map_or(0, Vec::len);
    let mut books: Vec<LiveScoreTable> =
        (0..pages).map(|page| LiveScoreTable::new(Netuid(page as u16 + 1))).collect();
    for pages in &said {
        for (book, page) in books.iter_mut().zip(pages) {
            book.insert(page, now);
        }
    }
    books.iter().flat_map(|book| book.medians(|_| 1, now)).collect()
}

/// Which of `count` slots are among the best of so many equal parts. Equals of the last one are, too: their order says
/// nothing.
fn best(parts: usize, count: usize, worth: impl Fn(usize) -> f64) -> Vec<bool> {
    let mut worths: Vec<f64> = (0..count).map(&worth).collect();
    worths.sort_by(|a, b| b.total_cmp(a));
    let Some(last) = (count / parts).checked_sub(1).and_then(|at| worths.get(at)) else {
        return vec![false; count];
    };
    (0..count).map(|slot| worth(slot) >= *last && worth(slot) > 0.0).collect()
}
