//! Runs the program on a terminal.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    os::fd::OwnedFd,
    path::Path,
    process::{Command, Stdio},
};

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

/// Everything that `nervure` with these arguments writes to its terminal, standard error included.
pub(crate) fn on_terminal(dir: &Path, arguments: &[&str]) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let terminal =
        ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_nervure"));
    command.arg("--dir").arg(dir).args(arguments).stdin(Stdio::null());
    command.stdout(terminal.try_clone().unwrap()).stderr(terminal);
    let mut child = command.spawn().unwrap();
    // Our ends of the terminal are in the command; with it, the child's are the last ones.
    drop(command);
    let text = read_to_end(master);
    child.wait().unwrap();
    text
}

/// What is written to the other side. When it is closed, reading fails with an I/O error.
fn read_to_end(master: OwnedFd) -> String {
    let (mut file, mut all, mut piece) = (File::from(master), Vec::new(), [0; 4096]);
    loop {
        match file.read(&mut piece) {
            Ok(0) | Err(_) if all.is_empty() => panic!("nothing was printed"),
            Ok(0) => break,
            Ok(read) => all.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_closed) => break,
        }
    }
    String::from_utf8(all).unwrap()
}
