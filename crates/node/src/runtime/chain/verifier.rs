//! Verifies the signatures of transactions that peers send, on a thread of its own: the chain's thread has votes to
//! handle, and a signature takes longer than everything else about a transaction.
//!
//! What a hostile peer can do: keep this thread busy, at the rate that gossip allows it. Transactions beyond the bounds are
//! dropped and counted. They never take more than [`MAX_QUEUED_TRANSACTIONS`] places of the chain's queue, so that votes
//! always find room.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};

use futures::executor::block_on;
use nervure_ledger::transaction::{MAX_LEN, SignedTransaction};
use nervure_p2p::{GossipMessage, Verdict};
use nervure_primitives::{Envelope, MeshId};
use prometheus_client::metrics::counter::Counter;

use super::task::Event;

/// Transactions that wait for their signature to be verified.
const MAX_UNVERIFIED: usize = 1_024;

/// Verified transactions that wait for the chain's thread: a quarter of its queue.
const MAX_QUEUED_TRANSACTIONS: usize = super::MAX_QUEUED_EVENTS / 4;

/// What the thread needs.
pub(super) struct VerifierDeps {
    pub(super) mesh: MeshId,
    /// The chain's queue.
    pub(super) events: SyncSender<Event>,
    /// Counts what is dropped.
    pub(super) dropped: Counter,
}

/// A place in the chain's queue, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct PlaceGuard(Arc<AtomicUsize>);

impl PlaceGuard {
    /// A place, unless all are taken.
    fn take(places: &Arc<AtomicUsize>) -> Option<Self> {
        let taken = places.fetch_add(1, Ordering::Relaxed);
        let guard = Self(places.clone());
        // Without room, dropping the guard gives back what was counted.
        (taken < MAX_QUEUED_TRANSACTIONS).then_some(guard)
    }
}

impl Drop for PlaceGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Starts the thread. It ends when the sender is dropped.
pub(super) fn start(deps: VerifierDeps) -> std::io::Result<(SyncSender<GossipMessage>, JoinHandle<()>)> {
    let (sender, queue) = sync_channel(MAX_UNVERIFIED);
    let thread = std::thread::Builder::new().name("transactions".into()).spawn(move || run(&queue, &deps))?;
    Ok((sender, thread))
}

fn run(queue: &Receiver<GossipMessage>, deps: &VerifierDeps) {
    let places = Arc::new(AtomicUsize::new(0));
    for message in queue {
        // Before the signature: without room it is verified for nothing.
        let Some(place) = PlaceGuard::take(&places) else {
            deps.dropped.inc();
            block_on(message.judge(Verdict::Ignore));
            continue;
        };
        let Some(signed) = verify(&message.data, &deps.mesh) else {
            block_on(message.judge(Verdict::Reject));
            continue;
        };
        match deps.events.try_send(Event::Transaction(message, Box::new(signed), place)) {
            Ok(()) => {}
            Err(TrySendError::Disconnected(_)) => return,
            // Its message has no verdict, and is not forwarded.
            Err(TrySendError::Full(_)) => drop(deps.dropped.inc()),
        }
    }
}

/// The transaction that a peer sent; none when it is not one of this mesh.
fn verify(data: &[u8], mesh: &MeshId) -> Option<SignedTransaction> {
    let signed = SignedTransaction::verify(Envelope::decode(data, MAX_LEN).ok()?, mesh);
    signed.checked().transaction().is_ok().then_some(signed)
}

#[cfg(test)]
mod tests {
    use nervure_ledger::transaction::{Call, Transaction, Transfer};
    use nervure_primitives::{Amount, BlockHeight, NodeKey};

    use super::*;

    #[test]
    fn transactions_take_a_quarter_of_the_queue_at_most_and_give_places_back() {
        let places = Arc::new(AtomicUsize::new(0));
        let taken: Vec<_> =
            (0..MAX_QUEUED_TRANSACTIONS).map(|_| PlaceGuard::take(&places).unwrap()).collect();
        assert!(PlaceGuard::take(&places).is_none());
        assert_eq!(places.load(Ordering::Relaxed), MAX_QUEUED_TRANSACTIONS, "a refused place is given back");
        drop(taken);
        assert!(PlaceGuard::take(&places).is_some());
    }

    #[test]
    fn what_is_not_signed_for_this_mesh_is_no_transaction() {
        let (key, mesh) = (NodeKey::from_seed(&[1; 32]), MeshId::from_bytes([1; 32]));
        let call = Call::Transfer(Transfer { to: key.node_id(), amount: Amount::ZERO });
        let (fee, tip, expiry) = (Amount::ZERO, Amount::ZERO, BlockHeight(1));
        let envelope = Transaction { nonce: 0, fee, tip, expiry, call }.seal(&key, &mesh).unwrap();
        let bytes = envelope.encode().unwrap();
        assert!(verify(&bytes, &mesh).is_some());
        assert!(verify(&bytes, &MeshId::from_bytes([2; 32])).is_none());
        assert!(verify(&bytes[1..], &mesh).is_none());
    }
}
