//! Keys that people trust money to: a threshold account, a proxy, a batch and a vested amount, by command.

use std::{fs, path::Path};

use serde_json::Value;

use crate::mesh::{CommandOutput, Mesh, eventually, run};

/// A key file, and its id.
fn key(dir: &Path, name: &str) -> (String, String) {
    let path = dir.join(format!("{name}.pem"));
    let file = path.to_str().unwrap().to_owned();
    let id = run(dir, &["key", "new", "--out", &file]).succeeded().out.trim().to_owned();
    (file, id)
}

fn account(mesh: &Mesh, owner: &str) -> Value {
    mesh.run(&["wallet", "show", owner, "--json"]).succeeded().json()
}

fn balance(mesh: &Mesh, owner: &str) -> u64 {
    account(mesh, owner)["balance"].as_u64().unwrap()
}

fn failed(output: CommandOutput, why: &str) {
    assert!(output.code != 0 && output.err.contains(why), "{why}: {output:?}");
}

#[test]
fn members_approve_offline_and_a_proxy_keeps_its_limit() {
    let mesh = Mesh::up(&["--validators", "1", "--miners", "0"]);
    let offline = tempfile::tempdir().unwrap();
    let dir = offline.path();
    let file = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let (team, rent, copy) = (file("team.json"), file("rent.json"), file("copy.json"));
    let [(a, a_id), (b, b_id), (_, c_id)] = ["a", "b", "c"].map(|name| key(dir, name));

    let made = ["wallet", "multisig", "new", "--threshold", "2", "--out", &team, &a_id, &b_id, &c_id];
    let id = run(dir, &made).succeeded().out.trim().to_owned();
    mesh.run(&["wallet", "send", &id, "10", "--memo", "for the team"]).succeeded();

    // The proposer is no member; the members have no node.
    let propose = ["wallet", "send", &c_id, "4", "--multisig", &team, "--propose", &rent];
    let proposed = mesh.run(&propose).succeeded();
    assert!(proposed.err.contains("0 of 2 approvals"), "{proposed:?}");
    fs::copy(&rent, &copy).unwrap();
    failed(mesh.run(&["wallet", "multisig", "submit", &rent]), "0 of 2 approvals");
    let shown = run(dir, &["wallet", "multisig", "show", &rent]).succeeded();
    assert!(shown.out.contains(&format!("pays 4 tokens to {c_id}")), "{shown:?}");
    let approved = run(dir, &["wallet", "multisig", "approve", &rent, "--key", &a]).succeeded();
    assert!(approved.err.contains("1 of 2 approvals"), "{approved:?}");
    run(dir, &["wallet", "multisig", "approve", &copy, "--key", &b]).succeeded();
    // A file that was changed on its way has no approvals.
    let text = fs::read_to_string(&copy).unwrap();
    let changed = file("changed.json");
    fs::write(&changed, text.replace("4000000000", "9000000000")).unwrap();
    failed(mesh.run(&["wallet", "multisig", "submit", &changed]), "0 of 2 approvals");
    failed(run(dir, &["wallet", "multisig", "combine", &rent, &changed]), "different proposals");
    run(dir, &["wallet", "multisig", "combine", &rent, &copy]).succeeded();
    mesh.run(&["wallet", "multisig", "submit", &rent]).succeeded();
    assert_eq!((balance(&mesh, &id), balance(&mesh, &c_id)), (6_000_000_000, 4_000_000_000));
    failed(mesh.run(&["wallet", "multisig", "submit", &rent]), "nonce");

    // A batch gives the proxy something for fees, and makes it one.
    let batch = file("batch.json");
    mesh.run(&["wallet", "send", &a_id, "1", "--batch", &batch]).succeeded();
    let set = ["wallet", "proxy", "set", &a_id, "--allow", "transfers", "--limit", "5", "--until", "1000000"];
    mesh.run(&[&set[..], &["--batch", &batch]].concat()).succeeded();
    let sent = mesh.run(&["wallet", "batch", "send", &batch, "--json"]).succeeded();
    assert_eq!(sent.json()["state"], "applied");
    let owner = mesh.run(&["wallet", "show", "--json"]).succeeded().json();
    assert_eq!(owner["proxies"][0]["left"], 5_000_000_000u64);
    let owner = owner["owner"].as_str().unwrap();
    let by_proxy =
        |amount: &'static str| mesh.run(&["wallet", "send", &b_id, amount, "--proxy-of", owner, "--key", &a]);
    by_proxy("3").succeeded();
    failed(by_proxy("3"), "the proxy may spend only 2 tokens more");
    assert_eq!(balance(&mesh, &b_id), 3_000_000_000);

    mesh.run(&["wallet", "vest", &b_id, "8", "--over", "4"]).succeeded();
    assert_eq!(account(&mesh, &b_id)["vesting"][0]["amount"], 8_000_000_000u64);
    let is_over = |status: &Value| {
        status["chain"]["height"].as_u64() >= account(&mesh, &b_id)["vesting"][0]["end"].as_u64()
    };
    eventually("all of it has vested", || {
        is_over(&mesh.run(&["status", "--json"]).succeeded().json()).then_some(())
    });
    mesh.run(&["wallet", "claim", "--key", &b]).succeeded();
    assert!(balance(&mesh, &b_id) > 10_000_000_000);
    failed(mesh.run(&["wallet", "claim", "--key", &b]), "nothing has vested");
}
