//! Transactions whose signatures are verified.
//!
//! Verifying is most of the work of a block and needs nothing of the state, so it is done before, on as
//! many threads as the caller gives. Each signature is verified by itself, with the strict rule: a batch
//! equation accepts some signatures that the strict rule refuses, and validators that disagree about one
//! signature disagree about the block.

use std::{num::NonZeroUsize, thread};

use nervure_primitives::{Envelope, Hash, MeshId, NodeId};

use super::{DOMAIN, MAX_LEN, Rejection, Transaction};

/// A transaction whose signature holds, or why it is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub(crate) id: Hash,
    pub(crate) mesh: MeshId,
    pub(crate) signer: NodeId,
    pub(crate) weight: u64,
    pub(crate) transaction: Result<Transaction, Rejection>,
}

impl Checked {
    /// Verifies and decodes one, with the signatures that are inside of it.
    pub fn new(envelope: &Envelope, mesh: &MeshId) -> Self {
        let opened = envelope.open(DOMAIN, mesh, MAX_LEN).map_err(|error| Rejection::malformed(&error));
        let transaction = opened.and_then(|transaction: Transaction| match transaction.call.check(mesh) {
            Ok(()) => Ok(transaction),
            Err(error) => Err(Rejection::malformed(&error)),
        });
        Self {
            id: envelope.id(),
            mesh: *mesh,
            signer: envelope.signer(),
            weight: transaction.as_ref().map_or(0, |transaction| transaction.weight(envelope.body().len())),
            transaction,
        }
    }

    /// Verifies and decodes `envelopes` on up to `threads` threads; the result does not depend on how many.
    pub fn all(envelopes: &[Envelope], mesh: &MeshId, threads: NonZeroUsize) -> Vec<Self> {
        let one_by_one = |part: &[Envelope]| part.iter().map(|one| Self::new(one, mesh)).collect();
        // Consecutive parts: the results are put together in the order of the block.
        let size = envelopes.len().div_ceil(threads.get()).max(MIN_PER_THREAD);
        let mut parts = envelopes.chunks(size);
        // The first part is for the thread that is here anyway.
        let Some(first) = parts.next() else { return Vec::new() };
        thread::scope(|scope| {
            let others: Vec<_> = parts.map(|part| (part, scope.spawn(move || one_by_one(part)))).collect();
            let mut checked: Vec<Self> = one_by_one(first);
            for (part, other) in others {
                // A thread that could not finish leaves its part to this one.
                checked.extend(other.join().unwrap_or_else(|_| one_by_one(part)));
            }
            checked
        })
    }

    /// The id of its envelope.
    pub fn id(&self) -> Hash {
        self.id
    }

    /// Who signed it.
    pub fn signer(&self) -> NodeId {
        self.signer
    }

    /// Its weight; 0 when it is no transaction, which no block can have.
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// How many signatures had to be verified for it: its own, and those of others inside of it.
    pub fn signatures(&self) -> u32 {
        let inside = self.transaction.as_ref().map_or(0, |transaction| transaction.call.signatures());
        u32::try_from(inside).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// The transaction.
    ///
    /// # Errors
    /// Why it is none.
    pub fn transaction(&self) -> Result<&Transaction, &Rejection> {
        self.transaction.as_ref()
    }

    /// The next step of a user whose transaction is rejected.
    pub fn hint(&self, rejection: &Rejection) -> &'static str {
        match &self.transaction {
            Ok(transaction) => transaction.call.hint(rejection),
            Err(_) => rejection.hint(),
        }
    }
}

/// An envelope with what verifying it gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTransaction {
    pub(crate) envelope: Envelope,
    pub(crate) checked: Checked,
}

impl SignedTransaction {
    /// Verifies the signature of `envelope` and decodes it. Needs nothing of the state.
    pub fn verify(envelope: Envelope, mesh: &MeshId) -> Self {
        let checked = Checked::new(&envelope, mesh);
        Self { envelope, checked }
    }

    /// What was verified.
    pub fn checked(&self) -> &Checked {
        &self.checked
    }

    /// The envelope.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}

/// Fewer signatures than this are not worth a thread.
pub(super) const MIN_PER_THREAD: usize = 8;

#[cfg(test)]
mod tests {
    use nervure_primitives::{Amount, BlockHeight, NodeKey};

    use super::*;
    use crate::transaction::{Call, Transfer};

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let (mesh, other) = (MeshId::from_bytes([1; 32]), MeshId::from_bytes([2; 32]));
        let key = NodeKey::from_seed(&[3; 32]);
        let call = Call::Transfer(Transfer { to: key.node_id(), amount: Amount::ZERO, memo: None });
        let sealed = |nonce: u64| {
            let call = call.clone();
            let transaction =
                Transaction { nonce, fee: Amount::ZERO, tip: Amount::ZERO, expiry: BlockHeight(1), call };
            transaction.seal(&key, if nonce.is_multiple_of(3) { &other } else { &mesh }).unwrap()
        };
        let envelopes: Vec<_> = (0..50).map(sealed).collect();
        let alone = Checked::all(&envelopes, &mesh, NonZeroUsize::MIN);
        assert_eq!(alone.iter().filter(|one| one.transaction().is_err()).count(), 17);
        for threads in [2, 3, 7, 100] {
            assert_eq!(Checked::all(&envelopes, &mesh, NonZeroUsize::new(threads).unwrap()), alone);
        }
        assert!(Checked::all(&[], &mesh, NonZeroUsize::MIN).is_empty());
    }
}
