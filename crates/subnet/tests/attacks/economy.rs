//! A subnet on the real ledger whose miners' quality drifts, for attacks that are about weights: honest validators
//! test, average and weigh; one of them follows another strategy.

use std::collections::VecDeque;

use nervure_consensus::yuma::BondsRule;
use nervure_ledger::{
    block::BlockContext,
    spec::{MeshSpec, NodeSpec, Role},
    state::LedgerState,
    subnet::{Neuron, Subnet},
    transaction::{Call, Checked, CommitWeights, RevealWeights, SetWeights, Transaction, commitment},
};
use nervure_primitives::{Amount, BlockHeight, Hash, NodeId, NodeKey, Uid};
use nervure_protocol::Score;
use nervure_subnet::{
    Dice, Registration,
    score::{MovingAverageTable, ScorePublication, ScoringRules},
};

use crate::world::{SUBNET, expert_of, key, registration};

#[path = "economy/readers.rs"]
mod readers;

const VALIDATORS: u8 = 8;

/// The attacker.
const ATTACKER: u8 = VALIDATORS - 1;

const MINERS: u8 = 24;
const FIRST_MINER: u8 = 50;
const FIRST_VALIDATOR: u8 = 100;

/// Epochs before earnings are counted.
const WARM_UP: u64 = 10;

/// Epochs in which they are.
const EPOCHS: u64 = 40;

/// Weights, ascending by uid.
type Row = Vec<(Uid, u16)>;

/// The strategy of the attacker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// Follows the protocol.
    Honest,
    /// Tests no miner, and copies the weights that the others last revealed.
    Copies,
    /// Tests no miner, and continues the trend of the weights that the others revealed.
    Continues,
    /// Tests no miner, and copies one validator's weights.
    CopiesOne,
    /// Tests no miner, and adds noise to the weights that the others last revealed.
    AddsNoise,
    /// Tests no miner, and weighs by all that the others measured, as if they told it before they commit.
    IsTold,
    /// Tests no miner, and corrects the weights that were revealed last by this part of what the published live scores
    /// differ from them, in percent.
    ReadsScores(u8),
    /// Tests every second miner, and copies the weights of the rest.
    TestsHalf,
    /// Commits honestly and reveals an epoch too late.
    RevealsLate,
    /// Tests no miner, commits several guesses, and reveals the one nearest to the revealed weights of the others.
    ChoosesReveal,
}

/// Which live scores validators publish in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Publication {
    /// Those of now.
    AtOnce,
    /// Those of the last epoch, and falls: [`ScorePublication`].
    WithWeights,
}

/// The rules of a subnet, and how its miners change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// How far a miner's quality moves in an epoch, at most.
    pub(crate) drift: f64,
    pub(crate) commit_reveal: bool,
    /// The part of the dividends that follows it, of 65,535.
    pub(crate) peer_prediction: u16,
    pub(crate) bonds: BondsRule,
    /// The power of a miner's reward that weights are proportional to.
    pub(crate) power: u8,
    /// Epochs that weights wait for longer than commit and reveal take.
    pub(crate) delay: usize,
    /// Tasks of each validator for each miner in an epoch.
    pub(crate) tasks: u32,
    pub(crate) publication: Publication,
}

impl Rules {
    /// Those of a new subnet of a new mesh.
    pub(crate) fn new(drift: f64) -> Self {
        let (economy, power) = (MeshSpec::test("economy").economy, ScoringRules::default().power);
        Self {
            drift,
            commit_reveal: economy.subnet.commit_reveal,
            peer_prediction: economy.peer_prediction.unwrap_or(0),
            bonds: economy.subnet.bonds,
            power,
            delay: 0,
            tasks: 20,
            publication: Publication::WithWeights,
        }
    }

    /// Before there was peer prediction.
    pub(crate) fn without_peer_prediction(drift: f64) -> Self {
        Self { peer_prediction: 0, ..Self::new(drift) }
    }
}

/// A subnet and the state of its validators.
pub(crate) struct Economy {
    state: LedgerState,
    miners: Vec<Registration>,
    validators: Vec<NodeKey>,
    quality: Vec<f64>,
    boards: Vec<MovingAverageTable>,
    publications: Vec<ScorePublication>,
    committed: Vec<Vec<RevealWeights>>,
    /// The honest weights that wait until they are committed, by validator.
    waiting: Vec<VecDeque<Row>>,
    /// The weights that the attacker reveals too late, or saw an epoch ago.
    late: Row,
    dice: Dice,
    rules: Rules,
}

