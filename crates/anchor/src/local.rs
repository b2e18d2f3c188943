//! The default anchor: a file that is only appended to.
//!
//! A record is a length and a CRC-32 in four bytes each, and its content. The first says for which mesh and domain the
//! file is, and which set it began with; each further one is a [`Submission`] with all its signatures, so that the file is
//! proof by itself: opening it verifies every quorum again. An append that a crash cut short is dropped, as nobody was told
//! that it is kept; anything else that is wrong is refused, because what was told to be kept would be missing.
//!
//! It protects against losing or rewriting the mesh's own store, not against whoever can write the file.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use nervure_primitives::{
    BlockHeight, Hash, MeshId,
    cbor::{self, Limits},
};
use serde::{Deserialize, Serialize};

use super::{
    Anchor, AnchorDomain, AnchorError, AnchorFuture, AnchoredCheckpoint, CheckpointRejection,
    CheckpointStore, MAX_SUBMISSION_LEN, Submission, SubmissionReceipt,
};

/// Bytes before a record.
const HEAD: usize = 8;

/// Largest first record in bytes.
const MAX_BEGINNING: usize = 160;

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
    keeper: CheckpointStore,
    kept: Vec<Kept>,
}

/// A checkpoint in the file, and where its record begins.
#[derive(Debug)]
struct Kept {
    anchored: AnchoredCheckpoint,
    at: u64,
}

/// What the first record says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Beginning {
    #[serde(rename = "d")]
    domain: AnchorDomain,
    #[serde(rename = "c")]
    mesh: MeshId,
    #[serde(rename = "h")]
    height: BlockHeight,
    #[serde(rename = "v")]
    validators: Hash,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalAnchorError {
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
    /// Opens the file at `path` and verifies what it holds; a file that is not there yet begins with `keeper`, which keeps
    /// nothing. One that is there goes on with what it began with.
    ///
    /// # Errors
    /// When the disk says no, another process has the file, it is damaged, or for another mesh or domain than `keeper`.
    pub fn open(path: &Path, keeper: CheckpointStore) -> Result<Self, LocalAnchorError> {
        let io = |error| LocalAnchorError::Io { path: path.to_owned(), error };
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io)?;
        file.try_lock().map_err(|error| io(error.into()))?;
        let mut bytes = Vec::new();
        (&mut file).take(MAX_FILE).read_to_end(&mut bytes).map_err(io)?;
        let damaged = |(at, why)| LocalAnchorError::Damaged { path: path.to_owned(), at, why };
        let mut inner = match begun(&bytes, keeper).map_err(damaged)? {
            Begun::Already { keeper, size } => Inner { file, size, keeper, kept: Vec::new() },
            Begun::Not(keeper) => {
                file.set_len(0).map_err(io)?;
                let mut inner = Inner { file, size: 0, keeper, kept: Vec::new() };
                let beginning = inner.beginning().map_err(io)?;
                inner.append(&beginning).map_err(io)?;
                return Ok(Self { path: path.to_owned(), inner: Mutex::new(inner) });
            }
        };
        replay(&bytes, &mut inner).map_err(damaged)?;
        if inner.size < bytes.len() as u64 {
            inner.file.set_len(inner.size).and_then(|()| inner.file.sync_data()).map_err(io)?;
        }
        Ok(Self { path: path.to_owned(), inner: Mutex::new(inner) })
    }

    /// The first submission that is kept for a height from `height` on.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn submission(&self, height: BlockHeight) -> Result<Option<Submission>, LocalAnchorError> {
        let mut inner = self.lock();
        let from = inner.kept.partition_point(|one| one.anchored.height < height);
        let Some(at) = inner.kept.get(from).map(|one| one.at) else { return Ok(None) };
        let read = inner.read(at).map_err(|error| LocalAnchorError::Io { path: self.path.clone(), error })?;
        let damaged = |why: String| LocalAnchorError::Damaged { path: self.path.clone(), at, why };
        Submission::decode(&read).map(Some).map_err(|error| damaged(error.to_string()))
    }

    /// The first checkpoint that is kept for a height from `height` on.
    pub fn first_from(&self, height: BlockHeight) -> Option<AnchoredCheckpoint> {
        let inner = self.lock();
        let from = inner.kept.partition_point(|one| one.anchored.height < height);
        inner.kept.get(from).map(|one| one.anchored.clone())
    }

    /// What is kept for a height.
    pub fn kept(&self, height: BlockHeight) -> Option<AnchoredCheckpoint> {
        let inner = self.lock();
        let at = inner.kept.binary_search_by_key(&height, |one| one.anchored.height).ok()?;
        inner.kept.get(at).map(|one| one.anchored.clone())
    }

    /// The height of the last checkpoint that is kept; before the first, the one that it has to exceed.
    pub fn latest(&self) -> BlockHeight {
        self.lock().keeper.latest()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves nothing half done here: memory changes after the disk.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a checkpoint kept; waits for the disk.
    ///
    /// # Errors
    /// When the rules refuse it, or the disk says no.
    pub fn keep(&self, submission: &Submission) -> Result<SubmissionReceipt, AnchorError> {
        let mut inner = self.lock();
        if !inner.keeper.check(submission)? {
            return Ok(SubmissionReceipt::AlreadyStored);
        }
        let io = |error| LocalAnchorError::Io { path: self.path.clone(), error };
        let content = submission.encode().map_err(std::io::Error::other).map_err(io)?;
        let at = inner.size;
        inner.append(&content).map_err(io)?;
        inner.keeper.submit(submission)?;
        inner.kept.push(Kept { anchored: anchored(submission), at });
        Ok(SubmissionReceipt::Stored { reference: None, gas: None })
    }
}

