//! Validators that test miners by lot, some that praise hostile miners, one that copies weights, and one that reads live
//! scores.

use std::collections::BTreeMap;

use nervure_consensus::yuma::Cell;
use nervure_primitives::{MeshId, Netuid, NodeId, NodeKey, Uid, UnixMillis};
use nervure_protocol::{ExpertId, LiveScore, LiveScores, Score, SignedLiveScores, bounds::MAX_SCORES};
use nervure_subnet::{
    Dice, Seed,
    score::{
        CopyTable, MedianScore, MinerResult, MovingAverageTable, ScorePublication, ScoringRules, TaskResult,
    },
    task::{NewMiner, draw_miners},
};

use crate::{
    answers::Moment,
    defences::{Defence, Defences},
    miners::{Miner, unit},
    simulation::Plan,
};

/// Tasks that each validator sets in an epoch, and to how many miners each.
const TASKS: u64 = 5;
const MINERS_PER_TASK: usize = 64;

/// Tasks after which a miner is no newcomer to a validator.
const KNOWN_AFTER: u32 = 8;

/// How far a result is off at most, of 1.
const LUCK: f64 = 0.1;

/// One in this many validators praises hostile miners.
const PRAISING: usize = 5;

/// The number of tasks that it claims.
const PRETENDED_TASKS: u32 = 1_000;

/// Steps in which scores are published.
const STEPS: u32 = 32;

/// The part of a movement of live scores that a reader expects in the next weights: an average over 20 tasks follows one
/// over 5 by so much.
const FOLLOWS: f64 = 0.25;

/// The weight of a newcomer with five tasks, beside that of a miner with eight or more.
const NEW: f64 = 5.0 / 8.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Honest,
    Praises,
    /// Tests no miner, and commits the mean of the weights that were revealed last.
    CopiesWeights,
    /// Tests no miner, and corrects that mean by how live scores moved.
    ReadsScores,
}

/// What a validator can read before it commits.
pub(crate) struct Public<'a> {
    /// The weights that were revealed last, of each validator.
    pub(crate) revealed: &'a [Vec<Cell>],
    /// The medians of the live scores of now.
    pub(crate) scores: &'a BTreeMap<ExpertId, MedianScore>,
}

pub(crate) struct Validator {
    key: NodeKey,
    board: MovingAverageTable,
    copies: CopyTable,
    publication: ScorePublication,
    /// The live scores that a reader read an epoch ago.
    read: BTreeMap<ExpertId, f64>,
    pub(crate) role: Role,
    dice: Dice,
}

impl Validator {
    pub(crate) fn new(index: usize, seed: Seed, attackers: bool) -> Self {
        let role = match index {
            0 if attackers => Role::CopiesWeights,
            1 if attackers => Role::ReadsScores,
            _ if index % PRAISING == PRAISING - 1 => Role::Praises,
            _ => Role::Honest,
        };
        Self {
            key: NodeKey::from_seed(seed.derive("key", index as u64).as_bytes()),
            board: MovingAverageTable::new(ScoringRules::default()).expect("default rules"),
            copies: CopyTable::default(),
            publication: ScorePublication::default(),
            read: BTreeMap::new(),
            role,
            dice: Dice::new(seed.derive("validator", index as u64)),
        }
    }

    /// An epoch's tasks.
    pub(crate) fn test(&mut self, now: &Moment<'_>) {
        if self.role != Role::Honest {
            return;
        }
        self.publication.epoch_began(now.epoch);
        self.board.set_registered(now.miners.iter().map(|miner| miner.registration));
        let registered = |node: &NodeId| now.miners.iter().any(|miner| miner.registration.node == *node);
        if !now.miners.is_empty() && now.epoch.is_multiple_of(10) {
            self.copies.retain(registered);
        }
        for _ in 0..TASKS {
            let drawn = self.draw(now);
            let mut results: Vec<MinerResult> =
                drawn.iter().map(|slot| self.result(*slot, &drawn, now)).collect();
            if now.defences.has(Defence::KnownCopies) && now.defences.has(Defence::SharedReward) {
                self.copies.settle(&mut results);
            }
            for (slot, mut one) in drawn.into_iter().zip(results) {
                if !now.defences.has(Defence::LinearShare) {
                    // What the square of the shared reward made of it.
                    one.result.sharers *= one.result.sharers;
                }
                self.board.record(&now.miners[slot].expert(), one.result);
            }
        }
        // Weights are committed at the end of the epoch, and these scores are published in the next one.
        self.publication.weights_made(now.epoch, &self.board);
    }