/// The earnings of the attacker per unit of stake, as a part of those of the honest validators.
pub(crate) fn earned(strategy: Strategy, rules: Rules) -> f64 {
    let mut economy = Economy::new(rules);
    (0..WARM_UP).for_each(|_| drop(economy.epoch(strategy)));
    let mut sums = [0.0; VALIDATORS as usize];
    for _ in 0..EPOCHS {
        for (sum, dividends) in sums.iter_mut().zip(economy.epoch(strategy)) {
            *sum += dividends;
        }
    }
    let (odd, honest) = sums.split_last().unwrap();
    odd / (honest.iter().sum::<f64>() / honest.len() as f64)
}

fn validator(index: u8) -> NodeKey {
    key(FIRST_VALIDATOR + index)
}

fn spec(rules: &Rules) -> MeshSpec {
    let mut spec = MeshSpec::test("economy");
    spec.economy.peer_prediction = Some(rules.peer_prediction);
    let subnet = &mut spec.economy.subnet;
    (subnet.tempo, subnet.weights_interval) = (6, 0);
    (subnet.commit_reveal, subnet.bonds) = (rules.commit_reveal, rules.bonds);
    let listed = |node: NodeKey, role, tokens| {
        NodeSpec::new(node.node_id(), role)
            .in_subnets([SUBNET])
            .with_stake(Amount::from_tokens(tokens).unwrap())
    };
    let validators = (0..VALIDATORS).map(|index| listed(validator(index), Role::Validator, 1_000_000));
    let miners = (0..MINERS).map(|index| listed(key(FIRST_MINER + index), Role::Miner, 0));
    spec.nodes = validators.chain(miners).collect();
    spec
}

impl Economy {
    fn new(rules: Rules) -> Self {
        let scoring = ScoringRules { power: rules.power, ..ScoringRules::default() };
        let mut board = MovingAverageTable::new(scoring).unwrap();
        let miners: Vec<_> = (0..MINERS).map(|index| registration(FIRST_MINER + index)).collect();
        board.set_registered(miners.iter().copied());
        let mut dice = Dice::new(7.into());
        let quality = (0..MINERS).map(|_| unit(&mut dice)).collect();
        Self {
            state: LedgerState::genesis(&spec(&rules)).unwrap(),
            miners,
            validators: (0..VALIDATORS).map(validator).collect(),
            quality,
            boards: vec![board; VALIDATORS.into()],
            publications: vec![ScorePublication::default(); VALIDATORS.into()],
            committed: vec![Vec::new(); VALIDATORS.into()],
            waiting: vec![VecDeque::new(); VALIDATORS.into()],
            late: Row::new(),
            dice,
            rules,
        }
    }

    /// Runs one epoch. Returns what each validator earned in it, as a part of all.
    fn epoch(&mut self, strategy: Strategy) -> Vec<f64> {
        let epoch = self.subnet().epoch;
        for publication in &mut self.publications {
            publication.epoch_began(epoch);
        }
        self.drift();
        self.test();
        if self.subnet().hyperparameters.commit_reveal {
            self.commit_and_reveal(strategy)
        } else {
            self.set(strategy)
        }
        for (publication, board) in self.publications.iter_mut().zip(&self.boards) {
            publication.weights_made(epoch, board);
        }
        while self.subnet().epoch == epoch {
            self.block(Vec::new());
        }
        let dividends = |index| f64::from(self.validator(index).dividends);
        let earned: Vec<f64> = (0..VALIDATORS).map(dividends).collect();
        let all: f64 = earned.iter().sum();
        earned.iter().map(|one| one / all.max(1.0)).collect()
    }

    fn drift(&mut self) {
        for quality in &mut self.quality {
            let step = (unit(&mut self.dice) * 2.0 - 1.0) * self.rules.drift;
            *quality = (*quality + step).clamp(0.0, 1.0);
        }
    }

    fn test(&mut self) {
        for board in &mut self.boards {
            for (miner, quality) in self.miners.iter().zip(&self.quality) {
                for _ in 0..self.rules.tasks {
                    let luck = (unit(&mut self.dice) - 0.5) * 0.2;
                    let result =
                        Score::from_parts(((quality + luck).clamp(0.0, 1.0) * f64::from(u32::MAX)) as u32);
                    assert!(board.record(&expert_of(miner), result));
                }
            }
        }
    }

