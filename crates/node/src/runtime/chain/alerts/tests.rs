use nervure_ledger::transaction::{
    CommitWeights, InclusionRejection, Outcome, Rejection, Transaction, Transfer, TransferOutcome,
};
use nervure_primitives::{Amount, MeshId, Netuid, NodeKey};

use super::*;

fn key() -> NodeKey {
    NodeKey::from_seed(&[1; 32])
}

fn signed(key: &NodeKey, nonce: u64, call: Call) -> SignedTransaction {
    let (mesh, expiry) = (MeshId::from_bytes([2; 32]), BlockHeight(99));
    let transaction = Transaction { nonce, fee: Amount::ZERO, tip: Amount::ZERO, expiry, call };
    SignedTransaction::verify(transaction.seal(key, &mesh).unwrap(), &mesh)
}

/// A commit of weights by this node.
fn commit(nonce: u64) -> SignedTransaction {
    let hash = Hash::of("test", &[]);
    signed(&key(), nonce, Call::CommitWeights(CommitWeights { netuid: Netuid(1), hash }))
}

fn id(signed: &SignedTransaction) -> Hash {
    signed.checked().id()
}

fn applied(id: &Hash) -> Event {
    let to = key().node_id();
    let outcome = Outcome::Transferred(TransferOutcome { to, amount: Amount::ZERO, memo: None });
    Event::Applied { id: *id, paid: Amount::ZERO, outcome }
}

fn refused(id: &Hash) -> Event {
    let rejection = Rejection::from(InclusionRejection::Fee { least: Amount::from_base_units(7) });
    Event::Rejected { id: *id, paid: Amount::ZERO, rejection }
}

/// A monitor and what happens to it, block by block.
struct Play {
    monitor: AlertMonitor,
    height: u64,
}

impl Play {
    fn new() -> Self {
        Self { monitor: AlertMonitor::new(key().node_id()), height: 10 }
    }

    fn submit(&mut self, signed: &SignedTransaction) {
        self.monitor.on_submit(signed, None, BlockHeight(self.height));
    }

    fn block(&mut self, event: Option<Event>, is_pending: bool, silent: Option<u64>) {
        self.height += 1;
        let outcome = |id: &Hash| match &event {
            Some(Event::Applied { id: of, .. } | Event::Rejected { id: of, .. }) if of == id => event.clone(),
            _ => None,
        };
        let height = BlockHeight(self.height);
        self.monitor.on_block(&AfterBlock { height, outcome, is_pending: |_: &Hash| is_pending, silent });
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.monitor.active().keys().map(|kind| kind.name()).collect()
    }
}

#[test]
fn transactions_that_are_applied_and_votes_that_are_counted_raise_no_alert() {
    let mut play = Play::new();
    for nonce in 0..20 {
        let signed = commit(nonce);
        play.submit(&signed);
        play.block(None, true, Some(0));
        play.block(Some(applied(&id(&signed))), false, Some(nonce % UNSIGNED_HEIGHTS));
        assert_eq!(play.kinds(), [""; 0]);
    }
}

#[test]
fn a_refusal_in_a_block_or_by_the_mempool_is_an_alert_until_the_kind_is_applied() {
    let mut play = Play::new();
    let first = commit(0);
    play.submit(&first);
    play.block(Some(refused(&id(&first))), false, Some(0));
    assert_eq!(play.kinds(), ["refused"]);
    let alert = &play.monitor.active()[&AlertKind::Refused];
    assert_eq!((alert.since, alert.count), (BlockHeight(11), 1));
    assert!(alert.message.starts_with("a commit_weights transaction of this node was refused"), "{alert:?}");
    let second = commit(1);
    play.monitor.on_submit(&second, Some(&"the mempool is full"), BlockHeight(12));
    let alert = &play.monitor.active()[&AlertKind::Refused];
    assert_eq!((alert.since, alert.last, alert.count), (BlockHeight(11), BlockHeight(12), 2));
    assert!(alert.message.contains("the mempool is full"), "{alert:?}");
    let third = commit(2);
    play.submit(&third);
    play.block(Some(applied(&id(&third))), false, Some(0));
    assert_eq!(play.kinds(), [""; 0], "it works again");
}

