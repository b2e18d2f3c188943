//! The write-ahead log of the height that is being decided, its proposed blocks, and the signer's record: a
//! plain file that is appended to, because its sync stands between a vote and the network.
//!
//! A frame is a length and a checksum in four bytes each, a byte of kind, and what was written. Reading
//! stops at the first frame that is not whole: what follows was never synced, and nothing that depended on
//! it has left the node. The latest signer's record counts. When the file grows beyond [`ROTATE`], the next height
//! begins a new one that replaces it in one rename.
//!
//! Hazard: a *prefix* that is damaged looks like a short file, and its record like an old one. The signer
//! of `nervure-consensus` says what then protects: it listens before it signs.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use nervure_consensus::bft::{SignerRecord, WalEntry};
use nervure_primitives::{
    BlockHeight,
    cbor::{self, Limits},
};

use crate::fail_point::{self, Point, reach};
use nervure_ledger::block::MAX_BLOCK_LEN;

/// The file is replaced by a new one when it is larger than this, in bytes; often, where tests wait for it.
const ROTATE: u64 = if fail_point::ENABLED { 16 << 10 } else { 1 << 20 };

/// Largest frame that is read, in bytes: a block.
const MAX_FRAME: usize = MAX_BLOCK_LEN;

/// Largest file that is read, in bytes. It holds one height, whose blocks are written once each.
const MAX_FILE: u64 = 1 << 30;

const ENTRY: u8 = 1;
const SIGNER: u8 = 2;
const BLOCK: u8 = 3;

/// Bytes before the content of a frame.
const HEAD: usize = 9;

/// The log, open for appending. The file is locked: a second process with the same key must not sign.
#[derive(Debug)]
pub struct Wal {
    path: PathBuf,
    file: File,
    size: u64,
    signer: SignerRecord,
}

/// What a log held.
#[derive(Debug, Default)]
pub struct RecoveredLog {
    /// The signer's record.
    pub signer: SignerRecord,
    /// The entries of all heights since the file was begun, in their order.
    pub entries: Vec<WalEntry>,
    /// Proposed blocks, encoded, of the same heights.
    pub blocks: Vec<Vec<u8>>,
}

impl RecoveredLog {
    /// The entries of one height.
    pub fn of(&self, height: BlockHeight) -> Vec<WalEntry> {
        self.entries.iter().filter(|entry| entry.height() == height).cloned().collect()
    }
}

impl Wal {
    /// Opens the log at `path`, or begins it, and reads what it holds.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when another process has it open; whatever else the disk says.
    pub fn open(path: &Path) -> io::Result<(Self, RecoveredLog)> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        file.try_lock().map_err(io::Error::from)?;
        let size = file.metadata()?.len();
        if size > MAX_FILE {
            // To read a part of it would be to forget what was signed in the rest.
            let why = format!("the log has {size} bytes, more than the {MAX_FILE} that are read");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (recovered, whole) = recover(&bytes);
        if whole < bytes.len() {
            // What is not whole would hide everything that is appended after it.
            file.set_len(whole as u64)?;
            file.sync_data()?;
        }
        let wal = Self { path: path.to_owned(), file, size: whole as u64, signer: recovered.signer };
        Ok((wal, recovered))
    }

    /// Appends an entry; it need not be durable yet.
    ///
    /// # Errors
    /// What the disk says. The same holds for the other methods; nothing may be sent after one.
    pub fn append(&mut self, entry: &WalEntry) -> io::Result<()> {
        self.frame(ENTRY, &entry.encode().map_err(io::Error::other)?)
    }

    /// Appends a proposed block, so that it is durable when this node says that it is valid: if all nodes
    /// stopped now, somebody must still have what may have been decided.
    ///
    /// # Errors
    /// As for [`Self::append`].
    pub fn append_block(&mut self, block: &[u8]) -> io::Result<()> {
        self.frame(BLOCK, block)
    }

    /// Replaces the signer's record; it need not be durable yet.
    ///
    /// # Errors
    /// As for [`Self::append`].
    pub fn save_signer(&mut self, record: &SignerRecord) -> io::Result<()> {
        self.signer = *record;
        let content = cbor::encode(record).map_err(io::Error::other)?;
        reach(Point::SignerWrite);
        self.frame(SIGNER, &content)?;
        reach(Point::SignerWritten);
        Ok(())
    }

    /// Makes everything so far durable.
    ///
    /// # Errors
    /// As for [`Self::append`].
    pub fn sync(&mut self) -> io::Result<()> {
        reach(Point::LogSync);
        self.file.sync_data()?;
        reach(Point::LogSynced);
        Ok(())
    }

    /// A height was committed: its entries are not needed any more.
    ///
    /// # Errors
    /// As for [`Self::append`].
    pub fn next_height(&mut self) -> io::Result<()> {
        if self.size < ROTATE {
            return Ok(());
        }
        let fresh = self.path.with_extension("new");
        let mut file = File::create(&fresh)?;
        file.try_lock().map_err(io::Error::from)?;
        reach(Point::RotateCreated);
        let record = cbor::encode(&self.signer).map_err(io::Error::other)?;
        file.write_all(&framed(SIGNER, &record))?;
        reach(Point::RotateWritten);
        file.sync_data()?;
        reach(Point::RotateSynced);
        fs::rename(&fresh, &self.path)?;
        reach(Point::RotateRenamed);
        if let Some(place) = self.path.parent().filter(|place| !place.as_os_str().is_empty()) {
            File::open(place)?.sync_all()?;
        }
        (self.file, self.size) = (file, (HEAD + record.len()) as u64);
        reach(Point::Rotated);
        Ok(())
    }

