//! An unregistered node joins a running mesh: it may list experts and ask, but not serve.

use std::process::Stdio;

use crate::mesh::{Mesh, Running, eventually, http_text, nervure, run};

#[test]
fn an_unregistered_node_may_list_experts_and_ask() {
    let mesh = Mesh::small(&["--record-expiry", "3600"]);
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("node");
    // With a key, as an API has it that others reach: the commands of its user need none.
    let mut join = nervure();
    join.arg("--dir")
        .arg(&dir)
        .arg("join")
        .arg(mesh.mesh_file())
        .env("NERVURE_API_KEY", "correct-horse-battery");
    let node = Running(join.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    eventually("it knows both experts", || {
        let found = run(&dir, &["experts", "find", "--json"]);
        (found.code == 0 && found.json()["experts"].as_array().unwrap().len() == 2).then_some(())
    });
    run(&dir, &["ask", "fn ", "-c", "text.generate.rust", "--max-tokens", "2"]).succeeded();
    let status = run(&dir, &["status", "--json"]).succeeded().json();
    assert_eq!(status["role"], "none");
    assert!(http_text(&dir, "status").contains("this API needs a key"), "another user's program does");
    drop(node);
    let gone = run(&dir, &["status"]);
    assert_eq!(gone.code, 8, "a node.json that a killed node left is not taken for a node: {gone:?}");
}
