//! People who want things of the ledger: transactions of every kind, drawn from seed and height.
//!
//! At one height they want the same on every node, as if gossip had brought it there; each node hears of a part.
//! Some of it is refused by the pool, some by the ledger.

use std::collections::BTreeMap;

use nervure_consensus::bft::simulation::{Plan, SimulatedValidator};
use nervure_ledger::{
    params::Params,
    spec::{AccountSpec, MeshSpec, NodeSpec, Role},
    state::LedgerState,
    subnet::{Hyperparameter, Hyperparameters},
    transaction::{
        Call, CommitWeights, JoinValidators, RegisterNeuron, RegisterNode, RegisterSubnet, RevealWeights,
        SetHyperparameter, SetTake, SetWeights, SignerKey, Stake, Transaction, Transfer, Unstake,
        VoteSubnets, commitment, consent,
    },
};
use nervure_primitives::{Amount, BlockHeight, Envelope, Hash, Netuid, NodeId, NodeKey, Uid};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Owners, each with tokens, nodes of the genesis and nodes to come.
const OWNERS: u8 = 4;

/// Base units behind a validator for each unit of its power: far more than a run of a few blocks can shift, so that
/// the Byzantine stay below a third.
const UNIT: u64 = 1_000_000_000_000;

/// More than a transaction costs here.
const FEE: u64 = 1_000_000;

/// The subnet of the genesis.
const SUBNET: Netuid = Netuid(1);

/// The people of one run.
#[derive(Clone, Debug)]
pub(crate) struct Crowd {
    seed: u64,
    validators: Vec<SimulatedValidator>,
    rotated_out: Option<usize>,
}

fn owner(index: u8) -> NodeKey {
    NodeKey::from_seed(&[100 + index % OWNERS; 32])
}

fn newcomer(index: u8) -> NodeKey {
    NodeKey::from_seed(&[200 + index % OWNERS; 32])
}

fn owner_of(validator: usize) -> u8 {
    (validator % usize::from(OWNERS)) as u8
}

fn units(units: u64) -> Amount {
    Amount::from_base_units(units)
}

/// The mesh of a plan: its validators, and, epochs and elections come every two blocks.
pub(crate) fn spec(plan: &Plan) -> MeshSpec {
    let economy = Params {
        min_base_fee: 8,
        min_stake: 100,
        unbonding: 2,
        take_interval: 1,
        vote_interval: 1,
        hyperparameter_interval: 1,
        min_tempo: 2,
        election_interval: 2,
        max_subnets: 3,
        subnet: Hyperparameters {
            tempo: 2,
            immunity: 2,
            weights_interval: 0,
            commit_reveal: plan.seed.is_multiple_of(2),
            ..Params::local().subnet
        },
        ..Params::local()
    };
    let mut spec = MeshSpec { economy, ..MeshSpec::test(&format!("simulation-{}", plan.seed)) };
    let listed = |(at, validator): (usize, &SimulatedValidator)| {
        NodeSpec::new(validator.key.node_id(), Role::Validator)
            .in_subnets([SUBNET])
            .with_stake(units(validator.power * UNIT))
            .with_owner(owner(owner_of(at)).node_id())
    };
    spec.nodes = plan.validators.iter().enumerate().map(listed).collect();
    let rich = |index| AccountSpec::new(owner(index).node_id(), units(1_000 * UNIT));
    spec.accounts = (0..OWNERS).map(rich).collect();
    spec
}

