//! A testnet that was stopped continues with its keys, chain and balances; and small accidents around its directory.

use std::{io::Read, process::Stdio};

use crate::mesh::{Mesh, eventually, nervure, run};

/// The balance of an account, in base units.
fn balance(mesh: &Mesh, owner: &str) -> u64 {
    mesh.run(&["wallet", "show", owner, "--json"]).succeeded().json()["balance"].as_u64().unwrap()
}

#[test]
fn a_stopped_testnet_goes_on_and_a_new_one_says_that_it_takes_its_place() {
    let mesh = Mesh::up(&["--validators", "2", "--miners", "1"]);
    let id = || mesh.node("gateway-1")["mesh"].as_str().map(str::to_owned);
    let before = (id(), mesh.run(&["status", "--json"]).succeeded().json()["mesh"].clone());
    let owner = run(mesh.dir(), &["key", "new", "--out", mesh.dir().join("other.pem").to_str().unwrap()]);
    let owner = owner.succeeded().out.trim().to_owned();
    mesh.run(&["wallet", "send", &owner, "20"]).succeeded();
    let up = ["testnet", "up", "--detach"];
    mesh.run(&["testnet", "down"]).succeeded();

    let odd = mesh.run(&[&up[..], &["--resume", "--miners", "2"]].concat());
    assert!(odd.code == 2 && odd.err.contains("--miners"), "{odd:?}");
    mesh.run(&[&up[..], &["--resume"]].concat()).succeeded();
    assert_eq!((id(), mesh.run(&["status", "--json"]).succeeded().json()["mesh"].clone()), before);
    assert_eq!(balance(&mesh, &owner), 20_000_000_000);
    let height = || mesh.run(&["status", "--json"]).succeeded().json()["chain"]["height"].as_u64().unwrap();
    let now = height();
    eventually("it makes blocks", || (height() > now).then_some(()));

    a_stray_file_breaks_no_command(&mesh);
    a_reader_that_leaves_is_no_failure(&mesh);
    weights_that_could_not_be_revealed_are_not_committed(&mesh);

    mesh.run(&["testnet", "down"]).succeeded();
    let new = mesh.run(&[&up[..], &["--validators", "1", "--miners", "0"]].concat()).succeeded();
    assert!(new.err.contains("takes the place") && new.err.contains("testnet up --resume"), "{new:?}");
    let elsewhere = tempfile::tempdir().unwrap();
    let nothing = run(elsewhere.path(), &[&up[..], &["--resume"]].concat());
    assert!(nothing.code == 1 && nothing.err.contains("there is no testnet in"), "{nothing:?}");
}

fn a_stray_file_breaks_no_command(mesh: &Mesh) {
    std::fs::write(mesh.dir().join("nodes/.DS_Store"), "x").unwrap();
    mesh.run(&["status"]).succeeded();
}

/// `nervure ask … | head -c 1`.
fn a_reader_that_leaves_is_no_failure(mesh: &Mesh) {
    let ask = ["ask", "fn ", "-c", "text.generate.rust", "--max-tokens", "2000"];
    for more in [&[][..], &["--json"]] {
        // Without a byte, no expert had room.
        let output = eventually("an answer has begun", || {
            let mut command = nervure();
            command.arg("--dir").arg(mesh.dir()).args(ask).args(more);
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let read = child.stdout.take().unwrap().read_exact(&mut [0]);
            let output = child.wait_with_output().unwrap();
            read.is_ok().then_some(output)
        });
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
}

fn weights_that_could_not_be_revealed_are_not_committed(mesh: &Mesh) {
    let key = mesh.dir().join("nodes/validator-1/key.pem").display().to_string();
    let commit = |weights: &[&str]| {
        mesh.run(&[&["weights", "commit", "1"], weights, &["--key", &key, "--dry-run"]].concat())
    };
    let twice = commit(&["0=1", "0=2"]);
    assert!(twice.code == 1 && twice.err.contains("uid 0 has two weights"), "{twice:?}");
    let unknown = commit(&["99=1"]);
    assert!(unknown.code == 1 && unknown.err.contains("subnet 1 has no uid 99"), "{unknown:?}");
    commit(&["0=1", "1=2"]).succeeded();
}
