//! Verifies the signatures of transactions that peers send, on a thread of its own: the chain's thread has votes to
//! handle, and a signature takes longer than everything else about a transaction.
//!
//! What a hostile peer can do: keep this thread busy, at the rate that gossip allows it. Transactions beyond the bounds are
//! dropped and counted. Verified ones wait in a lane of their own ([`super::inbox`]).

use std::{
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::JoinHandle,
};

use futures::executor::block_on;
use nervure_ledger::transaction::{MAX_LEN, SignedTransaction};
use nervure_p2p::{GossipMessage, Verdict};
use nervure_primitives::{Envelope, MeshId};

use super::{
    ChainMetrics,
    inbox::{Lane, NotQueued, Sender},
    task::Event,
};

/// Transactions that wait for their signature to be verified.
const MAX_UNVERIFIED: usize = 1_024;

/// What the thread needs.
pub(super) struct VerifierDeps {
    pub(super) mesh: MeshId,
    /// The inbox of the chain's thread.
    pub(super) events: Sender<Event>,
    /// Counts what is dropped.
    pub(super) metrics: ChainMetrics,
}

/// Starts the thread. It ends when the sender is dropped.
pub(super) fn start(deps: VerifierDeps) -> std::io::Result<(SyncSender<GossipMessage>, JoinHandle<()>)> {
    let (sender, queue) = sync_channel(MAX_UNVERIFIED);
    let thread = std::thread::Builder::new().name("transactions".into()).spawn(move || run(&queue, &deps))?;
    Ok((sender, thread))
}

fn run(queue: &Receiver<GossipMessage>, deps: &VerifierDeps) {
    for message in queue {
        // Before the signature: without room it is verified for nothing.
        if !deps.events.has_room(Lane::Transactions) {
            deps.metrics.dropped(Lane::Transactions);
            block_on(message.judge(Verdict::Ignore));
            continue;
        }
        let Some(signed) = verify(&message.data, &deps.mesh) else {
            block_on(message.judge(Verdict::Reject));
            continue;
        };
        match deps.events.send(Lane::Transactions, Event::Transaction(message, Box::new(signed))) {
            Ok(()) => {}
            Err(NotQueued::Closed(_)) => return,
            // Its message has no verdict, and is not forwarded.
            Err(NotQueued::Full(_)) => deps.metrics.dropped(Lane::Transactions),
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
