//! Accounts and deposits: what exists holds enough, and every deposit comes back.

use nervure_ledger::{
    deposits::{Deposit, DepositFor, RecordKind},
    event::Event,
    params::Params,
    spec::AccountSpec,
    state::LedgerState,
    transaction::{
        Call, DeregisterNode, DeregisterNodeOutcome, FundsRejection, InclusionRejection, NodeRejection,
        NodeUse, Outcome, RegisterNeuron, RegisterNode, Rejection, Stake, StakeRejection, SwapKey,
        Transaction, Transfer, TransferOutcome, Unstake, VoteSubnets,
    },
};
use nervure_primitives::{Amount, BlockHeight, Netuid, NodeId, NodeKey};

use crate::{
    anchor,
    world::{FEE, World, node, owner, params, units},
};

/// What an account holds at least here.
const LEAST: u64 = 500;

/// A key without an account.
fn stranger(index: u8) -> NodeKey {
    NodeKey::from_seed(&[40 + index; 32])
}

fn pay(to: &NodeKey, amount: u64) -> Call {
    Call::Transfer(Transfer { to: to.node_id(), amount: units(amount), memo: None })
}

fn pay_all(to: &NodeKey) -> Call {
    Call::Transfer(Transfer { to: to.node_id(), amount: Transfer::ALL, memo: None })
}

/// A mesh in which `stranger(0)` has so much.
fn with_stranger(balance: u64) -> World {
    let mut world = World::new();
    world.spec.accounts.push(AccountSpec::new(stranger(0).node_id(), units(balance)));
    world.state = LedgerState::genesis(&world.spec).unwrap();
    world
}

fn exists(world: &World, key: &NodeKey) -> bool {
    world.state.accounts().exists(&key.node_id())
}

fn nonce(world: &World, key: &NodeKey) -> u64 {
    world.state.accounts().get(&key.node_id()).nonce
}

/// What is deposited for the nodes of `owner(who)`, in base units.
fn deposited(world: &World, who: u8) -> u64 {
    world.state.deposits_of(owner(who).node_id()).map(|one| one.amount.base_units()).sum()
}

#[test]
fn a_payment_makes_no_small_account_and_leaves_none() {
    let mut world = with_stranger(2 * FEE);
    let (from, to) = (stranger(0), stranger(1));
    let least = units(LEAST);
    assert_eq!(
        world.refusal(&owner(0), pay(&to, LEAST - 1)),
        FundsRejection::AccountTooSmall { least }.into()
    );
    world.call(&owner(0), pay(&to, LEAST)).unwrap();
    world.call(&owner(0), pay(&to, 1)).unwrap();
    assert_eq!(world.balance(&to), LEAST + 1, "an account takes any amount");
    world.call(&from, pay(&to, LEAST)).unwrap();
    // The next one costs about as much.
    let left = world.balance(&from) - world.paid;
    let rest = world.refusal(&from, pay(&to, left - LEAST / 2));
    assert!(matches!(rest, Rejection::Funds(FundsRejection::RestTooSmall { .. })), "{rest}");
    assert!(exists(&world, &from), "the rejection cost a fee and no more");
}

#[test]
fn all_can_be_sent_and_closes_the_account() {
    let mut world = with_stranger(2 * FEE);
    let (from, to) = (stranger(0), stranger(1));
    let before = world.balance(&from);
    let outcome = world.call(&from, pay_all(&to)).unwrap();
    let amount = units(before - world.paid);
    assert_eq!(outcome, Outcome::Transferred(TransferOutcome { to: to.node_id(), amount, memo: None }));
    assert_eq!((exists(&world, &from), world.balance(&to)), (false, amount.base_units()));
    // To oneself: the account stays, with what the fee left.
    world.call(&to, pay_all(&to)).unwrap();
    assert_eq!(world.balance(&to), amount.base_units() - world.paid);
}

