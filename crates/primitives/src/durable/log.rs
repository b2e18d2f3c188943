//! An append log: [frames](super::Frame) with checksums, one after the other.
//!
//! A file may begin with a magic number, which also names the version of its format. The open file is locked:
//! a log has one writer.
//!
//! An append that a crash cut short is a *torn* frame at the end. Whether anything else that is wrong may be
//! dropped depends on what the log promises, so [`Frames`](super::Frames) says what it found and the owner of
//! the log decides, then calls [`AppendLog::truncate`] with the end of the last good frame.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{
    Access, FRAME_HEAD_BYTES, FrameError, LogContents, LogFormat, ReplaceStep, finish_replacement,
    frame::Head, is_at, prepare_replacement, sync_directory,
};

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

impl LogContents {
    /// What the log at `path` holds now, without a lock and without changing it; empty when there is none. An end that is
    /// being written is not whole yet.
    ///
    /// # Errors
    /// When it is of another kind or too large, or what the disk says.
    pub fn read(path: &Path, format: LogFormat) -> Result<Self, LogError> {
        let io = |error| LogError::Io { path: path.to_owned(), error };
        let mut bytes = match File::open(path) {
            Ok(file) => {
                let mut bytes = Vec::new();
                // One more than allowed shows that there is more.
                file.take(format.max_file.saturating_add(1)).read_to_end(&mut bytes).map_err(io)?;
                bytes
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(io(error)),
        };
        let size = bytes.len() as u64;
        if size > format.max_file {
            return Err(LogError::TooLarge { path: path.to_owned(), size, limit: format.max_file });
        }
        if format.magic.starts_with(&bytes) {
            bytes = format.magic.to_vec();
        } else if !bytes.starts_with(format.magic) {
            return Err(LogError::Magic { path: path.to_owned() });
        }
        Ok(Self { format, bytes })
    }
}

/// A log that is open for appending.
#[derive(Debug)]
pub struct AppendLog {
    path: PathBuf,
    file: File,
    format: LogFormat,
    size: u64,
    /// Bytes of an append that failed may be behind `size`.
    has_partial_frame: bool,
    /// The name of the file may not survive a power failure: a sync of the directory failed.
    is_name_unsynced: bool,
}

impl AppendLog {
    /// Opens the log at `path`, or creates it, and reads what it holds. Nothing is cut off yet.
    ///
    /// # Errors
    /// When another process has it open, it is of another kind or too large, or what the disk says.
    pub fn open(path: &Path, format: LogFormat) -> Result<(Self, LogContents), LogError> {
        let (mut log, mut contents) = Self::open_damaged(path, format)?;
        let bytes = &mut contents.bytes;
        if bytes.len() < format.magic.len() && format.magic.starts_with(bytes) {
            // A new file, or one whose very beginning was cut short.
            log.truncate(0).map_err(|error| LogError::Io { path: path.to_owned(), error })?;
            *bytes = format.magic.to_vec();
        } else if !bytes.starts_with(format.magic) {
            return Err(LogError::Magic { path: path.to_owned() });
        }
        Ok((log, contents))
    }

    /// [`Self::open`] for a log that may lose its end: `take` gets each payload, up to the first that it does not take or
    /// that is damaged. That one and all that follows are cut off.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn open_taking(
        path: &Path,
        format: LogFormat,
        mut take: impl FnMut(&[u8]) -> bool,
    ) -> Result<Self, LogError> {
        let (mut log, contents) = Self::open(path, format)?;
        let whole = contents.frames().map_while(Result::ok).take_while(|frame| take(frame.payload));
        let end = whole.map(|frame| frame.end).last().unwrap_or(format.magic.len() as u64);
        log.truncate(end).map_err(|error| LogError::Io { path: path.to_owned(), error })?;
        Ok(log)
    }