    fn draw(&mut self, now: &Moment<'_>) -> Vec<usize> {
        let (mut new, mut known) = (Vec::new(), Vec::new());
        let fewest_first = now.defences.has(Defence::FewestFirst);
        for (slot, miner) in now.miners.iter().enumerate() {
            match self.board.expert_averages(&miner.expert()).map_or(0, |averages| averages.tasks) {
                KNOWN_AFTER.. => known.push(slot),
                tasks => new.push(NewMiner { miner: slot, tasks: if fewest_first { tasks } else { 0 } }),
            }
        }
        match now.defences.has(Defence::NewcomersFirst) {
            true => draw_miners(&new, &known, MINERS_PER_TASK, &mut self.dice),
            false => {
                let all: Vec<usize> = (0..now.miners.len()).collect();
                draw_miners(&[], &all, MINERS_PER_TASK, &mut self.dice)
            }
        }
    }

    /// The result of one of the `drawn` miners: those with one model share, if that is a rule.
    fn result(&mut self, slot: usize, drawn: &[usize], now: &Moment<'_>) -> MinerResult {
        let worth = now.tested(slot, &mut self.dice);
        let luck = (unit(&mut self.dice) * 2.0 - 1.0) * LUCK;
        let worth = if worth > 0.0 { (worth + luck).clamp(0.0, 1.0) } else { 0.0 };
        let quality = Score::from_parts((worth * f64::from(u32::MAX)) as u32);
        let group = || drawn.iter().filter(|other| now.model(**other) == now.model(slot));
        let shares = now.defences.has(Defence::SharedReward);
        let sharers = if shares { group().count() } else { 1 };
        let expert = now.miners[slot].expert();
        let first = group().map(|slot| now.miners[*slot].expert()).min();
        let result = TaskResult { sharers, ..TaskResult::from(quality) };
        MinerResult { expert, group: first.unwrap_or(expert), result }
    }

    /// The weights that it commits.
    pub(crate) fn weights(&mut self, miners: &[Miner], plan: Plan, public: &Public<'_>) -> Vec<Cell> {
        let first = plan.validators;
        let slots = miners.iter().enumerate().map(|(slot, miner)| (Uid((first + slot) as u16), miner));
        match self.role {
            Role::Praises => {
                slots.filter(|(_, miner)| miner.kind.is_hostile()).map(|(uid, _)| (uid, u16::MAX)).collect()
            }
            Role::Honest => self.board.weights(slots.map(|(uid, miner)| (uid, miner.registration))),
            Role::CopiesWeights => mean(public.revealed),
            Role::ReadsScores => self.corrected(slots, public),
        }
    }

