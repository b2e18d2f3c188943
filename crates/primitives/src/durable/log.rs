//! An append log: frames of a length, a CRC-32 and a payload, one after the other.
//!
//! A frame is the payload's length in four bytes (big-endian), the CRC-32 of the payload in four bytes, and
//! the payload. A file may begin with a magic number, which also names the version of its format. The open
//! file is locked: a log has one writer.
//!
//! An append that a crash cut short is a *torn* frame at the end. Whether anything else that is wrong may be
//! dropped depends on what the log promises, so [`Frames`] says what it found and the owner of the log
//! decides, then calls [`AppendLog::truncate`] with the end of the last good frame.
//!
//! **Hazard.** A checksum is not a signature: it finds damage, not tampering.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{Access, ReplaceStep, replace_with, sync_directory};

/// Bytes before the payload of a frame.
const FRAME_HEAD_BYTES: usize = 8;

/// How a log is laid out, and what of it is read.
#[derive(Clone, Copy, Debug)]
pub struct LogFormat {
    /// What the file begins with; empty for none.
    pub magic: &'static [u8],
    /// How many bytes at the beginning of a payload its length field does not count, such as a byte of kind.
    pub uncounted: usize,
    /// Largest payload in bytes.
    pub max_payload: usize,
    /// Largest file that is read, in bytes.
    pub max_file: u64,
}

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// What the disk says; [`io::ErrorKind::WouldBlock`] when another process has the file open.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the disk says.
        error: io::Error,
    },
    /// Another kind of file, or one of another version.
    #[error("{} does not begin as a log of this kind and version does", path.display())]
    Magic {
        /// The file.
        path: PathBuf,
    },
    /// Larger than a log of this kind gets. Reading a part would forget the rest.
    #[error("{} has {size} bytes, more than the {limit} that are read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
}

impl From<LogError> for io::Error {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Io { error, .. } => error,
            other => Self::new(io::ErrorKind::InvalidData, other),
        }
    }
}

/// Why there is no frame at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The file ends within the frame.
    #[error("the frame at byte {at} is cut short")]
    Torn {
        /// Where the frame begins.
        at: u64,
    },
    /// The length is larger than any payload of this log.
    #[error("the frame at byte {at} has {length} bytes")]
    TooLong {
        /// Where the frame begins.
        at: u64,
        /// What the length field says.
        length: usize,
    },
    /// The payload is not what was written. When nothing follows it, this can be a torn append too: a file
    /// can have its new size before it has the content.
    #[error("the checksum of the frame at byte {at} does not match")]
    Checksum {
        /// Where the frame begins.
        at: u64,
        /// Whether the file ends with this frame.
        last: bool,
    },
}

/// A whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Where it begins in the file.
    pub at: u64,
    /// Where the next one begins.
    pub end: u64,
    /// What was appended.
    pub payload: &'a [u8],
}

/// What a log held when it was opened.
#[derive(Debug)]
pub struct LogContents {
    format: LogFormat,
    bytes: Vec<u8>,
}

/// The frames of a log, in their order; ends after the first error.
#[derive(Debug)]
pub struct Frames<'a> {
    format: LogFormat,
    bytes: &'a [u8],
    at: usize,
    failed: bool,
}

/// A log that is open for appending.
#[derive(Debug)]
pub struct AppendLog {
    path: PathBuf,
    file: File,
    format: LogFormat,
    size: u64,
}

impl AppendLog {
    /// Opens the log at `path`, or creates it, and reads what it holds. Nothing is cut off yet.
    ///
    /// # Errors
    /// When another process has it open, it is of another kind or too large, or what the disk says.
    pub fn open(path: &Path, format: LogFormat) -> Result<(Self, LogContents), LogError> {
        let io = |error| LogError::Io { path: path.to_owned(), error };
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io)?;
        // Before the first read: two writers of one log would mix their frames.
        file.try_lock().map_err(|error| io(error.into()))?;
        let size = file.metadata().map_err(io)?.len();
        // A foreign or damaged file must not fill the memory.
        if size > format.max_file {
            return Err(LogError::TooLarge { path: path.to_owned(), size, limit: format.max_file });
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let mut log = Self { path: path.to_owned(), file, format, size: bytes.len() as u64 };
        if bytes.len() < format.magic.len() && format.magic.starts_with(&bytes) {
            // A new file, or one whose very beginning was cut short.
            log.truncate(0).map_err(io)?;
            bytes = format.magic.to_vec();
        } else if !bytes.starts_with(format.magic) {
            return Err(LogError::Magic { path: path.to_owned() });
        }
        if size == 0 {
            // Frames are worth nothing when the name of their file is lost.
            sync_directory(path).map_err(io)?;
        }
        Ok((log, LogContents { format, bytes }))
    }

    /// Where the log is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size in bytes, and the place of the next frame.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Cuts off everything behind `size`, durably. A log that gets shorter than its magic number starts over.
    ///
    /// # Errors
    /// What the disk says.
    pub fn truncate(&mut self, size: u64) -> io::Result<()> {
        let magic = self.format.magic;
        if size >= self.size && size >= magic.len() as u64 {
            return Ok(());
        }
        // The file is open for appending, so the next write goes to its end wherever the cursor is.
        self.file.set_len(size)?;
        self.size = size;
        if size < magic.len() as u64 {
            self.file.set_len(0)?;
            self.file.write_all(magic)?;
            self.size = magic.len() as u64;
        }
        self.file.sync_data()
    }

