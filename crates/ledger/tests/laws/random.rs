//! Random blocks: nothing is lost or made, refused transactions leave no trace, the same blocks give
//! the same state.

use std::collections::{BTreeMap, BTreeSet};

use nervure_ledger::{
    event::Event,
    governance::{Action, Choice, ParameterValue, ProposalId},
    proxies::{ProxyGrant, ProxyScope, SpendingLimit},
    subnet::Hyperparameter,
    transaction::{
        AnnounceCall, Call, CancelAnnouncement, ClaimVested, CommitWeights, DeregisterNeuron, DeregisterNode,
        Holding, InclusionRejection, JoinValidators, LeaveValidators, MoveStake, Outcome, ProxyCall,
        RegisterNeuron, RegisterNode, RegisterSubnet, Rejection, RemoveProxy, ReportEquivocation,
        RevealWeights, RotateOwner, SetHyperparameter, SetMechanism, SetProxy, SetTake, SetWeights, Stake,
        SubmitProposal, SwapKey, Transfer, TransferVested, Unstake, VoteProposal, VoteSubnets, commitment,
        owner_consent,
    },
    upgrade::Upgrade,
};
use nervure_primitives::{BlockHeight, Envelope, Hash, MechanismSpec, Netuid, NodeId, NodeKey, Uid};
use proptest::{collection::vec, prelude::*, strategy::ValueTree};

use crate::{
    anchor,
    equivocation::equivocation,
    shared::{approved, batch, pay, team},
    world::{KEYS, World, node, owner, params, units},
};

/// One random wish: who, which kind, two keys and an amount.
pub(crate) type Wish = (u8, u8, u8, u8, u64);

pub(crate) fn wishes() -> impl Strategy<Value = Vec<Vec<Wish>>> {
    let amount = prop_oneof![0u64..2_000, 0u64..200_000_000_000, Just(u64::MAX)];
    // Commits and their reveals have to meet, so there are more of them.
    // From 40 on: what acts for other accounts.
    let kind = prop_oneof![
        18 => 0u8..25,
        4 => 9u8..11,
        2 => 13u8..14,
        2 => 22u8..23,
        2 => 40u8..42,
        6 => 42u8..49
    ];
    vec(vec((0..KEYS, kind, 0..KEYS, 0..KEYS, amount), 0..4), 1..25)
}

fn netuid(b: u8) -> Netuid {
    Netuid(u16::from(b % 3) + 1)
}

/// The same weights for the same subnet, so that a later reveal can fit an earlier commit.
fn weights(b: u8) -> RevealWeights {
    let weights = vec![(Uid(1), 7), (Uid(0), 3)];
    RevealWeights { netuid: netuid(b), weights, salt: Hash::of("salt", &[]), version_key: 0 }
}

/// Who signs: the validator of the genesis or a spare node key for what nodes sign.
fn signer(wish: Wish) -> NodeKey {
    match wish {
        (_, 9..=12 | 15 | 18, 0, ..) => node(200),
        (who, 9..=12 | 15 | 18, ..) => node(who),
        (who, ..) => owner(who),
    }
}

fn hyperparameter(which: u8, value: u64) -> Hyperparameter {
    match which {
        0 => Hyperparameter::Tempo(2 + value % 9),
        1 => Hyperparameter::MaxValidators(value as u16 % 9),
        _ => Hyperparameter::CommitReveal(value.is_multiple_of(3)),
    }
}

fn set_weights(b: u8, amount: u64) -> Call {
    let weights = vec![(Uid(0), amount as u16)];
    Call::SetWeights(SetWeights { netuid: netuid(b), weights, version_key: 0 })
}