#[test]
fn the_smallest_account_can_still_be_emptied() {
    let mut world = with_stranger(LEAST + 10);
    let from = stranger(0);
    let sealed = |world: &World, fee, call| {
        let nonce = nonce(world, &from);
        world.seal(&from, Transaction { nonce, fee: units(fee), ..world.terms(call) })
    };
    let kept = world.refused(sealed(&world, 200, pay(&owner(0), 1)));
    assert!(
        matches!(kept, Rejection::Funds(FundsRejection::Balance { .. })),
        "a fee is not taken from the existential deposit: {kept}"
    );
    world.apply(vec![sealed(&world, 200, pay_all(&owner(0)))]);
    assert!(!exists(&world, &from) && world.paid < 200);
}

/// Otherwise an account could hand everything to a proposer as a tip and leave a record that nothing pays for.
#[test]
fn a_rejected_transfer_of_all_leaves_no_small_account() {
    let mut world = with_stranger(FEE);
    let from = stranger(0);
    let (fee, tip) = (units(FEE), units(FEE));
    let terms = world.terms(pay_all(&stranger(1)));
    let sealed = world.seal(&from, Transaction { nonce: 0, fee, tip, ..terms });
    let issuance = world.state.issuance();
    let events = world.apply(vec![sealed]);
    assert!(
        matches!(events[0], Event::Rejected { rejection: Rejection::Funds(FundsRejection::Nothing), .. }),
        "{events:?}"
    );
    assert!(!exists(&world, &from));
    assert!(world.state.issuance() < issuance + 1_000_000_000, "the base fee is recycled");
}

#[test]
fn no_transaction_of_a_closed_account_is_valid_again() {
    let mut world = with_stranger(10 * FEE);
    let from = stranger(0);
    let first = world.sign(&from, pay(&owner(0), 7), 0);
    let close = world.sign(&from, pay_all(&owner(0)), 1);
    world.apply(vec![first.clone(), close.clone()]);
    assert!(!exists(&world, &from));
    world.call(&owner(0), pay(&from, 10 * FEE)).unwrap();
    assert_eq!(nonce(&world, &from), 2, "behind all that were used");
    for old in [first.clone(), close.clone()] {
        assert!(matches!(
            world.refused(old),
            Rejection::Inclusion(InclusionRejection::Nonce { expected: 2, .. })
        ));
    }
    // Nor in the block that closes it and makes it again.
    let close = world.sign(&from, pay_all(&owner(0)), 0);
    let again = world.sign(&owner(0), pay(&from, 10 * FEE), 0);
    let replayed = world.try_after(&[close.clone(), again, close]).unwrap_err();
    assert!(
        matches!(replayed.reason, Rejection::Inclusion(InclusionRejection::Nonce { expected: 3, given: 2 })),
        "{}",
        replayed.reason
    );
}

#[test]
fn each_record_of_a_node_has_its_deposit_and_all_come_back() {
    let mut world = World::new();
    let before = world.balance(&owner(0));
    let (mut spent, id) = (0, world.register(0, 0));
    spent += world.paid;
    let deposit = |kind| world.state.params().deposit(kind);
    let [of_node, of_key, of_slot] =
        [RecordKind::Node, RecordKind::AnchorKey, RecordKind::Neuron].map(deposit);
    let (of_vote, of_long_vote) = (deposit(RecordKind::Vote(0)), deposit(RecordKind::Vote(1)));
    assert_eq!((of_vote, of_node), (LEAST, deposited(&world, 0)));
    let vote = |weights: Vec<(Netuid, u16)>| Call::VoteSubnets(VoteSubnets { weights });
    world.call(&node(0), vote(vec![(Netuid(1), 5)])).unwrap();
    spent += world.paid;
    anchor::register(&mut world, &node(0), 0).unwrap();
    spent += world.paid;
    let join = |node| Call::RegisterNeuron(RegisterNeuron { netuid: Netuid(1), node, max_price: None });
    world.call(&owner(0), join(id)).unwrap();
    spent += world.paid + 1_000;
    assert_eq!(deposited(&world, 0), of_node + of_long_vote + of_key + of_slot);
    assert_eq!(world.balance(&owner(0)), before - spent - deposited(&world, 0));
    // An empty vote is none.
    world.wait(2);
    world.call(&node(0), vote(Vec::new())).unwrap();
    spent += world.paid;
    assert_eq!(deposited(&world, 0), of_node + of_key + of_slot);
    let in_use = world.refusal(&owner(0), Call::DeregisterNode(DeregisterNode { node: id }));
    assert_eq!(in_use, NodeRejection::NodeInUse { node: id, because: NodeUse::Slot(Netuid(1)) }.into());
    spent += world.paid;
    // Others take all slots: the deposit comes back with the slot.
    let mut others = 20;
    while world.subnet(1).uid_of(&id).is_some() {
        let other = world.register(1, others);
        world.call(&owner(1), join(other)).unwrap();
        others += 1;
    }
    assert_eq!(deposited(&world, 0), of_node + of_key);
    let gone = world.call(&owner(0), Call::DeregisterNode(DeregisterNode { node: id })).unwrap();
    spent += world.paid;
    let returned = units(of_node + of_key);
    assert_eq!(gone, Outcome::NodeDeregistered(DeregisterNodeOutcome { node: id, returned }));
    assert_eq!((deposited(&world, 0), world.balance(&owner(0))), (0, before - spent));
    assert_eq!(world.state.anchors().key_of(&id), None);
}

