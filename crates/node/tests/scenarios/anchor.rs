//! Checkpoints outlive the mesh: in the nodes' files, and in a contract on a real chain that comes and goes.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::mesh::{CommandOutput, Mesh, Running, eventually, nervure};

/// The checkpoint list, the latest first.
fn checkpoints(mesh: &Mesh) -> Vec<Value> {
    let page = mesh.run(&["checkpoint", "list", "--json"]).succeeded().json();
    page["checkpoints"].as_array().unwrap().clone()
}

/// The checkpoint that was anchored last, as the list has it.
fn last_anchored(mesh: &Mesh, transaction: bool) -> Option<Value> {
    let anchored = checkpoints(mesh).into_iter().map(|row| row["anchored"].clone());
    anchored.into_iter().find(|row| row.is_object() && row["transaction"].is_string() == transaction)
}

fn status(mesh: &Mesh) -> Value {
    mesh.run(&["status", "--json"]).succeeded().json()["anchor"].clone()
}

#[test]
fn validators_sign_checkpoints_and_every_node_keeps_them() {
    let mesh = Mesh::up(&["--validators", "4", "--miners", "1", "--block-milliseconds", "400"]);
    let anchored = eventually("a checkpoint in the gateway's file", || last_anchored(&mesh, false));
    let height = anchored["height"].as_u64().unwrap();
    says_what_a_registration_would_do(&mesh);

    // A validator dies and misses what the others sign meanwhile; it gets that from them.
    mesh.run(&["testnet", "kill", "validator-4"]).succeeded();
    let kept = |mesh: &Mesh| status(mesh)["kept"].as_u64().unwrap_or(0);
    eventually("the others anchor more checkpoints", || (kept(&mesh) >= height + 10).then_some(()));
    let missed = kept(&mesh);
    mesh.run(&["testnet", "start", "validator-4"]).succeeded();
    let dir = mesh.dir().join("nodes/validator-4");
    eventually("the one that was away has it too", || {
        let output = crate::mesh::run(&dir, &["status", "--json"]);
        let kept = (output.code == 0).then(|| output.json()["anchor"]["kept"].as_u64())??;
        (kept >= missed).then_some(())
    });
}

/// A dry run of `anchor register`, with the key of a node that has no anchor key yet.
fn says_what_a_registration_would_do(mesh: &Mesh) {
    let (anchor_key, key) = (mesh.dir().join("other-anchor.key"), mesh.dir().join("nodes/miner-1/key.pem"));
    let (anchor_key, key) = (anchor_key.to_str().unwrap(), key.to_str().unwrap());
    let address = mesh.run(&["anchor", "key", anchor_key]).succeeded().out;
    // It owns itself, and pays for what is not free.
    let node = mesh.run(&["key", "show", key]).succeeded().out;
    mesh.run(&["wallet", "send", node.trim(), "1"]).succeeded();
    let dry =
        mesh.run(&["anchor", "register", "--dry-run", "--anchor-key", anchor_key, "--key", key]).succeeded();
    let sentence = format!("this registers {} as the anchor key of ", address.trim());
    assert!(dry.err.contains(&sentence) && dry.err.contains("it costs 0.0000"), "a miner pays: {dry:?}");
}

/// The path of anvil, where npm has installed it.
fn anvil() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let named = std::env::var_os("NERVURE_ANVIL").map(PathBuf::from);
    let installed = ["amd64", "arm64"].map(|machine| {
        root.join(format!("contracts/node_modules/@foundry-rs/anvil-linux-{machine}/bin/anvil"))
    });
    let found = named.into_iter().chain(installed).find(|path| path.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: anvil is not here (npm ci in contracts/)");
    }
    found
}

