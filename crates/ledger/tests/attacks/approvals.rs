//! Attacks on threshold accounts: a member that is alone, or an approval that was meant for something else.
//!
//! Defence: exactly as many approvals as the threshold, of different members in their order, each over account, nonce,
//! expiry, call and mesh. Each test has the rule without one of these, which lets the attack through.

use nervure_ledger::{
    multisig::{APPROVAL, Approval, ApprovedCall},
    transaction::{Call, CallRejection, InclusionRejection, MultisigCall, Rejection},
};
use nervure_primitives::{BlockHeight, DetachedStatement, MeshId, NodeId, cbor};

use crate::{
    shared::{approval, approved, funded, held_by, pay, team},
    world::{World, owner},
};

/// How many signatures hold: the rule that only counts.
fn holding(world: &World, call: &MultisigCall) -> usize {
    let one = |approval: &&Approval| {
        let only = std::slice::from_ref(*approval);
        let by = call.account.approved_by(&call.approved(), only, &world.state.mesh()).unwrap();
        by.len() == 1
    };
    call.approvals.iter().filter(one).count()
}

fn assert_malformed(world: &mut World, call: MultisigCall) {
    let before = held_by(world, &team().id());
    let refused = world.refusal(&owner(0), Call::Multisig(call));
    assert!(matches!(refused, Rejection::Inclusion(InclusionRejection::Malformed { .. })), "{refused:?}");
    assert_eq!(held_by(world, &team().id()), before);
}

#[test]
fn one_member_is_too_few() {
    let mut world = funded();
    let alone = approved(&world, pay(0, 1_000), &[0]);
    assert_eq!(holding(&world, &alone), 1, "a rule without a threshold takes it");
    assert_malformed(&mut world, alone);
    let mut relabelled = approved(&world, pay(0, 1_000), &[0]);
    // The threshold is part of the account's id: another one is another account, which has nothing.
    relabelled.account.threshold = 1;
    assert_malformed(&mut world, relabelled);
    let more = approved(&world, pay(0, 1_000), &[0, 1, 2]);
    assert_malformed(&mut world, more);
}

#[test]
fn a_member_does_not_count_twice() {
    let mut world = funded();
    let mut twice = approved(&world, pay(0, 1_000), &[0]);
    twice.approvals.push(twice.approvals[0].clone());
    assert_eq!(holding(&world, &twice), 2, "a rule that counts signatures takes it");
    assert_malformed(&mut world, twice.clone());
    // Nor under the name of another member, or of none.
    for member in [twice.approvals[0].member + 1, 200] {
        twice.approvals[1].member = member;
        assert_malformed(&mut world, twice.clone());
    }
}

/// A signature over the call alone, as a rule would check it that binds nothing else.
fn over_the_call_alone(world: &World, call: &Call, signers: &[u8]) -> bool {
    let statement = |mesh: &MeshId| DetachedStatement::new(APPROVAL, mesh, &cbor::encode(call).unwrap());
    let mesh = world.state.mesh();
    let signed = signers.iter().map(|who| (owner(*who).node_id(), statement(&mesh).sign(&owner(*who))));
    signed.into_iter().all(|(member, signature)| statement(&mesh).verify(&member, &signature).is_ok())
}

#[test]
fn an_approval_is_for_one_nonce() {
    let mut world = funded();
    let first = approved(&world, pay(1, 1_000), &[0, 1]);
    world.call(&owner(3), Call::Multisig(first.clone())).unwrap();
    let again = world.refusal(&owner(3), Call::Multisig(first.clone()));
    assert_eq!(again, CallRejection::MultisigNonce { expected: 1, given: 0 }.into());
    assert!(over_the_call_alone(&world, &first.call, &[0, 1]), "the same bytes for every nonce");
    assert_malformed(&mut world, MultisigCall { nonce: 1, ..first });
}

#[test]
fn an_approval_is_for_one_call_expiry_account_and_mesh() {
    let mut world = funded();
    let good = approved(&world, pay(1, 1), &[0, 1]);
    assert_malformed(&mut world, MultisigCall { call: pay(0, 1_000_000).into(), ..good.clone() });
    assert_malformed(&mut world, MultisigCall { expiry: BlockHeight(good.expiry.0 + 1), ..good.clone() });
    let mut wider = good.clone();
    wider.account.members.push(NodeId::from_bytes([255; 32]));
    assert_malformed(&mut world, wider);
    let (here, elsewhere) = (world.state.mesh(), MeshId::from_bytes([9; 32]));
    let mut foreign = good.clone();
    let of =
        |mesh| [0, 1].map(|who| good.account.approve(&good.approved(), &owner(who), mesh).unwrap().unwrap());
    foreign.approvals = of(&elsewhere).to_vec();
    foreign.approvals.sort_by_key(|approval| approval.member);
    // The bodies are the same: without the mesh in the message, the signature would hold on both.
    let body = cbor::encode(&good.approved()).unwrap();
    let bare = |signature: &Approval, mesh| {
        DetachedStatement::new(APPROVAL, mesh, &body)
            .verify(&good.account.members[usize::from(signature.member)], &signature.signature)
            .is_ok()
    };
    assert!(foreign.approvals.iter().all(|one| bare(one, &elsewhere) && !bare(one, &here)));
    assert_malformed(&mut world, foreign);
    // What was signed is a call of this account only.
    let other = ApprovedCall { account: owner(0).node_id(), ..good.approved() };
    assert!(good.account.approved_by(&other, &good.approvals, &here).unwrap().is_empty());
    world.call(&owner(3), Call::Multisig(good)).unwrap();
}

#[test]
fn an_outsider_is_no_member() {
    let mut world = funded();
    let mut call = approved(&world, pay(0, 1_000), &[0]);
    assert_eq!(call.account.approve(&call.approved(), &owner(3), &world.state.mesh()), Ok(None));
    let own = call.approvals[0].member;
    let stranger =
        DetachedStatement::new(APPROVAL, &world.state.mesh(), &cbor::encode(&call.approved()).unwrap());
    let signature = stranger.sign(&owner(3));
    call.approvals.push(Approval { member: (own + 1) % 3, signature });
    call.approvals.sort_by_key(|approval| approval.member);
    assert_malformed(&mut world, call.clone());
    call.approvals = vec![approval(&world, &call, &owner(1)), approval(&world, &call, &owner(2))];
    call.approvals.sort_by_key(|approval| approval.member);
    world.call(&owner(3), Call::Multisig(call)).unwrap();
}
