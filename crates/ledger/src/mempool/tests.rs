use std::sync::LazyLock;

use nervure_primitives::{BlockHeight, MeshId, Netuid, NodeKey};
use proptest::prelude::*;

use super::{queues::Shelf, *};
use crate::{
    block::BlockContext,
    spec::{MeshSpec, Role},
    transaction::{Call, Checked, CommitWeights, FundsRejection, Transaction, Transfer, VoteSubnets},
};

/// What every account has.
const BALANCE: u64 = 1_000_000;

/// More than the base fee of any transaction here, and a sixteenth of what an account has.
const FEE: u64 = 20_000;

fn key(seed: u8) -> NodeKey {
    NodeKey::from_seed(&[seed; 32])
}

/// A state in which keys below 20 hold tokens, key 200 is a validator that owns itself, and key 201 a miner.
fn state() -> LedgerState {
    static STATE: LazyLock<LedgerState> = LazyLock::new(|| {
        let balance = Amount::from_base_units(BALANCE);
        let spec = MeshSpec::test("pool").with_validator(key(200).node_id(), balance);
        let spec = spec.with_node(key(201).node_id(), Role::Miner, Amount::ZERO);
        let payers = (0..20).chain([200, 201]);
        let spec = payers.fold(spec, |spec, seed| spec.with_account(key(seed).node_id(), balance));
        LedgerState::genesis(&spec).unwrap()
    });
    STATE.clone()
}

/// A transfer of one unit.
fn transfer(nonce: u64, fee: u64, tip: u64) -> Transaction {
    let call =
        Call::Transfer(Transfer { to: key(1).node_id(), amount: Amount::from_base_units(1), memo: None });
    let [fee, tip] = [fee, tip].map(Amount::from_base_units);
    Transaction { nonce, fee, tip, expiry: BlockHeight(9), call }
}

fn seal(from: u8, transaction: &Transaction) -> Envelope {
    transaction.seal(&key(from), &state().mesh()).unwrap()
}

/// A transfer with a tip.
fn pay(from: u8, nonce: u64, tip: u64) -> Envelope {
    seal(from, &transfer(nonce, FEE, tip))
}

fn vote(from: u8, nonce: u64, fee: u64) -> Envelope {
    let call = Call::VoteSubnets(VoteSubnets { weights: Vec::new() });
    seal(from, &Transaction { call, ..transfer(nonce, fee, 0) })
}

/// Signers and nonces of what would go into a block.
fn taken(pool: &Mempool) -> Vec<(NodeId, u64)> {
    let taken = pool.candidates(&state());
    taken.iter().map(|one| (one.envelope.signer(), one.checked.transaction().unwrap().nonce)).collect()
}

fn insert_all(pool: &mut Mempool, envelopes: impl IntoIterator<Item = Envelope>) {
    for envelope in envelopes {
        pool.insert(envelope, &state()).unwrap();
    }
}

#[test]
fn higher_tips_go_first_and_nonces_stay_in_order() {
    let mut pool = Mempool::default();
    insert_all(
        &mut pool,
        [pay(1, 1, 9_000), pay(1, 0, 2_000), pay(2, 0, 5_000), pay(3, 1, 9_900), vote(200, 0, 0)],
    );
    let [one, two, node] = [1, 2, 200].map(|seed| key(seed).node_id());
    assert_eq!(taken(&pool), [(node, 0), (two, 0), (one, 0), (one, 1)], "nonce 0 of key 3 is missing");
    assert_eq!(pool.next_nonce(SignerKey::Owner, one, 0), 2);
    assert_eq!(pool.next_nonce(SignerKey::Owner, key(3).node_id(), 0), 0);
    assert_eq!(pool.next_nonce(SignerKey::Node, node, 0), 1);
}

#[test]
fn it_ranks_by_what_is_paid_now_and_not_by_what_is_offered_at_most() {
    let mut pool = Mempool::default();
    // The fee alone is an offer that is not paid.
    insert_all(&mut pool, [seal(1, &transfer(0, BALANCE - 501, 0)), pay(2, 0, 10)]);
    assert_eq!(taken(&pool)[0].0, key(2).node_id());
}

