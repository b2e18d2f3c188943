//! `nervure join` on a terminal asks what no setting says; the second start asks nothing.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
};

use nervure_ledger::spec::MeshSpec;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

use crate::mesh::{Running, eventually, nervure, run};

/// A node that joins on a terminal, with `typed` as the user's lines, and what it shows there as it comes.
fn on_terminal(dir: &Path, spec: &Path, typed: &str) -> (Running, std::sync::mpsc::Receiver<Vec<u8>>) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let terminal = ioctl_tiocgptpeer(&master, flags).unwrap();
    let mut command = nervure();
    command.arg("--dir").arg(dir).arg("join").arg(spec).stdin(terminal.try_clone().unwrap());
    command.stdout(terminal.try_clone().unwrap()).stderr(terminal);
    let child = Running(command.spawn().unwrap());
    drop(command);
    let mut master = File::from(master);
    master.write_all(typed.as_bytes()).unwrap();
    let (sender, shown) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(read @ 1..) = master.read(&mut piece) {
            let _ = sender.send(piece[..read].to_vec());
        }
    });
    (child, shown)
}

/// Waits until the node of `dir` runs.
fn runs(dir: &Path) {
    eventually("the node runs", || (run(dir, &["status", "--json"]).code == 0).then_some(()));
}

#[test]
fn a_terminal_is_asked_once_and_the_answers_are_kept() {
    let home = tempfile::tempdir().unwrap();
    let (dir, spec) = (home.path().join("node"), home.path().join("mesh.toml"));
    std::fs::write(&spec, MeshSpec::local("questions").to_toml()).unwrap();
    let (first, shown) = on_terminal(&dir, &spec, "\n\n");
    runs(&dir);
    assert_eq!(std::fs::read_to_string(dir.join("node.toml")).unwrap().trim(), "role = \"none\"");
    drop(first);
    let text = |shown: std::sync::mpsc::Receiver<Vec<u8>>| {
        String::from_utf8_lossy(&shown.iter().flatten().collect::<Vec<u8>>()).into_owned()
    };
    let text_of_first = text(shown);
    assert!(text_of_first.contains("What is this node to do?"), "{text_of_first}");

    let (second, shown) = on_terminal(&dir, &spec, "");
    runs(&dir);
    drop(second);
    let text_of_second = text(shown);
    assert!(!text_of_second.contains("What is this node to do?"), "{text_of_second}");
}
