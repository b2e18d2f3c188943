//! Batches and threshold accounts: what they carry out, what they refuse, and that a failure leaves no trace.

use nervure_ledger::{
    multisig::{Approval, MAX_MEMBERS, MultisigAccount},
    transaction::{
        Batch, Call, CallRejection, FundsRejection, InclusionRejection, JoinValidators, MAX_BATCH_CALLS,
        MultisigCall, Outcome, RegisterNode, RegisterSubnet, Rejection, Stake, SwapKey, Transfer,
        VoteSubnets,
    },
};
use nervure_primitives::{BlockHeight, Netuid, NodeId, NodeKey};

use crate::world::{KEYS, World, node, owner, units};

/// A transfer to an owner.
pub(crate) fn pay(to: u8, amount: u64) -> Call {
    Call::Transfer(Transfer { to: owner(to).node_id(), amount: units(amount), memo: None })
}

pub(crate) fn batch(calls: impl IntoIterator<Item = Call>) -> Call {
    Call::Batch(Batch { calls: calls.into_iter().collect() })
}

/// Two of the first three owners.
pub(crate) fn team() -> MultisigAccount {
    MultisigAccount::new(2, (0..3).map(|who| owner(who).node_id()).collect()).unwrap()
}

/// The team's call, with its next nonce, approved by `members`.
pub(crate) fn approved(world: &World, call: Call, members: &[u8]) -> MultisigCall {
    let (account, call) = (team(), Box::new(call));
    let nonce = world.state.accounts().get(&account.id()).nonce;
    let expiry = BlockHeight(world.state.height().0 + 20);
    let mut call = MultisigCall { account, nonce, expiry, call, approvals: Vec::new() };
    call.approvals = members.iter().map(|who| approval(world, &call, &owner(*who))).collect();
    call.approvals.sort_by_key(|approval| approval.member);
    call
}

pub(crate) fn approval(world: &World, call: &MultisigCall, key: &NodeKey) -> Approval {
    call.account.approve(&call.approved(), key, &world.state.mesh()).unwrap().unwrap()
}

/// A world where the team has tokens.
pub(crate) fn funded() -> World {
    let mut world = World::new();
    let to = team().id();
    world.call(&owner(3), Call::Transfer(Transfer { to, amount: units(1_000_000), memo: None })).unwrap();
    world
}

pub(crate) fn held_by(world: &World, owner: &NodeId) -> u64 {
    world.state.accounts().get(owner).balance.base_units()
}

#[test]
fn a_batch_does_all_of_it_in_order() {
    let mut world = World::new();
    let consent = world.consent(&node(1), &owner(0).node_id());
    let node = node(1).node_id();
    let calls = [
        Call::RegisterNode(RegisterNode { consent }),
        Call::Stake(Stake { node, amount: units(5_000) }),
        Call::JoinValidators(JoinValidators { node }),
        pay(1, 5),
    ];
    let Outcome::BatchApplied(done) = world.call(&owner(0), batch(calls)).unwrap() else { panic!() };
    assert_eq!(done.outcomes.len(), 4);
    assert!(matches!(&done.outcomes[1], Outcome::Staked(staked) if staked.node == node));
    assert_eq!(world.state.nodes().stake_of(&node, &owner(0).node_id()), units(5_000));
    assert!(world.state.roster().has_joined(&node));
}

#[test]
fn a_batch_that_fails_in_the_middle_leaves_no_trace() {
    let mut world = World::new();
    let consent = world.consent(&node(1), &owner(0).node_id());
    let register = Call::RegisterNode(RegisterNode { consent });
    let stake = Call::Stake(Stake { node: node(1).node_id(), amount: units(5_000) });
    // `refusal` checks that nothing but a nonce and a balance differs from an empty block.
    let rejected = world.refusal(&owner(0), batch([register, stake, pay(1, u64::MAX - 1), pay(1, 5)]));
    let Rejection::Call(CallRejection::Batch { call: 3, why }) = rejected else { panic!("{rejected:?}") };
    assert!(matches!(*why, Rejection::Funds(FundsRejection::Balance { .. })));
    assert!(world.state.nodes().get(&node(1).node_id()).is_none());
}

#[test]
fn batches_are_bounded_and_hold_no_batches_and_nothing_of_node_keys() {
    let mut world = World::new();
    let found = || {
        Call::RegisterSubnet(RegisterSubnet {
            name: "many".into(),
            node: node(1).node_id(),
            max_lock: units(u64::MAX),
            mechanism: None,
        })
    };
    let malformed = [
        batch([]),
        batch((0..=MAX_BATCH_CALLS).map(|_| pay(1, 1))),
        batch((0..5).map(|_| found())),
        batch([batch([pay(1, 1)])]),
        batch([Call::VoteSubnets(VoteSubnets { weights: vec![(Netuid(1), 1)] })]),
        batch([Call::Multisig(approved(&world, pay(1, 1), &[0, 1]))]),
    ];
    for call in malformed {
        assert!(matches!(
            world.refusal(&owner(0), call),
            Rejection::Inclusion(InclusionRejection::Malformed { .. })
        ));
    }
    assert!(world.call(&owner(0), batch((0..MAX_BATCH_CALLS).map(|_| pay(1, 1)))).is_ok());
}