    /// Appends a frame, which need not be durable before [`Self::sync`]. Returns where it begins.
    ///
    /// # Errors
    /// What the disk says; the log is then as before.
    pub fn append(&mut self, payload: &[u8]) -> io::Result<u64> {
        let bytes = self.framed(payload)?;
        self.write(bytes.len(), |file| file.write_all(&bytes))
    }

    /// [`Self::append`] in two halves, and `between` them: for tests that have the process die there.
    ///
    /// # Errors
    /// As for [`Self::append`].
    pub fn append_in_halves(&mut self, payload: &[u8], between: impl FnOnce()) -> io::Result<u64> {
        let bytes = self.framed(payload)?;
        let (first, second) = bytes.split_at(bytes.len() / 2);
        self.write(bytes.len(), |file| {
            file.write_all(first)?;
            between();
            file.write_all(second)
        })
    }

    /// Appends a frame durably. Returns where it begins.
    ///
    /// # Errors
    /// As for [`Self::append`].
    pub fn append_durably(&mut self, payload: &[u8]) -> io::Result<u64> {
        let bytes = self.framed(payload)?;
        self.write(bytes.len(), |file| file.write_all(&bytes).and_then(|()| file.sync_data()))
    }

    /// Makes everything so far durable.
    ///
    /// # Errors
    /// What the disk says.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// The payload of the frame at `at`, its checksum not verified again.
    ///
    /// # Errors
    /// What the disk says.
    pub fn read(&mut self, at: u64) -> io::Result<Vec<u8>> {
        let mut head = [0; FRAME_HEAD_BYTES];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut head)?;
        let length = word(&head, 0) as usize;
        // The length comes from the disk: it is compared before memory is allocated for it.
        if length > self.format.max_payload {
            return Err(io::Error::new(io::ErrorKind::InvalidData, FrameError::TooLong { at, length }));
        }
        let mut payload = vec![0; length + self.format.uncounted];
        self.file.read_exact(&mut payload)?;
        Ok(payload)
    }

    /// Replaces the log by one that holds only `payloads`, durably; `observe` is called after each step.
    ///
    /// # Errors
    /// What the disk says.
    pub fn replace(
        &mut self,
        payloads: impl IntoIterator<Item = impl AsRef<[u8]>>,
        mut observe: impl FnMut(ReplaceStep),
    ) -> io::Result<()> {
        let mut bytes = self.format.magic.to_vec();
        for payload in payloads {
            bytes.extend(self.framed(payload.as_ref())?);
        }
        // The new file is locked before it has the name, so that no other process can open it in between.
        let file = replace_with(&self.path, &bytes, Access::Default, |step| {
            observe(step);
            Ok(())
        })?;
        // After an error behind the rename, `self.file` has no name any more: the caller must not append to
        // it.
        (self.file, self.size) = (file, bytes.len() as u64);
        Ok(())
    }

    fn write(&mut self, length: usize, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<u64> {
        let at = self.size;
        if let Err(error) = write(&mut self.file) {
            // A part of the frame may be there, and would be damage once another frame follows it.
            self.file.set_len(at)?;
            return Err(error);
        }
        self.size += length as u64;
        Ok(at)
    }

    fn framed(&self, payload: &[u8]) -> io::Result<Vec<u8>> {
        let counted = payload.len().checked_sub(self.format.uncounted);
        // The same limit as on reading: a frame that is written must be readable.
        let length = counted.filter(|length| *length <= self.format.max_payload);
        let length = length.and_then(|length| u32::try_from(length).ok());
        let length = length.ok_or(io::ErrorKind::InvalidInput)?;
        let mut bytes = Vec::with_capacity(FRAME_HEAD_BYTES + payload.len());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&crc32fast::hash(payload).to_be_bytes());
        bytes.extend_from_slice(payload);
        Ok(bytes)
    }
}

impl LogContents {
    /// The frames, in their order.
    pub fn frames(&self) -> Frames<'_> {
        Frames { format: self.format, bytes: &self.bytes, at: self.format.magic.len(), failed: false }
    }

    /// Size of the file in bytes when it was opened.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

impl<'a> Frames<'a> {
    fn read(&self) -> Result<Frame<'a>, FrameError> {
        let at = self.at as u64;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (head, rest) = rest.split_first_chunk::<FRAME_HEAD_BYTES>().ok_or(FrameError::Torn { at })?;
        let length = word(head, 0) as usize;
        if length > self.format.max_payload {
            return Err(FrameError::TooLong { at, length });
        }
        // Cannot overflow: the length is at most `max_payload`.
        let payload = rest.get(..length + self.format.uncounted).ok_or(FrameError::Torn { at })?;
        if crc32fast::hash(payload) != word(head, 4) {
            return Err(FrameError::Checksum { at, last: payload.len() == rest.len() });
        }
        Ok(Frame { at, end: at + (FRAME_HEAD_BYTES + payload.len()) as u64, payload })
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.at >= self.bytes.len() {
            return None;
        }
        let frame = self.read();
        match &frame {
            Ok(frame) => self.at = frame.end as usize,
            Err(_) => self.failed = true,
        }
        Some(frame)
    }
}

/// A number in four bytes of a head.
fn word(head: &[u8; FRAME_HEAD_BYTES], from: usize) -> u32 {
    u32::from_be_bytes([head[from], head[from + 1], head[from + 2], head[from + 3]])
}

#[cfg(test)]
mod tests;