#[test]
fn a_contract_keeps_them_while_its_chain_comes_and_goes() {
    let Some(anvil) = anvil() else { return };
    let mesh = Mesh::with(|command| {
        command.env("NERVURE_ANVIL", &anvil);
        command.args([
            "--validators",
            "4",
            "--miners",
            "1",
            "--anchor",
            "evm",
            "--block-milliseconds",
            "400",
        ]);
    });
    let first = eventually("a checkpoint in the contract", || last_anchored(&mesh, true));
    assert!(first["transaction"].as_str().unwrap().starts_with("0x"), "{first}");

    // The mesh continues without the chain, reports it, and catches up when the chain is back.
    mesh.run(&["testnet", "kill", "chain"]).succeeded();
    let before = status(&mesh)["anchored"].as_u64().unwrap();
    let without = eventually("checkpoints are signed without the chain", || {
        let status = status(&mesh);
        let kept = status["kept"].as_u64().filter(|kept| *kept >= before + 20)?;
        status["trouble"].is_string().then_some(kept)
    });
    mesh.run(&["testnet", "start", "chain"]).succeeded();
    eventually("all of them in the contract", || {
        let status = status(&mesh);
        (status["anchored"].as_u64() >= Some(without) && status["trouble"].is_null()).then_some(())
    });
    let anchored: Vec<_> = checkpoints(&mesh).into_iter().map(|row| row["anchored"].clone()).collect();
    let covered = |height: u64| anchored.iter().any(|row| row["height"].as_u64() == Some(height));
    assert!((1..=without / 10).all(|nth| covered(nth * 10)), "none is left out: {anchored:?}");

    begins_with_the_contract(&mesh);
}

/// Light clients and new nodes trust the contract instead of the genesis.
fn begins_with_the_contract(mesh: &Mesh) {
    let testnet = mesh.run(&["testnet", "status", "--json"]).succeeded().json();
    let rpc = testnet["chain"]["endpoint"].as_str().unwrap().to_owned();
    let ahead = eventually("a checkpoint after the last one in the contract", || {
        let anchored = status(mesh)["anchored"].as_u64()?;
        let latest = checkpoints(mesh).first()?["height"].as_u64()?;
        (latest > anchored).then_some(latest)
    });
    let verified = mesh.run(&["checkpoint", "verify", &ahead.to_string(), "--anchor-rpc", &rpc, "--json"]);
    // By now the contract may be past that block; then the command refuses.
    match verified.code {
        0 => assert!(verified.json()["trusted"].as_str().unwrap().contains("in contract 0x"), "{verified:?}"),
        _ => assert!(verified.err.contains("certificates lead forward only"), "{verified:?}"),
    }
    let nowhere = mesh.run(&["checkpoint", "verify", "--anchor-rpc", "http://127.0.0.1:1"]);
    assert!(nowhere.code == 1 && nowhere.err.contains("the contract that keeps checkpoints"), "{nowhere:?}");

    let home = tempfile::tempdir().unwrap();
    let log = std::fs::File::create(home.path().join("log")).unwrap();
    let node = nervure()
        .arg("--dir")
        .arg(home.path().join("node"))
        .arg("join")
        .arg(mesh.mesh_file())
        .args(["--checkpoint", "anchored", "--anchor-rpc", &rpc])
        .stderr(log)
        .spawn();
    let _node = Running(node.unwrap());
    let output = eventually("a node that begins with the contract", || {
        let output = std::fs::read_to_string(home.path().join("log")).unwrap();
        assert!(!output.contains("error:"), "{output}");
        output.contains("begins with the state of block").then_some(output)
    });
    assert!(
        output.contains("the last anchored checkpoint") || output.contains("which is verified"),
        "{output}"
    );
}

#[test]
fn a_testnet_without_the_program_of_the_chain_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let mut command = nervure();
    command.current_dir(home.path()).env("PATH", "").env("NERVURE_ANVIL", "/nowhere/anvil");
    let output =
        command.arg("--dir").arg(home.path().join("t")).args(["testnet", "up", "--anchor", "evm"]).output();
    let output = CommandOutput::of(output.unwrap());
    assert!(output.code == 1 && output.err.contains("npm install"), "{output:?}");
    assert!(!home.path().join("t").exists(), "nothing was begun");
}