#[test]
fn of_equals_the_first_goes_first_whatever_its_key() {
    for order in [[3, 4, 5], [5, 4, 3], [4, 5, 3]] {
        let mut pool = Mempool::default();
        insert_all(&mut pool, order.map(|from| pay(from, 0, 0)));
        assert_eq!(taken(&pool), order.map(|from| (key(from).node_id(), 0)));
    }
}

#[test]
fn a_replacement_raises_fee_and_tip_by_a_tenth() {
    let (mut pool, state) = (Mempool::default(), state());
    pool.insert(pay(1, 0, 2_000), &state).unwrap();
    assert_eq!(pool.insert(pay(1, 0, 2_000), &state), Err(MempoolError::Known));
    let [fee, tip] = [FEE / 10 * 11, 2_200].map(Amount::from_base_units);
    for (fee_now, tip_now) in [(FEE * 2, 2_000), (FEE, 9_000)] {
        let refused = pool.insert(seal(1, &transfer(0, fee_now, tip_now)), &state);
        assert_eq!(refused, Err(MempoolError::Underpriced { fee, tip }));
    }
    pool.insert(seal(1, &transfer(0, FEE / 10 * 11, 2_200)), &state).unwrap();
    assert_eq!(pool.len(), 1);
}

#[test]
fn refuses_transactions_that_cannot_be_in_a_block_soon() {
    let (mut pool, mut state) = (Mempool::default(), state());
    state.advance(&BlockContext::default(), &[Checked::new(&pay(1, 0, 0), &state.mesh())]).unwrap();
    let mut refused = |envelope| pool.insert(envelope, &state).unwrap_err();
    assert!(matches!(
        refused(pay(1, 0, 1)),
        MempoolError::Ledger(Rejection::Inclusion(InclusionRejection::Nonce { expected: 1, given: 0 }))
    ));
    assert!(matches!(refused(pay(1, 17, 0)), MempoolError::FarNonce { expected: 1, given: 17, most: 16 }));
    let unfunded = [
        seal(1, &transfer(1, 5, 0)),
        seal(1, &transfer(1, BALANCE, 0)),
        pay(99, 0, 0),
        vote(99, 0, 0),
        vote(201, 0, 0),
        seal(1, &Transaction { expiry: BlockHeight(9_999), ..transfer(1, FEE, 0) }),
    ];
    for envelope in unfunded {
        let refused = refused(envelope);
        assert!(refused.costs_nothing() && !refused.blames_sender(), "{refused}");
    }
    let late = seal(1, &Transaction { expiry: BlockHeight(1), ..transfer(1, FEE, 0) });
    assert!(matches!(
        refused(late),
        MempoolError::Ledger(Rejection::Inclusion(InclusionRejection::Expired { .. }))
    ));
    let forged = Envelope::seal(&key(1), crate::transaction::DOMAIN, &MeshId::from_bytes([0; 32]), &1u8);
    assert!(refused(forged.unwrap()).blames_sender());
    assert!(pool.is_empty());
}

#[test]
fn a_payer_covers_all_of_its_pending_transactions_together() {
    let (mut pool, state) = (Mempool::default(), state());
    let half = BALANCE / 2;
    insert_all(&mut pool, [seal(1, &transfer(0, half, 0))]);
    let spending = Call::Transfer(Transfer {
        to: key(2).node_id(),
        amount: Amount::from_base_units(half - FEE - 500),
        memo: None,
    });
    let second = Transaction { call: spending, ..transfer(1, FEE, 0) };
    // The first also moves one unit, and 500 have to be left: an account holds so much.
    let refused = pool.insert(seal(1, &second), &state).unwrap_err();
    let needed = Amount::from_base_units(BALANCE + 1);
    assert_eq!(refused, MempoolError::Ledger(FundsRejection::Balance { needed }.into()));
    insert_all(&mut pool, [seal(1, &Transaction { fee: Amount::from_base_units(FEE - 1), ..second })]);
}

#[test]
fn a_node_that_owns_itself_has_two_nonces_and_two_places() {
    let mut pool = Mempool::default();
    insert_all(&mut pool, [pay(200, 0, 5_000), vote(200, 0, 0), pay(200, 1, 5_000)]);
    assert_eq!(pool.len(), 3);
    assert_eq!(taken(&pool).len(), 3);
}

