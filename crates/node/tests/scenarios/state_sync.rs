//! A new node starts from the verified state of a recent block, without replaying history, and serves like any other.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Stdio},
};

use serde_json::Value;

use crate::mesh::{Mesh, eventually, nervure, run};

/// A node of one's own; killed on drop.
struct Node(Child);

impl Node {
    fn join(mesh: &Path, dir: &Path, checkpoint: &str) -> Self {
        fs::create_dir_all(dir.parent().unwrap()).unwrap();
        let log = File::create(dir.with_extension("log")).unwrap();
        let mut command = nervure();
        command.arg("--dir").arg(dir).arg("join").arg(mesh).args(["--checkpoint", checkpoint]);
        Self(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn log(dir: &Path) -> String {
    fs::read_to_string(dir.with_extension("log")).unwrap_or_default()
}

fn height(dir: &Path) -> Option<u64> {
    let output = run(dir, &["status", "--json"]);
    if output.code == 0 { output.json()["chain"]["height"].as_u64() } else { None }
}

#[test]
fn a_new_node_begins_with_a_verified_state() {
    let mesh = Mesh::up(&["--validators", "4", "--miners", "1"]);
    let latest = eventually("two checkpoints", || {
        let page = mesh.run(&["checkpoint", "list", "--json"]).succeeded().json();
        (page["checkpoints"].as_array()?.len() >= 2).then(|| page["checkpoints"][0].clone())
    });
    let block = |height: u64| {
        let shown = mesh.run(&["checkpoint", "show", &height.to_string(), "--json"]).succeeded().json();
        shown["block"].as_str().unwrap().to_owned()
    };
    let home = tempfile::tempdir().unwrap();

    let dir = home.path().join("pinned");
    let node = Node::join(&mesh.mesh_file(), &dir, &format!("3:{}", block(3)));
    let reached = eventually("it follows", || height(&dir));
    let began = log(&dir);
    assert!(began.contains("which is verified") && began.contains("percent=100"), "{began}");
    assert!(reached >= latest["height"].as_u64().unwrap());
    eventually("it follows the blocks of others", || height(&dir).filter(|now| *now > reached + 2));
    history_was_not_replayed(&dir, latest["height"].as_u64().unwrap());
    it_serves_what_it_knows(&mesh, &dir);
    drop(node);
    // A node that has a chain ignores the named checkpoint.
    let again = Node::join(&mesh.mesh_file(), &dir, &format!("3:{}", "ab".repeat(32)));
    eventually("it follows its chain", || height(&dir));
    assert!(log(&dir).contains("there is a chain here already"), "{}", log(&dir));
    drop(again);

    let dir = home.path().join("from-genesis");
    let _node = Node::join(&mesh.mesh_file(), &dir, "genesis");
    eventually("it follows", || height(&dir));

    let dir = home.path().join("misled");
    let mut misled = Node::join(&mesh.mesh_file(), &dir, &format!("3:{}", "ab".repeat(32)));
    let status = misled.0.wait().unwrap();
    let output = log(&dir);
    assert!(!status.success() && output.contains("the one that is trusted is abab"), "{output}");
    assert!(!dir.join("chain.redb").exists(), "nothing that was not verified is kept");
}

/// The node has no blocks from before the synced state.
fn history_was_not_replayed(dir: &Path, since: u64) {
    let before = run(dir, &["checkpoint", "show", "2"]);
    assert!(before.code == 1 && before.err.contains("there is no block 2"), "{before:?}");
    let list = run(dir, &["checkpoint", "list", "--json"]).succeeded().json();
    assert!(list["checkpoints"].as_array().unwrap().iter().all(|row| row["height"].as_u64() > Some(since)));
}

/// It follows the chain, and its checkpoints and proofs verify as those of any other node.
fn it_serves_what_it_knows(mesh: &Mesh, dir: &Path) {
    let row: Value = eventually("a checkpoint of its own", || {
        let page = run(dir, &["checkpoint", "list", "--json"]).succeeded().json();
        page["checkpoints"].get(0).cloned()
    });
    let spec = mesh.mesh_file();
    let args = ["checkpoint", "verify", &row["height"].to_string(), "--fact", "subnet/1", "--json", "--mesh"];
    let verified = run(dir, &[&args[..], &[spec.to_str().unwrap()]].concat()).succeeded().json();
    assert_eq!(verified["block"], row["block"]);
    let miner = mesh.node("miner-1")["node"].as_str().unwrap().to_owned();
    // It does not have the inputs of an epoch that ended before its state, and says so until the next one has ended.
    let output = eventually("an epoch of its own", || {
        let output = run(dir, &["score", "explain", &miner]);
        assert!(output.code == 0 || output.err.contains("began after the last epoch"), "{output:?}");
        (output.code == 0).then_some(output)
    });
    assert!(output.err.contains("verified:"), "{output:?}");
}