    /// The mean of the revealed weights, corrected by how live scores moved since they were made; newcomers by their scores
    /// alone.
    fn corrected<'a>(
        &mut self,
        slots: impl Iterator<Item = (Uid, &'a Miner)>,
        public: &Public<'_>,
    ) -> Vec<Cell> {
        let seen: BTreeMap<Uid, u16> = mean(public.revealed).into_iter().collect();
        let score = |known: &MedianScore| f64::from(known.score.parts()) / f64::from(u32::MAX);
        let now: BTreeMap<ExpertId, f64> =
            public.scores.iter().map(|(expert, known)| (*expert, score(known))).collect();
        let before = std::mem::replace(&mut self.read, now);
        let slots: Vec<(Uid, ExpertId)> = slots.map(|(uid, miner)| (uid, miner.expert().expert)).collect();
        let of = |(uid, expert): &(Uid, ExpertId)| {
            let said = seen.get(uid).map_or(0.0, |weight| f64::from(*weight));
            (said, self.read.get(expert).copied().unwrap_or(0.0))
        };
        // Weights are relative, scores are not.
        let known: Vec<(f64, f64)> = slots.iter().map(of).filter(|(said, _)| *said > 0.0).collect();
        let squares = known.iter().map(|(_, score)| score * score).sum::<f64>();
        let scale = known.iter().map(|(said, _)| said).sum::<f64>() / squares.max(f64::MIN_POSITIVE);
        let worth = |slot: &(Uid, ExpertId)| match (of(slot), before.get(&slot.1)) {
            ((0.0, score), _) => score * score * scale * NEW,
            ((said, score), Some(before)) if *before > 0.0 => {
                said * (1.0 + FOLLOWS * ((score / before).min(2.0) - 1.0)).powi(2)
            }
            ((said, _), _) => said,
        };
        let worths: Vec<f64> = slots.iter().map(worth).collect();
        let most = worths.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let weight = |worth: &f64| (worth / most * f64::from(u16::MAX)) as u16;
        let cells = slots.iter().zip(&worths).map(|((uid, _), worth)| (*uid, weight(worth)));
        cells.filter(|(_, weight)| *weight > 0).collect()
    }

    /// The live scores that it gossips, a page for each of `pages`, which are in order of node.
    pub(crate) fn says(
        &self,
        pages: &[Vec<&Miner>],
        mesh: &MeshId,
        (now, defences): (UnixMillis, Defences),
    ) -> Vec<SignedLiveScores> {
        let page = |(number, miners): (usize, &Vec<&Miner>)| {
            // The identity of an expert here is its node, so that they are in order.
            let scores =
                miners.iter().filter_map(|miner| self.score(miner, defences)).take(MAX_SCORES).collect();
            let netuid = Netuid(number as u16 + 1);
            let said = LiveScores { netuid, validator: self.key.node_id(), issued_at: now, scores };
            SignedLiveScores::sign(&self.key, mesh, said).expect("in order and not too many")
        };
        pages.iter().enumerate().map(page).collect()
    }

    fn score(&self, miner: &Miner, defences: Defences) -> Option<LiveScore> {
        let (score, tasks) = match self.role {
            Role::Praises => {
                (if miner.kind.is_hostile() { Score::ONE } else { Score::ZERO }, PRETENDED_TASKS)
            }
            Role::CopiesWeights | Role::ReadsScores => return None,
            Role::Honest => {
                let expert = miner.expert();
                let averages = self.board.expert_averages(&expert)?;
                let score = match defences.has(Defence::ScoresFollowWeights) {
                    true => self.publication.score(&expert.expert, &averages)?,
                    false => averages.quality,
                };
                let coarse = defences.has(Defence::LateScores);
                (if coarse { score.rounded(STEPS) } else { score }, averages.tasks)
            }
        };
        Some(LiveScore::new(miner.expert().expert, score, tasks))
    }
}

/// The mean of rows, of 65,535 for the largest.
fn mean(rows: &[Vec<Cell>]) -> Vec<Cell> {
    let mut sums = BTreeMap::<Uid, u64>::new();
    for row in rows {
        let all: u64 = row.iter().map(|(_, weight)| u64::from(*weight)).sum();
        for (uid, weight) in row {
            *sums.entry(*uid).or_default() += u64::from(*weight) * (1 << 32) / all.max(1);
        }
    }
    let most = sums.values().copied().max().unwrap_or(1).max(1);
    sums.into_iter().map(|(uid, sum)| (uid, (sum * u64::from(u16::MAX) / most) as u16)).collect()
}