#[test]
fn a_threshold_of_members_acts_and_the_sender_pays() {
    let mut world = funded();
    let (account, before) = (team().id(), held_by(&world, &owner(1).node_id()));
    for (members, sender) in [([0, 1], 3), ([2, 0], 0), ([1, 2], 2)] {
        let funds = (held_by(&world, &account), world.balance(&owner(sender)));
        let call = approved(&world, pay(1, 500), &members);
        let Outcome::MultisigApplied(did) = world.call(&owner(sender), Call::Multisig(call)).unwrap() else {
            panic!()
        };
        assert!(did.account == account && matches!(*did.outcome, Outcome::Transferred(_)));
        assert_eq!(held_by(&world, &account), funds.0 - 500);
        assert_eq!(world.balance(&owner(sender)), funds.1 - world.paid);
    }
    assert_eq!(held_by(&world, &owner(1).node_id()), before + 1_500);
    assert_eq!(world.state.accounts().get(&account).nonce, 3);
}

#[test]
fn a_threshold_account_owns_nodes_stakes_and_validates() {
    let mut world = funded();
    let account = team().id();
    let consent = world.consent(&node(1), &account);
    let node_id = node(1).node_id();
    let calls = [
        Call::RegisterNode(RegisterNode { consent }),
        Call::Stake(Stake { node: node_id, amount: units(5_000) }),
        Call::JoinValidators(JoinValidators { node: node_id }),
    ];
    let call = approved(&world, batch(calls), &[0, 1]);
    world.call(&owner(3), Call::Multisig(call)).unwrap();
    assert_eq!(world.state.nodes().get(&node_id).unwrap().owner, account);
    let swap = SwapKey { old: node_id, consent: world.consent(&node(2), &account) };
    let call = approved(&world, Call::SwapKey(swap), &[1, 2]);
    world.call(&owner(3), Call::Multisig(call)).unwrap();
    assert_eq!(world.state.nodes().get(&node(2).node_id()).unwrap().owner, account);
}

#[test]
fn a_call_that_is_rejected_keeps_its_nonce_and_can_be_sent_again_until_it_expires() {
    let mut world = funded();
    let call = approved(&world, pay(1, 2_000_000), &[0, 1]);
    let send = Call::Multisig(call.clone());
    assert!(matches!(
        world.refusal(&owner(0), send.clone()),
        Rejection::Funds(FundsRejection::Balance { .. })
    ));
    let top_up = Transfer { to: team().id(), amount: units(1_000_000), memo: None };
    world.call(&owner(3), Call::Transfer(top_up)).unwrap();
    world.call(&owner(0), send.clone()).unwrap();
    assert_eq!(
        world.refusal(&owner(0), send.clone()),
        CallRejection::MultisigNonce { expected: 1, given: 0 }.into(),
        "once"
    );
    let call = approved(&world, pay(1, 1), &[0, 1]);
    world.wait(20 - 1);
    let last = world.sign(&owner(0), Call::Multisig(call.clone()), 0);
    assert!(world.try_after(&[last]).is_ok());
    world.wait(1);
    let expiry = call.expiry;
    assert_eq!(
        world.refusal(&owner(0), Call::Multisig(call)),
        CallRejection::ApprovalsExpired { expiry }.into()
    );
}

#[test]
fn what_a_threshold_account_may_hold_is_bounded() {
    let mut world = funded();
    let nested = approved(&world, Call::Multisig(approved(&world, pay(1, 1), &[0, 1])), &[0, 1]);
    let of_node = Call::VoteSubnets(VoteSubnets { weights: vec![(Netuid(1), 1)] });
    let of_node = approved(&world, of_node, &[0, 1]);
    let mut unsorted = approved(&world, pay(1, 1), &[0, 1]);
    unsorted.account.members.reverse();
    for call in [nested, of_node, unsorted] {
        assert!(matches!(
            world.refusal(&owner(0), Call::Multisig(call)),
            Rejection::Inclusion(InclusionRejection::Malformed { .. })
        ));
    }
    let many: Vec<_> = (0..MAX_MEMBERS as u8).map(|who| owner(who + KEYS)).collect();
    let account = MultisigAccount::new(16, many.iter().map(NodeKey::node_id).collect()).unwrap();
    let mut call = MultisigCall { account, ..approved(&world, pay(1, 1), &[]) };
    call.approvals = many.iter().map(|key| approval(&world, &call, key)).collect();
    call.approvals.sort_by_key(|approval| approval.member);
    // The largest account, with the signatures of all its members, fits into a transaction.
    let refused = world.refusal(&owner(0), Call::Multisig(call));
    assert!(matches!(refused, Rejection::Funds(FundsRejection::Balance { .. })), "{refused:?}");
}

#[test]
fn a_nonce_of_a_threshold_account_does_not_come_twice_when_the_account_is_closed() {
    let mut world = funded();
    let close = |world: &World| {
        let all = Transfer { to: owner(1).node_id(), amount: Transfer::ALL, memo: None };
        approved(world, Call::Transfer(all), &[0, 1])
    };
    let first = close(&world);
    world.call(&owner(3), Call::Multisig(first.clone())).unwrap();
    assert!(!world.state.accounts().exists(&team().id()));
    let again = Transfer { to: team().id(), amount: units(1_000_000), memo: None };
    world.call(&owner(3), Call::Transfer(again)).unwrap();
    assert!(matches!(
        world.refusal(&owner(3), Call::Multisig(first)),
        Rejection::Call(CallRejection::MultisigNonce { expected: 1, given: 0 })
    ));
    // Nor of one that never had tokens: what it owns needs none.
    let mut world = World::new();
    let consent = world.consent(&node(1), &team().id());
    let proxied = approved(&world, pay(1, 1), &[0, 1]);
    assert!(matches!(
        world.refusal(&owner(3), Call::Multisig(proxied)),
        Rejection::Funds(FundsRejection::Balance { .. })
    ));
    let register = approved(&world, Call::RegisterNode(RegisterNode { consent }), &[0, 1]);
    assert!(matches!(
        world.refusal(&owner(3), Call::Multisig(register)),
        Rejection::Funds(FundsRejection::Deposit { .. })
    ));
}