#[test]
fn who_cannot_pay_a_deposit_makes_no_record() {
    let mut world = World::new();
    let (poor, fee) = (stranger(0), 200);
    world.call(&owner(0), pay(&poor, LEAST + fee + 1_000)).unwrap();
    let consent = world.consent(&node(30), &poor.node_id());
    let terms = world.terms(Call::RegisterNode(RegisterNode { consent }));
    let sealed = world.seal(&poor, Transaction { fee: units(fee), ..terms });
    assert_eq!(world.refused(sealed), FundsRejection::Deposit { needed: units(LEAST + 1_600) }.into());
    // A validator's vote in the free lane: its owner has nothing to deposit.
    let validator = node(200);
    world.call(&validator, pay_all(&owner(0))).unwrap();
    let vote = Call::VoteSubnets(VoteSubnets { weights: vec![(Netuid(1), 5)] });
    let refused = world.refusal(&validator, vote);
    assert_eq!(refused, FundsRejection::Deposit { needed: units(LEAST + LEAST + 16) }.into());
}

/// A node of owner 0 that validates, with its stake.
fn validator(world: &mut World) -> NodeId {
    let id = world.register(0, 0);
    world.call(&owner(0), Call::Stake(Stake { node: id, amount: units(1_000_000) })).unwrap();
    world
        .call(&owner(0), Call::JoinValidators(nervure_ledger::transaction::JoinValidators { node: id }))
        .unwrap();
    world.next_election();
    assert!(world.elected().contains(&id));
    id
}

#[test]
fn a_node_that_something_depends_on_is_not_deregistered() {
    let mut world = World::with(Params { evidence_window: 6, unbonding: 12, ..params() });
    let id = validator(&mut world);
    let go = || Call::DeregisterNode(DeregisterNode { node: id });
    let used = |world: &mut World, because| {
        assert_eq!(world.refusal(&owner(0), go()), NodeRejection::NodeInUse { node: id, because }.into());
    };
    assert_eq!(world.refusal(&owner(1), go()), NodeRejection::NotOwner { node: id }.into());
    used(&mut world, NodeUse::Stake);
    world.next_election();
    let all = Call::Unstake(Unstake { node: id, amount: Unstake::ALL });
    world.call(&owner(0), all).unwrap();
    used(&mut world, NodeUse::Standing);
    let leave = nervure_ledger::transaction::LeaveValidators { node: id };
    world.call(&owner(0), Call::LeaveValidators(leave)).unwrap();
    used(&mut world, NodeUse::Office);
    assert!(!world.elected().contains(&id), "that was the block of the election");
    used(&mut world, NodeUse::Unbonding);
    world.wait(12);
    let deposits: Vec<Deposit> = world.state.deposits_of(owner(0).node_id()).collect();
    assert_eq!(deposits, [Deposit { node: id, of: DepositFor::Node, amount: units(1_600) }]);
    let term = world.state.roster().term(&id);
    world.call(&owner(0), go()).unwrap();
    // The key can come back, under nonces that were never used; not while the ledger remembers that it was in office.
    if term.is_some() {
        let consent = world.consent(&node(0), &owner(0).node_id());
        let again = world.refusal(&owner(0), Call::RegisterNode(RegisterNode { consent }));
        assert_eq!(again, NodeRejection::KeyTaken { node: id }.into());
    }
    world.wait(12);
    world.register(0, 0);
}

