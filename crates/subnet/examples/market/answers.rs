//! What a miner answers to a validator, and what to a user.

use nervure_subnet::Dice;

use crate::{
    defences::{Defence, Defences},
    miners::{Kind, Miner, USELESS, unit},
};

/// A detector's classifier with an AUC of 0.70 has two normal distributions that are 0.74 standard deviations apart. With a
/// threshold half-way, it takes this part of tasks for users' questions, and one minus it of users' questions.
const MISTAKEN: f64 = 0.355;

/// The part of tests that replay a user's question.
const AUDITED: f64 = 0.1;

/// What an oracle's results rise to, by how much in an epoch: 955 of 1,024 hidden bytes were learnt in 1,000 tasks.
const LEARNT: f64 = 0.85;
const LEARNT_IN_AN_EPOCH: f64 = 0.02;

/// The part of questions that a miner with a locked query plane misses, with admission by class and without.
const MISSED: [f64; 2] = [0.05, 0.5];

/// A moment of the market.
#[derive(Clone, Copy)]
pub(crate) struct Moment<'a> {
    pub(crate) miners: &'a [Miner],
    /// The slots that strangers lock.
    pub(crate) locked: &'a [usize],
    pub(crate) defences: Defences,
    pub(crate) epoch: u64,
}

impl Moment<'_> {
    /// The slot whose model a miner answers with: copies have that of another one.
    pub(crate) fn model(&self, slot: usize) -> usize {
        self.miners[slot].kind.victim().unwrap_or(slot)
    }

    /// The worth of the miner's model.
    fn model_worth(&self, slot: usize) -> f64 {
        self.miners[self.model(slot)].quality
    }

    /// Whether a question to the miner is lost.
    pub(crate) fn misses(&self, slot: usize, dice: &mut Dice) -> bool {
        let part = MISSED[usize::from(!self.defences.has(Defence::Classes))];
        self.locked.contains(&slot) && unit(dice) < part
    }

    /// The worth of an answer as a validator's test sees it, but for its luck.
    pub(crate) fn tested(&self, slot: usize, dice: &mut Dice) -> f64 {
        let miner = &self.miners[slot];
        if self.misses(slot, dice) {
            return 0.0;
        }
        if self.defences.has(Defence::Audits) && unit(dice) < AUDITED {
            return self.served(slot, dice);
        }
        match miner.kind {
            // Its two experts are tested in turn.
            Kind::SecondExpert if self.defences.has(Defence::ExpertScope) && dice.below(2) == 0 => USELESS,
            Kind::Detector if self.defences.has(Defence::TasksLikeUsers) && unit(dice) < MISTAKEN => USELESS,
            Kind::Oracle if !self.defences.has(Defence::LateScores) => {
                let epochs = self.epoch.saturating_sub(miner.since) as f64;
                (miner.quality + LEARNT_IN_AN_EPOCH * epochs).min(LEARNT)
            }
            _ => self.model_worth(slot),
        }
    }

    /// The worth of an answer to a user who asks the miner, by any of its experts.
    pub(crate) fn served_by_any(&self, slot: usize, dice: &mut Dice) -> f64 {
        let second = self.miners[slot].kind == Kind::SecondExpert && dice.below(2) == 0;
        if second { USELESS } else { self.served(slot, dice) }
    }

    /// The worth of an answer to a user who asks the miner's first expert.
    pub(crate) fn served(&self, slot: usize, dice: &mut Dice) -> f64 {
        let recognised = match self.defences.has(Defence::TasksLikeUsers) {
            true => 1.0 - MISTAKEN,
            false => 1.0,
        };
        match self.miners[slot].kind {
            Kind::Detector if unit(dice) < recognised => USELESS,
            _ => self.model_worth(slot),
        }
    }
}