#[test]
fn a_wrong_signature_does_not_shadow_the_right_one() {
    let (mut pool, state) = (Mempool::default(), state());
    let good = pay(1, 0, 0);
    let mut bytes = good.encode().unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let forged = Envelope::decode(&bytes, crate::transaction::MAX_LEN).unwrap();
    assert_eq!((forged.body(), forged.signer()), (good.body(), good.signer()));
    assert!(pool.insert(forged.clone(), &state).unwrap_err().blames_sender());
    assert_ne!(forged.id(), good.id(), "what remembers the one must not take it for the other");
    pool.insert(good, &state).unwrap();
}

#[test]
fn validators_have_places_of_their_own_within_their_quota() {
    let (mut pool, state) = (Mempool::default(), state());
    let commit = |nonce, fee| {
        let call = Call::CommitWeights(CommitWeights {
            netuid: Netuid(1),
            hash: Hash::of("any", &[&[nonce as u8]]),
        });
        seal(200, &Transaction { call, ..transfer(nonce, fee, 0) })
    };
    let quota = u64::from(state.params().lane_quota);
    insert_all(&mut pool, (0..quota).map(|nonce| commit(nonce, 0)));
    assert_eq!(pool.insert(commit(quota, 0), &state), Err(MempoolError::LaneFull));
    insert_all(&mut pool, [vote(200, quota, 0), commit(quota + 1, FEE)]);
    assert_eq!(taken(&pool).len() as u64, quota + 2);
    let again = vote(200, quota, 0);
    assert_eq!(pool.insert(again, &state), Err(MempoolError::Known));
    let another = Call::VoteSubnets(VoteSubnets { weights: vec![(Netuid(1), 1)] });
    let another = seal(200, &Transaction { call: another, ..transfer(quota, 0, 0) });
    assert_eq!(pool.insert(another, &state), Err(MempoolError::Known), "a free one is not replaced for free");
}

#[test]
fn a_block_empties_it_of_what_it_carried_out() {
    let (mut pool, mut state) = (Mempool::default(), state());
    insert_all(&mut pool, [pay(1, 0, 2_000), pay(1, 1, 2_000), pay(2, 0, 2_000), vote(200, 0, 0)]);
    state.advance(&BlockContext::default(), &[Checked::new(&pay(1, 0, 3_000), &state.mesh())]).unwrap();
    pool.update(&state);
    assert_eq!(pool.len(), 3, "the nonce was used by another");
    (0..9).for_each(|_| drop(state.advance(&BlockContext::default(), &[]).unwrap()));
    pool.update(&state);
    assert!(pool.is_empty(), "expired");
    let books = |shelf: &Shelf| (shelf.bytes, shelf.weight, shelf.ranks.len());
    assert_eq!((books(&pool.queues.paid), books(&pool.queues.lane)), ((0, 0, 0), (0, 0, 0)));
    assert!(pool.queues.payers.is_empty() && pool.queues.scopes.is_empty());
}

#[test]
fn what_its_payer_can_no_longer_cover_is_dropped() {
    let (mut pool, mut state) = (Mempool::default(), state());
    insert_all(&mut pool, [pay(1, 0, 0), pay(1, 1, 0), pay(1, 2, 0)]);
    let most = BALANCE - FEE - 15_000;
    let call =
        Call::Transfer(Transfer { to: key(2).node_id(), amount: Amount::from_base_units(most), memo: None });
    let drain = seal(1, &Transaction { call, ..transfer(0, FEE, 0) });
    state.advance(&BlockContext::default(), &[Checked::new(&drain, &state.mesh())]).unwrap();
    pool.update(&state);
    assert_eq!(pool.len(), 1, "one of two is covered");
    assert!(
        pool.queues.get(&pending::Sequence { key: SignerKey::Owner, signer: key(1).node_id() }, 1).is_some()
    );
}

#[test]
fn a_fee_that_the_base_fee_has_overtaken_waits_and_goes_last() {
    let (mut pool, mut state) = (Mempool::default(), state());
    insert_all(&mut pool, [seal(1, &transfer(0, 2_000, 700)), pay(2, 0, 0)]);
    state.base_fee.0 *= 3;
    pool.update(&state);
    assert_eq!(pool.len(), 2);
    let candidates = pool.candidates(&state);
    assert_eq!(candidates.iter().map(|one| one.envelope.signer()).collect::<Vec<_>>(), [key(2).node_id()]);
    let first = pool.queues.paid.ranks.first().unwrap();
    assert_eq!((first.value, first.sequence.signer), (None, key(1).node_id()), "the first to be evicted");
    state.base_fee.0 /= 3;
    pool.update(&state);
    assert_eq!(pool.candidates(&state).len(), 2);
}

