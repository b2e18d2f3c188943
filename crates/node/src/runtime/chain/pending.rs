//! Pending transactions of this node's own users, kept across restarts.
//!
//! An [`AppendLog`] beside the chain: transactions are appended as they come, and the file is replaced when some
//! are settled. An append does not wait for the disk, so that a power failure may lose the latest transactions; a
//! process that is killed loses none. What is read is offered to the mempool like anything else: a transaction
//! that the ledger would reject by now is dropped there.
//!
//! Transactions of other nodes' users are not kept: their own nodes keep them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use nervure_ledger::{mempool::MempoolError, transaction};
use nervure_primitives::{
    Envelope, Hash,
    durable::{AppendLog, FRAME_HEAD_BYTES, LogError, LogFormat},
};

/// Transactions that are kept. The mempool takes more, which a restart forgets.
const MAX_TRANSACTIONS: usize = 1_000;

/// Largest file that is written or read, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// They are published again after this many blocks since the start, and then at this interval.
const FIRST_REBROADCAST_BLOCKS: u32 = 2;
const REBROADCAST_INTERVAL_BLOCKS: u32 = 64;

const FORMAT: LogFormat = LogFormat {
    magic: b"nervtxs3",
    uncounted: 0,
    // An envelope is a little larger than its body.
    max_payload: transaction::MAX_LEN + 1024,
    max_file: MAX_FILE_BYTES,
};

/// Transactions of this node's own users, and their file.
pub(crate) struct PendingTransactions {
    path: PathBuf,
    /// None while the file cannot be opened.
    log: Option<AppendLog>,
    transactions: BTreeMap<Hash, Envelope>,
    /// Blocks that were committed one by one since the start.
    blocks: u32,
}

impl PendingTransactions {
    /// Those in the file at `path`; none where it cannot be read.
    pub(super) fn open(path: &Path) -> Self {
        let mut pending = Self { path: path.to_owned(), log: None, transactions: BTreeMap::new(), blocks: 0 };
        if let Err(error) = pending.recover() {
            tracing::warn!(path = %path.display(), %error, "pending transactions cannot be read");
            if matches!(error, LogError::Magic { .. } | LogError::TooLarge { .. }) {
                // It never becomes readable: a log that starts over keeps the next transactions.
                let _ = std::fs::remove_file(path);
                let _ = pending.recover().inspect_err(|error| pending.warn(error));
            }
        }
        pending
    }

    /// Opens the file and reads its transactions.
    fn recover(&mut self) -> Result<(), LogError> {
        let transactions = &mut self.transactions;
        let log = AppendLog::open_taking(&self.path, FORMAT, |payload| {
            let envelope = Envelope::decode(payload, transaction::MAX_LEN).ok();
            let envelope = envelope.filter(|_| transactions.len() < MAX_TRANSACTIONS);
            envelope.map(|envelope| transactions.insert(envelope.id(), envelope)).is_some()
        })?;
        self.log = Some(log);
        Ok(())
    }

    /// Offers all of them to the mempool: this process has just begun. Those that it refuses stay until
    /// [`Self::retain`].
    pub(super) fn restore(&self, mut insert: impl FnMut(Envelope) -> Result<Hash, MempoolError>) {
        for (id, envelope) in &self.transactions {
            match insert(envelope.clone()) {
                Ok(_) => tracing::info!(%id, "a pending transaction was restored"),
                Err(refusal) => tracing::info!(%id, %refusal, "a pending transaction was dropped"),
            }
        }
    }

    /// A block was committed. Returns the transactions to publish again, encoded: peers that joined after they were
    /// first published do not know them.
    pub(super) fn due_broadcasts(&mut self) -> Vec<(Hash, Vec<u8>)> {
        self.blocks = self.blocks.wrapping_add(1);
        let is_due = self.blocks == FIRST_REBROADCAST_BLOCKS
            || self.blocks.is_multiple_of(REBROADCAST_INTERVAL_BLOCKS);
        let due = self.transactions.iter().filter(|_| is_due);
        due.filter_map(|(id, envelope)| Some((*id, envelope.encode().ok()?))).collect()
    }

    /// Keeps one more.
    pub(super) fn add(&mut self, id: Hash, envelope: &Envelope) {
        let Ok(payload) = envelope.encode() else { return };
        let Some(log) = &mut self.log else { return };
        let size = log.size().saturating_add((FRAME_HEAD_BYTES + payload.len()) as u64);
        // It is in the mempool already: only a restart would lose it.
        if self.transactions.len() >= MAX_TRANSACTIONS || size > MAX_FILE_BYTES {
            return;
        }
        match log.append(&payload) {
            Ok(_) => drop(self.transactions.insert(id, envelope.clone())),
            Err(error) => self.warn(&error),
        }
    }

