//! Miners whose quality drifts, and that break, lie, and are replaced by newcomers.

use std::time::Duration;

use nervure_primitives::{BlockHeight, Netuid, NodeId, UnixMillis};
use nervure_protocol::ExpertRecord;
use nervure_subnet::{Dice, Registration, Seed};

use crate::consensus::TEMPO;

/// How far the quality of a miner moves in an epoch at most, of 1.
const DRIFT: f64 = 0.02;

/// The worth of the answers of a liar and of a miner that broke.
pub(crate) const USELESS: f64 = 0.02;

/// One in this many miners lies.
const LIARS: u64 = 10;

/// One in this many honest miners breaks in an epoch, and one in this many slots goes to a newcomer.
const RARE: u64 = 1_000;

/// The immunity of a new neuron, in blocks: the ledger's default.
const IMMUNITY: u64 = 5_000;

/// One miner.
#[derive(Clone, Debug)]
pub(crate) struct Miner {
    pub(crate) registration: Registration,
    /// The worth of its answers, of 1.
    pub(crate) quality: f64,
    pub(crate) liar: bool,
    pub(crate) broken: bool,
    /// Milliseconds to its first byte.
    pub(crate) latency: u32,
}

/// The miners of a subnet, by slot.
pub(crate) struct Miners {
    pub(crate) all: Vec<Miner>,
    dice: Dice,
    born: u64,
}

/// The changes of the miners in an epoch, by slot.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) came: Vec<usize>,
    pub(crate) broke: Vec<usize>,
}

impl Miners {
    pub(crate) fn new(count: usize, seed: Seed) -> Self {
        let mut miners = Self { all: Vec::new(), dice: Dice::new(seed.derive("miners", 0)), born: 0 };
        miners.all = (0..count).map(|_| miners.born(0)).collect();
        miners
    }

    /// Changes the miners before the epoch that ends at `block`: the quality of all moves a little, some break, and
    /// newcomers replace those with the least `incentive`.
    pub(crate) fn live(&mut self, block: u64, incentive: &[u16]) -> Changes {
        let mut changes = Changes::default();
        for (slot, miner) in self.all.iter_mut().enumerate().filter(|(_, miner)| !miner.liar && !miner.broken)
        {
            let step = (unit(&mut self.dice) * 2.0 - 1.0) * DRIFT;
            miner.quality = (miner.quality + step).clamp(USELESS, 1.0);
            if self.dice.below(RARE) == 0 {
                (miner.quality, miner.broken) = (USELESS, true);
                changes.broke.push(slot);
            }
        }
        let now = block.saturating_sub(TEMPO);
        let mut old: Vec<usize> = (0..self.all.len())
            .filter(|slot| self.all[*slot].registration.block.0 + IMMUNITY <= now)
            .collect();
        old.sort_by_key(|slot| (incentive.get(*slot), self.all[*slot].registration.block));
        for slot in old.into_iter().take((self.all.len() as u64).div_ceil(RARE) as usize) {
            self.all[slot] = self.born(now);
            changes.came.push(slot);
        }
        changes
    }

    fn born(&mut self, block: u64) -> Miner {
        self.born += 1;
        let node = NodeId::from_bytes(*Seed::from(self.born).as_bytes());
        let liar = self.dice.below(LIARS) == 0;
        Miner {
            registration: Registration { node, block: BlockHeight(block) },
            quality: if liar { USELESS } else { 0.1 + 0.8 * unit(&mut self.dice) },
            liar,
            broken: false,
            latency: if liar { 1 } else { self.dice.within(20, 200) as u32 },
        }
    }
}

impl Miner {
    /// Its expert record.
    pub(crate) fn record(&self, now: UnixMillis) -> ExpertRecord {
        ExpertRecord {
            node: self.registration.node,
            netuid: Netuid(1),
            expert: "e".into(),
            capability: "text.generate".parse().expect("a capability"),
            model: "m".into(),
            context: 256,
            max_output: 256,
            price: if self.liar { 0 } else { 5_000_000 },
            byte_level: true,
            load: if self.liar { 0 } else { 30 },
            addresses: Vec::new(),
            seq: 1,
            issued_at: now,
            expires_at: now.plus(Duration::from_secs(60)),
            withdrawn: false,
        }
    }
}

/// A number from 0 to 1.
pub(crate) fn unit(dice: &mut Dice) -> f64 {
    dice.below(1 << 32) as f64 / f64::from(u32::MAX)
}