/// A new kind takes the next number: raise the range in [`wishes`]. One that a node key signs also goes into [`signer`].
fn call(world: &World, wish: Wish) -> Call {
    let (who, kind, a, b, amount) = wish;
    // Mostly the signer's own node, as registered at first.
    let target: NodeId = node(if a < 2 { who } else { a }).node_id();
    let consent = |key: u8| world.consent(&node(key), &owner(who).node_id());
    match kind {
        0 => {
            // Rarely all of it, which closes the account.
            let amount = units(if amount == u64::MAX && a > 0 { 1 } else { amount });
            Call::Transfer(Transfer { to: owner(b).node_id(), amount, memo: None })
        }
        1 => Call::RegisterNode(RegisterNode { consent: consent(b + 10) }),
        2 => Call::SwapKey(SwapKey { old: target, consent: consent(b + 10) }),
        3 => Call::SetTake(SetTake { node: target, take: amount as u16 }),
        4 => Call::Stake(Stake { node: target, amount: units(amount) }),
        5 => Call::Unstake(Unstake { node: target, amount: units(amount) }),
        6 => Call::RegisterSubnet(RegisterSubnet {
            name: "random".into(),
            node: target,
            max_lock: units(u64::MAX),
            mechanism: amount.is_multiple_of(2).then(|| mechanism(amount)),
        }),
        7 | 8 => Call::RegisterNeuron(RegisterNeuron { netuid: netuid(b), node: target, max_price: None }),
        9 => {
            let hash = commitment(&world.state.mesh(), &signer(wish).node_id(), &weights(b));
            Call::CommitWeights(CommitWeights { netuid: netuid(b), hash })
        }
        10 => Call::RevealWeights(weights(b)),
        11 => Call::VoteSubnets(VoteSubnets { weights: vec![(netuid(b), amount as u16), (Netuid(1), 9)] }),
        12 => set_weights(b, amount),
        13 => Call::SetMechanism(SetMechanism { netuid: netuid(b), to: mechanism(amount) }),
        16 => Call::JoinValidators(JoinValidators { node: target }),
        17 => Call::LeaveValidators(LeaveValidators { node: target }),
        18 => {
            let culprit = if a == 0 { node(200) } else { node(a) };
            let height = (world.state.height().0 + 1).saturating_sub(amount % 8);
            let evidence = equivocation(&world.state.mesh(), &culprit, height);
            Call::ReportEquivocation(ReportEquivocation { evidence: evidence.into() })
        }
        23 => Call::DeregisterNode(DeregisterNode { node: node(b + 10).node_id() }),
        24 => Call::DeregisterNeuron(DeregisterNeuron { netuid: netuid(b), node: target }),
        15 => anchor::registration(world, &signer(wish), b),
        19 => {
            let amount = if amount.is_multiple_of(3) { Unstake::ALL } else { units(amount) };
            Call::MoveStake(MoveStake { from: target, to: node(b).node_id(), amount })
        }
        20 => Call::RotateOwner(RotateOwner {
            consent: owner_consent(&owner(b), &owner(who).node_id(), &world.state.mesh()).unwrap(),
            holdings: holdings(world, wish),
            account: None,
        }),
        21 => {
            let (title, document, action) = ("random".into(), None, action(a, amount));
            Call::SubmitProposal(SubmitProposal { title, document, action })
        }
        22 => {
            let choice = [Choice::Yes, Choice::No, Choice::Abstain, Choice::Veto][usize::from(a % 4)];
            let nodes = vec![if b < 2 { node(200).node_id() } else { target }];
            Call::VoteProposal(VoteProposal { proposal: ProposalId(1 + amount % 3), choice, nodes })
        }
        40.. => of_others(world, wish),
        _ => Call::SetHyperparameter(SetHyperparameter { netuid: netuid(b), to: hyperparameter(a, amount) }),
    }
}

/// What the signer may hold: some of it may be another's.
fn holdings(world: &World, (who, _, a, b, amount): Wish) -> Vec<Holding> {
    let id = owner(who).node_id();
    let unbonding = world.state.accounts().unbonding(&id).map(|(key, _)| BlockHeight(key.free));
    let all =
        [Holding::Node(node(a).node_id()), Holding::Stake(node(who).node_id()), Holding::Subnet(netuid(b))];
    let of_amount = |(at, _): &(u64, Holding)| amount >> at & 1 == 0;
    let mut some: Vec<Holding> = (0..).zip(all).filter(of_amount).map(|(_, holding)| holding).collect();
    some.extend(unbonding.take(1).map(Holding::Unbonding));
    some
}

