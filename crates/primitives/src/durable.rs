//! Files that survive a crash and a power failure: atomic replacement, creation, and an append log.
//!
//! [`replace`] writes a temporary file beside the old one, syncs it, renames it and syncs the directory.
//! Without the first sync the new name can point to missing content after a power failure; without the
//! second one the old name can come back.
//!
//! **Claim.** After a crash at any step a reader finds the old content or the new one, and once
//! [`replace`] has returned, the new one.
//! **Hazard.** The temporary file is `NAME.new`. A crash can leave it behind; the next replacement reuses
//! it. Writers of the same file take turns by locking it, and the last one wins.

mod frame;
mod log;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

pub use frame::{FRAME_HEAD_BYTES, Frame, FrameError, Frames, LogContents, LogFormat};
pub use log::{AppendLog, LogError};

/// Who may read a file that is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// As the process's umask says.
    Default,
    /// The owner only: mode 0600. For secrets.
    Owner,
}

/// A completed step of [`replace_with`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplaceStep {
    /// The temporary file exists, is empty and locked.
    Created,
    /// It has the new content.
    Written,
    /// The new content is on the disk.
    Synced,
    /// The file has its name.
    Renamed,
    /// The name is on the disk.
    Finished,
}

/// Replaces the file at `path` by one with `bytes`, or creates it. Waits for the disk.
///
/// # Errors
/// What the disk says. Before the rename the old file is unchanged; when syncing the directory fails, the
/// new content is in place but may not survive a power failure.
pub fn replace(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    replace_with(path, bytes, access, |_| Ok(())).map(drop)
}

/// [`replace`] for callers that keep the file, open for reading and appending and locked, or that act
/// between the steps. An error of `observe` ends the replacement at that step.
///
/// # Errors
/// As for [`replace`], and those of `observe`.
pub fn replace_with(
    path: &Path,
    bytes: &[u8],
    access: Access,
    mut observe: impl FnMut(ReplaceStep) -> io::Result<()>,
) -> io::Result<File> {
    let file = prepare_replacement(path, bytes, access, &mut observe)?;
    finish_replacement(path, &mut observe)?;
    Ok(file)
}

/// The first steps of [`replace_with`], up to the rename. After an error the old file is unchanged.
fn prepare_replacement(
    path: &Path,
    bytes: &[u8],
    access: Access,
    observe: &mut impl FnMut(ReplaceStep) -> io::Result<()>,
) -> io::Result<File> {
    let temporary = temporary(path);
    let mut file = exclusive(&temporary, access)?;
    observe(ReplaceStep::Created)?;
    file.write_all(bytes)?;
    observe(ReplaceStep::Written)?;
    file.sync_all()?;
    observe(ReplaceStep::Synced)?;
    // On POSIX a rename replaces the target in one step: a reader sees one file or the other.
    fs::rename(&temporary, path)?;
    Ok(file)
}

/// The last steps of [`replace_with`].
fn finish_replacement(
    path: &Path,
    observe: &mut impl FnMut(ReplaceStep) -> io::Result<()>,
) -> io::Result<()> {
    observe(ReplaceStep::Renamed)?;
    // The rename is an entry of the directory, and a crash can lose it until the directory is synced.
    sync_directory(path)?;
    observe(ReplaceStep::Finished)
}

/// Creates the file at `path` with `bytes`; never overwrites one. Waits for the disk.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when there is one; whatever else the disk says, and then there is none.
pub fn create(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    // The system checks and creates in one step, so two processes cannot both create the file.
    let mut file = options(access).create_new(true).open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| sync_directory(path));
    if written.is_err() {
        // A part of a key or of a secret is worse than none: it could not be written again.
        let _ = fs::remove_file(path);
    }
    written
}

/// Makes the names in the directory of `path` durable.
///
/// # Errors
/// What the disk says.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Only Unix opens a directory as a file; elsewhere a rename is as durable as the system makes it.
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

/// Where the new content of `path` is written first.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

#[cfg_attr(not(unix), allow(unused_variables, reason = "only Unix has modes"))]
fn options(access: Access) -> OpenOptions {
    let mut options = OpenOptions::new();
    // Append: the file that `replace_with` returns continues behind the content that was written.
    options.read(true).append(true);
    #[cfg(unix)]
    if access == Access::Owner {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    options
}

/// The temporary file, empty, with the mode of `access`, and locked by this writer alone.
fn exclusive(temporary: &Path, access: Access) -> io::Result<File> {
    loop {
        let file = options(access).create(true).open(temporary)?;
        match file.lock() {
            // A file system without locks still gets atomic replacement.
            Err(error) if error.kind() != io::ErrorKind::Unsupported => return Err(error),
            _ => {}
        }
        // While this writer waited for the lock, another one may have renamed the file away.
        if !is_at(&file, temporary)? {
            continue;
        }
        // After the lock: before it, this would empty the file that another writer is writing.
        file.set_len(0)?;
        // A file that a crash left behind has the mode of that time.
        #[cfg(unix)]
        if access == Access::Owner {
            file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        }
        return Ok(file);
    }
}

/// Whether `file` is the one that is now at `path`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let open = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Elsewhere an open file cannot be renamed away.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests;
