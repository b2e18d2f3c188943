//! A subnet on the real ledger whose miners' quality drifts, for attacks that are about weights: honest validators
//! test, average and weigh; one of them follows another strategy.

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
    score::{MovingAverageTable, ScoringRules},
};

use crate::world::{SUBNET, key, registration};

const VALIDATORS: u8 = 8;

/// The attacker.
const ATTACKER: u8 = VALIDATORS - 1;

const MINERS: u8 = 24;
const FIRST_MINER: u8 = 50;
const FIRST_VALIDATOR: u8 = 100;

/// Tasks of each validator for each miner in an epoch.
const TASKS: u32 = 20;

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
    /// Commits honestly and reveals an epoch too late.
    RevealsLate,
    /// Tests no miner, commits several guesses, and reveals the one nearest to the revealed weights of the others.
    ChoosesReveal,
}

/// A subnet and the state of its validators.
pub(crate) struct Economy {
    state: LedgerState,
    miners: Vec<Registration>,
    validators: Vec<NodeKey>,
    quality: Vec<f64>,
    boards: Vec<MovingAverageTable>,
    committed: Vec<Vec<RevealWeights>>,
    /// The weights that the attacker reveals too late, or saw an epoch ago.
    late: Row,
    dice: Dice,
    drift: f64,
}

/// The earnings of the attacker per unit of stake, as a part of those of the honest validators.
///
/// `drift` is how far a miner's quality moves in an epoch, at most.
pub(crate) fn earned(strategy: Strategy, commit_reveal: bool, drift: f64) -> f64 {
    let mut economy = Economy::new(commit_reveal, drift);
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

fn spec(commit_reveal: bool) -> MeshSpec {
    let mut spec = MeshSpec::test("economy");
    let rules = &mut spec.economy.subnet;
    (rules.tempo, rules.weights_interval, rules.commit_reveal) = (6, 0, commit_reveal);
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
    fn new(commit_reveal: bool, drift: f64) -> Self {
        let mut board = MovingAverageTable::new(ScoringRules::default()).unwrap();
        let miners: Vec<_> = (0..MINERS).map(|index| registration(FIRST_MINER + index)).collect();
        board.set_registered(miners.iter().copied());
        let mut dice = Dice::new(7.into());
        let quality = (0..MINERS).map(|_| unit(&mut dice)).collect();
        Self {
            state: LedgerState::genesis(&spec(commit_reveal)).unwrap(),
            miners,
            validators: (0..VALIDATORS).map(validator).collect(),
            quality,
            boards: vec![board; VALIDATORS.into()],
            committed: vec![Vec::new(); VALIDATORS.into()],
            late: Row::new(),
            dice,
            drift,
        }
    }

    /// Runs one epoch. Returns what each validator earned in it, as a part of all.
    fn epoch(&mut self, strategy: Strategy) -> Vec<f64> {
        let epoch = self.subnet().epoch;
        self.drift();
        self.test();
        if self.subnet().hyperparameters.commit_reveal {
            self.commit_and_reveal(strategy)
        } else {
            self.set(strategy)
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
            let step = (unit(&mut self.dice) * 2.0 - 1.0) * self.drift;
            *quality = (*quality + step).clamp(0.0, 1.0);
        }
    }

    fn test(&mut self) {
        for board in &mut self.boards {
            for (miner, quality) in self.miners.iter().zip(&self.quality) {
                for _ in 0..TASKS {
                    let luck = (unit(&mut self.dice) - 0.5) * 0.2;
                    let result =
                        Score::from_parts(((quality + luck).clamp(0.0, 1.0) * f64::from(u32::MAX)) as u32);
                    assert!(board.record(miner, result));
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
            Strategy::Honest => own,
            Strategy::Copies | Strategy::ChoosesReveal => self.seen(),
            Strategy::RevealsLate => std::mem::replace(&mut self.late, own),
        };
        self.block(vec![(ATTACKER, set(weights))]);
    }

    fn commit_and_reveal(&mut self, strategy: Strategy) {
        let shown = |index: u8| self.committed[usize::from(index)].first().map(|row| (index, reveal(row)));
        let honest = (0..VALIDATORS).filter(|index| {
            strategy == Strategy::Honest || strategy == Strategy::Copies || *index != ATTACKER
        });
        self.block(honest.filter_map(shown).collect());
        match strategy {
            Strategy::Honest | Strategy::Copies => {}
            Strategy::ChoosesReveal => {
                let best = self.nearest();
                self.block(best.map(|row| (ATTACKER, reveal(&row))).into_iter().collect());
            }
            Strategy::RevealsLate => {
                let now = self.committed[usize::from(ATTACKER)].first().map(|row| row.weights.clone());
                let before = std::mem::replace(&mut self.late, now.unwrap_or_default());
                self.block(vec![(ATTACKER, reveal(&self.row(ATTACKER, before)))]);
            }
        }
        let mut calls = Vec::new();
        for index in 0..VALIDATORS {
            let rows = match strategy {
                Strategy::Copies if index == ATTACKER => vec![self.seen()],
                Strategy::ChoosesReveal if index == ATTACKER => self.guesses(),
                _ => vec![self.honest(index)],
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

    /// The mean of the weights that the honest validators have revealed.
    fn seen(&self) -> Row {
        let rows: Vec<&Row> = (0..ATTACKER).map(|index| &self.validator(index).weights).collect();
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
