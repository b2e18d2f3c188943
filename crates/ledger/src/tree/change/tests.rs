use super::*;
use crate::{
    spec::MeshSpec,
    transaction::{SwapKey, TransactionKind, consent},
};
use nervure_primitives::NodeKey;

const STAKERS: u32 = 20_000;

fn staker(index: u32) -> NodeId {
    NodeId::from_bytes([&index.to_be_bytes()[..], &[5; 28]].concat().try_into().unwrap())
}

#[test]
fn a_swap_of_a_key_with_20_000_stakers_writes_four_leaves() {
    let mut state = LedgerState::genesis(&MeshSpec::public("swap")).unwrap();
    let (owner, old, new) = (staker(u32::MAX), NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32]));
    state.nodes.register(old.node_id(), owner);
    state.credit(owner, 1_000_000_000);
    for index in 0..STAKERS {
        assert!(state.nodes.add_stake(old.node_id(), staker(index), 100_000_000));
    }
    let before = state.clone();
    let consent = consent(&new, &owner, &state.mesh).unwrap();
    SwapKey { old: old.node_id(), consent }.apply(&mut state, owner).unwrap();
    let written: Vec<Key> =
        changes(Some(&before), &state).into_keys().filter(|key| *key != Key::Chain).collect();
    let (old, new) = (old.node_id(), new.node_id());
    let mut expected = vec![Key::Account(owner), Key::Node(old), Key::Node(new), Key::Retired(old)];
    expected.sort();
    assert_eq!(written, expected);
    assert_eq!(state.nodes.stakes_of(staker(7)).map(|(node, _)| node).collect::<Vec<_>>(), [new]);

    // Had the stakes been kept by key, each would have been removed and written again.
    let mut by_key = before.clone();
    for ((number, staker), shares) in &before.nodes.stakes {
        by_key.nodes.set_shares(*number, *staker, 0);
        by_key.nodes.set_shares(NodeNumber(1), *staker, *shares);
    }
    assert!(changes(Some(&before), &by_key).len() > 2 * STAKERS as usize);
}

#[test]
fn dividends_write_two_leaves_whatever_the_number_of_stakers() {
    let mut state = LedgerState::genesis(&MeshSpec::public("dividends")).unwrap();
    let (node, owner) = (staker(1 << 30), staker(u32::MAX));
    state.nodes.register(node, owner);
    for index in 0..STAKERS {
        assert!(state.nodes.add_stake(node, staker(index), 100_000_000));
    }
    let before = state.clone();
    assert_eq!(state.nodes.pay_dividends(node, 1_000_000_000, 360), 1_000_000_000);
    let written: Vec<Key> =
        changes(Some(&before), &state).into_keys().filter(|key| *key != Key::Chain).collect();
    assert_eq!(
        written,
        [Key::Node(node), Key::Stake(NodeNumber(0), owner)],
        "the pool, and the owner's take"
    );
}
