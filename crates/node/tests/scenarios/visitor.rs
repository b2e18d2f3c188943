//! A visitor with nothing but the mesh spec finds the experts of now, gets a certified answer, and spends tokens without a
//! node of its own. It leaves no files.

use std::{process::Stdio, time::Instant};

use crate::mesh::{Mesh, Running, eventually, nervure, run};

/// Founds subnet 22, and starts a miner in it.
fn late_miner(mesh: &Mesh, home: &std::path::Path) -> Running {
    let dir = home.join("miner");
    let node = run(&dir, &["key", "new"]).succeeded().out.trim().to_owned();
    mesh.run(&["key", "register", dir.join("key.pem").to_str().unwrap()]).succeeded();
    mesh.run(&["subnet", "create", "mine", "--node", &node]).succeeded();
    let mut join = nervure();
    join.arg("--dir").arg(&dir).arg("join").arg(mesh.mesh_file());
    join.args(["--role", "miner", "--expert", "builtin:rust,netuid=22,name=late"]);
    Running(join.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn a_visitor_finds_later_miners_and_gets_a_certified_answer() {
    let mesh = Mesh::up(&["--validators", "2", "--miners", "1"]);
    let (home, visitor) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let spec = mesh.mesh_file().display().to_string();
    let _miner = late_miner(&mesh, home.path());
    eventually("the visitor finds the expert that the genesis does not know", || {
        let found =
            run(visitor.path(), &["experts", "find", "text.generate.rust", "--mesh", &spec, "--json"]);
        let experts = (found.code == 0).then(|| found.json()["experts"].as_array().unwrap().clone())?;
        experts.iter().any(|expert| expert["expert"] == "late").then_some(())
    });
    let ask =
        ["ask", "fn ", "-c", "text.generate.rust", "--subnet", "22", "--max-tokens", "5", "--mesh", &spec];
    let started = Instant::now();
    run(visitor.path(), &["experts", "find", "--mesh", &spec]).succeeded();
    let found = started.elapsed();
    let verified = run(visitor.path(), &[&ask[..], &["--verify"]].concat()).succeeded();
    let asked = started.elapsed() - found;
    println!("experts find --mesh: {} ms; ask --mesh --verify: {} ms", found.as_millis(), asked.as_millis());
    assert!(
        verified.err.contains("verified: ")
            && verified.err.contains("of 2 validators, from the genesis of mesh"),
        "{verified:?}"
    );
    // A block that is not of this mesh: nothing is believed, and nothing is asked.
    let other = format!("1:{}", "ab".repeat(32));
    let refused = run(visitor.path(), &[&ask[..], &["--mesh-trust", &other]].concat());
    assert!(refused.code != 0 && refused.err.contains("the one that is trusted is abab"), "{refused:?}");
    assert!(std::fs::read_dir(visitor.path()).unwrap().next().is_none(), "a visitor leaves no files");
}

#[test]
fn a_holder_of_tokens_needs_no_node() {
    let mesh = Mesh::up(&["--validators", "2", "--miners", "1"]);
    let home = tempfile::tempdir().unwrap();
    let (spec, key) =
        (mesh.mesh_file().display().to_string(), home.path().join("owner.pem").display().to_string());
    let owner = run(home.path(), &["key", "new", "--out", &key]).succeeded().out.trim().to_owned();
    mesh.run(&["wallet", "send", &owner, "20"]).succeeded();
    let to = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    let sent = run(home.path(), &["wallet", "send", to, "3", "--key", &key, "--mesh", &spec]).succeeded();
    assert!(sent.err.contains("paid 3 tokens to"), "{sent:?}");
    let shown =
        run(home.path(), &["wallet", "show", "--key", &key, "--mesh", &spec, "--json"]).succeeded().json();
    let balance = shown["balance"].as_u64().unwrap();
    assert!((16_000_000_000..17_000_000_000).contains(&balance), "{shown}");
    let subnets = run(home.path(), &["subnet", "list", "--mesh", &spec, "--json"]).succeeded().json();
    assert!(!subnets["subnets"].as_array().unwrap().is_empty(), "{subnets}");
}
