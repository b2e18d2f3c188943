//! The write-ahead log of the height that is being decided: the engine's entries, the proposed blocks and the
//! signer's record. A plain file that is appended to, because its sync stands between a vote and the network.
//!
//! A payload of the [`AppendLog`] is a byte of kind and what was written. The latest signer's record counts. The
//! file begins with that record and holds the heights since; when it is larger than [`ROTATE_BYTES`] after a
//! height, it is replaced by one that holds the record alone.
//!
//! **Claim.** Only what may be an unsynced end of the file is cut off when it is opened: appends of which none
//! is whole. Nothing that depended on them has left the node. Damage before a whole frame is an error, because
//! what follows was perhaps synced, and the key has perhaps signed what it says. [`Wal::accept_damage`] then
//! takes what is left and signs nothing at the height that the log may be about.
//!
//! **Hazard.** Damage that leaves no whole frame behind it looks like such an end, and its record like an old
//! one. The signer of `nervure-consensus` says what then protects: it listens before it signs.

mod damage;
#[cfg(test)]
mod tests;

use std::{
    io,
    path::{Path, PathBuf},
    time::Instant,
};

use nervure_consensus::bft::{SignerRecord, WalEntry};
use nervure_ledger::block::MAX_BLOCK_LEN;
use nervure_primitives::{
    BlockHeight,
    cbor::{self, Limits},
    durable::{AppendLog, FrameError, LogContents, LogError, LogFormat, ReplaceStep},
};

pub use self::damage::LogOwner;
use crate::{
    WalMetrics,
    fail_point::{self, Point, reach},
};

/// The file is replaced by a new one when it is larger than this. Tests with fail points wait for it, so that
/// it is small there.
const ROTATE_BYTES: u64 = if fail_point::ENABLED { 16 << 10 } else { 1 << 20 };

/// The length of a frame counts its content without the byte of kind; the largest content is a block. The
/// version of the format is the last byte of the magic number.
const FORMAT: LogFormat =
    LogFormat { magic: b"nervwal2", uncounted: 1, max_payload: MAX_BLOCK_LEN, max_file: 1 << 30 };

/// Blocks are written while the file is smaller than this: at least 128 of one height. The engine tracks up to 1,024,
/// of up to 4 MiB each, if the rounds of a height get so many. The rest of the file is for entries and records,
/// without which this node could not vote.
const BLOCK_SPACE_BYTES: u64 = FORMAT.max_file / 2;

const KIND_ENTRY: u8 = 1;
const KIND_SIGNER: u8 = 2;
const KIND_BLOCK: u8 = 3;

/// The log, open for appending. The file is locked: a second process with the same key must not sign.
#[derive(Debug)]
pub struct Wal {
    log: AppendLog,
    signer: SignerRecord,
    metrics: WalMetrics,
    block_space: u64,
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
    /// Bytes at the end of the file that were cut off: appends that a crash left incomplete.
    pub torn_bytes: u64,
}

/// Why the log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalError {
    /// What the disk says, or another kind of file; [`io::ErrorKind::WouldBlock`] when another process has
    /// it open.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Damage before a whole frame, or a whole frame with other content than this version writes. What the key
    /// signed last is perhaps not known any more.
    #[error("{} is damaged at byte {at}: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damaged frame begins.
        at: u64,
        /// What is wrong.
        why: &'static str,
    },
}

impl WalError {
    /// Whether another process has the file open.
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::Log(LogError::Io { error, .. }) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Whether [`Wal::accept_damage`] helps.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Log(LogError::Magic { .. }))
    }
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
    /// When another process has it open, it is damaged before its end, or what the disk says.
    pub fn open(path: &Path) -> Result<(Self, RecoveredLog), WalError> {
        let (mut log, contents) = AppendLog::open(path, FORMAT)?;
        // `AppendLog::open` locked the file, so what is read here does not change.
        let (recovered, end) = recover(&contents).map_err(|(at, why)| {
            let path = path.to_owned();
            WalError::Damaged { path, at, why }
        })?;
        // A frame that is not whole would hide everything that is appended after it.
        log.truncate(end).map_err(|error| LogError::Io { path: path.to_owned(), error })?;
        Ok((Self::new(log, recovered.signer), recovered))
    }

    fn new(log: AppendLog, signer: SignerRecord) -> Self {
        Self { log, signer, metrics: WalMetrics::default(), block_space: BLOCK_SPACE_BYTES }
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
    /// stopped now, one of them must still have the block that may have been decided. Returns `false` when it is
    /// not written: the blocks of this height fill half of the largest file. Votes need no block in the log.
    ///
    /// # Errors
    /// As for [`Self::append`].
    pub fn append_block(&mut self, block: &[u8]) -> io::Result<bool> {
        if self.log.size() >= self.block_space {
            return Ok(false);
        }
        self.frame(KIND_BLOCK, block).map(|()| true)
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
            Ok(())
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

/// What a log holds, and where its whole frames end; or where it is damaged, and how.
fn recover(contents: &LogContents) -> Result<(RecoveredLog, u64), (u64, &'static str)> {
    let (mut recovered, mut end) = (RecoveredLog::default(), FORMAT.magic.len() as u64);
    for frame in contents.frames() {
        match frame {
            Ok(frame) => {
                // It was written as it is, so it is no end that a crash left: what it says may count.
                recovered.take(frame.payload).ok_or((frame.at, "its content is not of this version"))?;
                end = frame.end;
            }
            Err(FrameError::Torn { .. } | FrameError::Damaged { next: None, .. }) => break,
            Err(FrameError::Damaged { at, next: Some(_) }) => return Err((at, "whole frames follow")),
        }
    }
    recovered.torn_bytes = contents.size() - end;
    Ok((recovered, end))
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
