//! The default anchor: a file that is only appended to.
//!
//! The first payload of the [`AppendLog`] names the mesh and the domain that the file is for, and the set that
//! it began with. Each further one is a [`Submission`] with all its signatures, so that the file is proof by
//! itself: opening it verifies every quorum again. An append that a crash cut short is dropped: it was never
//! reported as stored. Anything else that is wrong is refused, because a reported checkpoint would be missing.
//!
//! It protects against losing or rewriting the mesh's own store, not against those who can write the file.

use std::{
    io,
    path::{Path, PathBuf},
};

use nervure_primitives::{
    BlockHeight, Hash, MeshId,
    cbor::{self, Limits},
    durable::{AppendLog, FRAME_HEAD_BYTES, Frame, FrameError, LogContents, LogError, LogFormat},
};
use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};

use crate::{
    Anchor, AnchorDomain, AnchorError, AnchorFuture, AnchoredCheckpoint, CheckpointStore, MAX_SUBMISSION_LEN,
    Submission, SubmissionReceipt,
};

/// The largest file is ten years of checkpoints of a large mesh.
const FORMAT: LogFormat =
    LogFormat { magic: b"nervanc2", uncounted: 0, max_payload: MAX_SUBMISSION_LEN, max_file: 4 << 30 };

/// Largest first payload in bytes.
const MAX_PREAMBLE_BYTES: usize = 160;

/// An anchor in a file.
#[derive(Debug)]
pub struct LocalAnchor {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    log: AppendLog,
    store: CheckpointStore,
    /// By height.
    entries: Vec<Entry>,
}

/// A checkpoint in the file, and where its frame begins.
#[derive(Debug)]
struct Entry {
    anchored: AnchoredCheckpoint,
    at: u64,
}

/// The first payload.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Preamble {
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
    /// The disk's error; [`io::ErrorKind::WouldBlock`] when another process has the file.
    #[error("the anchor's file {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The disk's error.
        error: io::Error,
    },
    /// A frame that is not what was written.
    #[error("the anchor's file {} is damaged at byte {at}: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the frame begins.
        at: u64,
        /// What is wrong with it.
        why: String,
    },
}

impl LocalAnchor {
    /// Opens the file at `path` and verifies its content. A new file begins with `store`, which has to be
    /// empty; an existing one continues from its own first checkpoint.
    ///
    /// # Errors
    /// When the disk fails, another process has the file, it is damaged, or it is for another mesh or domain
    /// than `store`.
    pub fn open(path: &Path, store: CheckpointStore) -> Result<Self, LocalAnchorError> {
        let damaged = |(at, why)| LocalAnchorError::Damaged { path: path.to_owned(), at, why };
        let io = |error| LocalAnchorError::Io { path: path.to_owned(), error };
        let (log, contents) = AppendLog::open(path, FORMAT).map_err(|error| match error {
            LogError::Io { path, error } => LocalAnchorError::Io { path, error },
            other => io(other.into()),
        })?;
        let mut inner = Inner { log, store, entries: Vec::new() };
        match preamble(&contents, &inner.store).map_err(damaged)? {
            Some(Preamble { height, validators, .. }) => {
                inner.store = inner.store.starting_at(height, validators);
                let end = inner.replay(&contents).map_err(damaged)?;
                inner.log.truncate(end).map_err(io)?;
            }
            None => {
                inner.log.truncate(0).map_err(io)?;
                let preamble = inner.preamble().map_err(io)?;
                inner.log.append_durably(&preamble).map_err(io)?;
            }
        }
        Ok(Self { path: path.to_owned(), inner: Mutex::new(inner) })
    }

    /// The first submission at `height` or above.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn submission(&self, height: BlockHeight) -> Result<Option<Submission>, LocalAnchorError> {
        let mut inner = self.lock();
        let Some(at) = inner.from(height).first().map(|entry| entry.at) else { return Ok(None) };
        let io = |error| LocalAnchorError::Io { path: self.path.clone(), error };
        let read = inner.log.read(at).map_err(io)?;
        let damaged = |why: String| LocalAnchorError::Damaged { path: self.path.clone(), at, why };
        Submission::decode(&read).map(Some).map_err(|error| damaged(error.to_string()))
    }

    /// The first checkpoint at `height` or above.
    pub fn first_from(&self, height: BlockHeight) -> Option<AnchoredCheckpoint> {
        self.lock().from(height).first().map(|entry| entry.anchored.clone())
    }

    /// The checkpoint of a height.
    pub fn checkpoint(&self, height: BlockHeight) -> Option<AnchoredCheckpoint> {
        self.first_from(height).filter(|anchored| anchored.height == height)
    }

    /// The height of the last stored checkpoint; before the first, the one that it has to exceed.
    pub fn latest(&self) -> BlockHeight {
        self.lock().store.latest()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves nothing half done here: memory changes after the disk.
        self.inner.lock()
    }

    /// Stores a checkpoint; waits for the disk.
    ///
    /// # Errors
    /// When the rules reject it, or the disk fails.
    pub fn store(&self, submission: &Submission) -> Result<SubmissionReceipt, AnchorError> {
        let mut inner = self.lock();
        if !inner.store.check(submission)? {
            return Ok(SubmissionReceipt::AlreadyStored);
        }
        let io = |error| LocalAnchorError::Io { path: self.path.clone(), error };
        let content = submission.encode().map_err(io::Error::other).map_err(io)?;
        let at = inner.log.append_durably(&content).map_err(io)?;
        inner.store.submit(submission)?;
        inner.entries.push(Entry { anchored: anchored(submission), at });
        Ok(SubmissionReceipt::Stored { reference: None, gas: None })
    }
}