/// What is proposed. An upgrade is too far away to end the history.
fn action(which: u8, amount: u64) -> Action {
    match which {
        0 => Action::Text,
        1 => Action::Payment { to: owner(2).node_id(), amount: units(amount % 1_000) },
        2 => Action::Upgrade { upgrade: Upgrade { height: BlockHeight(u64::MAX), version: 2 } },
        _ => Action::Params { values: vec![ParameterValue { name: "vote_interval".into(), value: amount }] },
    }
}

/// Several calls at once, and calls for another account.
fn of_others(world: &World, wish: Wish) -> Call {
    let (who, kind, a, b, amount) = wish;
    let inner = |kind| call(world, (who, kind, b, a, amount));
    // Mostly the owner that has proxies from the beginning; few calls, so that one can fit what was announced.
    let (of, small) = (owner(a / 3).node_id(), || pay(3, amount % 2).into());
    // A transfer and a stake, in either order.
    let two = || batch([inner(a % 2 * 4), inner(4 - a % 2 * 4)]);
    match kind {
        40 => two(),
        41 => {
            let call = if b == 0 { two() } else { inner(0) };
            Call::Multisig(approved(world, call, &[a % 3, (a + 1) % 3]))
        }
        42 => Call::SetProxy(SetProxy { proxy: owner(a).node_id(), grant: grant(b, amount) }),
        43 => Call::RemoveProxy(RemoveProxy { proxy: owner(a).node_id() }),
        44 => Call::Proxy(ProxyCall { owner: of, call: small() }),
        45 => Call::Announce(AnnounceCall { owner: of, call: small() }),
        46 => {
            let id = world.state.proxies().announced(&of).next().map(|(id, _)| id);
            let id = id.unwrap_or(Hash::from_bytes([0; 32]));
            Call::CancelAnnouncement(CancelAnnouncement { owner: of, id })
        }
        47 => {
            let now = world.state.height().0;
            let [start, cliff, end] = [now, now + u64::from(b), now + amount % 9].map(BlockHeight);
            let to = owner(a).node_id();
            Call::TransferVested(TransferVested { to, amount: units(amount), start, cliff, end })
        }
        _ => Call::ClaimVested(ClaimVested { from: of }),
    }
}

fn grant(which: u8, amount: u64) -> ProxyGrant {
    ProxyGrant {
        scopes: [ProxyScope::Transfers].into(),
        limit: (which > 1).then_some(SpendingLimit { amount: units(amount), interval: 3 }),
        delay: u64::from(which % 2),
        expiry: BlockHeight(amount % 50),
    }
}

/// One that may be no mechanism by its form.
fn mechanism(amount: u64) -> MechanismSpec {
    MechanismSpec::named(if amount.is_multiple_of(5) { "Not one" } else { "next-byte" })
        .with("contexts", amount)
}

/// A mesh where every owner has a node in subnet 1 and one has a subnet.
pub(crate) fn settled() -> World {
    let mut rules = params();
    rules.governance.treasury_permille = 500;
    let mut world = World::with(rules);
    world.tip = 7;
    for who in 0..KEYS {
        let id = world.register(who, who);
        let join = RegisterNeuron { netuid: Netuid(1), node: id, max_price: None };
        world.call(&owner(who), Call::RegisterNeuron(join)).unwrap();
        world.call(&owner(who), Call::Stake(Stake { node: id, amount: units(1_000) })).unwrap();
    }
    let found = RegisterSubnet {
        name: "two".into(),
        node: node(0).node_id(),
        max_lock: units(u64::MAX),
        mechanism: None,
    };
    world.call(&owner(0), Call::RegisterSubnet(found)).unwrap();
    // A stake that can vote beside its validator.
    let stake = Stake { node: node(200).node_id(), amount: units(700_000) };
    world.call(&owner(KEYS - 1), Call::Stake(stake)).unwrap();
    let text = SubmitProposal { title: "first".into(), document: None, action: Action::Text };
    world.call(&owner(0), Call::SubmitProposal(text)).unwrap();
    let plain = SetHyperparameter { netuid: Netuid(2), to: Hyperparameter::CommitReveal(false) };
    world.call(&owner(0), Call::SetHyperparameter(plain)).unwrap();
    world
}

