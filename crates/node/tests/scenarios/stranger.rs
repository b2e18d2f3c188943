//! A stranger with tokens and a node that is not registered: its transactions reach the mesh through its own node, and the
//! first of them registers it.

use std::path::Path;

use crate::mesh::{Mesh, Running, eventually, run};

/// A node that follows the chain without being registered.
fn stranger(mesh: &Mesh, dir: &Path) -> Running {
    let stranger = Running::join(&mesh.mesh_file(), dir);
    eventually("it follows the chain", || {
        let status = run(dir, &["status", "--json"]);
        (status.code == 0 && status.json()["chain"]["height"].as_u64()? > 0).then_some(())
    });
    stranger
}

#[test]
fn a_stranger_spends_and_registers_through_its_own_node() {
    let mesh = Mesh::up(&["--validators", "2", "--miners", "1"]);
    let home = tempfile::tempdir().unwrap();
    let (dir, owner) = (home.path().join("node"), home.path().join("owner.pem").display().to_string());
    let id = run(home.path(), &["key", "new", "--out", &owner]).succeeded().out.trim().to_owned();
    mesh.run(&["wallet", "send", &id, "20"]).succeeded();
    let _stranger = stranger(&mesh, &dir);
    eventually("its node knows of the tokens", || {
        let shown = run(&dir, &["wallet", "show", "--key", &owner, "--json"]);
        (shown.code == 0 && shown.json()["balance"] == 20_000_000_000u64).then_some(())
    });

    let sent = run(&dir, &["wallet", "send", &id, "1", "--key", &owner]).succeeded();
    assert!(sent.err.contains("final in block"), "{sent:?}");
    let key = dir.join("key.pem").display().to_string();
    let registered = run(&dir, &["key", "register", &key, "--key", &owner]).succeeded();
    assert!(registered.err.contains("final in block"), "{registered:?}");
    let node = run(&dir, &["key", "show", &key]).succeeded().out.trim().to_owned();
    let slot = ["neuron", "register", "--netuid", "1", "--node", &node, "--key", &owner];
    let slot = run(&dir, &slot).succeeded();
    assert!(slot.err.contains("of subnet 1 is taken"), "{slot:?}");
}