#[test]
fn a_retired_key_is_forgotten_and_its_deposit_given_back() {
    let short = Params { max_lifetime: 100, evidence_window: 6, unbonding: 12, ..params() };
    let mut world = World::with(short);
    let id = world.register(0, 0);
    let vote = Call::VoteSubnets(VoteSubnets { weights: Vec::new() });
    let used = world.sign(&node(0), vote, 0);
    world.apply(vec![used.clone()]);
    let consent = world.consent(&node(1), &owner(0).node_id());
    let swap = world.call(&owner(0), Call::SwapKey(SwapKey { old: id, consent })).unwrap();
    let free = BlockHeight(world.state.height().0 + 100);
    let Outcome::KeySwapped(outcome) = swap else { panic!("{swap:?}") };
    assert_eq!((outcome.free, outcome.deposit), (Some(free), units(LEAST)));
    let retired = DepositFor::RetiredKey { free: Some(free) };
    let all: Vec<DepositFor> = world.state.deposits_of(owner(0).node_id()).map(|one| one.of).collect();
    assert_eq!(all, [DepositFor::Node, retired]);
    let consent = world.consent(&node(0), &owner(1).node_id());
    let back = Call::RegisterNode(RegisterNode { consent });
    assert_eq!(world.refusal(&owner(1), back.clone()), NodeRejection::KeyTaken { node: id }.into());
    world.wait(free.0 - world.state.height().0 - 1);
    let before = world.balance(&owner(0));
    assert!(world.state.nodes().retired(&id).is_some());
    world.wait(1);
    assert_eq!((world.state.nodes().retired(&id), world.balance(&owner(0))), (None, before + LEAST));
    world.call(&owner(1), back).unwrap();
    let found = world.state.nodes().get(&id).unwrap().clone();
    assert_eq!((found.owner, found.nonce), (owner(1).node_id(), 1), "behind what it signed before");
    assert!(matches!(
        world.refused(used),
        Rejection::Inclusion(
            InclusionRejection::Nonce { expected: 1, given: 0 } | InclusionRejection::Expired { .. }
        )
    ));
}

#[test]
fn too_little_to_unstake_stays_staked() {
    let mut world = World::new();
    let id = world.register(0, 0);
    world.call(&owner(1), Call::Stake(Stake { node: id, amount: units(10_000) })).unwrap();
    let part = |amount| Call::Unstake(Unstake { node: id, amount: units(amount) });
    assert_eq!(
        world.refusal(&owner(1), part(LEAST - 1)),
        StakeRejection::UnstakeTooSmall { least: units(LEAST) }.into()
    );
    world.call(&owner(1), part(LEAST)).unwrap();
    // What is released makes an account again.
    world.call(&owner(1), pay_all(&owner(0))).unwrap();
    assert!(!exists(&world, &owner(1)));
    world.wait(3);
    assert_eq!(world.balance(&owner(1)), LEAST);
}

#[test]
fn small_accounts_never_exist() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..40 {
        let mut world = crate::random::settled();
        let wishes = proptest::strategy::Strategy::new_tree(&crate::random::wishes(), &mut runner).unwrap();
        for wishes in proptest::strategy::ValueTree::current(&wishes) {
            let transactions = crate::random::sign(&world, &wishes);
            world.apply(transactions);
            let least = Amount::from_base_units(LEAST);
            assert!(world.state.accounts().iter().all(|(_, account)| account.balance >= least));
        }
    }
}