    /// Without commit and reveal, the attacker sets its weights last, when it has seen the others'.
    fn set(&mut self, strategy: Strategy) {
        let set = |weights| Call::SetWeights(SetWeights { netuid: SUBNET, weights, version_key: 0 });
        let honest = (0..ATTACKER).map(|index| (index, set(self.honest(index)))).collect();
        self.block(honest);
        let own = self.honest(ATTACKER);
        let weights = match strategy {
            Strategy::RevealsLate => std::mem::replace(&mut self.late, own),
            Strategy::ChoosesReveal => self.seen(),
            _ => self.odd(strategy),
        };
        self.block(vec![(ATTACKER, set(weights))]);
    }

    fn commit_and_reveal(&mut self, strategy: Strategy) {
        let shown = |index: u8| self.committed[usize::from(index)].first().map(|row| (index, reveal(row)));
        let honest = (0..VALIDATORS).filter(|index| {
            !matches!(strategy, Strategy::ChoosesReveal | Strategy::RevealsLate) || *index != ATTACKER
        });
        self.block(honest.filter_map(shown).collect());
        match strategy {
            Strategy::ChoosesReveal => {
                let best = self.nearest();
                self.block(best.map(|row| (ATTACKER, reveal(&row))).into_iter().collect());
            }
            Strategy::RevealsLate => {
                let now = self.committed[usize::from(ATTACKER)].first().map(|row| row.weights.clone());
                let before = std::mem::replace(&mut self.late, now.unwrap_or_default());
                self.block(vec![(ATTACKER, reveal(&self.row(ATTACKER, before)))]);
            }
            _ => {}
        }
        let mut calls = Vec::new();
        for index in 0..VALIDATORS {
            let rows = match strategy {
                Strategy::ChoosesReveal if index == ATTACKER => self.guesses(),
                _ if index == ATTACKER => vec![self.odd(strategy)],
                _ => vec![self.delayed(index)],
            };
            let rows =
                rows.into_iter().filter(|row| !row.is_empty()).map(|row| self.row(index, row)).collect();
            for row in &rows {
                let hash =
                    commitment(&self.state.mesh(), &self.validators[usize::from(index)].node_id(), row);
                calls.push((index, Call::CommitWeights(CommitWeights { netuid: SUBNET, hash })));
            }
            self.committed[usize::from(index)] = rows;
        }
        self.block(calls);
    }

    fn row(&self, index: u8, weights: Row) -> RevealWeights {
        RevealWeights { netuid: SUBNET, weights, salt: Hash::of("salt", &[&[index]]), version_key: 0 }
    }

    fn honest(&self, index: u8) -> Row {
        let slots = self.miners.iter().map(|miner| (self.uid(&miner.node), *miner));
        let mut row = self.boards[usize::from(index)].weights(slots);
        row.sort();
        row
    }

    /// An honest validator's weights, as old as the rules want them.
    fn delayed(&mut self, index: u8) -> Row {
        let now = self.honest(index);
        let waiting = &mut self.waiting[usize::from(index)];
        waiting.push_back(now);
        if waiting.len() > self.rules.delay { waiting.pop_front().unwrap() } else { Row::new() }
    }

    /// The attacker's weights, if it follows a strategy that needs no trick when it reveals.
    fn odd(&mut self, strategy: Strategy) -> Row {
        let seen = self.seen();
        match strategy {
            Strategy::Copies => seen,
            Strategy::CopiesOne => self.validator(0).weights.clone(),
            Strategy::Continues => {
                let before = std::mem::replace(&mut self.late, seen.clone());
                let next = |at: u16, was: u16| (2 * u64::from(at)).saturating_sub(was.into()) / 2;
                seen.iter().map(|(uid, at)| (*uid, next(*at, weight_of(&before, *uid)) as u16)).collect()
            }
            Strategy::AddsNoise => {
                let mut noisy = |at: u16| u64::from(at) * self.dice.within(35, 65) / 100;
                seen.iter().map(|(uid, at)| (*uid, noisy(*at) as u16)).collect()
            }
            Strategy::ReadsScores(part) => self.corrected(f64::from(part) / 100.0),
            Strategy::IsTold => {
                let fresh: Vec<Row> = (0..ATTACKER).map(|index| self.honest(index)).collect();
                self.mean(&fresh.iter().collect::<Vec<_>>())
            }
            Strategy::TestsHalf => {
                let own = self.honest(ATTACKER);
                let one = |uid: Uid| weight_of(if uid.0.is_multiple_of(2) { &own } else { &seen }, uid);
                seen.iter().map(|(uid, _)| (*uid, one(*uid))).collect()
            }
            Strategy::Honest | Strategy::RevealsLate | Strategy::ChoosesReveal => self.delayed(ATTACKER),
        }
    }