    /// Forgets those that are no longer pending.
    pub(super) fn retain(&mut self, is_pending: impl Fn(&Hash) -> bool) {
        let before = self.transactions.len();
        self.transactions.retain(|id, _| is_pending(id));
        if self.transactions.len() == before {
            return;
        }
        let payloads = self.transactions.values().filter_map(|envelope| envelope.encode().ok());
        let replaced = self.log.as_mut().map(|log| log.replace(payloads, |_| Ok(())));
        if let Some(Err(error)) = replaced {
            self.warn(&error);
        }
    }

    /// They stay pending; only a restart would lose them.
    fn warn(&self, error: &dyn std::error::Error) {
        tracing::warn!(path = %self.path.display(), %error, "pending transactions are not kept across a restart");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nervure_ledger::transaction::{Call, Transaction, Transfer};
    use nervure_primitives::{Amount, BlockHeight, MeshId, NodeKey};

    use super::*;

    fn envelope(nonce: u64) -> Envelope {
        let key = NodeKey::from_seed(&[1; 32]);
        let call =
            Call::Transfer(Transfer { to: key.node_id(), amount: Amount::from_base_units(1), memo: None });
        let (fee, tip) = (Amount::from_base_units(9), Amount::ZERO);
        let transaction = Transaction { nonce, fee, tip, expiry: BlockHeight(9), call };
        transaction.seal(&key, &MeshId::from_bytes([2; 32])).unwrap()
    }

    fn add(pending: &mut PendingTransactions, nonce: u64) -> Hash {
        let envelope = envelope(nonce);
        pending.add(envelope.id(), &envelope);
        envelope.id()
    }

    /// What a restart reads from a file with this content.
    fn read(bytes: &[u8]) -> Vec<Hash> {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("pending");
        fs::write(&path, bytes).unwrap();
        PendingTransactions::open(&path).transactions.into_keys().collect()
    }

    #[test]
    fn pending_transactions_survive_a_restart_and_settled_ones_are_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("pending");
        let mut pending = PendingTransactions::open(&path);
        let [one, two, three] = [1, 2, 3].map(|nonce| add(&mut pending, nonce));
        let kept = || read(&fs::read(&path).unwrap());
        assert_eq!(kept().len(), 3);
        pending.retain(|id| *id != two);
        let (mut wanted, found) = (vec![one, three], kept());
        wanted.sort();
        assert_eq!(found, wanted);
        pending.retain(|_| false);
        assert!(kept().is_empty());
        let again = add(&mut pending, 4);
        assert_eq!(kept(), [again]);
    }

    #[test]
    fn a_torn_or_damaged_frame_at_the_end_is_dropped_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("pending");
        let mut pending = PendingTransactions::open(&path);
        let first = add(&mut pending, 1);
        let whole = fs::read(&path).unwrap().len();
        add(&mut pending, 2);
        let bytes = fs::read(&path).unwrap();
        for end in whole..bytes.len() {
            assert_eq!(read(&bytes[..end]), [first], "cut at {end}");
        }
        for at in whole..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(read(&damaged), [first], "damaged at {at}");
        }
    }

    #[test]
    fn a_file_of_another_version_starts_over() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("pending");
        fs::write(&path, b"of another version").unwrap();
        let mut pending = PendingTransactions::open(&path);
        let id = add(&mut pending, 1);
        assert_eq!(read(&fs::read(&path).unwrap()), [id]);
    }

    #[test]
    fn more_than_the_limit_is_not_written() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("pending");
        let mut pending = PendingTransactions::open(&path);
        for nonce in 0..MAX_TRANSACTIONS as u64 + 5 {
            add(&mut pending, nonce);
        }
        let bytes = fs::read(&path).unwrap();
        assert_eq!((pending.transactions.len(), read(&bytes).len()), (MAX_TRANSACTIONS, MAX_TRANSACTIONS));
        assert!((bytes.len() as u64) < MAX_FILE_BYTES);
    }
    #[test]
    fn a_restart_offers_them_to_the_mempool_and_forgets_what_it_refuses() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("pending");
        let mut pending = PendingTransactions::open(&path);
        let [one, two] = [1, 2].map(|nonce| add(&mut pending, nonce));
        drop(pending);
        let mut pending = PendingTransactions::open(&path);
        let mut pool = Vec::new();
        pending.restore(|envelope| {
            if envelope.id() == two {
                return Err(MempoolError::Known);
            }
            pool.push(envelope.id());
            Ok(envelope.id())
        });
        assert_eq!(pool, [one]);
        pending.retain(|id| pool.contains(id));
        assert_eq!(read(&fs::read(&path).unwrap()), [one]);
    }

    #[test]
    fn they_are_published_again_after_two_blocks_and_then_every_sixty_four() {
        let home = tempfile::tempdir().unwrap();
        let mut pending = PendingTransactions::open(&home.path().join("pending"));
        add(&mut pending, 1);
        let due: Vec<u32> = (1..=200).filter(|_| !pending.due_broadcasts().is_empty()).collect();
        assert_eq!(due, [2, 64, 128, 192]);
        pending.blocks = 63;
        assert_eq!(pending.due_broadcasts(), [(envelope(1).id(), envelope(1).encode().unwrap())]);
    }
}