    /// [`Self::open`] for a log whose magic number may be damaged. It has to be [replaced](Self::replace)
    /// before anything is appended.
    ///
    /// # Errors
    /// As for [`Self::open`], but for the kind of the file.
    pub fn open_damaged(path: &Path, format: LogFormat) -> Result<(Self, LogContents), LogError> {
        let io = |error| LogError::Io { path: path.to_owned(), error };
        let mut file = open_locked(path, || ()).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        // A foreign or damaged file must not fill the memory.
        if size > format.max_file {
            return Err(LogError::TooLarge { path: path.to_owned(), size, limit: format.max_file });
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        if size == 0 {
            // Frames are worth nothing when the name of their file is lost.
            sync_directory(path).map_err(io)?;
        }
        let size = bytes.len() as u64;
        let log = Self {
            path: path.to_owned(),
            file,
            format,
            size,
            has_partial_frame: false,
            is_name_unsynced: false,
        };
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
        self.sync_name()?;
        let bytes = self.framed(payload)?;
        self.write(bytes.len(), |file| file.write_all(&bytes).and_then(|()| file.sync_data()))
    }

    /// Makes everything so far durable.
    ///
    /// # Errors
    /// What the disk says.
    pub fn sync(&mut self) -> io::Result<()> {
        self.sync_name()?;
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
        // The length comes from the disk: it is compared before memory is allocated for it.
        let length = Head::read(&head).map(|head| head.length).filter(|it| *it <= self.format.max_payload);
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, FrameError::Damaged { at, next: None });
        let mut payload = vec![0; length.ok_or_else(damaged)? + self.format.uncounted];
        self.file.read_exact(&mut payload)?;
        Ok(payload)
    }

    /// Replaces the log by one that holds only `payloads`, durably; `observe` is called after each step.
    ///
    /// # Errors
    /// What the disk says, and those of `observe`. The log can be used after any of them. When the new file
    /// is in place and its name could not be synced, [`Self::sync`] fails until that succeeds: a power
    /// failure could bring the old file back, without what was appended since.
    pub fn replace(
        &mut self,
        payloads: impl IntoIterator<Item = impl AsRef<[u8]>>,
        mut observe: impl FnMut(ReplaceStep) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut bytes = self.format.magic.to_vec();
        for payload in payloads {
            bytes.extend(self.framed(payload.as_ref())?);
        }
        self.check_size(bytes.len() as u64)?;
        // The new file is locked before it has the name, so that no other process can open it in between.
        self.file = prepare_replacement(&self.path, &bytes, Access::Default, &mut observe)?;
        // From here on the old file has no name, and what is appended to it would be lost.
        (self.size, self.has_partial_frame, self.is_name_unsynced) = (bytes.len() as u64, false, true);
        finish_replacement(&self.path, &mut observe)?;
        self.is_name_unsynced = false;
        Ok(())
    }

    fn write(&mut self, length: usize, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<u64> {
        let at = self.size;
        let size = at.saturating_add(length as u64);
        self.check_size(size)?;
        self.cut_partial_frame()?;
        if let Err(error) = write(&mut self.file) {
            // A part of the frame may be there, and would be damage once another frame follows it.
            self.has_partial_frame = true;
            self.cut_partial_frame()?;
            return Err(error);
        }
        self.size = size;
        Ok(at)
    }

    /// Cuts off what a failed append left; before the next append, if the disk does not allow it now.
    fn cut_partial_frame(&mut self) -> io::Result<()> {
        if self.has_partial_frame {
            self.file.set_len(self.size)?;
            self.has_partial_frame = false;
        }
        Ok(())
    }

    fn sync_name(&mut self) -> io::Result<()> {
        if self.is_name_unsynced {
            sync_directory(&self.path)?;
            self.is_name_unsynced = false;
        }
        Ok(())
    }

    /// A larger file would not be read again.
    fn check_size(&self, size: u64) -> io::Result<()> {
        if size <= self.format.max_file { Ok(()) } else { Err(io::ErrorKind::FileTooLarge.into()) }
    }

    fn framed(&self, payload: &[u8]) -> io::Result<Vec<u8>> {
        self.format.frame(payload).ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }
}

/// Opens the file at `path`, or creates it, and locks it. `opened` is called before each attempt to lock it.
fn open_locked(path: &Path, mut opened: impl FnMut()) -> io::Result<File> {
    loop {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        opened();
        // Before the first read: two writers of one log would mix their frames.
        file.try_lock()?;
        // Between the two steps the owner of the log may have replaced it. The lock of the old file says
        // nothing then: the owner holds that of the new one.
        if is_at(&file, path)? {
            return Ok(file);
        }
    }
}

#[cfg(test)]
mod tests;
