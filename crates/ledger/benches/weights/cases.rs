//! A full mesh, and a block of every kind of transaction in its worst case.

#[path = "others.rs"]
mod others;

use std::{
    hint::black_box,
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use nervure_anchor::{AnchorKey, ProofOfPossession};
use nervure_consensus::statement::{Equivocation, Round, SignedStatement, Vote, VoteKind};
use nervure_ledger::{
    block::BlockContext,
    chain::{Draft, Tip},
    deposits::RecordKind,
    event::Event,
    governance::{Action, Choice, MAX_CHANGES, PARAMETERS, ParameterValue, ProposalId},
    spec::{AccountSpec, MeshSpec, NodeSpec, Role, SubnetSpec},
    state::LedgerState,
    subnet::Hyperparameter,
    transaction::{
        Call, Checked, CommitWeights, DeregisterNeuron, DeregisterNode, Holding, JoinValidators,
        LeaveValidators, MoveStake, RegisterAnchorKey, RegisterNeuron, RegisterNode, RegisterSubnet,
        ReportEquivocation, RevealWeights, RotateOwner, SetHyperparameter, SetMechanism, SetTake, SetWeights,
        SignerKey, Stake, SubmitProposal, SwapKey, Transaction, Transfer, Unstake, VoteProposal, VoteSubnets,
        commitment, consent, owner_consent,
    },
    tree::{MemoryTree, Record, changes},
};
use nervure_primitives::{Amount, BlockHeight, Envelope, Hash, MechanismSpec, Netuid, NodeKey, Uid};

/// Subnets, validators and neurons of each: as many as there can be.
const SUBNETS: u16 = 128;
const VALIDATORS: u64 = 64;
const NEURONS: u64 = 256;

/// Accounts, so that the tree is deep.
const ACCOUNTS: u64 = 10_000;

/// Transactions of a block of the cheap kinds.
const MANY: u64 = 100;

/// Open proposals that stakers have voted on; there is one more.
const VOTED: u64 = 6;

/// The subnet with plain weights, and the one with commits.
const PLAIN: Netuid = Netuid(1);
const HIDDEN: Netuid = Netuid(2);

const TOKEN: u64 = 1_000_000_000;

/// What one transaction of a kind costs.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    /// Bytes of its body.
    pub(crate) bytes: usize,
    /// Its weight.
    pub(crate) weight: u64,
    /// What it took, in thousandths of a signature check.
    pub(crate) measured: f64,
    /// The same in milliseconds.
    pub(crate) milliseconds: f64,
}

struct Case {
    name: &'static str,
    block: Vec<Envelope>,
    best: Duration,
}