impl Crowd {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self { seed: plan.seed, validators: plan.validators.clone(), rotated_out: plan.rotated_out() }
    }

    /// What they want of the block after `state`.
    pub(crate) fn wishes(&self, state: &LedgerState) -> Vec<Envelope> {
        let seed = self.seed.rotate_left(17) ^ state.height().0;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut sent = BTreeMap::new();
        let mut calls: Vec<_> = (0..rng.random_range(0..6)).map(|_| self.call(&mut rng, state)).collect();
        calls.extend(self.rotation(state));
        let seal = |(key, call)| seal(state, &mut sent, &key, call);
        calls.into_iter().filter_map(seal).collect()
    }

    /// The spared validator leaves with all of its stake, and comes back.
    fn rotation(&self, state: &LedgerState) -> Vec<(NodeKey, Call)> {
        let Some((at, validator)) = self.rotated_out.and_then(|at| Some((at, self.validators.get(at)?)))
        else {
            return Vec::new();
        };
        let (key, node) = (owner(owner_of(at)), validator.key.node_id());
        let staked = state.nodes().stake_of(&node, &key.node_id());
        let calls = match (state.height().0 % 4, staked.is_zero()) {
            (0, false) => vec![Call::Unstake(Unstake { node, amount: staked })],
            // The election removed it when it had no stake.
            (2, true) => {
                let stake = Stake { node, amount: units(validator.power * UNIT) };
                vec![Call::Stake(stake), Call::JoinValidators(JoinValidators { node })]
            }
            _ => Vec::new(),
        };
        calls.into_iter().map(|call| (key.clone(), call)).collect()
    }

    fn call(&self, rng: &mut ChaCha8Rng, state: &LedgerState) -> (NodeKey, Call) {
        let who = rng.random_range(0..OWNERS);
        let at = rng.random_range(0..self.validators.len());
        let (validator, key) = (&self.validators[at], owner(who));
        let mesh = state.mesh();
        let call = match rng.random_range(0..14u8) {
            0..3 => {
                let amount = if rng.random_bool(0.1) { u64::MAX } else { rng.random_range(0..UNIT) };
                Call::Transfer(Transfer { to: owner(who + 1).node_id(), amount: units(amount), memo: None })
            }
            3 => match consent(&newcomer(who), &key.node_id(), &mesh) {
                Ok(consent) => Call::RegisterNode(RegisterNode { consent }),
                Err(_) => unreachable!("a consent always encodes"),
            },
            4 => {
                let node = newcomer(who).node_id();
                Call::RegisterNeuron(RegisterNeuron { netuid: SUBNET, node, max_price: None })
            }
            5 if validator.behaviour.is_honest() => Call::Stake(Stake {
                node: validator.key.node_id(),
                amount: units(rng.random_range(100..UNIT)),
            }),
            5 | 6 => Call::Unstake(Unstake { node: newcomer(who).node_id(), amount: units(1) }),
            7 => {
                let (node, take) = (validator.key.node_id(), rng.random_range(0..12_000));
                return (owner(owner_of(at)), Call::SetTake(SetTake { node, take }));
            }
            8 => {
                let name = format!("subnet-{who}");
                let (node, max_lock) = (newcomer(who).node_id(), units(u64::MAX));
                Call::RegisterSubnet(RegisterSubnet { name, node, max_lock, mechanism: None })
            }
            9 => {
                let netuid = Netuid(rng.random_range(1..4));
                let to = Hyperparameter::Immunity(rng.random_range(0..20));
                Call::SetHyperparameter(SetHyperparameter { netuid, to })
            }
            _ => return (validator.key.clone(), weights(rng, state, &validator.key.node_id())),
        };
        (key, call)
    }
}

/// What validators say about each other.
fn weights(rng: &mut ChaCha8Rng, state: &LedgerState, node: &NodeId) -> Call {
    let subnet = state.subnets().get(&SUBNET);
    let neurons = subnet.map_or(1, |subnet| subnet.neurons.len() as u16);
    // The same at each height, so that a later reveal fits an earlier commit.
    let weights: Vec<_> = (0..neurons.min(4)).map(|uid| (Uid(uid), 1 + uid)).collect();
    let reveal = RevealWeights {
        netuid: SUBNET,
        weights: weights.clone(),
        salt: Hash::of("salt", &[]),
        version_key: 0,
    };
    match rng.random_range(0..4u8) {
        0 => Call::VoteSubnets(VoteSubnets { weights: vec![(SUBNET, rng.random())] }),
        1 => Call::SetWeights(SetWeights { netuid: SUBNET, weights, version_key: 0 }),
        2 => {
            let hash = commitment(&state.mesh(), node, &reveal);
            Call::CommitWeights(CommitWeights { netuid: SUBNET, hash })
        }
        _ => Call::RevealWeights(reveal),
    }
}

/// Signs a call with the nonce that is due after those that were signed before.
fn seal(
    state: &LedgerState,
    sent: &mut BTreeMap<NodeId, u64>,
    key: &NodeKey,
    call: Call,
) -> Option<Envelope> {
    let node = key.node_id();
    let (nonce, fee) = match call.signer() {
        SignerKey::Node => {
            let is_free = state.lane_scope(&call, &node).is_ok_and(|scope| scope.is_some());
            (state.nodes().get(&node).map_or(0, |node| node.nonce), if is_free { 0 } else { FEE })
        }
        SignerKey::Owner => (state.accounts().get(&node).nonce, FEE),
    };
    let before = sent.entry(node).or_insert(0);
    let nonce = nonce + *before;
    *before += 1;
    let expiry = BlockHeight(state.height().0 + 1 + nonce % 4);
    let tip = units(nonce % 3);
    Transaction { nonce, fee: units(fee), tip, expiry, call }.seal(key, &state.mesh()).ok()
}
