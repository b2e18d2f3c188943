//! The owner of a testnet's run, and how its nodes notice that the owner has ended.
//!
//! The owner holds an exclusive lock on `DIR/lock` for as long as it runs; the kernel releases it even after `kill -9`.
//! It is also the only writer of the FIFO `DIR/alive`, which is the standard input of every node: when the owner ends,
//! for any reason, each node reads an end of file and stops. A node that `testnet start` adds later opens the same
//! FIFO. Detached nodes have no FIFO.
//!
//! Every run creates its own FIFO: a node of an earlier run must not see a new writer and keep running.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::Path,
};

use rustix::fs::{CWD, Mode};

use crate::{Layout, ProcessRef, TestnetError, state::State};

/// The right to run the testnet in a directory; released on drop.
#[derive(Debug)]
pub(crate) struct Owner {
    /// Locked until it is dropped.
    _lock: File,
    /// The write end of the FIFO, when the nodes shall end with this process.
    alive: Option<File>,
}

impl Owner {
    /// Takes the lock of `layout`, whose directory must exist.
    ///
    /// # Errors
    /// [`TestnetError::AlreadyRunning`] when another process has it.
    pub(crate) fn acquire(layout: &Layout) -> Result<Self, TestnetError> {
        match try_lock(&layout.lock()).map_err(TestnetError::io("lock", layout.lock()))? {
            Some(lock) => Ok(Self { _lock: lock, alive: None }),
            None => {
                let owner = State::load(layout).ok().and_then(|state| state.owner).map(|owner| owner.pid);
                Err(TestnetError::AlreadyRunning { dir: layout.dir().into(), owner })
            }
        }
    }

    /// Creates the FIFO, so that nodes started from now on end with this process.
    pub(crate) fn tie_nodes(&mut self, layout: &Layout) -> Result<(), TestnetError> {
        self.untie_nodes();
        let path = layout.alive();
        let made = remove_if_there(&path)
            .and_then(|()| make_fifo(&path))
            // Opened for both: opening for writing alone waits for a reader.
            .and_then(|()| OpenOptions::new().read(true).write(true).open(&path));
        self.alive = Some(made.map_err(TestnetError::io("make", path))?);
        Ok(())
    }

    /// Closes the FIFO: nodes tied to it will stop.
    pub(crate) fn untie_nodes(&mut self) {
        self.alive = None;
    }
}

/// Whether a process owns the run in `layout` now.
pub(crate) fn is_owned(layout: &Layout) -> bool {
    layout.lock().exists() && matches!(try_lock(&layout.lock()), Ok(None))
}

/// The standard input of a node that ends with the owner; `None` if there is no running owner.
pub(crate) fn tied_stdin(layout: &Layout, owner: Option<ProcessRef>) -> io::Result<Option<File>> {
    // Without a writer this open would block forever, so the owner must be running.
    match owner {
        Some(owner) if owner.is_alive() => File::open(layout.alive()).map(Some),
        _ => Ok(None),
    }
}

/// Waits for the lock for changes of the state; it is released when the file is dropped.
pub(crate) fn edit_turn(layout: &Layout) -> Result<File, TestnetError> {
    let path = layout.edit_lock();
    open_lock(&path).and_then(|file| file.lock().map(|()| file)).map_err(TestnetError::io("lock", path))
}

fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = open_lock(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn make_fifo(path: &Path) -> io::Result<()> {
    let mode = Mode::RUSR | Mode::WUSR;
    #[cfg(target_vendor = "apple")]
    rustix::fs::mkfifoat(CWD, path, mode)?;
    #[cfg(not(target_vendor = "apple"))]
    rustix::fs::mknodat(CWD, path, rustix::fs::FileType::Fifo, mode, 0)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn allows_one_owner_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        assert!(!is_owned(&layout));
        let owner = Owner::acquire(&layout).unwrap();
        assert!(is_owned(&layout));
        assert!(matches!(Owner::acquire(&layout), Err(TestnetError::AlreadyRunning { .. })));
        drop(owner);
        assert!(!is_owned(&layout));
        Owner::acquire(&layout).unwrap();
    }

    #[test]
    fn a_tied_reader_sees_the_end_when_the_owner_goes() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let mut owner = Owner::acquire(&layout).unwrap();
        owner.tie_nodes(&layout).unwrap();
        let mut stdin = tied_stdin(&layout, Some(ProcessRef::own())).unwrap().unwrap();
        let reader = std::thread::spawn(move || stdin.read(&mut [0; 1]).unwrap());
        drop(owner);
        assert_eq!(reader.join().unwrap(), 0, "end of file");
    }

    #[test]
    fn does_not_tie_a_node_to_an_ended_owner() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let gone = ProcessRef { pid: std::process::id(), started: 1 };
        assert!(tied_stdin(&layout, Some(gone)).unwrap().is_none() || !Path::new("/proc").exists());
        assert!(tied_stdin(&layout, None).unwrap().is_none());
    }

    #[test]
    fn a_new_run_does_not_revive_readers_of_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let mut owner = Owner::acquire(&layout).unwrap();
        owner.tie_nodes(&layout).unwrap();
        let mut old = tied_stdin(&layout, Some(ProcessRef::own())).unwrap().unwrap();
        owner.tie_nodes(&layout).unwrap();
        assert_eq!(old.read(&mut [0; 1]).unwrap(), 0, "the old FIFO has no writer any more");
    }
}
