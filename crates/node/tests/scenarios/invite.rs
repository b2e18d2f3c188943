//! A newcomer with nothing but an invite: sees what the mesh is, joins, gets tokens from a faucet, and registers from its own
//! node. A changed invite, and a node with another spec, lead nowhere.

use std::{path::Path, process::Stdio};

use crate::mesh::{CommandOutput, Mesh, Running, eventually, nervure, run};

/// A node without a role that has a faucet, and its address.
fn faucet(mesh: &Mesh, dir: &Path) -> (Running, String) {
    let owner = mesh.dir().join("owner.pem");
    let mut join = nervure();
    join.arg("--dir").arg(dir).arg("join").arg(mesh.mesh_file());
    join.arg("--faucet").arg(&owner).args(["--faucet-amount", "50", "--faucet-bits", "6"]);
    let running = Running(join.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let address = eventually("the node with the faucet follows the chain", || {
        let status = run(dir, &["status", "--json"]);
        let status = (status.code == 0).then(|| status.json())?;
        (status["chain"]["height"].as_u64()? > 1).then_some(())?;
        let listening = status["network"]["listening"].as_array()?.iter();
        listening.filter_map(|one| one.as_str()).find(|one| one.contains("/udp/")).map(str::to_owned)
    });
    (running, address)
}

#[test]
fn an_invite_is_enough_to_join_get_tokens_and_register() {
    let mesh = Mesh::up(&["--validators", "2", "--miners", "1"]);
    let home = tempfile::tempdir().unwrap();
    let (giver, dir) = (home.path().join("giver"), home.path().join("node"));
    let (_faucet, seed) = faucet(&mesh, &giver);
    let owner = mesh.dir().join("owner.pem").display().to_string();
    let link = run(&giver, &["invite", "--seed", &seed, "--key", &owner]).succeeded().out.trim().to_owned();
    assert!(link.starts_with("nervure:"), "{link}");

    let mut join = nervure();
    join.arg("--dir").arg(&dir).args(["join", &link]).stdout(Stdio::null());
    let said = home.path().join("said");
    let _node = Running(join.stderr(std::fs::File::create(&said).unwrap()).spawn().unwrap());
    eventually("the newcomer follows the chain", || {
        let status = run(&dir, &["status", "--json"]);
        (status.code == 0 && status.json()["chain"]["height"].as_u64()? > 1).then_some(())
    });
    let said = std::fs::read_to_string(&said).unwrap();
    for part in ["invited by", "supply", "blocks     one every", "pays for"] {
        assert!(said.contains(part), "{part}: {said}");
    }

    let key = home.path().join("own.pem").display().to_string();
    let id = run(home.path(), &["key", "new", "--out", &key]).succeeded().out.trim().to_owned();
    let paid = run(&dir, &["faucet", "--key", &key, "--json"]).succeeded().json();
    assert_eq!((paid["owner"].as_str(), paid["amount"].as_u64()), (Some(id.as_str()), Some(50_000_000_000)));
    eventually("the tokens are there", || {
        let shown = run(&dir, &["wallet", "show", "--key", &key, "--json"]);
        (shown.code == 0 && shown.json()["balance"] == 50_000_000_000_u64).then_some(())
    });
    let again = run(&dir, &["faucet", "--key", &key]);
    assert!(again.code == 1 && again.err.contains("has tokens already"), "{again:?}");
    let node_key = dir.join("key.pem").display().to_string();
    run(&dir, &["key", "register", &node_key, "--key", &key]).succeeded();

    wrong_invites_lead_nowhere(&mesh, home.path(), &link, &seed);
    doctor_finds_nothing_wrong(&dir);
}

fn wrong_invites_lead_nowhere(mesh: &Mesh, home: &Path, link: &str, seed: &str) {
    let join = |link: &str| {
        let dir = home.join("nowhere");
        CommandOutput::of(nervure().arg("--dir").arg(&dir).args(["join", link]).output().unwrap())
    };
    let cut = join(&link[..link.len() - 20]);
    assert!(cut.code == 1 && cut.err.contains("the invite"), "{cut:?}");
    // An invite to another mesh, whose seed is a node of this one.
    let other = home.join("other.toml").display().to_string();
    run(home, &["mesh", "new", "other", "--out", &other]).succeeded();
    let key = mesh.dir().join("owner.pem").display().to_string();
    let invite = run(home, &["invite", "--spec", &other, "--seed", seed, "--key", &key]).succeeded();
    let elsewhere = join(invite.out.trim());
    assert!(
        elsewhere.code == 1 && elsewhere.err.contains("no node of the mesh is connected"),
        "{elsewhere:?}"
    );
}

fn doctor_finds_nothing_wrong(dir: &Path) {
    let report = run(dir, &["doctor", "--json"]);
    let findings = report.json()["findings"].as_array().unwrap().clone();
    let verdict = |check: &str| {
        let found = findings.iter().find(|one| one["check"] == check);
        found.map(|one| one["verdict"].as_str().unwrap().to_owned()).unwrap_or_default()
    };
    for check in ["peers", "mesh", "chain", "reach", "key", "clock"] {
        assert_eq!(verdict(check), "ok", "{check}: {report:?}");
    }
    let status = run(dir, &["status"]).succeeded();
    assert!(status.out.contains("reached  directly, as the mesh is local"), "{status:?}");
}