    /// The mean of the weights that the honest validators have revealed.
    fn seen(&self) -> Row {
        self.mean(&(0..ATTACKER).map(|index| &self.validator(index).weights).collect::<Vec<_>>())
    }

    fn mean(&self, rows: &[&Row]) -> Row {
        let sum = |uid| rows.iter().map(|row| u64::from(weight_of(row, uid))).sum::<u64>();
        let mean = |uid| (sum(uid) / rows.len() as u64) as u16;
        let miners = self.miners.iter().map(|miner| self.uid(&miner.node));
        let mut row: Row = miners.map(|uid| (uid, mean(uid))).filter(|cell| cell.1 > 0).collect();
        row.sort();
        row
    }

    /// The guesses of an attacker that tests no miner: the weights it saw, their trend continued, and equal weights.
    fn guesses(&mut self) -> Vec<Row> {
        let seen = self.seen();
        let before = std::mem::replace(&mut self.late, seen.clone());
        let on = |(uid, weight): &(Uid, u16)| {
            (*uid, (weight / 2).saturating_add(weight.saturating_sub(weight_of(&before, *uid)) / 2))
        };
        let alike = |(uid, _): &(Uid, u16)| (*uid, u16::MAX);
        vec![seen.iter().map(on).collect(), seen.iter().map(alike).collect(), seen]
    }

    /// The attacker's commit that is nearest to the weights that the others have revealed.
    fn nearest(&self) -> Option<RevealWeights> {
        let seen = self.seen();
        let distance = |row: &&RevealWeights| {
            let apart =
                |(uid, weight): &(Uid, u16)| u64::from(weight.abs_diff(weight_of(&row.weights, *uid)));
            seen.iter().map(apart).sum::<u64>()
        };
        self.committed[usize::from(ATTACKER)].iter().min_by_key(distance).cloned()
    }

    fn subnet(&self) -> &Subnet {
        &self.state.subnets()[&SUBNET]
    }

    fn uid(&self, node: &NodeId) -> Uid {
        self.subnet().uid_of(node).unwrap()
    }

    fn validator(&self, index: u8) -> &Neuron {
        let uid = self.uid(&self.validators[usize::from(index)].node_id());
        self.subnet().neuron(uid).unwrap()
    }

    /// Applies a block of calls by validators. A rejected call has no effect.
    fn block(&mut self, calls: Vec<(u8, Call)>) {
        let (mesh, mut used) = (self.state.mesh(), [0; VALIDATORS as usize]);
        let mut signed = Vec::new();
        for (index, call) in calls {
            let key = &self.validators[usize::from(index)];
            let used = &mut used[usize::from(index)];
            let nonce = self.state.nodes().get(&key.node_id()).unwrap().nonce + *used;
            *used += 1;
            let expiry = BlockHeight(self.state.height().0 + 100);
            let transaction = Transaction { nonce, fee: Amount::ZERO, tip: Amount::ZERO, expiry, call };
            signed.push(Checked::new(&transaction.seal(key, &mesh).unwrap(), &mesh));
        }
        self.state.advance(&BlockContext::default(), &signed).unwrap();
        assert_eq!(self.state.held(), u128::from(self.state.issuance()), "no token is made or lost");
    }
}

fn reveal(row: &RevealWeights) -> Call {
    Call::RevealWeights(row.clone())
}

fn weight_of(row: &Row, uid: Uid) -> u16 {
    row.iter().find(|cell| cell.0 == uid).map_or(0, |cell| cell.1)
}

fn unit(dice: &mut Dice) -> f64 {
    dice.below(1 << 32) as f64 / f64::from(u32::MAX)
}
