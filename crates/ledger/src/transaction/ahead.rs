//! Signatures of many blocks, verified on other threads while the first of the blocks are carried out.
//!
//! A node that catches up has the bodies of hundreds of blocks at once. Their signatures need nothing of the state, so
//! other threads verify them ahead, and the thread that executes finds them done. Where they are not, it helps.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    num::NonZeroUsize,
    ops::Range,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use nervure_primitives::{Envelope, MeshId};

use super::{Checked, checked::MIN_PER_THREAD};

/// Transactions that are verified in one go. More make a thread wait for the last part of a block, fewer cost more
/// messages.
const PART: usize = 32;

/// What became of a part: none when its thread could not finish.
type Done = Option<Vec<Checked>>;

/// Transactions of several blocks whose signatures are being verified.
pub struct CheckedAhead<'a> {
    work: &'a Work<'a>,
    /// For each block, which parts are its.
    blocks: Vec<Range<usize>>,
    /// Parts that were verified before they were taken.
    done: RefCell<BTreeMap<usize, Done>>,
    /// What the other threads verified.
    results: Receiver<Part>,
}

/// What the threads share.
struct Work<'a> {
    mesh: &'a MeshId,
    parts: Vec<&'a [Envelope]>,
    /// The first part that no thread has begun.
    unclaimed: AtomicUsize,
}

/// A part that another thread has begun. Its end is reported even when the thread panics, because this one waits for it.
struct Part {
    index: usize,
    done: Done,
}

struct Claim<'r> {
    index: usize,
    done: Done,
    results: &'r Sender<Part>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        // The receiver may have ended early.
        let _ = self.results.send(Part { index: self.index, done: self.done.take() });
    }
}

impl Work<'_> {
    /// The first part that is not begun.
    fn claim(&self) -> Option<usize> {
        let part = self.unclaimed.fetch_add(1, Ordering::Relaxed);
        (part < self.parts.len()).then_some(part)
    }

    fn verify(&self, part: usize) -> Vec<Checked> {
        let envelopes = self.parts.get(part).copied().unwrap_or_default();
        envelopes.iter().map(|envelope| Checked::new(envelope, self.mesh)).collect()
    }

    /// Verifies what is not begun, until nothing is left.
    fn help(&self, results: &Sender<Part>) {
        while let Some(index) = self.claim() {
            let mut claim = Claim { index, done: None, results };
            claim.done = Some(self.verify(index));
        }
    }
}

impl CheckedAhead<'_> {
    /// Verifies the transactions of `blocks` on up to `threads` threads while `work` runs, which takes them block by
    /// block ([`Self::take`]). The result does not depend on the number of threads.
    pub fn run<'b, R>(
        blocks: impl IntoIterator<Item = &'b [Envelope]>,
        mesh: &MeshId,
        threads: NonZeroUsize,
        work: impl FnOnce(&CheckedAhead<'_>) -> R,
    ) -> R {
        let (mut parts, mut signatures) = (Vec::new(), 0);
        let blocks = blocks.into_iter().map(|envelopes| {
            let first = parts.len();
            parts.extend(envelopes.chunks(PART));
            signatures += envelopes.len();
            first..parts.len()
        });
        let blocks = blocks.collect();
        // The thread that is here works, too.
        let helpers = (threads.get() - 1).min(signatures / MIN_PER_THREAD).min(parts.len());
        let shared = Work { mesh, parts, unclaimed: AtomicUsize::new(0) };
        let (sender, results) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..helpers {
                let (shared, sender) = (&shared, sender.clone());
                scope.spawn(move || shared.help(&sender));
            }
            // Only helpers keep one, so that waiting for them ends when all have ended.
            drop(sender);
            let ahead = CheckedAhead { work: &shared, blocks, done: RefCell::default(), results };
            let result = work(&ahead);
            // What is not begun is not needed: the work may have ended early.
            shared.unclaimed.store(shared.parts.len(), Ordering::Relaxed);
            result
        })
    }

    /// The transactions of the block with this index, as [`Checked::all`] gives them. Each block is taken once.
    pub fn take(&self, block: usize) -> Vec<Checked> {
        let Some(parts) = self.blocks.get(block) else { return Vec::new() };
        let mut checked = Vec::new();
        for part in parts.clone() {
            checked.extend(self.part(part).unwrap_or_else(|| self.work.verify(part)));
        }
        checked
    }

    /// A part, when it is verified; none when its thread could not finish.
    fn part(&self, part: usize) -> Done {
        let mut done = self.done.borrow_mut();
        loop {
            done.extend(self.results.try_iter().map(|Part { index, done }| (index, done)));
            if let Some(found) = done.remove(&part) {
                return found;
            }
            match self.work.claim() {
                // Instead of waiting.
                Some(index) => drop(done.insert(index, Some(self.work.verify(index)))),
                // All are begun: another thread finishes this one.
                None => {
                    let Part { index, done: finished } = self.results.recv().ok()?;
                    done.insert(index, finished);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::{Amount, BlockHeight, NodeKey};

    use super::*;
    use crate::transaction::{Call, Transaction, Transfer};

    /// A block of transactions, of which every third is of another mesh.
    fn block(first: u64, transactions: u64, mesh: &MeshId) -> Vec<Envelope> {
        let key = NodeKey::from_seed(&[3; 32]);
        let sealed = |nonce: u64| {
            let call = Call::Transfer(Transfer { to: key.node_id(), amount: Amount::ZERO, memo: None });
            let (fee, tip) = (Amount::ZERO, Amount::ZERO);
            let other = MeshId::from_bytes([2; 32]);
            let mesh = if nonce.is_multiple_of(3) { &other } else { mesh };
            Transaction { nonce, fee, tip, expiry: BlockHeight(1), call }.seal(&key, mesh).unwrap()
        };
        (first..first + transactions).map(sealed).collect()
    }

    #[test]
    fn what_is_verified_ahead_equals_what_is_verified_at_once() {
        let mesh = MeshId::from_bytes([1; 32]);
        let lengths = [0, 5, 70, 1, 0, 33, 32, 64];
        let blocks: Vec<_> = (0..).zip(lengths).map(|(n, length)| block(n * 100, length, &mesh)).collect();
        let one = NonZeroUsize::MIN;
        let expected: Vec<_> = blocks.iter().map(|block| Checked::all(block, &mesh, one)).collect();
        assert!(expected.iter().flatten().any(|one| one.transaction().is_err()));
        for threads in [1, 2, 3, 9] {
            let threads = NonZeroUsize::new(threads).unwrap();
            let bodies = || blocks.iter().map(Vec::as_slice);
            let all = |ahead: &CheckedAhead<'_>| (0..blocks.len()).map(|block| ahead.take(block)).collect();
            let taken: Vec<_> = CheckedAhead::run(bodies(), &mesh, threads, all);
            assert_eq!(taken, expected);
            let first = CheckedAhead::run(bodies(), &mesh, threads, |ahead| ahead.take(1));
            assert_eq!(first, expected[1], "the work may end before all are taken");
        }
    }
}
