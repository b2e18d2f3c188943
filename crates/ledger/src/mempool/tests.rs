use std::sync::LazyLock;

use nervure_primitives::{BlockHeight, MeshId, NodeKey};
use proptest::prelude::*;

use super::*;
use crate::{
    block::BlockContext,
    spec::MeshSpec,
    transaction::{Call, Transfer, VoteSubnets},
};

fn key(seed: u8) -> NodeKey {
    NodeKey::from_seed(&[seed; 32])
}

/// A state in which keys below 200 hold tokens and key 200 is a node.
fn state() -> LedgerState {
    static STATE: LazyLock<LedgerState> = LazyLock::new(genesis);
    STATE.clone()
}

fn genesis() -> LedgerState {
    let balance = Amount::from_base_units(1_000_000);
    let spec = MeshSpec::test("pool").with_validator(key(200).node_id(), balance);
    let spec = (0..20).fold(spec, |spec, seed| spec.with_account(key(seed).node_id(), balance));
    LedgerState::genesis(&spec).unwrap()
}

fn pay(from: u8, nonce: u64, fee: u64) -> Envelope {
    let call = Call::Transfer(Transfer { to: key(1).node_id(), amount: Amount::from_base_units(1) });
    let fee = Amount::from_base_units(fee);
    let transaction = Transaction { nonce, fee, expiry: BlockHeight(9), call };
    transaction.seal(&key(from), &state().mesh()).unwrap()
}

fn vote(nonce: u64) -> Envelope {
    let call = Call::VoteSubnets(VoteSubnets { weights: Vec::new() });
    let transaction = Transaction { nonce, fee: Amount::ZERO, expiry: BlockHeight(9), call };
    transaction.seal(&key(200), &state().mesh()).unwrap()
}

/// Signers and nonces of what would go into a block.
fn taken(pool: &Mempool, count: usize) -> Vec<(NodeId, u64)> {
    let envelopes = pool.take(&state(), count, MAX_BYTES);
    let nonce = |envelope: &Envelope| Checked::new(envelope, &state().mesh()).transaction.unwrap().nonce;
    envelopes.iter().map(|envelope| (envelope.signer(), nonce(envelope))).collect()
}

#[test]
fn higher_fees_go_first_and_nonces_stay_in_order() {
    let (mut pool, state) = (Mempool::default(), state());
    for envelope in [pay(1, 1, 9_000), pay(1, 0, 2_000), pay(2, 0, 5_000), pay(3, 1, 99_000), vote(0)] {
        pool.insert(envelope, &state).unwrap();
    }
    let [one, two, node] = [1, 2, 200].map(|seed| key(seed).node_id());
    assert_eq!(taken(&pool, 9), [(node, 0), (two, 0), (one, 0), (one, 1)], "nonce 0 of key 3 is missing");
    assert_eq!(taken(&pool, 2), [(node, 0), (two, 0)]);
    assert_eq!(pool.next_nonce(&one, 0), 2);
    assert_eq!(pool.next_nonce(&key(3).node_id(), 0), 0);
}

#[test]
fn a_higher_fee_replaces_and_the_same_does_not() {
    let (mut pool, state) = (Mempool::default(), state());
    pool.insert(pay(1, 0, 2_000), &state).unwrap();
    assert_eq!(pool.insert(pay(1, 0, 2_000), &state), Err(MempoolError::Known));
    let least = Amount::from_base_units(2_200);
    assert_eq!(pool.insert(pay(1, 0, 2_199), &state), Err(MempoolError::Underpriced { least }));
    pool.insert(pay(1, 0, 2_200), &state).unwrap();
    assert_eq!(pool.len(), 1);
}

#[test]
fn refuses_transactions_that_cannot_be_applied_soon() {
    let (mut pool, state) = (Mempool::default(), state());
    let mut refused = |envelope| pool.insert(envelope, &state).unwrap_err();
    assert!(matches!(refused(pay(1, 0, 999)), MempoolError::Ledger(Rejection::Fee { .. })));
    assert!(matches!(refused(pay(50, 0, 1_000)), MempoolError::Ledger(Rejection::Balance { .. })));
    assert!(matches!(refused(pay(1, 16, 1_000)), MempoolError::FarNonce { expected: 0, given: 16 }));
    let forged = Envelope::seal(&key(1), crate::transaction::DOMAIN, &MeshId::from_bytes([0; 32]), &1u8);
    let forged = refused(forged.unwrap());
    assert!(forged.blames_sender() && !refused(pay(1, 0, 999)).blames_sender());
    assert!(pool.is_empty());
}

#[test]
fn a_block_empties_it_of_what_it_carried_out() {
    let (mut pool, mut state) = (Mempool::default(), state());
    for envelope in [pay(1, 0, 2_000), pay(1, 1, 2_000), pay(2, 0, 2_000), vote(0)] {
        pool.insert(envelope, &state).unwrap();
    }
    state.advance(&BlockContext::default(), &[Checked::new(&pay(1, 0, 3_000), &state.mesh())]);
    pool.update(&state);
    assert_eq!(pool.len(), 3, "the nonce was used by another");
    for _ in 0..9 {
        state.advance(&BlockContext::default(), &[]);
    }
    pool.update(&state);
    assert!(pool.is_empty(), "expired");
    assert_eq!((pool.bytes, pool.free, pool.by_fee.len()), (0, 0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_books_are_right_whatever_comes(wishes in proptest::collection::vec((0u8..6, 0u64..20, 900u64..1_300), 0..60)) {
        let (mut pool, state) = (Mempool::default(), state());
        for (from, nonce, fee) in wishes {
            let _ = pool.insert(pay(from, nonce, fee), &state);
        }
        let all: Vec<&PendingTransaction> = pool.waiting.values().flat_map(BTreeMap::values).collect();
        prop_assert_eq!(all.len(), pool.len());
        prop_assert_eq!(all.iter().map(|one| one.bytes).sum::<usize>(), pool.bytes);
        prop_assert!(pool.waiting.values().all(|waiting| waiting.len() <= MAX_PER_SIGNER));
        let mut next: BTreeMap<NodeId, u64> = BTreeMap::new();
        for (signer, nonce) in taken(&pool, usize::MAX) {
            let expected = next.entry(signer).or_default();
            prop_assert_eq!(*expected, nonce);
            *expected += 1;
        }
    }
}

#[test]
fn a_full_pool_keeps_the_best_payers() {
    let (mut pool, state) = (Mempool::default(), state());
    // The limit on bytes stands for the one on numbers, which would take minutes to sign.
    pool.bytes = MAX_BYTES - pay(1, 0, 2_000).body().len();
    pool.insert(pay(1, 0, 2_000), &state).unwrap();
    assert!(matches!(pool.insert(pay(2, 0, 1_500), &state), Err(MempoolError::Full { .. })));
    pool.insert(pay(3, 0, 4_000), &state).unwrap();
    assert_eq!(taken(&pool, 9), [(key(3).node_id(), 0)]);
}
