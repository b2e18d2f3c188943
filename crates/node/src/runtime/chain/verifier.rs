//! Verifies the signatures of transactions that peers send, on a thread of its own: the chain's thread has votes to
//! handle, and a signature takes longer than everything else about a transaction.
//!
//! What a hostile peer can do: keep this thread busy, at the rate that gossip allows it, while no other peer sends
//! transactions: what a peer in debt sends waits for what others send ([`super::unfunded`]). Transactions beyond the bounds
//! of its inbox, and of the chain's lane for transactions, are dropped and counted.

use std::{
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use futures::executor::block_on;
use nervure_ledger::transaction::{MAX_LEN, SignedTransaction};
use nervure_p2p::{GossipMessage, Verdict};
use nervure_primitives::{Envelope, MeshId};

use super::{
    ChainMetrics,
    inbox::{Inbox, Lane, NotQueued, Received, Sender, inbox},
    receipts::TxReceipts,
    task::Event,
};

/// The longest that the thread sleeps.
const MAX_SLEEP: Duration = Duration::from_secs(60);

/// What the thread needs.
pub(super) struct VerifierDeps {
    pub(super) mesh: MeshId,
    /// The chain's inbox.
    pub(super) events: Sender<Event>,
    pub(super) metrics: ChainMetrics,
    /// What was in the last blocks: it is not verified again.
    pub(super) receipts: Arc<TxReceipts>,
}

/// The thread, and where transactions are put for it. It ends when that is closed.
pub(super) struct Verifier {
    pub(super) transactions: Sender<GossipMessage>,
    pub(super) thread: JoinHandle<()>,
}

impl Verifier {
    /// Starts the thread.
    pub(super) fn start(deps: VerifierDeps) -> std::io::Result<Self> {
        let (transactions, inbox) = inbox();
        let thread =
            std::thread::Builder::new().name("transactions".into()).spawn(move || run(&inbox, &deps))?;
        Ok(Self { transactions, thread })
    }
}

fn run(inbox: &Inbox<GossipMessage>, deps: &VerifierDeps) {
    loop {
        match inbox.receive(Instant::now() + MAX_SLEEP) {
            Received::Event(message) => handle(message, deps),
            Received::Timeout => {}
            Received::Closed => return,
        }
    }
}

fn handle(message: GossipMessage, deps: &VerifierDeps) {
    // A block was faster than gossip: the peer that forwards it is honest.
    let is_old = |envelope: &Envelope| deps.receipts.of(&envelope.id()).is_some();
    if Envelope::decode(&message.data, MAX_LEN).is_ok_and(|envelope| is_old(&envelope)) {
        return block_on(message.judge(Verdict::Ignore));
    }
    let Some(signed) = verify(&message.data, &deps.mesh) else {
        return block_on(message.judge(Verdict::Reject));
    };
    let event = Event::Transaction(message, Box::new(signed));
    if let Err(NotQueued::Full(event) | NotQueued::Closed(event)) =
        deps.events.send(Lane::Transactions, event)
        && let Event::Transaction(message, _) = event
    {
        deps.metrics.dropped(Lane::Transactions);
        block_on(message.judge(Verdict::Ignore));
    }
}

/// The transaction that a peer sent; none when it is not one of this mesh.
pub(super) fn verify(data: &[u8], mesh: &MeshId) -> Option<SignedTransaction> {
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
        let call = Call::Transfer(Transfer { to: key.node_id(), amount: Amount::ZERO, memo: None });
        let (fee, tip, expiry) = (Amount::ZERO, Amount::ZERO, BlockHeight(1));
        let envelope = Transaction { nonce: 0, fee, tip, expiry, call }.seal(&key, &mesh).unwrap();
        let bytes = envelope.encode().unwrap();
        assert!(verify(&bytes, &mesh).is_some());
        assert!(verify(&bytes, &MeshId::from_bytes([2; 32])).is_none());
        assert!(verify(&bytes[1..], &mesh).is_none());
    }
}