#[test]
fn an_alert_about_a_transaction_does_not_last_for_ever() {
    let mut play = Play::new();
    play.monitor.on_submit(&commit(0), Some(&"no"), BlockHeight(10));
    play.submit(&commit(1));
    play.block(None, false, None);
    assert_eq!(play.kinds(), ["refused", "waiting"]);
    (1..TRANSACTION_ALERT_BLOCKS).for_each(|_| play.block(None, false, None));
    assert_eq!(play.kinds(), ["refused", "waiting"]);
    play.block(None, false, None);
    assert_eq!(play.kinds(), ["waiting"]);
    play.block(None, false, None);
    assert_eq!(play.kinds(), [""; 0]);
}

#[test]
fn a_transaction_that_waits_or_expires_is_an_alert() {
    let mut play = Play::new();
    let signed = commit(0);
    play.submit(&signed);
    (1..WAITING_BLOCKS).for_each(|_| play.block(None, true, None));
    assert_eq!(play.kinds(), [""; 0]);
    play.block(None, true, None);
    assert_eq!(play.kinds(), ["waiting"]);
    play.block(Some(applied(&id(&signed))), false, None);
    assert_eq!(play.kinds(), [""; 0], "it is in a block");
    play.submit(&commit(1));
    play.block(None, false, None);
    assert_eq!(play.kinds(), ["waiting"], "it is gone, and was in no block");
    let message = &play.monitor.active()[&AlertKind::Waiting].message;
    assert!(message.contains("expired or was replaced"), "{message}");
}

#[test]
fn votes_that_are_not_counted_are_an_alert_but_not_those_of_an_absence() {
    let mut play = Play::new();
    // It was away for 50 blocks, and its first precommit is counted in the second block.
    play.monitor.on_catch_up();
    play.block(None, false, Some(50));
    play.block(None, false, Some(51));
    play.block(None, false, Some(0));
    assert_eq!(play.kinds(), [""; 0]);
    (1..UNSIGNED_HEIGHTS).for_each(|missed| play.block(None, false, Some(missed)));
    assert_eq!(play.kinds(), [""; 0]);
    play.block(None, false, Some(UNSIGNED_HEIGHTS));
    assert_eq!(play.kinds(), ["unsigned"]);
    play.block(None, false, None);
    assert_eq!(play.kinds(), [""; 0], "it is no validator any more");
}

#[test]
fn an_alert_is_logged_once_and_again_when_it_lasts() {
    let mut play = Play::new();
    let mut raise =
        |height: u64| play.monitor.raise(AlertKind::Unsigned, (None, "why".into()), BlockHeight(height));
    assert!(raise(10));
    assert!((11..10 + REPEAT_BLOCKS).all(|height| !raise(height)));
    assert!(raise(10 + REPEAT_BLOCKS));
    play.monitor.active.clear();
    let mut raise =
        |height: u64| play.monitor.raise(AlertKind::Unsigned, (None, "why".into()), BlockHeight(height));
    assert!(!raise(11 + REPEAT_BLOCKS), "one that ends and begins is not logged each time");
    play.monitor.active.clear();
    assert!(play.monitor.raise(
        AlertKind::Unsigned,
        (None, "why".into()),
        BlockHeight(10 + REPEAT_BLOCKS + QUIET_BLOCKS)
    ));
}

#[test]
fn only_transactions_of_this_nodes_key_are_watched_and_not_too_many() {
    let mut play = Play::new();
    let other = NodeKey::from_seed(&[9; 32]);
    let transfer = || Call::Transfer(Transfer { to: other.node_id(), amount: Amount::ZERO, memo: None });
    let hash = Hash::of("test", &[]);
    play.submit(&signed(&other, 0, Call::CommitWeights(CommitWeights { netuid: Netuid(1), hash })));
    // An owner's, who is a person and reads the answer.
    play.submit(&signed(&key(), 0, transfer()));
    play.block(None, false, None);
    assert_eq!(play.kinds(), [""; 0]);
    (0..2 * MAX_WATCHED as u64).for_each(|nonce| play.submit(&commit(nonce)));
    assert_eq!(play.monitor.watched.len(), MAX_WATCHED);
}
