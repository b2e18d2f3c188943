//! The write-ahead log of the height that is being decided: the engine's entries, the proposed blocks and the
//! signer's record. A plain file that is appended to, because its sync stands between a vote and the network.
//!
//! A payload of the [`AppendLog`] is a byte of kind and what was written. Reading stops at the first frame that
//! is not whole: what follows was never synced, and nothing that depended on it has left the node. The latest
//! signer's record counts. When the file grows beyond [`ROTATE_BYTES`], the next height replaces it by one
//! that holds the record alone.
//!
//! Hazard: a *prefix* that is damaged looks like a short file, and its record like an old one. The signer
//! of `nervure-consensus` says what then protects: it listens before it signs.

use std::{io, path::Path, time::Instant};

use nervure_consensus::bft::{SignerRecord, WalEntry};
use nervure_ledger::block::MAX_BLOCK_LEN;
use nervure_primitives::{
    BlockHeight,
    cbor::{self, Limits},
    durable::{AppendLog, LogContents, LogFormat, ReplaceStep},
};

use crate::{
    WalMetrics,
    fail_point::{self, Point, reach},
};

/// The file is replaced by a new one when it is larger than this. Tests with fail points wait for it, so that
/// it is small there.
const ROTATE_BYTES: u64 = if fail_point::ENABLED { 16 << 10 } else { 1 << 20 };

/// The length of a frame counts its content without the byte of kind; the largest content is a block. The
/// file holds one height, whose blocks are written once each.
const FORMAT: LogFormat =
    LogFormat { magic: b"", uncounted: 1, max_payload: MAX_BLOCK_LEN, max_file: 1 << 30 };

const KIND_ENTRY: u8 = 1;
const KIND_SIGNER: u8 = 2;
const KIND_BLOCK: u8 = 3;

/// The log, open for appending. The file is locked: a second process with the same key must not sign.
#[derive(Debug)]
pub struct Wal {
    log: AppendLog,
    signer: SignerRecord,
    metrics: WalMetrics,
}

/// The content of a log.
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
    /// Opens the log at `path`, or creates it, and reads what it holds.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when another process has it open; any other error of the disk.
    pub fn open(path: &Path) -> io::Result<(Self, RecoveredLog)> {
        let (mut log, contents) = AppendLog::open(path, FORMAT)?;
        // `AppendLog::open` locked the file, so what is read here does not change.
        let (recovered, end) = recover(&contents);
        // A frame that is not whole would hide everything that is appended after it.
        log.truncate(end)?;
        Ok((Self { log, signer: recovered.signer, metrics: WalMetrics::default() }, recovered))
    }

    /// What it measures.
    pub fn metrics(&self) -> &WalMetrics {
        &self.metrics
    }

    /// Appends an entry; it need not be durable yet.
    ///
    /// # Errors
    /// What the disk says. The same holds for the other methods; nothing may be sent after one.
    pub fn append(&mut self, entry: &WalEntry) -> io::Result<()> {
        self.frame(KIND_ENTRY, &entry.encode().map_err(io::Error::other)?)
    }

    /// Appends a proposed block, so that it is durable when this node says that it is valid: if all nodes
    /// stopped now, one of them must still have the block that may have been decided.
    ///
    /// # Errors
    /// As for [`Self::append`].
    pub fn append_block(&mut self, block: &[u8]) -> io::Result<()> {
        self.frame(KIND_BLOCK, block)
    }

    /// Replaces the signer's record; it need not be durable yet.
    ///
    /// # Errors
    /// As for [`Self::append`].
    pub fn save_signer(&mut self, record: &SignerRecord) -> io::Result<()> {
        // Kept in memory for `next_height`, which writes it into the next file.
        self.signer = *record;
        let content = cbor::encode(record).map_err(io::Error::other)?;
        reach(Point::SignerWrite);
        self.frame(KIND_SIGNER, &content)?;
        reach(Point::SignerWritten);
        Ok(())
    }

    /// Makes everything so far durable.
    ///
    /// # Errors
    /// As for [`Self::append`].
    pub fn sync(&mut self) -> io::Result<()> {
        reach(Point::LogSync);
        let began = Instant::now();
        self.log.sync()?;
        self.metrics.synced(began);
        reach(Point::LogSynced);
        Ok(())
    }

    /// A height was committed: its entries are not needed any more.
    ///
    /// # Errors
    /// As for [`Self::append`].
    pub fn next_height(&mut self) -> io::Result<()> {
        // Replacing costs two syncs and a rename; most heights append to the same file.
        if self.log.size() < ROTATE_BYTES {
            return Ok(());
        }
        let record = cbor::encode(&self.signer).map_err(io::Error::other)?;
        // The record has to be in the new file before the old one goes: without it this key could sign
        // twice.
        self.log.replace([payload(KIND_SIGNER, &record)], |step| {
            reach(match step {
                ReplaceStep::Created => Point::RotateCreated,
                ReplaceStep::Written => Point::RotateWritten,
                ReplaceStep::Synced => Point::RotateSynced,
                ReplaceStep::Renamed => Point::RotateRenamed,
                ReplaceStep::Finished => Point::Rotated,
            });
        })
    }

    fn frame(&mut self, kind: u8, content: &[u8]) -> io::Result<()> {
        let payload = payload(kind, content);
        reach(Point::LogWrite);
        if fail_point::ENABLED {
            self.log.append_in_halves(&payload, || reach(Point::LogHalf))?;
        } else {
            self.log.append(&payload)?;
        }
        reach(Point::LogWritten);
        Ok(())
    }
}

fn payload(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(1 + content.len());
    payload.push(kind);
    payload.extend_from_slice(content);
    payload
}

/// The whole frames that a log begins with, and where they end.
fn recover(contents: &LogContents) -> (RecoveredLog, u64) {
    let (mut recovered, mut end) = (RecoveredLog::default(), 0);
    // Stops at the first frame that is not whole: later ones have no known place.
    for frame in contents.frames().map_while(Result::ok) {
        if recovered.take(frame.payload).is_none() {
            break;
        }
        // Only after the payload was read: an unreadable frame is cut off, too.
        end = frame.end;
    }
    (recovered, end)
}

impl RecoveredLog {
    /// Adds what a frame holds; `None` when that is not readable.
    fn take(&mut self, payload: &[u8]) -> Option<()> {
        let (kind, content) = payload.split_first()?;
        match *kind {
            KIND_ENTRY => self.entries.push(WalEntry::decode(content).ok()?),
            KIND_BLOCK => self.blocks.push(content.to_vec()),
            // Every change appends a whole record, so the last one counts.
            KIND_SIGNER => self.signer = cbor::decode(content, Limits::new(MAX_BLOCK_LEN)).ok()?,
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

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
    fn reads_what_was_appended_and_the_last_record_counts() {
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
        while wal.log.size() < ROTATE_BYTES {
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
        assert!(wal.log.size() < 1_000);
    }

    proptest! {
        #[test]
        fn a_damaged_tail_is_dropped_and_the_rest_stays(at in 0usize..400, to: u8, cut: bool) {
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