/// The same with proxies, a threshold account that has tokens, and vested amounts.
fn with_others() -> World {
    let mut world = settled();
    let fund = Transfer { to: team().id(), amount: units(300_000_000_000), memo: None };
    world.call(&owner(1), Call::Transfer(fund)).unwrap();
    for (proxy, delay) in [(1, 0), (2, 1)] {
        let grant = ProxyGrant { delay, expiry: BlockHeight(10_000), ..grant(2, 1_000) };
        world.call(&owner(0), Call::SetProxy(SetProxy { proxy: owner(proxy).node_id(), grant })).unwrap();
    }
    let [start, end] = [1, 1_000_000].map(BlockHeight);
    for to in 1..KEYS {
        let (to, amount) = (owner(to).node_id(), units(1_000_000_000));
        let vested = TransferVested { to, amount, start, cliff: start, end };
        world.call(&owner(0), Call::TransferVested(vested)).unwrap();
    }
    world
}

/// Signs the wishes of a block, as far as it may have them: a node may be unknown by now.
pub(crate) fn sign(world: &World, wishes: &[Wish]) -> Vec<Envelope> {
    let (mut sent, mut block) = (BTreeMap::new(), Vec::new());
    for wish in wishes {
        let (key, call) = (signer(*wish), call(world, *wish));
        let before = sent.entry((call.signer(), key.node_id())).or_insert(0);
        block.push(world.sign(&key, call, *before));
        match world.try_after(&block) {
            Ok(_) => *before += 1,
            Err(_) => drop(block.pop()),
        }
    }
    block
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nothing_is_lost_and_a_rejection_leaves_nothing_but_its_nonce_and_payment(blocks in wishes()) {
        let mut world = with_others();
        for wishes in &blocks {
            let transactions = sign(&world, wishes);
            for alone in &transactions {
                match world.try_after(std::slice::from_ref(alone)) {
                    Ok((after, events)) if matches!(events[0], Event::Rejected { .. }) => {
                        world.assert_only_paid(&after, alone.signer());
                    }
                    // Applied, or not the first of its signer.
                    Ok(_) | Err(_) => {}
                }
            }
            let again = world.after(&transactions);
            let events = world.apply(transactions);
            prop_assert_eq!(&again, &(world.state.clone(), events));
        }
    }

    #[test]
    fn no_bytes_make_a_block_panic(bytes in vec(any::<u8>(), 0..200)) {
        let world = World::new();
        let sealed = Envelope::seal(&owner(0), nervure_ledger::transaction::DOMAIN, &world.state.mesh(), &bytes);
        let invalid = world.try_after(&[sealed.unwrap()]).unwrap_err();
        let is_malformed = matches!(invalid.reason, Rejection::Inclusion(InclusionRejection::Malformed { .. }));
        prop_assert!(is_malformed);
    }
}

/// The kind of an outcome: its name without its fields.
fn kind(outcome: &Outcome) -> String {
    format!("{outcome:?}").split([' ', '{']).next().unwrap().to_owned()
}

#[test]
fn the_random_blocks_carry_out_every_kind_of_transaction() {
    // What the decoder expects: every outcome by its name.
    let error = serde_json::from_str::<Outcome>("\"none\"").unwrap_err().to_string();
    let all = error.split('`').skip(3).step_by(2).count();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut kinds = BTreeSet::new();
    // As many as it takes.
    for _ in 0..1_000 {
        let mut world = with_others();
        for wishes in wishes().new_tree(&mut runner).unwrap().current() {
            let transactions = sign(&world, &wishes);
            for event in world.apply(transactions) {
                if let Event::Applied { outcome, .. } = event {
                    kinds.insert(kind(&outcome));
                }
            }
        }
        if kinds.len() == all {
            return;
        }
    }
    panic!("only {kinds:?}, of: {error}");
}
