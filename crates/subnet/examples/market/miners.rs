//! Miners whose quality drifts, that break, and that are replaced by newcomers, some of them hostile.

use nervure_primitives::{BlockHeight, NodeId};
use nervure_protocol::ExpertId;
use nervure_subnet::{Dice, Registration, ScoredExpert, Seed};

use crate::{consensus::TEMPO, simulation::Plan};

/// The worth of the answers of a liar and of a miner that broke.
pub(crate) const USELESS: f64 = 0.02;

/// In a calm market, one newcomer in this many is a liar. In one with attackers, as many are hostile, of each kind alike.
const HOSTILE: u64 = 10;

/// One in this many honest miners breaks in an epoch, and one in this many slots goes to a newcomer.
const RARE: u64 = 1_000;

/// Sybils that register in an epoch: as many as the price at its floor allows for ever. It rises by 26 % with each
/// registration and halves in an epoch.
pub(crate) const SYBILS: usize = 3;

/// The immunity of a new neuron, in blocks: the ledger's default.
const IMMUNITY: u64 = 5_000;

/// How a miner earns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// With a model of its own.
    Honest,
    /// Useless answers, at once and for nothing.
    Liar,
    /// A good first expert, and a second one with useless answers.
    SecondExpert,
    /// Good answers to what looks like a task, useless ones to what looks like a user's question.
    Detector,
    /// Another miner's model, in a slot of its own.
    Copier(usize),
    /// Asks another miner, and returns its answers later.
    Relayer(usize),
    /// A cheap model that learns the answers of tasks from published scores.
    Oracle,
    /// A liar with a free key, registered again and again.
    Sybil,
}

impl Kind {
    pub(crate) fn is_hostile(self) -> bool {
        self != Self::Honest
    }

    /// The slot whose model it answers with.
    pub(crate) fn victim(self) -> Option<usize> {
        match self {
            Self::Copier(victim) | Self::Relayer(victim) => Some(victim),
            _ => None,
        }
    }
}

/// One miner.
#[derive(Clone, Debug)]
pub(crate) struct Miner {
    pub(crate) registration: Registration,
    pub(crate) kind: Kind,
    /// The worth of its own model's answers, of 1.
    pub(crate) quality: f64,
    pub(crate) broken: bool,
    /// Milliseconds to its first byte.
    pub(crate) latency: u32,
    /// The epoch of its registration.
    pub(crate) since: u64,
}

/// The miners of a subnet, by slot.
pub(crate) struct Miners {
    pub(crate) all: Vec<Miner>,
    plan: Plan,
    dice: Dice,
    born: u64,
}

/// The changes of the miners in an epoch, by slot.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) came: Vec<usize>,
    /// The former holders of the slots of those that came.
    pub(crate) left: Vec<Miner>,
    pub(crate) broke: Vec<usize>,
}

impl Miners {
    pub(crate) fn new(plan: Plan) -> Self {
        let dice = Dice::new(Seed::from(plan.seed).derive("miners", 0));
        let mut miners = Self { all: Vec::new(), plan, dice, born: 0 };
        for _ in 0..plan.miners {
            let kind = miners.kind();
            let miner = miners.born(0, kind);
            miners.all.push(miner);
        }
        miners
    }

    /// Changes the miners before the epoch that ends at `block`: the quality of all moves a little, some break, and
    /// newcomers replace those with the least `incentive`.
    pub(crate) fn live(&mut self, block: u64, incentive: &[u16]) -> Changes {
        let mut changes = Changes::default();
        for (slot, miner) in self.all.iter_mut().enumerate().filter(|(_, miner)| miner.works()) {
            let step = (unit(&mut self.dice) * 2.0 - 1.0) * self.plan.drift;
            miner.quality = (miner.quality + step).clamp(USELESS, 1.0);
            if self.dice.below(RARE) == 0 && miner.kind == Kind::Honest {
                (miner.quality, miner.broken) = (USELESS, true);
                changes.broke.push(slot);
            }
        }
        let now = block.saturating_sub(TEMPO);
        let mut old: Vec<usize> = (0..self.all.len())
            .filter(|slot| self.all[*slot].registration.block.0 + IMMUNITY <= now)
            .collect();
        old.sort_by_key(|slot| (incentive.get(*slot), self.all[*slot].registration.block));
        let usual = (self.all.len() as u64).div_ceil(RARE) as usize;
        for (number, slot) in old.into_iter().take(usual + self.plan.sybils).enumerate() {
            let kind = if number < usual { self.kind() } else { Kind::Sybil };
            let newcomer = self.born(now, kind);
            changes.left.push(std::mem::replace(&mut self.all[slot], newcomer));
            changes.came.push(slot);
        }
        changes
    }

    fn kind(&mut self) -> Kind {
        if self.dice.below(HOSTILE) > 0 {
            return Kind::Honest;
        }
        if !self.plan.attackers {
            return Kind::Liar;
        }
        // A good victim: the best of a few.
        let slots = self.dice.distinct(8, self.all.len() as u64);
        let honest =
            slots.into_iter().map(|slot| slot as usize).filter(|slot| self.all[*slot].kind == Kind::Honest);
        let victim = honest.max_by(|a, b| self.all[*a].quality.total_cmp(&self.all[*b].quality));
        let victim = victim.unwrap_or_default();
        match self.dice.below(6) {
            0 => Kind::Liar,
            1 => Kind::SecondExpert,
            2 => Kind::Detector,
            3 if !self.all.is_empty() => Kind::Copier(victim),
            4 if !self.all.is_empty() => Kind::Relayer(victim),
            _ => Kind::Oracle,
        }
    }

    fn born(&mut self, block: u64, kind: Kind) -> Miner {
        self.born += 1;
        let node = NodeId::from_bytes(*Seed::from(self.born).as_bytes());
        let latency = self.dice.within(20, 200) as u32;
        let own = 0.1 + 0.8 * unit(&mut self.dice);
        let (quality, latency) = match kind {
            Kind::Liar | Kind::Sybil => (USELESS, 1),
            Kind::SecondExpert | Kind::Detector => (own.max(0.8), latency),
            Kind::Oracle => (0.3, 1),
            Kind::Relayer(_) => (own, latency + 80),
            Kind::Honest | Kind::Copier(_) => (own, latency),
        };
        let registration = Registration { node, block: BlockHeight(block) };
        Miner { registration, kind, quality, broken: false, latency, since: block / TEMPO }
    }
}

impl Miner {
    /// Its only expert.
    pub(crate) fn expert(&self) -> ScoredExpert {
        let expert = ExpertId::from_bytes(*self.registration.node.as_bytes());
        ScoredExpert { neuron: self.registration, expert }
    }

    /// Whether it has a model whose quality drifts.
    fn works(&self) -> bool {
        !self.broken && matches!(self.kind, Kind::Honest | Kind::SecondExpert | Kind::Detector)
    }
}

/// A number from 0 to 1.
pub(crate) fn unit(dice: &mut Dice) -> f64 {
    dice.below(1 << 32) as f64 / f64::from(u32::MAX)
}
