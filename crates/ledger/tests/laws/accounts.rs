//! Accounts, stakes and envelopes: what is refused, and with which error.

use nervure_ledger::{
    nodes::MAX_TAKE,
    transaction::{
        Call, FundsRejection, InclusionRejection, MAX_MEMO_BYTES, Memo, NodeRejection, Outcome, RegisterNode,
        Rejection, SetTake, Stake, StakeRejection, SwapKey, Transaction, Transfer, TransferOutcome, Unstake,
        UnstakeOutcome,
    },
};
use nervure_primitives::{
    BlockHeight, Envelope, MeshId,
    cbor::{self, CborError, Limits},
};

use crate::world::{FEE, World, node, owner, params, proposer, units};

fn pay(amount: u64) -> Call {
    Call::Transfer(Transfer { to: owner(1).node_id(), amount: units(amount), memo: None })
}

/// A node of owner 0.
fn with_node() -> World {
    let mut world = World::new();
    let consent = world.consent(&node(0), &owner(0).node_id());
    world.call(&owner(0), Call::RegisterNode(RegisterNode { consent })).unwrap();
    world
}

#[test]
fn a_transfer_moves_the_amount_and_costs_the_fee() {
    let mut world = World::new();
    let issuance = world.state.issuance();
    world.call(&owner(0), pay(5)).unwrap();
    let paid = world.paid;
    assert!(paid > 0 && paid < FEE, "what it costs, not what it offers: {paid}");
    assert_eq!(world.balance(&owner(0)), 1_000_000_000_000 - 5 - paid);
    assert_eq!(world.balance(&owner(1)), 1_000_000_000_000 + 5);
    assert_eq!(world.state.issuance(), issuance + 1_000_000_000 - paid, "the fee is recycled");
}

#[test]
fn a_memo_is_part_of_the_outcome_and_of_nothing_else() {
    let mut world = World::new();
    let Call::Transfer(plain) = pay(5) else { panic!() };
    let bytes = cbor::encode(&plain).unwrap();
    assert!(!bytes.windows(4).any(|part| part == b"memo"), "bytes without a memo are as they were before");
    let with = |text: &str| Transfer { memo: Some(Memo::whole(text).unwrap()), ..plain.clone() };
    let outcome = world.call(&owner(0), Call::Transfer(with("invoice 7"))).unwrap();
    let Outcome::Transferred(transferred) = &outcome else { panic!() };
    assert_eq!(transferred.memo, Some("invoice 7".into()));
    let longest = "x".repeat(MAX_MEMO_BYTES);
    assert!(world.call(&owner(0), Call::Transfer(with(&longest))).is_ok());
    let mut bytes = cbor::encode(&with(&longest)).unwrap();
    let read = |bytes: &[u8]| cbor::decode::<Transfer>(bytes, Limits::new(bytes.len()));
    assert_eq!(read(&bytes), Ok(with(&longest)));
    // The text with its length in a byte before it: one more.
    let at = bytes.windows(64).position(|part| part == longest.as_bytes()).unwrap();
    bytes[at - 1] += 1;
    bytes.insert(at, b'x');
    assert!(matches!(read(&bytes), Err(CborError::Structure(_))));
}