impl Inner {
    fn preamble(&self) -> io::Result<Vec<u8>> {
        let (domain, mesh) = (self.store.domain(), self.store.mesh());
        let (height, validators) = (self.store.latest(), self.store.validators());
        cbor::encode(&Preamble { domain, mesh, height, validators }).map_err(io::Error::other)
    }

    /// The entries at `height` or above.
    fn from(&self, height: BlockHeight) -> &[Entry] {
        let first = self.entries.partition_point(|entry| entry.anchored.height < height);
        self.entries.get(first..).unwrap_or_default()
    }

    /// Submits every frame after the first one, up to the last whole one, and returns where that ends.
    fn replay(&mut self, contents: &LogContents) -> Result<u64, Damage> {
        let mut end = 0;
        for (index, frame) in contents.frames().enumerate() {
            let Some(Frame { at, end: next, payload }) = whole(frame)? else { break };
            end = next;
            if index == 0 {
                continue;
            }
            let submission = Submission::decode(payload).map_err(|error| (at, error.to_string()))?;
            match self.store.submit(&submission) {
                Ok(true) => self.entries.push(Entry { anchored: anchored(&submission), at }),
                Ok(false) => return Err((at, "a checkpoint is there twice".into())),
                Err(rejection) => return Err((at, format!("an invalid checkpoint: {rejection}"))),
            }
        }
        Ok(end)
    }
}

impl Anchor for LocalAnchor {
    fn domain(&self) -> AnchorDomain {
        self.lock().store.domain()
    }

    fn submit<'a>(&'a self, submission: &'a Submission) -> AnchorFuture<'a, SubmissionReceipt> {
        Box::pin(async { self.store(submission) })
    }

    fn at(&self, height: BlockHeight) -> AnchorFuture<'_, Option<AnchoredCheckpoint>> {
        Box::pin(async move { Ok(self.checkpoint(height)) })
    }

    fn list(&self, height: BlockHeight, most: usize) -> AnchorFuture<'_, Vec<AnchoredCheckpoint>> {
        Box::pin(async move {
            let inner = self.lock();
            Ok(inner.from(height).iter().take(most).map(|entry| entry.anchored.clone()).collect())
        })
    }

    fn head(&self) -> AnchorFuture<'_, (BlockHeight, Hash)> {
        Box::pin(async {
            let inner = self.lock();
            Ok((inner.store.latest(), inner.store.validators()))
        })
    }
}

fn anchored(submission: &Submission) -> AnchoredCheckpoint {
    let one = &submission.checkpoint;
    AnchoredCheckpoint { height: one.height(), id: one.id(), state: one.state(), reference: None }
}

/// Where a file is damaged, and how.
type Damage = (u64, String);

/// The frame, or none where an append was cut short.
fn whole(frame: Result<Frame<'_>, FrameError>) -> Result<Option<Frame<'_>>, Damage> {
    match frame {
        Ok(frame) => Ok(Some(frame)),
        // The last frame may have been written in part. Each is synced before the next one, so that nothing
        // else can be.
        Err(FrameError::Torn { .. }) => Ok(None),
        Err(error @ FrameError::Damaged { at, .. }) => Err((at, error.to_string())),
    }
}

/// Reads the first frame of a file, which has to be for the mesh and the domain of `store`; `None` when it was
/// cut short.
fn preamble(contents: &LogContents, store: &CheckpointStore) -> Result<Option<Preamble>, Damage> {
    let Some(frame) = contents.frames().next().map(whole).transpose()?.flatten() else {
        // Cut short while it was being written, when nothing was stored yet; a longer file had a whole one.
        let cut = contents.size() < (FORMAT.magic.len() + FRAME_HEAD_BYTES + MAX_PREAMBLE_BYTES) as u64;
        return if cut { Ok(None) } else { Err((0, "its first record is damaged".into())) };
    };
    let preamble: Preamble = cbor::decode(frame.payload, Limits::new(MAX_PREAMBLE_BYTES))
        .map_err(|error| (0, error.to_string()))?;
    let Preamble { domain, mesh, .. } = &preamble;
    if (*domain, *mesh) != (store.domain(), store.mesh()) {
        return Err((
            0,
            format!("it is for mesh {mesh} and contract {} on chain {}", domain.contract, domain.chain),
        ));
    }
    Ok(Some(preamble))
}