fn key(number: u64) -> NodeKey {
    let mut seed = [3; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    NodeKey::from_seed(&seed)
}

/// The first are validators, the others miners; each owns itself.
fn neuron(number: u64) -> NodeKey {
    key(number)
}

fn account(number: u64) -> NodeKey {
    key(100_000 + number)
}

fn subnet_owner(netuid: Netuid) -> NodeKey {
    account(u64::from(netuid.0))
}

fn tokens(tokens: u64) -> Amount {
    Amount::from_base_units(tokens * TOKEN)
}

/// A mesh in which all places are taken.
fn spec() -> MeshSpec {
    let mut spec = MeshSpec::public("weights");
    let economy = &mut spec.economy;
    (economy.max_subnets, economy.subnet_immunity, economy.hyperparameter_interval) = (SUBNETS, 0, 1);
    economy.min_self_stake = TOKEN;
    (economy.min_tempo, economy.subnet.tempo, economy.subnet.immunity) = (5, 5, 0);
    (economy.subnet.commit_reveal, economy.subnet.weights_interval) = (false, 0);
    // All places of proposals but one are taken, and stakers have voted on all but one of them.
    (economy.governance.deposit, economy.unbonding) = (1, 300_000);
    // No election: who is a validator stays so, and pays nothing it would not pay anyway.
    economy.election_interval = 50_000;
    let netuids: Vec<Netuid> = (1..=SUBNETS).map(Netuid).collect();
    spec.subnets =
        netuids.iter().map(|netuid| SubnetSpec::new(*netuid, format!("subnet-{netuid}"), None)).collect();
    spec.subnets.iter_mut().for_each(|subnet| subnet.owner = Some(subnet_owner(subnet.netuid).node_id()));
    let node = |number| {
        let role = if number < VALIDATORS { Role::Validator } else { Role::Miner };
        let stake = if number < VALIDATORS { tokens(1_000) } else { Amount::ZERO };
        NodeSpec::new(neuron(number).node_id(), role).in_subnets(netuids.iter().copied()).with_stake(stake)
    };
    spec.nodes = (0..NEURONS).map(node).collect();
    let owners = (0..NEURONS).map(neuron).chain((0..ACCOUNTS).map(account));
    spec.accounts = owners.map(|key| AccountSpec::new(key.node_id(), tokens(500))).collect();
    spec
}

/// A state to measure on.
struct World(LedgerState);

impl World {
    fn sign(&self, key: &NodeKey, call: Call) -> Envelope {
        self.sign_at(key, call, 0)
    }

    /// Signs with the nonce after so many others.
    fn sign_at(&self, key: &NodeKey, call: Call, before: u64) -> Envelope {
        let (state, id) = (&self.0, key.node_id());
        let nonce = before
            + match call.signer() {
                SignerKey::Owner => state.accounts().get(&id).nonce,
                SignerKey::Node => state.nodes().get(&id).unwrap().nonce,
            };
        let (fee, expiry) = (tokens(1), BlockHeight(state.height().0 + 50));
        Transaction { nonce, fee, tip: Amount::ZERO, expiry, call }.seal(key, &state.mesh()).unwrap()
    }

    /// Carries out a block, of which nothing may be rejected.
    fn apply(&mut self, block: &[Envelope]) {
        let checked = Checked::all(block, &self.0.mesh(), NonZeroUsize::MIN);
        let events = self.0.advance(&BlockContext::default(), &checked).unwrap();
        let refused = events.iter().find(|event| matches!(event, Event::Rejected { .. }));
        assert_eq!(refused, None);
    }

    fn consent(&self, node: &NodeKey, owner: &NodeKey) -> Envelope {
        consent(node, &owner.node_id(), &self.0.mesh()).unwrap()
    }

    fn weigh(&self, validator: u64, netuid: Netuid, before: u64) -> Envelope {
        let call = Call::SetWeights(SetWeights { netuid, weights: row(validator), version_key: 0 });
        self.sign_at(&neuron(validator), call, before)
    }
}

/// A proposal that changes as many parameters as one can. The first one has another value.
fn propose(first: u64) -> Call {
    let spec = spec();
    let rules = nervure_ledger::governance::Rulebook { economy: spec.economy, consensus: spec.consensus };
    let value = |(at, name): (usize, &&str)| ParameterValue {
        name: (*name).into(),
        value: if at == 0 { first + 1 } else { rules.get(name).unwrap() },
    };
    let values = PARAMETERS.iter().enumerate().take(MAX_CHANGES).map(value).collect();
    let title = "x".repeat(100).into();
    Call::SubmitProposal(SubmitProposal { title, document: None, action: Action::Params { values } })
}

/// The vote of a staker of the first validator.
fn vote(proposal: u64) -> Call {
    let nodes = vec![neuron(0).node_id()];
    Call::VoteProposal(VoteProposal { proposal: ProposalId(proposal), choice: Choice::No, nodes })
}

/// A full row of weights, different for each validator.
fn row(validator: u64) -> Vec<(Uid, u16)> {
    (0..NEURONS as u16).map(|uid| (Uid(uid), 300 + (uid * 97 + validator as u16 * 31) % 60_000)).collect()
}

fn reveal(validator: u64) -> RevealWeights {
    RevealWeights { netuid: HIDDEN, weights: row(validator), salt: Hash::of("salt", &[]), version_key: 0 }
}

fn commit(world: &World, validator: u64) -> Call {
    let hash = commitment(&world.0.mesh(), &neuron(validator).node_id(), &reveal(validator));
    Call::CommitWeights(CommitWeights { netuid: HIDDEN, hash })
}

/// Two precommits of a validator for the last block.
fn equivocation(world: &World, validator: &NodeKey) -> Equivocation {
    let vote = |value| {
        let vote = Vote { height: world.0.height(), round: Round(0), kind: VoteKind::Precommit, value };
        SignedStatement::sign(validator, &world.0.mesh(), vote).unwrap()
    };
    Equivocation::votes(vote(None), vote(Some(Hash::of("block", &[])))).unwrap()
}

/// Node keys that are registered and in no subnet, one for each of the first accounts.
fn spare(number: u64) -> NodeKey {
    key(200_000 + number)
}

/// Node keys with a vote and without a slot, one for each of some other accounts.
fn idle(number: u64) -> NodeKey {
    key(210_000 + number)
}

fn idle_owner(number: u64) -> NodeKey {
    account(5_000 + number)
}

/// A vote on all subnets.
fn subnet_vote(number: u64) -> Call {
    let weights = (1..=SUBNETS).map(|netuid| (Netuid(netuid), netuid + number as u16)).collect();
    Call::VoteSubnets(VoteSubnets { weights })
}

/// The first state, with a deposit for each slot: all are given back when a subnet is dissolved.
fn genesis() -> LedgerState {
    let spec = spec();
    let state = LedgerState::genesis(&spec).unwrap();
    let deposit = spec.economy.deposit(RecordKind::Neuron);
    let deposited = deposit * u64::from(SUBNETS) * NEURONS;
    let records = changes(None, &state).into_values().flatten().map(|mut record| {
        match &mut record {
            Record::Chain(chain) => chain.issuance += deposited,
            Record::Neuron { neuron, .. } => neuron.deposit = Amount::from_base_units(deposit),
            _ => {}
        }
        record
    });
    LedgerState::from_records(&spec, records).unwrap()
}

/// The full mesh: every validator has weights and bonds for all neurons of two subnets, the first one of all subnets.
fn full() -> World {
    let mut world = World(genesis());
    for netuid in [PLAIN, HIDDEN] {
        let rows: Vec<_> = (0..VALIDATORS).map(|validator| world.weigh(validator, netuid, 0)).collect();
        world.apply(&rows);
    }
    let everywhere: Vec<_> =
        (0..).zip(3..=SUBNETS).map(|(at, netuid)| world.weigh(0, Netuid(netuid), at)).collect();
    world.apply(&everywhere);
    let mut prepared: Vec<_> = (0..MANY)
        .map(|number| {
            let consent = world.consent(&spare(number), &account(number));
            world.sign(&account(number), Call::RegisterNode(RegisterNode { consent }))
        })
        .collect();
    prepared.extend((0..MANY).map(|number| {
        let stake = Stake { node: spare(number).node_id(), amount: tokens(5) };
        world.sign_at(&account(number), Call::Stake(stake), 1)
    }));
    prepared.extend((0..MANY).map(|number| {
        let consent = world.consent(&idle(number), &idle_owner(number));
        world.sign(&idle_owner(number), Call::RegisterNode(RegisterNode { consent }))
    }));
    let stake = Call::Stake(Stake { node: neuron(0).node_id(), amount: tokens(10) });
    prepared.extend((MANY..2 * MANY).map(|number| world.sign(&account(number), stake.clone())));
    world.apply(&prepared);
    let proposed: Vec<_> = (0..=VOTED).map(|at| world.sign_at(&account(0), propose(300 + at), at)).collect();
    world.apply(&proposed);
    for proposal in 1..=VOTED {
        let votes: Vec<_> = (MANY..2 * MANY).map(|n| world.sign(&account(n), vote(proposal))).collect();
        world.apply(&votes);
    }
    let votes: Vec<_> = (0..MANY).map(|number| world.sign(&idle(number), subnet_vote(number))).collect();
    world.apply(&votes);
    others::prepare(&mut world);
    // Two epochs: bonds are full, and the first commits are in the second.
    (0..6).for_each(|_| world.apply(&[]));
    let hide = SetHyperparameter { netuid: HIDDEN, to: Hyperparameter::CommitReveal(true) };
    world.apply(&[world.sign(&subnet_owner(HIDDEN), Call::SetHyperparameter(hide))]);
    let epoch = |world: &World| world.0.subnets()[&HIDDEN].epoch;
    let now = epoch(&world);
    while epoch(&world) == now {
        world.apply(&[]);
    }
    let commits: Vec<_> = (0..VALIDATORS).map(|one| world.sign(&neuron(one), commit(&world, one))).collect();
    world.apply(&commits);
    while epoch(&world) == now + 1 {
        world.apply(&[]);
    }
    world
}

/// A kind of transaction, and a block of it.
type NamedBlock = (&'static str, Vec<Envelope>);

impl World {
    /// A transaction of each of many accounts.
    fn of_many(&self, call: impl Fn(u64) -> (NodeKey, Call)) -> Vec<Envelope> {
        (0..MANY).map(call).map(|(key, call)| self.sign(&key, call)).collect()
    }

    /// One of each validator.
    fn of_validators(&self, call: impl Fn(u64) -> Call) -> Vec<Envelope> {
        (0..VALIDATORS).map(|one| self.sign(&neuron(one), call(one))).collect()
    }

    /// One of the owner of each subnet.
    fn of_subnets(&self, call: impl Fn(Netuid) -> Call) -> Vec<Envelope> {
        (1..=SUBNETS).map(Netuid).map(|netuid| self.sign(&subnet_owner(netuid), call(netuid))).collect()
    }

    /// One alone.
    fn of_one(&self, key: NodeKey, call: Call) -> Vec<Envelope> {
        vec![self.sign(&key, call)]
    }
}

fn mechanism() -> MechanismSpec {
    (0..16).fold(MechanismSpec::named("next-byte"), |spec, at| spec.with(format!("p{at}"), 8))
}

fn cases(world: &World) -> Vec<Case> {
    let blocks = [
        of_accounts_and_nodes(world),
        of_moves_and_rotations(world),
        of_subnets_and_slots(world),
        of_block_makers(world),
        of_weights_and_votes(world),
        of_proposals(world),
        others::cases(world),
    ];
    blocks.into_iter().flatten().map(|(name, block)| Case { name, block, best: Duration::MAX }).collect()
}

fn of_accounts_and_nodes(world: &World) -> Vec<NamedBlock> {
    vec![
        (
            "transfer",
            world.of_many(|n| {
                let to = key(900_000 + n).node_id();
                (account(2_000 + n), Call::Transfer(Transfer { to, amount: tokens(1), memo: None }))
            }),
        ),
        (
            "register node",
            world.of_many(|n| {
                let owner = account(3_000 + n);
                let consent = world.consent(&key(800_000 + n), &owner);
                (owner, Call::RegisterNode(RegisterNode { consent }))
            }),
        ),
        (
            "swap key",
            world.of_one(
                neuron(0),
                Call::SwapKey(SwapKey {
                    old: neuron(0).node_id(),
                    consent: world.consent(&key(700_000), &neuron(0)),
                }),
            ),
        ),
        (
            "deregister node",
            world.of_many(|n| {
                (idle_owner(n), Call::DeregisterNode(DeregisterNode { node: idle(n).node_id() }))
            }),
        ),
        (
            "set take",
            world.of_many(|n| (neuron(n), Call::SetTake(SetTake { node: neuron(n).node_id(), take: 5 }))),
        ),
        (
            "stake",
            world.of_many(|n| {
                (account(MANY + n), Call::Stake(Stake { node: neuron(0).node_id(), amount: tokens(10) }))
            }),
        ),
        (
            "unstake",
            world.of_many(|n| {
                let node = neuron(0).node_id();
                (account(MANY + n), Call::Unstake(Unstake { node, amount: tokens(10) }))
            }),
        ),
    ]
}

fn of_moves_and_rotations(world: &World) -> Vec<NamedBlock> {
    let rotation = |n: u64| {
        let (old, new) = (account(n), key(600_000 + n));
        let consent = owner_consent(&new, &old.node_id(), &world.0.mesh()).unwrap();
        let node = spare(n).node_id();
        let mut holdings = vec![Holding::Node(node), Holding::Stake(node)];
        // The first accounts own the subnets.
        holdings.extend((n > 0).then_some(Holding::Subnet(Netuid(n as u16))));
        (old, Call::RotateOwner(RotateOwner { consent, holdings, account: None }))
    };
    vec![
        (
            "move stake",
            world.of_many(|n| {
                let (from, to) = (neuron(0).node_id(), neuron(1 + n % 60).node_id());
                (account(MANY + n), Call::MoveStake(MoveStake { from, to, amount: tokens(10) }))
            }),
        ),
        ("rotate owner", world.of_many(rotation)),
    ]
}

fn of_subnets_and_slots(world: &World) -> Vec<NamedBlock> {
    vec![
        (
            "register subnet",
            world.of_one(
                account(0),
                Call::RegisterSubnet(RegisterSubnet {
                    name: "newcomer".into(),
                    node: spare(0).node_id(),
                    max_lock: Amount::from_base_units(u64::MAX),
                    mechanism: Some(mechanism()),
                }),
            ),
        ),
        (
            "register neuron",
            world.of_one(
                account(1),
                Call::RegisterNeuron(RegisterNeuron {
                    netuid: PLAIN,
                    node: spare(1).node_id(),
                    max_price: None,
                }),
            ),
        ),
        (
            "deregister neuron",
            world.of_one(
                neuron(NEURONS - 1),
                Call::DeregisterNeuron(DeregisterNeuron {
                    netuid: PLAIN,
                    node: neuron(NEURONS - 1).node_id(),
                }),
            ),
        ),
        (
            "set hyperparameter",
            world.of_subnets(|netuid| {
                Call::SetHyperparameter(SetHyperparameter { netuid, to: Hyperparameter::Immunity(7) })
            }),
        ),
        (
            "set mechanism",
            world.of_subnets(|netuid| Call::SetMechanism(SetMechanism { netuid, to: mechanism() })),
        ),
    ]
}

fn of_block_makers(world: &World) -> Vec<NamedBlock> {
    vec![
        (
            "join validators",
            world
                .of_many(|n| (account(n), Call::JoinValidators(JoinValidators { node: spare(n).node_id() }))),
        ),
        (
            "leave validators",
            world.of_validators(|n| Call::LeaveValidators(LeaveValidators { node: neuron(n).node_id() })),
        ),
        (
            "report equivocation",
            world.of_validators(|n| {
                let evidence = equivocation(world, &neuron((n + 1) % VALIDATORS));
                Call::ReportEquivocation(ReportEquivocation { evidence: evidence.into() })
            }),
        ),
    ]
}

fn of_weights_and_votes(world: &World) -> Vec<NamedBlock> {
    let weights = |one| SetWeights { netuid: PLAIN, weights: row(one), version_key: 0 };
    vec![
        ("set weights", world.of_validators(|one| Call::SetWeights(weights(one)))),
        ("commit weights", world.of_validators(|one| commit(world, one))),
        ("reveal weights", world.of_validators(|one| Call::RevealWeights(reveal(one)))),
        ("vote subnets", world.of_validators(subnet_vote)),
        (
            "register anchor key",
            world.of_validators(|one| {
                let key = AnchorKey::from_secret(&[one as u8 + 1; 32]).unwrap();
                let possession = ProofOfPossession::prove(&key, &neuron(one).node_id(), &world.0.mesh());
                Call::RegisterAnchorKey(RegisterAnchorKey { address: key.address(), possession })
            }),
        ),
    ]
}

fn of_proposals(world: &World) -> Vec<NamedBlock> {
    vec![
        ("submit proposal", world.of_one(account(5_000), propose(400))),
        ("vote proposal", world.of_many(|n| (account(MANY + n), vote(VOTED + 1)))),
    ]
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let begun = Instant::now();
    black_box(work());
    begun.elapsed()
}

/// Every kind in its worst case, each the fastest of `rounds` runs on one thread.
pub(crate) fn measure(rounds: usize) -> Vec<Measured> {
    let world = full();
    let tree = MemoryTree::of(&world.0).unwrap();
    let (genesis, _) = Tip::genesis(&spec()).unwrap();
    let mut header = genesis.header;
    (header.height, header.state) = (world.0.height(), tree.root().unwrap());
    let tip = Tip { header, state: world.0.clone() };
    let mut cases = cases(&world);
    let block = |block: &[Envelope]| {
        let draft = Draft::uncertified(&tip, block.to_vec());
        tip.next(&tree, draft, NonZeroUsize::MIN).unwrap()
    };
    for case in &cases {
        let refused =
            block(&case.block).events.into_iter().find(|event| matches!(event, Event::Rejected { .. }));
        assert_eq!(refused, None, "{}", case.name);
    }
    let message = [7; 200];
    let signature = key(0).sign(&message);
    let signer = key(0).node_id();
    let check = || (0..200).filter(|_| signature.verify(&signer, &message).is_ok()).count();
    let (mut unit, mut empty) = (Duration::MAX, Duration::MAX);
    for _ in 0..rounds {
        unit = unit.min(timed(check));
        empty = empty.min(timed(|| block(&[])));
        cases.iter_mut().for_each(|case| case.best = case.best.min(timed(|| block(&case.block))));
    }
    let unit = unit.as_secs_f64() / 200.0;
    let result = |case: Case| {
        let each = case.best.saturating_sub(empty).as_secs_f64() / case.block.len() as f64;
        let heaviest =
            case.block.iter().map(|one| (Checked::new(one, &tip.header.mesh).weight(), one.body().len()));
        let (weight, bytes) = heaviest.max().unwrap();
        let (measured, milliseconds) = (each / unit * 1_000.0, each * 1_000.0);
        Measured { name: case.name, bytes, weight, measured, milliseconds }
    };
    cases.into_iter().map(result).collect()
}
