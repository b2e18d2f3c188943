//! Signals at the moments at which users and their tools send them: while a node or a testnet starts, and under `nohup`.

use std::{
    io::{BufRead, BufReader, Read},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::mesh::{Running, eventually, nervure, run};

/// Sends `signal` to a child.
fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Waits until `child` handles Ctrl-C itself.
fn handles_interrupt(child: &Child) {
    let status = format!("/proc/{}/status", child.id());
    eventually("it handles SIGINT", || {
        let text = std::fs::read_to_string(&status).ok()?;
        let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        (u64::from_str_radix(mask.trim(), 16).ok()? & 0b10 != 0).then_some(())
    });
}

/// The exit code and the standard error of a child that ends.
fn ended(mut child: Running) -> (Option<i32>, String) {
    let mut text = String::new();
    child.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    (child.0.wait().unwrap().code(), text)
}

#[test]
fn ctrl_c_ends_a_node_that_waits_for_a_state_that_does_not_come() {
    let home = tempfile::tempdir().unwrap();
    let (spec, dir) = (home.path().join("mesh.toml"), home.path().join("node"));
    let other = run(&dir, &["key", "new"]).succeeded().out.trim().to_owned();
    let silent = format!("/ip4/127.0.0.1/udp/9/quic-v1/p2p/{other}");
    let (validator, account) = (format!("{other}=10"), format!("{other}=1000"));
    let new = ["mesh", "new", "x", "--bootstrap", &silent, "--validator", &validator, "--account", &account];
    run(&dir, &[&new[..], &["--out", spec.to_str().unwrap()]].concat()).succeeded();
    std::fs::remove_file(dir.join("key.pem")).unwrap();
    let mut join = nervure();
    join.arg("--dir").arg(&dir).arg("join").arg(&spec).args(["--checkpoint", "genesis", "--role", "none"]);
    let node = Running(join.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    handles_interrupt(&node.0);
    send(&node.0, Signal::INT);
    let (code, text) = ended(node);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("stopped before the node had joined"), "{text}");
}

#[test]
fn a_testnet_that_is_stopped_before_it_is_ready_has_failed() {
    // A model server that takes connections and says nothing: its miner is never ready.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let expert = format!("openai:http://{}/v1,model=x", server.local_addr().unwrap());
    let home = tempfile::tempdir().unwrap();
    let mut up = nervure();
    up.arg("--dir").arg(home.path().join("testnet")).args(["testnet", "up", "--detach", "--expert", &expert]);
    up.args(["--validators", "1", "--miners", "1", "--gateways", "0"]);
    let up = Running(up.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    handles_interrupt(&up.0);
    send(&up.0, Signal::INT);
    let (code, text) = ended(up);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("stopped before the testnet was ready"), "{text}");
}

/// A mock model server that a shell starts after `before`, and its address.
fn server(before: &str) -> (Running, String) {
    let program = env!("CARGO_BIN_EXE_nervure");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{before} exec '{program}' mock-server --listen 127.0.0.1:0")]);
    let mut child = shell.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.split_whitespace().find_map(|word| word.strip_prefix("http://")).unwrap().to_owned();
    let address = url.split('/').next().unwrap().to_owned();
    handles_interrupt(&child);
    (Running(child), address)
}

#[test]
fn a_hang_up_that_was_ignored_at_the_start_stays_ignored() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    if u64::from_str_radix(ignored.trim(), 16).unwrap() & 1 == 0 {
        let (mut plain, _) = server("");
        send(&plain.0, Signal::HUP);
        assert!(plain.0.wait().unwrap().success(), "a hang-up ends it in good order");
    } else {
        eprintln!("SKIPPED: the test itself was started with the hang-up ignored");
    }

    // What `nohup` does to a hang-up, and a script to an interrupt.
    let (mut kept, address) = server("trap '' HUP INT;");
    send(&kept.0, Signal::HUP);
    assert!(TcpStream::connect(address).is_ok());
    assert!(kept.0.try_wait().unwrap().is_none(), "it lives on");
    send(&kept.0, Signal::INT);
    assert!(kept.0.wait().unwrap().success(), "an interrupt counts always");
}