impl Inner {
    fn beginning(&self) -> io::Result<Vec<u8>> {
        let (domain, mesh) = (self.keeper.domain(), self.keeper.mesh());
        let (height, validators) = (self.keeper.latest(), self.keeper.validators());
        cbor::encode(&Beginning { domain, mesh, height, validators }).map_err(io::Error::other)
    }

    fn read(&mut self, at: u64) -> io::Result<Vec<u8>> {
        let mut head = [0; HEAD];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut head)?;
        let length = word(&head, 0).min(MAX_SUBMISSION_LEN);
        let mut content = vec![0; length];
        self.file.read_exact(&mut content)?;
        Ok(content)
    }

    fn append(&mut self, content: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(&framed(content)).and_then(|()| self.file.sync_data());
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

    fn submit<'a>(&'a self, submission: &'a Submission) -> AnchorFuture<'a, SubmissionReceipt> {
        Box::pin(async { self.keep(submission) })
    }

    fn at(&self, height: BlockHeight) -> AnchorFuture<'_, Option<AnchoredCheckpoint>> {
        Box::pin(async move { Ok(self.kept(height)) })
    }

    fn list(&self, height: BlockHeight, most: usize) -> AnchorFuture<'_, Vec<AnchoredCheckpoint>> {
        Box::pin(async move {
            let inner = self.lock();
            let from = inner.kept.partition_point(|one| one.anchored.height < height);
            Ok(inner.kept.iter().skip(from).take(most).map(|one| one.anchored.clone()).collect())
        })
    }

    fn head(&self) -> AnchorFuture<'_, (BlockHeight, Hash)> {
        Box::pin(async {
            let inner = self.lock();
            Ok((inner.keeper.latest(), inner.keeper.validators()))
        })
    }
}

fn anchored(submission: &Submission) -> AnchoredCheckpoint {
    let one = &submission.checkpoint;
    AnchoredCheckpoint { height: one.height(), id: one.id(), state: one.state(), reference: None }
}

fn framed(content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + content.len());
    bytes.extend((content.len() as u32).to_be_bytes());
    bytes.extend(crc32fast::hash(content).to_be_bytes());
    bytes.extend(content);
    bytes
}

/// A number in four bytes of a head.
fn word(head: &[u8; HEAD], from: usize) -> usize {
    u32::from_be_bytes([head[from], head[from + 1], head[from + 2], head[from + 3]]) as usize
}

/// Whether a file has begun.
enum Begun {
    Already { keeper: CheckpointStore, size: u64 },
    Not(CheckpointStore),
}

/// Where a file is damaged, and how.
type Damage = (u64, String);

/// The content of a record, and what follows it.
type Cut<'a> = (&'a [u8], &'a [u8]);

/// A record, and what follows it. None where the file ends within it.
fn record<'a>(bytes: &'a [u8], rest: &'a [u8], most: usize) -> Result<Option<Cut<'a>>, Damage> {
    let at = (bytes.len() - rest.len()) as u64;
    let Some((head, after)) = rest.split_first_chunk::<HEAD>() else { return Ok(None) };
    let length = word(head, 0);
    if length > most {
        return Err((at, format!("a record of {length} bytes")));
    }
    let Some((content, after)) = after.split_at_checked(length) else { return Ok(None) };
    if crc32fast::hash(content) as usize != word(head, 4) {
        // The last record may have been written in part; one that others follow was whole.
        return if after.is_empty() { Ok(None) } else { Err((at, "its checksum does not hold".into())) };
    }
    Ok(Some((content, after)))
}

/// Reads the first record of a file, which has to be for the mesh and the domain of `keeper`.
fn begun(bytes: &[u8], keeper: CheckpointStore) -> Result<Begun, Damage> {
    let Some((content, after)) = record(bytes, bytes, MAX_BEGINNING)? else {
        // Cut short while it was being written, when nothing was kept yet; a longer file had a whole one.
        let cut = bytes.len() < HEAD + MAX_BEGINNING;
        return if cut { Ok(Begun::Not(keeper)) } else { Err((0, "its first record is not one".into())) };
    };
    let Beginning { domain, mesh, height, validators } =
        cbor::decode(content, Limits::new(MAX_BEGINNING)).map_err(|error| (0, error.to_string()))?;
    if (domain, mesh) != (keeper.domain(), keeper.mesh()) {
        return Err((
            0,
            format!("it is for mesh {mesh} and contract {} on chain {}", domain.contract, domain.chain),
        ));
    }
    let size = (bytes.len() - after.len()) as u64;
    Ok(Begun::Already { keeper: keeper.beginning(height, validators), size })
}

/// Submits every further record of a file, up to the last whole one. Returns where and why one is damaged.
fn replay(bytes: &[u8], inner: &mut Inner) -> Result<(), Damage> {
    let mut rest = bytes.get(inner.size as usize..).unwrap_or_default();
    while let Some((content, after)) = record(bytes, rest, MAX_SUBMISSION_LEN)? {
        let at = inner.size;
        let submission = Submission::decode(content).map_err(|error| (at, error.to_string()))?;
        match inner.keeper.submit(&submission) {
            Ok(true) => inner.kept.push(Kept { anchored: anchored(&submission), at }),
            Ok(false) => return Err((at, "a checkpoint is there twice".into())),
            Err(refusal) => return Err((at, reason(&refusal))),
        }
        inner.size += (HEAD + content.len()) as u64;
        rest = after;
    }
    Ok(())
}

fn reason(refusal: &CheckpointRejection) -> String {
    format!("a checkpoint that is to be refused: {refusal}")
}