#[test]
fn a_memo_is_shown_without_what_acts_on_a_terminal() {
    let memo = Some(Memo::whole("\u{1b}[2J\npaid 900 tokens").unwrap());
    let outcome = Outcome::Transferred(TransferOutcome { to: owner(1).node_id(), amount: units(1), memo });
    assert!(outcome.description().past.ends_with(r#"with the memo "\u{1b}[2J\npaid 900 tokens""#));
}

#[test]
fn a_rejected_transaction_is_paid_for_and_uses_its_nonce() {
    let mut world = World::new();
    let before = world.balance(&owner(0));
    assert!(matches!(world.refusal(&owner(0), pay(0)), Rejection::Funds(FundsRejection::Nothing)));
    assert!(world.paid > 0);
    assert_eq!(world.balance(&owner(0)), before - world.paid);
    assert_eq!(world.state.accounts().get(&owner(0).node_id()).nonce, 1);
}

#[test]
fn a_tip_is_paid_out_of_what_the_base_fee_leaves() {
    let mut world = World::new();
    let terms = world.terms(pay(5));
    let sealed = |nonce, fee, tip| {
        let (fee, tip) = (units(fee), units(tip));
        World::new().seal(&owner(0), Transaction { nonce, fee, tip, ..terms.clone() })
    };
    world.apply(vec![sealed(0, FEE, 0)]);
    let base = world.paid;
    let (before, issuance) = (world.state.accounts().get(&proposer()).balance, world.state.issuance());
    world.apply(vec![sealed(1, FEE, 70)]);
    let tipped = world.paid;
    assert!(tipped.abs_diff(base + 70) < 2, "a larger number has more bytes: {tipped}");
    let after = world.state.accounts().get(&proposer()).balance;
    assert_eq!(after.base_units() - before.base_units(), 70, "the owner of the proposer gets it");
    assert_eq!(world.state.issuance(), issuance + 1_000_000_000 - (tipped - 70), "the rest is recycled");
    world.apply(vec![sealed(2, tipped - 10, 70)]);
    assert_eq!(world.paid, tipped - 10, "never more than the fee");
    assert!(matches!(
        world.refused(sealed(3, base - 5, 70)),
        Rejection::Inclusion(InclusionRejection::Fee { .. })
    ));
}

#[test]
fn a_transaction_holds_once_on_one_mesh_and_for_a_while() {
    let mut world = World::new();
    let envelope = world.sign(&owner(0), pay(5), 0);
    world.apply(vec![envelope.clone()]);
    assert!(matches!(
        world.refused(envelope),
        Rejection::Inclusion(InclusionRejection::Nonce { expected: 1, given: 0 })
    ));
    let mut transaction = Transaction { nonce: 1, expiry: BlockHeight(2), ..world.terms(pay(5)) };
    let late = world.seal(&owner(0), transaction.clone());
    assert!(world.try_after(std::slice::from_ref(&late)).is_ok(), "its last block is the next one");
    world.wait(1);
    assert!(matches!(
        world.refused(late),
        Rejection::Inclusion(InclusionRejection::Expired { expiry: BlockHeight(2) })
    ));
    let last = world.state.height().0 + 1 + params().max_lifetime;
    transaction.expiry = BlockHeight(last + 1);
    let eternal = world.seal(&owner(0), transaction.clone());
    assert_eq!(world.refused(eternal), InclusionRejection::ExpiryTooFar { last: BlockHeight(last) }.into());
    transaction.expiry = BlockHeight(last);
    assert!(world.try_after(&[world.seal(&owner(0), transaction.clone())]).is_ok());
    let foreign = transaction.seal(&owner(0), &MeshId::from_bytes([7; 32])).unwrap();
    assert!(matches!(world.refused(foreign), Rejection::Inclusion(InclusionRejection::Malformed { .. })));
    transaction.fee = units(1);
    let cheap = transaction.seal(&owner(0), &world.state.mesh()).unwrap();
    assert!(matches!(world.refused(cheap), Rejection::Inclusion(InclusionRejection::Fee { .. })));
}

#[test]
fn rejects_spending_more_than_the_balance() {
    let mut world = World::new();
    let all = world.balance(&owner(0));
    let envelope = world.sign(&owner(0), pay(all), 0);
    assert!(
        matches!(world.refused(envelope), Rejection::Funds(FundsRejection::Balance { .. })),
        "something went to the fee"
    );
    let envelope = world.sign(&node(9), pay(1), 0);
    let unknown = world.try_after(&[envelope]).unwrap_err();
    assert!(
        matches!(unknown.reason, Rejection::Funds(FundsRejection::Balance { .. })),
        "an unknown account cannot pay"
    );
    let cost = world.paid;
    let rest = world.balance(&owner(0)) - cost;
    world.call(&owner(0), pay(rest)).unwrap();
    assert_eq!(world.balance(&owner(0)), cost - world.paid);
}

#[test]
fn a_node_key_is_only_had_with_its_consent() {
    let mut world = with_node();
    let for_other = world.consent(&node(1), &owner(0).node_id());
    let stolen = world.sign(&owner(1), Call::RegisterNode(RegisterNode { consent: for_other }), 0);
    assert!(matches!(world.refused(stolen), Rejection::Node(NodeRejection::ConsentForAnother { .. })));
    let taken = world.consent(&node(0), &owner(1).node_id());
    let taken = world.sign(&owner(1), Call::RegisterNode(RegisterNode { consent: taken }), 0);
    assert!(matches!(world.refused(taken), Rejection::Node(NodeRejection::KeyTaken { .. })));
    let forged = Envelope::seal(
        &node(2),
        nervure_ledger::transaction::DOMAIN,
        &world.state.mesh(),
        &owner(1).node_id(),
    );
    let forged = world.sign(&owner(1), Call::RegisterNode(RegisterNode { consent: forged.unwrap() }), 0);
    assert!(
        matches!(world.refused(forged), Rejection::Node(NodeRejection::Consent { .. })),
        "signed for another purpose"
    );
}

#[test]
fn stake_comes_back_after_the_unbonding_time() {
    let mut world = with_node();
    let id = node(0).node_id();
    let little = world.sign(&owner(1), Call::Stake(Stake { node: id, amount: units(99) }), 0);
    assert!(matches!(world.refused(little), Rejection::Stake(StakeRejection::StakeTooSmall { .. })));
    world.call(&owner(1), Call::Stake(Stake { node: id, amount: units(500) })).unwrap();
    assert_eq!(world.state.nodes().get(&id).unwrap().stake(), units(500));
    let more = world.sign(&owner(1), Call::Unstake(Unstake { node: id, amount: units(501) }), 0);
    assert!(matches!(world.refused(more), Rejection::Stake(StakeRejection::NotStaked { .. })));
    // A remainder of 50 would be below the least stake, so that it comes back, too.
    let outcome = world.call(&owner(1), Call::Unstake(Unstake { node: id, amount: units(450) })).unwrap();
    let free = BlockHeight(world.state.height().0 + 3);
    assert_eq!(outcome, Outcome::Unstaked(UnstakeOutcome { node: id, amount: units(500), free }));
    let before = world.balance(&owner(1));
    world.apply(Vec::new());
    world.apply(Vec::new());
    assert_eq!(world.balance(&owner(1)), before, "not yet");
    world.apply(Vec::new());
    assert_eq!(world.balance(&owner(1)), before + 500);
}

#[test]
fn a_take_falls_at_once_and_rises_rarely() {
    let mut world = with_node();
    let id = node(0).node_id();
    let set = |take| Call::SetTake(SetTake { node: id, take });
    let stranger = world.sign(&owner(1), set(1), 0);
    assert!(matches!(world.refused(stranger), Rejection::Node(NodeRejection::NotOwner { .. })));
    let greedy = world.sign(&owner(0), set(MAX_TAKE + 1), 0);
    assert!(matches!(world.refused(greedy), Rejection::Node(NodeRejection::Take { .. })));
    world.call(&owner(0), set(10)).unwrap();
    world.apply(Vec::new());
    world.call(&owner(0), set(20)).unwrap();
    let again = world.sign(&owner(0), set(30), 0);
    assert!(matches!(world.refused(again), Rejection::Node(NodeRejection::TakeTooSoon { .. })));
}

#[test]
fn a_swapped_key_never_comes_back_and_stakes_follow_the_node() {
    let mut world = with_node();
    let (old, new) = (node(0).node_id(), node(1).node_id());
    world.call(&owner(1), Call::Stake(Stake { node: old, amount: units(500) })).unwrap();
    let consent = world.consent(&node(1), &owner(0).node_id());
    world.call(&owner(0), Call::SwapKey(SwapKey { old, consent })).unwrap();
    assert_eq!(world.state.nodes().get(&new).unwrap().stake(), units(500));
    assert!(world.state.nodes().get(&old).is_none());
    let consent = world.consent(&node(0), &owner(0).node_id());
    let back = world.sign(&owner(0), Call::RegisterNode(RegisterNode { consent }), 0);
    assert!(matches!(world.refused(back), Rejection::Node(NodeRejection::KeyTaken { .. })));
}