/// A pool that has room for `room` bytes of transactions that pay.
fn nearly_full(room: usize) -> Mempool {
    let mut pool = Mempool::default();
    // The limit on bytes stands for the one on numbers, which would take minutes to sign.
    pool.queues.paid.bytes = MAX_BYTES - room;
    pool
}

#[test]
fn a_full_pool_keeps_the_best_payers() {
    let (mut pool, state) = (nearly_full(pay(1, 0, 2_000).body().len()), state());
    pool.insert(pay(1, 0, 2_000), &state).unwrap();
    for tip in [1_500, 2_000] {
        assert!(matches!(pool.insert(pay(2, 0, tip), &state), Err(MempoolError::Full { .. })));
    }
    let gap = pool.insert(pay(2, 1, 9_000), &state);
    assert!(matches!(gap, Err(MempoolError::Full { .. })), "what no block can have displaces nothing");
    pool.insert(pay(3, 0, 4_000), &state).unwrap();
    assert_eq!(taken(&pool), [(key(3).node_id(), 0)]);
    // Free ones have places of their own.
    pool.insert(vote(200, 0, 0), &state).unwrap();
}

#[test]
fn a_high_tip_behind_a_low_one_does_not_count() {
    let (mut pool, state) = (nearly_full(2 * pay(1, 0, 2_000).body().len()), state());
    insert_all(&mut pool, [pay(1, 0, 300), pay(1, 1, 9_000)]);
    pool.insert(pay(2, 0, 400), &state).unwrap();
    assert_eq!(taken(&pool), [(key(2).node_id(), 0), (key(1).node_id(), 0)]);
}

#[test]
fn a_refused_transaction_evicts_nothing_and_a_replacement_no_third() {
    let bytes = pay(1, 0, 2_000).body().len();
    let (mut pool, state) = (nearly_full(2 * bytes), state());
    insert_all(&mut pool, [pay(1, 0, 300), pay(2, 0, 500)]);
    // Two would have to go, and only one tips less.
    let large = Call::VoteSubnets(VoteSubnets { weights: vec![(Netuid(1), 1); bytes / 4] });
    let large = seal(201, &Transaction { call: large, ..transfer(0, FEE, 600) });
    assert!(large.body().len() > bytes && large.body().len() < 2 * bytes);
    assert!(matches!(pool.insert(large, &state), Err(MempoolError::Full { .. })));
    assert_eq!(pool.len(), 2);
    pool.insert(seal(2, &transfer(0, FEE * 2, 600)), &state).unwrap();
    assert_eq!(pool.len(), 2);
}

#[test]
fn the_going_tip_is_what_the_last_place_of_a_block_pays() {
    let (mut pool, mut state) = (Mempool::default(), state());
    insert_all(&mut pool, (1..9u8).map(|from| pay(from, 0, u64::from(from) * 1_000)));
    assert_eq!(pool.going_tip(&state), 0, "all have room");
    let weight = Checked::new(&pay(1, 0, 1_000), &state.mesh()).weight();
    // Three quarters go by tips: three places.
    state.limit.paid = 4 * weight + weight / 2;
    let going = pool.going_tip(&state);
    assert_eq!(pool.candidates(&state).len(), 4);
    let (fourth, third) = (5_000 * 1_000 / weight, 6_000 * 1_000 / weight);
    assert!(going > fourth && going < third, "{going}");
}

/// Who is in the next block when key 1 bids once, raises its bid, and keys 2 to 9 bid more each time.
fn outbid(select: impl Fn(&Mempool, &LedgerState) -> Vec<SignedTransaction>) -> Vec<NodeId> {
    let (mut pool, mut state) = (Mempool::default(), state());
    let weight = Checked::new(&pay(1, 0, 1_000), &state.mesh()).weight();
    state.limit.paid = 4 * weight + weight / 2;
    for (fee, tip) in [(FEE, 100), (FEE * 2, 1_000)] {
        for (from, more) in [(1, 0), (2, 10), (3, 20), (4, 30), (5, 40), (6, 50), (7, 60), (8, 70), (9, 80)] {
            pool.insert(seal(from, &transfer(0, fee, tip + more)), &state).unwrap();
        }
    }
    select(&pool, &state).iter().map(|one| one.envelope.signer()).collect()
}

