//! Validators agree on blocks: every node follows, transactions become final, crashes lose nothing.

use serde_json::Value;

use crate::mesh::{CommandOutput, Mesh, eventually, run};

/// A node's position in the chain.
fn chain(mesh: &Mesh, node: &str) -> Value {
    let output = run(&mesh.dir().join("nodes").join(node), &["status", "--json"]);
    if output.code == 0 { output.json()["chain"].clone() } else { Value::Null }
}

fn height(mesh: &Mesh, node: &str) -> u64 {
    chain(mesh, node)["height"].as_u64().unwrap_or(0)
}

fn reaches(mesh: &Mesh, node: &str, least: u64) {
    eventually(&format!("{node} has block {least}"), || (height(mesh, node) >= least).then_some(()));
}

fn balance(mesh: &Mesh, key: &str) -> u64 {
    let shown = mesh.run(&["wallet", "show", "--json", "--key", key]).succeeded().json();
    shown["balance"].as_u64().unwrap()
}

#[test]
fn transactions_become_final_and_every_node_agrees_on_the_state() {
    let mesh = Mesh::up(&["--validators", "4", "--miners", "1"]);
    let to = mesh.node("miner-1")["node"].as_str().unwrap().to_owned();
    let key = mesh.dir().join("nodes/miner-1/key.pem");
    let key = key.to_str().unwrap();

    let tried = mesh.run(&["wallet", "send", &to, "12.5", "--dry-run"]).succeeded();
    assert!(
        tried.err.contains("this pays 12.5 tokens") && tried.err.contains("tokens now, and at most 0.0000"),
        "{tried:?}"
    );
    assert_eq!(balance(&mesh, key), 0);
    let sent = mesh.run(&["wallet", "send", &to, "12.5", "--json"]).succeeded();
    assert_eq!(sent.json()["state"], "applied");
    assert!(sent.err.contains("final in block"), "{sent:?}");
    assert_eq!(balance(&mesh, key), 12_500_000_000);

    // One key, several commands at once: each gets a nonce of its own.
    let at_once: Vec<CommandOutput> = std::thread::scope(|scope| {
        let send = |amount: &'static str| {
            let (mesh, to) = (&mesh, &to);
            scope.spawn(move || mesh.run(&["wallet", "send", to, amount]))
        };
        let sending = ["1", "2", "3", "4"].map(send);
        sending.into_iter().map(|one| one.join().unwrap()).collect()
    });
    at_once.into_iter().for_each(|one| drop(one.succeeded()));
    assert_eq!(balance(&mesh, key), 22_500_000_000);

    let much: CommandOutput = mesh.run(&["wallet", "send", &to, "900000"]);
    assert!(much.code != 0 && much.err.contains("900000 tokens are needed"), "{much:?}");

    let block = sent.json()["height"].as_u64().unwrap();
    let nodes = ["validator-1", "validator-2", "validator-3", "validator-4", "miner-1", "gateway-1"];
    nodes.iter().for_each(|node| reaches(&mesh, node, block));
    // All at the same height at once, in some moment, with the same root.
    eventually("the same state everywhere", || {
        let seen: Vec<_> = nodes.iter().map(|node| chain(&mesh, node)).collect();
        let same = seen.iter().all(|one| one["height"] == seen[0]["height"]);
        same.then(|| assert!(seen.iter().all(|one| one["state"] == seen[0]["state"]), "{seen:?}"))
    });
    let row = mesh.node("validator-1");
    assert!(row["height"].as_u64().unwrap() >= block && row["finality_ms"].is_u64(), "{row}");
}

#[test]
fn one_of_four_may_die_two_may_not_and_nothing_is_lost() {
    let mesh = Mesh::up(&["--validators", "4", "--miners", "1"]);
    reaches(&mesh, "validator-1", 2);
    mesh.run(&["testnet", "kill", "validator-4"]).succeeded();
    let before = height(&mesh, "validator-1");
    reaches(&mesh, "validator-1", before + 3);

    mesh.run(&["testnet", "kill", "validator-3"]).succeeded();
    // The block in progress may still be decided; after that, half of the voting power makes none.
    let old = |chain: &Value| chain["age_ms"].as_u64().is_some_and(|age| age >= 6_000);
    let stuck = eventually("no block for six block times", || {
        let chain = chain(&mesh, "validator-1");
        old(&chain).then(|| chain["height"].as_u64()).flatten()
    });
    assert_eq!(height(&mesh, "validator-2"), stuck, "half of the power made a block");

    mesh.run(&["testnet", "start", "validator-3"]).succeeded();
    reaches(&mesh, "validator-1", stuck + 2);
    mesh.run(&["testnet", "start", "validator-4"]).succeeded();
    let now = height(&mesh, "validator-1");
    reaches(&mesh, "validator-4", now + 2);
    assert_eq!(chain(&mesh, "validator-4")["failed"], Value::Null);
    reaches(&mesh, "miner-1", now);
}
