//! The simulation of a subnet, epoch by epoch, and its report.

use std::{collections::BTreeMap, fmt, thread};

use nervure_primitives::{MeshId, Netuid, UnixMillis};
use nervure_protocol::{SignedLiveScores, bounds::MAX_SCORES};
use nervure_subnet::{
    Dice, Registration, Seed, Trust,
    score::{LiveScoreTable, MedianScore},
};
use serde::Serialize;

use crate::{
    consensus::{Consensus, TEMPO},
    miners::{Miner, Miners},
    questions::{Tallies, Tally, ask},
    validators::Validator,
};

const MESH: MeshId = MeshId::from_bytes([7; 32]);

/// Milliseconds of an epoch: blocks of 12 s.
const EPOCH_MS: u64 = TEMPO * 12_000;

/// The first epochs, one in this many, are not counted: all miners are new.
const WARM_UP: u64 = 20;

/// The best of this many equal parts are the miners that should be found.
const PARTS: usize = 10;

/// The parameters of the simulation.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Plan {
    pub(crate) miners: usize,
    pub(crate) validators: usize,
    pub(crate) epochs: u64,
    /// Queries in each epoch.
    pub(crate) questions: u64,
    pub(crate) seed: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self { miners: 4096, validators: 64, epochs: 1000, questions: 32, seed: 1 }
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
    /// Base units that miners got, and liars among them.
    paid: (u64, u64),
    newcomers: DetectionTimes,
    broken: DetectionTimes,
}

/// Slots of which something is to be noticed, since which epoch, and how long that took with others.
#[derive(Default)]
struct DetectionTimes {
    since: BTreeMap<usize, u64>,
    took: Vec<u64>,
}

/// The result of the simulation.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    plan: Plan,
    pub(crate) tallies: Tallies,
    /// The part of miners that lie, at the end.
    liars: f64,
    /// The part of miners' pay that liars got.
    pub(crate) pay_to_liars: f64,
    /// Epochs until a newcomer of the best tenth was taken for one: how many were, median, 95th percentile.
    pub(crate) newcomers: Times,
    /// Epochs until a miner of the best tenth that broke was not taken for one any more.
    pub(crate) broken: Times,
}

/// Times in epochs.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Times {
    pub(crate) noticed: usize,
    /// Still waited for at the end.
    pub(crate) waiting: usize,
    pub(crate) p50: u64,
    pub(crate) p95: u64,
}

impl Simulation {
    pub(crate) fn new(plan: Plan) -> Self {
        let seed = Seed::from(plan.seed);
        Self {
            miners: Miners::new(plan.miners, seed),
            validators: (0..plan.validators).map(|index| Validator::new(index, seed)).collect(),
            consensus: Consensus::new(plan.validators),
            incentive: vec![0; plan.miners],
            dice: Dice::new(seed.derive("questions", 0)),
            epoch: 0,
            tallies: Tallies::default(),
            paid: (0, 0),
            newcomers: DetectionTimes::default(),
            broken: DetectionTimes::default(),
            plan,
        }
    }

    /// One epoch: miners change, validators test them, questions are asked, weights are counted.
    pub(crate) fn epoch(&mut self) {
        self.epoch += 1;
        let block = self.epoch * TEMPO;
        let now = UnixMillis(1_000_000_000 + self.epoch * EPOCH_MS);
        let changes = self.miners.live(block, &self.incentive);
        changes.came.iter().for_each(|slot| self.incentive[*slot] = 0);
        let said = self.test(now);
        let trusts = self.trusts(&opinions(said, now));
        self.watch(&changes.came, &changes.broke, &trusts);
        if self.epoch > self.plan.epochs / WARM_UP {
            let known = (&self.miners.all[..], &trusts[..]);
            ask(self.plan.questions, known, (&mut self.dice, now), &mut self.tallies);
        }
        let rows =
            self.validators.iter().map(|one| one.weights(&self.miners.all, self.plan.validators)).collect();
        let output = self.consensus.epoch(block, &self.miners.all, rows);
        self.incentive = output.incentive.into_iter().skip(self.plan.validators).collect();
        for (miner, pay) in
            self.miners.all.iter().zip(output.server_emission.iter().skip(self.plan.validators))
        {
            self.paid.0 += pay;
            self.paid.1 += if miner.liar { *pay } else { 0 };
        }
    }

