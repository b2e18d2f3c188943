//! The default anchor: a file that is only appended to.
//!
//! A record is a length and a CRC-32 in four bytes each, and a [`Submission`] with all its signatures, so that
//! the file is proof by itself: opening it verifies every quorum again, from the set that it began with. An
//! append that a crash cut short is dropped, as nobody was told that it is kept; anything else that is wrong
//! is refused, because what was told to be kept would be missing.
//!
//! It protects against losing or rewriting the mesh's own store, not against whoever can write the file.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use nervure_primitives::{BlockHeight, Hash};

use super::{
    Anchor, AnchorDomain, AnchorError, AnchorFuture, Anchored, Keeper, KeeperRefusal, MAX_SUBMISSION_LEN,
    Receipt, Submission,
};

/// Bytes before a record.
const HEAD: usize = 8;

/// Largest file that is read, in bytes: ten years of checkpoints of a large mesh.
const MAX_FILE: u64 = 4 << 30;

/// An anchor in a file.
#[derive(Debug)]
pub struct LocalAnchor {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    size: u64,
    keeper: Keeper,
    kept: Vec<Anchored>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// What the disk says; [`io::ErrorKind::WouldBlock`] when another process has the file.
    #[error("the anchor's file {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the disk says.
        error: io::Error,
    },
    /// A record that is not what was written.
    #[error("the anchor's file {} is damaged at byte {at}: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the record begins.
        at: u64,
        /// What is wrong with it.
        why: String,
    },
}

impl LocalAnchor {
    /// Opens the file at `path`, or begins it, and verifies what it holds; `keeper` keeps nothing yet.
    ///
    /// # Errors
    /// When the disk says no, another process has the file, or it is damaged.
    pub fn open(path: &Path, mut keeper: Keeper) -> Result<Self, LocalError> {
        let io = |error| LocalError::Io { path: path.to_owned(), error };
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io)?;
        file.try_lock().map_err(|error| io(error.into()))?;
        let mut bytes = Vec::new();
        (&mut file).take(MAX_FILE).read_to_end(&mut bytes).map_err(io)?;
        let mut kept = Vec::new();
        let size = replay(&bytes, &mut keeper, &mut kept).map_err(|(at, why)| LocalError::Damaged {
            path: path.to_owned(),
            at,
            why,
        })?;
        if size < bytes.len() as u64 {
            file.set_len(size).and_then(|()| file.sync_data()).map_err(io)?;
        }
        let inner = Inner { file, size, keeper, kept };
        Ok(Self { path: path.to_owned(), inner: Mutex::new(inner) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves nothing half done here: memory changes after the disk.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, submission: &Submission) -> Result<Receipt, AnchorError> {
        let mut inner = self.lock();
        if !inner.keeper.check(submission)? {
            return Ok(Receipt::Known);
        }
        inner.append(submission).map_err(|error| LocalError::Io { path: self.path.clone(), error })?;
        inner.keeper.submit(submission)?;
        inner.kept.push(anchored(submission));
        Ok(Receipt::Stored { reference: None, gas: None })
    }
}

impl Inner {
    fn append(&mut self, submission: &Submission) -> io::Result<()> {
        let content = submission.encode().map_err(io::Error::other)?;
        let written = self.file.write_all(&framed(&content)).and_then(|()| self.file.sync_data());
        if written.is_err() {
            // Part of it may be there, and would be damage once something follows it.
            self.file.set_len(self.size)?;
        } else {
            self.size += (HEAD + content.len()) as u64;
        }
        written
    }
}

impl Anchor for LocalAnchor {
    fn domain(&self) -> AnchorDomain {
        self.lock().keeper.domain()
    }

    fn submit<'a>(&'a self, submission: &'a Submission) -> AnchorFuture<'a, Receipt> {
        Box::pin(async { self.keep(submission) })
    }

    fn at(&self, height: BlockHeight) -> AnchorFuture<'_, Option<Anchored>> {
        Box::pin(async move {
            let inner = self.lock();
            let at = inner.kept.binary_search_by_key(&height, |one| one.height);
            Ok(at.ok().and_then(|at| inner.kept.get(at).cloned()))
        })
    }

    fn list(&self, height: BlockHeight, most: usize) -> AnchorFuture<'_, Vec<Anchored>> {
        Box::pin(async move {
            let inner = self.lock();
            let from = inner.kept.partition_point(|one| one.height < height);
            Ok(inner.kept.iter().skip(from).take(most).cloned().collect())
        })
    }

    fn head(&self) -> AnchorFuture<'_, (BlockHeight, Hash)> {
        Box::pin(async {
            let inner = self.lock();
            Ok((inner.keeper.latest(), inner.keeper.validators()))
        })
    }
}

fn anchored(submission: &Submission) -> Anchored {
    let one = &submission.checkpoint;
    Anchored { height: one.height(), id: one.id(), state: one.state(), reference: None }
}

fn framed(content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + content.len());
    bytes.extend((content.len() as u32).to_be_bytes());
    bytes.extend(crc32fast::hash(content).to_be_bytes());
    bytes.extend(content);
    bytes
}

/// Submits every record of a file. Returns where the last whole one ends, or where and why one is damaged.
fn replay(bytes: &[u8], keeper: &mut Keeper, kept: &mut Vec<Anchored>) -> Result<u64, (u64, String)> {
    let mut rest = bytes;
    while let Some((head, after)) = rest.split_at_checked(HEAD) {
        let at = (bytes.len() - rest.len()) as u64;
        let word =
            |from: usize| u32::from_be_bytes([head[from], head[from + 1], head[from + 2], head[from + 3]]);
        let (length, sum) = (word(0) as usize, word(4));
        if length > MAX_SUBMISSION_LEN {
            return Err((at, format!("a record of {length} bytes")));
        }
        let Some((content, after)) = after.split_at_checked(length) else { break };
        if crc32fast::hash(content) != sum {
            // The last record may have been written in part; one that others follow was whole.
            if after.is_empty() {
                break;
            }
            return Err((at, "its checksum does not hold".into()));
        }
        let submission = Submission::decode(content).map_err(|error| (at, error.to_string()))?;
        match keeper.submit(&submission) {
            Ok(true) => kept.push(anchored(&submission)),
            Ok(false) => return Err((at, "a checkpoint is there twice".into())),
            Err(refusal) => return Err((at, reason(&refusal))),
        }
        rest = after;
    }
    Ok((bytes.len() - rest.len()) as u64)
}

fn reason(refusal: &KeeperRefusal) -> String {
    format!("a checkpoint that is to be refused: {refusal}")
}