#[test]
fn who_outbids_each_bid_cannot_keep_the_oldest_out() {
    let keys = |seeds: [u8; 4]| seeds.map(|seed| key(seed).node_id()).to_vec();
    assert_eq!(outbid(Mempool::candidates), keys([9, 8, 7, 1]));
    // Without the part that goes by age, it is out for as long as the others bid more.
    let by_tips =
        |pool: &Mempool, state: &LedgerState| selection::select(&pool.queues, state.limit, state.limit.paid);
    assert_eq!(outbid(by_tips), keys([9, 8, 7, 6]));
}

#[test]
fn one_payer_has_one_place_by_age_however_much_of_it_waits() {
    let (mut pool, mut state) = (Mempool::default(), state());
    let weight = Checked::new(&pay(1, 0, 1_000), &state.mesh()).weight();
    state.limit.paid = 8 * weight + weight / 2;
    // The oldest are all of key 1, then one of key 2; the others tip more.
    insert_all(&mut pool, (0..9).map(|nonce| pay(1, nonce, 0)));
    insert_all(&mut pool, [pay(2, 0, 0)]);
    insert_all(&mut pool, (3..12).map(|from| pay(from, 0, 900)));
    let (one, two) = (key(1).node_id(), key(2).node_id());
    let taken: Vec<NodeId> = pool.candidates(&state).iter().map(|one| one.envelope.signer()).collect();
    assert_eq!(taken.len(), 8);
    assert_eq!(taken[6..], [one, two]);
}

#[test]
fn an_offer_too_low_for_any_block_waits_in_no_line() {
    let (mut pool, mut state) = (Mempool::default(), state());
    let since = |pool: &Mempool, from: u8| {
        let sequence = pending::Sequence { key: SignerKey::Owner, signer: key(from).node_id() };
        pool.queues.get(&sequence, 0).unwrap().since
    };
    insert_all(&mut pool, [seal(1, &transfer(0, 2_000, 0)), pay(2, 0, 0)]);
    state.base_fee.0 *= 3;
    pool.update(&state);
    for from in [1, 2] {
        pool.insert(seal(from, &transfer(0, FEE * 2, 1)), &state).unwrap();
    }
    assert_eq!((since(&pool, 1), since(&pool, 2)), (2, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_books_are_right_whatever_comes(
        wishes in proptest::collection::vec((0u8..6, 0u64..20, 1_000u64..30_000, 0u64..300, any::<bool>()), 0..60),
    ) {
        let (mut pool, state) = (Mempool::default(), state());
        for (from, nonce, fee, tip, updates) in wishes {
            let from = if from == 5 { 200 } else { from };
            let _ = pool.insert(seal(from, &transfer(nonce, fee, tip)), &state);
            let _ = pool.insert(vote(200, nonce, if tip < 200 { 0 } else { fee }), &state);
            if updates {
                pool.update(&state);
            }
        }
        let all: Vec<&PendingTransaction> = pool.queues.queues.values().flat_map(|queue| queue.values()).collect();
        prop_assert_eq!(all.len(), pool.len());
        let bytes = |free: bool| all.iter().filter(|one| one.is_free() == free).map(|one| one.bytes()).sum::<usize>();
        prop_assert_eq!((bytes(false), bytes(true)), (pool.queues.paid.bytes, pool.queues.lane.bytes));
        prop_assert_eq!(pool.queues.paid.ranks.len() + pool.queues.lane.ranks.len(), all.len());
        prop_assert!(pool.queues.queues.values().all(|queue| !queue.is_empty() && queue.len() <= 64));
        // Whatever is proposed is valid: a block of it is one that others accept.
        let candidates = pool.candidates(&state);
        let checked: Vec<Checked> = candidates.into_iter().map(|one| one.checked).collect();
        let mut next = state;
        prop_assert!(next.advance(&BlockContext::default(), &checked).is_ok());
    }
}