    fn frame(&mut self, kind: u8, content: &[u8]) -> io::Result<()> {
        let bytes = framed(kind, content);
        reach(Point::LogWrite);
        let (first, second) = bytes.split_at(if fail_point::ENABLED { bytes.len() / 2 } else { 0 });
        self.file.write_all(first)?;
        reach(Point::LogHalf);
        self.file.write_all(second)?;
        reach(Point::LogWritten);
        self.size += bytes.len() as u64;
        Ok(())
    }
}

fn framed(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + content.len());
    bytes.extend_from_slice(&(content.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&checksum(kind, content));
    bytes.push(kind);
    bytes.extend_from_slice(content);
    bytes
}

fn checksum(kind: u8, content: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(content);
    hasher.finalize().to_be_bytes()
}

/// What whole frames `bytes` begins with, and how long those are.
fn recover(bytes: &[u8]) -> (RecoveredLog, usize) {
    let (mut recovered, mut at) = (RecoveredLog::default(), 0);
    while let Some((kind, content)) = next_frame(&bytes[at..]) {
        match kind {
            ENTRY => match WalEntry::decode(content) {
                Ok(entry) => recovered.entries.push(entry),
                Err(_) => break,
            },
            BLOCK => recovered.blocks.push(content.to_vec()),
            _ => match cbor::decode(content, Limits::new(MAX_FRAME)) {
                Ok(record) => recovered.signer = record,
                Err(_) => break,
            },
        }
        at += HEAD + content.len();
    }
    (recovered, at)
}

fn next_frame(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let (kind, rest) = rest.split_first()?;
    let length = u32::from_be_bytes(*length) as usize;
    let content = rest.get(..length).filter(|_| length <= MAX_FRAME)?;
    let known = matches!(*kind, ENTRY | SIGNER | BLOCK);
    (known && *sum == checksum(*kind, content)).then_some((*kind, content))
}

#[cfg(test)]
mod tests {
    use nervure_consensus::bft::{Round, Timer, TimerKind};
    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    fn entry(height: u64) -> WalEntry {
        WalEntry::Timeout(Timer { height: BlockHeight(height), round: Round(1), kind: TimerKind::Propose })
    }

    fn record(height: u64) -> SignerRecord {
        SignerRecord { silent_through: Some(BlockHeight(height)), ..SignerRecord::default() }
    }

    #[test]
    fn what_was_written_is_read_and_the_last_record_counts() {
        let place = TempDir::new().unwrap();
        let path = place.path().join("wal");
        let (mut wal, recovered) = Wal::open(&path).unwrap();
        assert!(recovered.entries.is_empty() && recovered.signer == SignerRecord::default());
        for height in 1..=3 {
            wal.append(&entry(height)).unwrap();
            wal.save_signer(&record(height)).unwrap();
            wal.append_block(&[height as u8; 100]).unwrap();
        }
        wal.sync().unwrap();
        assert_eq!(Wal::open(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock, "one process only");
        drop(wal);
        let (_, recovered) = Wal::open(&path).unwrap();
        assert_eq!((recovered.of(BlockHeight(2)), recovered.entries.len()), (vec![entry(2)], 3));
        assert_eq!(recovered.signer, record(3));
        assert_eq!(recovered.blocks, [[1; 100], [2; 100], [3; 100]]);
    }

    #[test]
    fn a_large_file_is_replaced_by_one_with_the_record_alone() {
        let place = TempDir::new().unwrap();
        let path = place.path().join("wal");
        let (mut wal, _) = Wal::open(&path).unwrap();
        wal.save_signer(&record(7)).unwrap();
        while wal.size < ROTATE {
            wal.append(&entry(7)).unwrap();
        }
        wal.next_height().unwrap();
        wal.append(&entry(8)).unwrap();
        assert_eq!(
            Wal::open(&path).unwrap_err().kind(),
            io::ErrorKind::WouldBlock,
            "the new file is locked too"
        );
        drop(wal);
        let (wal, recovered) = Wal::open(&path).unwrap();
        assert_eq!((recovered.signer, recovered.entries), (record(7), vec![entry(8)]));
        assert!(wal.size < 1_000);
    }

    proptest! {
        #[test]
        fn a_cut_or_changed_tail_is_dropped_and_the_rest_stays(at in 0usize..400, to: u8, cut: bool) {
            let place = TempDir::new().unwrap();
            let path = place.path().join("wal");
            let (mut wal, _) = Wal::open(&path).unwrap();
            (1..=8).for_each(|height| wal.append(&entry(height)).unwrap());
            drop(wal);
            let mut bytes = fs::read(&path).unwrap();
            let at = at % bytes.len();
            if cut { bytes.truncate(at) } else { bytes[at] = to }
            fs::write(&path, &bytes).unwrap();
            let (mut wal, recovered) = Wal::open(&path).unwrap();
            let count = recovered.entries.len();
            prop_assert_eq!(&recovered.entries, &(1..=count as u64).map(entry).collect::<Vec<_>>());
            wal.append(&entry(99)).unwrap();
            drop(wal);
            let (_, again) = Wal::open(&path).unwrap();
            prop_assert_eq!(again.entries.len(), count + 1);
            prop_assert_eq!(again.entries.last(), Some(&entry(99)));
        }
    }
}
