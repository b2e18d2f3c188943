//! Validators that test miners by lot, and some that lie for the liars.

use nervure_consensus::yuma::Cell;
use nervure_primitives::{MeshId, Netuid, NodeKey, Uid, UnixMillis};
use nervure_protocol::{LiveScore, LiveScores, Score, SignedLiveScores, bounds::MAX_SCORES};
use nervure_subnet::{
    Dice, Seed,
    score::{MovingAverageTable, ScoringRules},
};

use crate::miners::{Miner, unit};

/// Tasks that each validator sets in an epoch, and to how many miners each.
const TASKS: u64 = 5;
const MINERS_PER_TASK: usize = 64;

/// How far a result is off at most, of 1.
const LUCK: f64 = 0.1;

/// One in this many validators lies.
const LIARS: usize = 5;

/// The number of tasks that a liar claims.
const PRETENDED_TASKS: u32 = 1_000;

pub(crate) struct Validator {
    key: NodeKey,
    board: MovingAverageTable,
    lies: bool,
    dice: Dice,
}

impl Validator {
    pub(crate) fn new(index: usize, seed: Seed) -> Self {
        Self {
            key: NodeKey::from_seed(seed.derive("key", index as u64).as_bytes()),
            board: MovingAverageTable::new(ScoringRules::default()).expect("default rules"),
            lies: index % LIARS == LIARS - 1,
            dice: Dice::new(seed.derive("validator", index as u64)),
        }
    }

    /// An epoch's tasks.
    pub(crate) fn test(&mut self, miners: &[Miner]) {
        if self.lies {
            return;
        }
        self.board.set_registered(miners.iter().map(|miner| miner.registration));
        for _ in 0..TASKS {
            for slot in self.dice.distinct(MINERS_PER_TASK, miners.len() as u64) {
                let miner = &miners[slot as usize];
                let luck = (unit(&mut self.dice) * 2.0 - 1.0) * LUCK;
                let result = ((miner.quality + luck).clamp(0.0, 1.0) * f64::from(u32::MAX)) as u32;
                self.board.record(&miner.registration, Score::from_parts(result));
            }
        }
    }

    /// The weights that it commits; miners' uids begin at `first`.
    pub(crate) fn weights(&self, miners: &[Miner], first: usize) -> Vec<Cell> {
        let slots = miners.iter().enumerate().map(|(slot, miner)| (Uid((first + slot) as u16), miner));
        match self.lies {
            true => slots.filter(|(_, miner)| miner.liar).map(|(uid, _)| (uid, u16::MAX)).collect(),
            false => self.board.weights(slots.map(|(uid, miner)| (uid, miner.registration))),
        }
    }

    /// The live scores that it gossips, a page for each of `pages`, which are in order of node.
    pub(crate) fn says(
        &self,
        pages: &[Vec<&Miner>],
        mesh: &MeshId,
        now: UnixMillis,
    ) -> Vec<SignedLiveScores> {
        let page = |(number, miners): (usize, &Vec<&Miner>)| {
            let scores = miners.iter().filter_map(|miner| self.score(miner)).take(MAX_SCORES).collect();
            let netuid = Netuid(number as u16 + 1);
            let said = LiveScores { netuid, validator: self.key.node_id(), issued_at: now, scores };
            SignedLiveScores::sign(&self.key, mesh, said).expect("in order and not too many")
        };
        pages.iter().enumerate().map(page).collect()
    }

    fn score(&self, miner: &Miner) -> Option<LiveScore> {
        let (score, tasks) = match self.lies {
            true => (if miner.liar { Score::ONE } else { Score::ZERO }, PRETENDED_TASKS),
            false => {
                let averages =
                    self.board.averages_of(&miner.registration).filter(|averages| averages.tasks > 0)?;
                (averages.quality, averages.tasks)
            }
        };
        Some(LiveScore { node: miner.registration.node, block: miner.registration.block, score, tasks })
    }
}
