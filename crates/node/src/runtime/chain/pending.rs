//! Transactions of this node's own users that wait for a block, kept across restarts.
//!
//! A plain file beside the chain: a length, a checksum and a sealed transaction, one after the other, appended as they come
//! and written again when some are in a block. Nothing waits for the disk, so that a power failure may lose the latest; a
//! process that is killed loses none. What is read is offered to the mempool like anything else: what the ledger would refuse
//! by now is dropped there.
//!
//! Others' transactions are not kept: whoever they belong to keeps them.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use nervure_ledger::transaction;
use nervure_primitives::{Envelope, Hash};

/// Transactions that are kept. More are taken by the pool, and forgotten with the process.
const MOST: usize = 1_000;

/// Largest file that is written or read, in bytes.
const LARGEST: usize = 4 << 20;

/// Bytes before a transaction.
const HEAD: usize = 8;

/// Transactions of this node's own users, and their file.
pub(crate) struct Pending {
    path: PathBuf,
    waiting: BTreeMap<Hash, Envelope>,
    bytes: usize,
}

impl Pending {
    /// Those in the file at `path`; none where it cannot be read.
    pub(super) fn open(path: &Path) -> Self {
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(LARGEST as u64).read_to_end(&mut bytes));
        if let Err(error) = read
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "transactions that waited are lost");
        }
        let mut rest = bytes.as_slice();
        let envelopes = std::iter::from_fn(|| next(&mut rest)).take(MOST);
        let waiting: BTreeMap<_, _> = envelopes.map(|envelope| (envelope.id(), envelope)).collect();
        Self { path: path.to_owned(), waiting, bytes: bytes.len() }
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Envelope> {
        self.waiting.values()
    }

    /// One more waits.
    pub(super) fn add(&mut self, id: Hash, envelope: &Envelope) {
        let Some(frame) = frame(envelope) else { return };
        if self.waiting.len() >= MOST || self.bytes.saturating_add(frame.len()) > LARGEST {
            return;
        }
        let file = OpenOptions::new().append(true).create(true).open(&self.path);
        match file.and_then(|mut file| file.write_all(&frame)) {
            Ok(()) => {
                self.bytes += frame.len();
                self.waiting.insert(id, envelope.clone());
            }
            Err(error) => self.complain(&error),
        }
    }

    /// Forgets those that do not wait any more.
    pub(super) fn retain(&mut self, waits: impl Fn(&Hash) -> bool) {
        let before = self.waiting.len();
        self.waiting.retain(|id, _| waits(id));
        if self.waiting.len() < before
            && let Err(error) = self.write()
        {
            self.complain(&error);
        }
    }

    /// Writes the file anew.
    fn write(&mut self) -> io::Result<()> {
        let bytes: Vec<u8> = self.waiting.values().filter_map(frame).flatten().collect();
        let fresh = self.path.with_extension("new");
        fs::write(&fresh, &bytes)?;
        fs::rename(&fresh, &self.path)?;
        self.bytes = bytes.len();
        Ok(())
    }

    /// What waits goes on waiting; only a restart would lose it.
    fn complain(&self, error: &io::Error) {
        tracing::warn!(path = %self.path.display(), %error, "what waits is not kept across a restart");
    }
}

fn frame(envelope: &Envelope) -> Option<Vec<u8>> {
    let content = envelope.encode().ok()?;
    let mut bytes = Vec::with_capacity(HEAD + content.len());
    bytes.extend_from_slice(&u32::try_from(content.len()).ok()?.to_be_bytes());
    bytes.extend_from_slice(&checksum(&content));
    bytes.extend_from_slice(&content);
    Some(bytes)
}

/// The next whole one; whatever is behind one that is not was being written when the process ended.
fn next(rest: &mut &[u8]) -> Option<Envelope> {
    let (length, behind) = rest.split_first_chunk::<4>()?;
    let (sum, behind) = behind.split_first_chunk::<4>()?;
    let (content, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    if *sum != checksum(content) {
        return None;
    }
    *rest = behind;
    Envelope::decode(content, transaction::MAX_LEN).ok()
}

/// The first bytes of a hash: what is damaged is not taken for what was written.
fn checksum(content: &[u8]) -> [u8; 4] {
    let hash = Hash::of("nervure/pending/1", &[content]);
    hash.as_bytes().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use nervure_ledger::transaction::{Call, Transaction, Transfer};
    use nervure_primitives::{Amount, BlockHeight, MeshId, NodeKey};

    use super::*;

    fn envelope(nonce: u64) -> Envelope {
        let key = NodeKey::from_seed(&[1; 32]);
        let call = Call::Transfer(Transfer { to: key.node_id(), amount: Amount::from_base_units(1) });
        let transaction =
            Transaction { nonce, fee: Amount::from_base_units(9), expiry: BlockHeight(9), call };
        transaction.seal(&key, &MeshId::from_bytes([2; 32])).unwrap()
    }

    fn add(pending: &mut Pending, nonce: u64) -> Hash {
        let envelope = envelope(nonce);
        pending.add(envelope.id(), &envelope);
        envelope.id()
    }

    fn kept(path: &Path) -> Vec<Hash> {
        Pending::open(path).iter().map(Envelope::id).collect()
    }

    #[test]
    fn what_waits_is_there_again_and_what_is_settled_is_not() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("pending");
        let mut pending = Pending::open(&path);
        let [one, two, three] = [1, 2, 3].map(|nonce| add(&mut pending, nonce));
        assert_eq!(kept(&path).len(), 3);
        pending.retain(|id| *id != two);
        let (mut wanted, found) = (vec![one, three], kept(&path));
        wanted.sort();
        assert_eq!(found, wanted);
        pending.retain(|_| false);
        assert!(kept(&path).is_empty());
    }

    #[test]
    fn a_torn_or_damaged_end_loses_itself_only() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("pending");
        let mut pending = Pending::open(&path);
        let first = add(&mut pending, 1);
        let whole = fs::read(&path).unwrap().len();
        add(&mut pending, 2);
        let bytes = fs::read(&path).unwrap();
        for end in whole..bytes.len() {
            fs::write(&path, &bytes[..end]).unwrap();
            assert_eq!(kept(&path), [first], "cut at {end}");
        }
        for at in whole..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            assert_eq!(kept(&path), [first], "damaged at {at}");
        }
    }

    #[test]
    fn more_than_is_kept_is_not_written() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("pending");
        let mut pending = Pending::open(&path);
        for nonce in 0..MOST as u64 + 5 {
            add(&mut pending, nonce);
        }
        assert_eq!((pending.waiting.len(), kept(&path).len()), (MOST, MOST));
        assert!(fs::metadata(&path).unwrap().len() < LARGEST as u64);
    }
}