    /// The validators' tests and their live scores, by page. On two threads, because validators are independent.
    fn test(&mut self, now: UnixMillis) -> Vec<Vec<SignedLiveScores>> {
        let miners = &self.miners.all;
        let mut ordered: Vec<&Miner> = miners.iter().collect();
        ordered.sort_by_key(|miner| miner.registration.node);
        let pages: Vec<Vec<&Miner>> = ordered.chunks(MAX_SCORES).map(<[_]>::to_vec).collect();
        let one = |validator: &mut Validator| {
            validator.test(miners);
            validator.says(&pages, &MESH, now)
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
    fn trusts(&self, opinions: &BTreeMap<Registration, MedianScore>) -> Vec<Trust> {
        let largest = self.incentive.iter().copied().max().unwrap_or(0);
        let known = self.miners.all.iter().zip(&self.incentive);
        let counted = |miner: &Miner| miner.registration.block.0 + TEMPO < self.epoch * TEMPO;
        known
            .map(|(miner, own)| {
                let incentive = counted(miner).then_some((*own, largest)).filter(|_| largest > 0);
                Trust::new(incentive, opinions.get(&miner.registration).copied())
            })
            .collect()
    }

    fn watch(&mut self, came: &[usize], broke: &[usize], trusts: &[Trust]) {
        let believed = best(trusts.len(), |slot| f64::from(trusts[slot].quality().parts()));
        let truly = best(trusts.len(), |slot| self.miners.all[slot].quality);
        let known = |slot: &usize| believed[*slot] && !trusts[*slot].is_newcomer();
        let epoch = self.epoch;
        for slot in came {
            self.newcomers.since.remove(slot);
            self.broken.since.remove(slot);
        }
        self.newcomers.since.extend(came.iter().filter(|slot| truly[**slot]).map(|slot| (*slot, epoch)));
        self.newcomers.since.retain(|slot, _| truly[*slot]);
        self.newcomers.notice(epoch, known);
        self.broken.since.extend(broke.iter().filter(|slot| known(slot)).map(|slot| (*slot, epoch)));
        self.broken.notice(epoch, |slot| !known(slot));
    }

    pub(crate) fn report(&self) -> Report {
        let liars = self.miners.all.iter().filter(|miner| miner.liar).count();
        Report {
            plan: self.plan,
            tallies: self.tallies,
            liars: liars as f64 / self.miners.all.len().max(1) as f64,
            pay_to_liars: self.paid.1 as f64 / self.paid.0.max(1) as f64,
            newcomers: self.newcomers.times(),
            broken: self.broken.times(),
        }
    }
}

/// The medians of all miners' live scores.
fn opinions(said: Vec<Vec<SignedLiveScores>>, now: UnixMillis) -> BTreeMap<Registration, MedianScore> {
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

/// Which of `count` slots are among the best tenth.
fn best(count: usize, worth: impl Fn(usize) -> f64) -> Vec<bool> {
    let mut slots: Vec<usize> = (0..count).collect();
    slots.sort_by(|a, b| worth(*b).total_cmp(&worth(*a)));
    let mut best = vec![false; count];
    slots.into_iter().take(count / PARTS).for_each(|slot| best[slot] = true);
    best
}

impl DetectionTimes {
    fn notice(&mut self, epoch: u64, noticed: impl Fn(&usize) -> bool) {
        let Self { since, took } = self;
        since.retain(|slot, from| {
            let noticed = noticed(slot);
            if noticed {
                took.push(epoch - *from);
            }
            !noticed
        });
    }

    fn times(&self) -> Times {
        let mut took = self.took.clone();
        took.sort_unstable();
        let at = |percent: usize| took.get((took.len() * percent / 100).min(took.len().saturating_sub(1)));
        let of = |percent| at(percent).copied().unwrap_or(0);
        Times { noticed: took.len(), waiting: self.since.len(), p50: of(50), p95: of(95) }
    }
}

impl Report {
    /// How much less an answer was worth than the best one.
    pub(crate) fn regret(&self, of: &Tally) -> f64 {
        self.tallies.oracle.mean() - of.mean()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { miners, validators, epochs, seed, .. } = self.plan;
        writeln!(f, "{miners} miners, {validators} validators, {epochs} epochs, seed {seed}")?;
        writeln!(f, "{:<28}{:>8}{:>8}{:>10}{:>10}", "chosen by", "worth", "regret", "to liars", "to broken")?;
        let all = &self.tallies;
        let rows = [
            ("the best at the moment", &all.oracle),
            ("gate, policy balanced", &all.balanced),
            ("gate, policy trusted", &all.trusted),
            ("gate without validators", &all.alone),
            ("lot", &all.lot),
        ];
        for (name, tally) in rows {
            let (liars, broken) = (100.0 * tally.share(tally.to_liars), 100.0 * tally.share(tally.to_broken));
            let (worth, regret) = (tally.mean(), self.regret(tally));
            writeln!(f, "{name:<28}{worth:>8.3}{regret:>8.3}{liars:>8.2} %{broken:>8.2} %")?;
        }
        let explored = 100.0 * all.balanced.share(all.balanced.explored);
        writeln!(f, "given to newcomers by balanced  {explored:.2} %")?;
        writeln!(f, "liars among the miners          {:.2} %", 100.0 * self.liars)?;
        writeln!(f, "of miners' pay to liars         {:.3} %", 100.0 * self.pay_to_liars)?;
        let times =
            [("a good newcomer is known", self.newcomers), ("a good one that broke is left", self.broken)];
        for (what, Times { noticed, waiting, p50, p95 }) in times {
            writeln!(f, "{what:<31} after {p50} epochs, p95 {p95} ({noticed} of them, {waiting} not yet)")?;
        }
        Ok(())
    }
}
