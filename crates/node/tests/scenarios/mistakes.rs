//! Users' mistakes: each error says what happened, why, and what to do next, and has its exit code.

use std::{
    ffi::OsStr,
    fs,
    net::{TcpListener, UdpSocket},
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
};

use crate::mesh::{CommandOutput, Mesh, nervure, run};

#[track_caller]
fn refused(output: &crate::mesh::CommandOutput, code: i32, words: &[&str]) {
    assert_eq!(output.code, code, "{output:?}");
    for word in words {
        assert!(output.err.contains(word), "no '{word}' in {}", output.err);
    }
    assert!(output.err.lines().any(|line| line.starts_with("error: ")), "{output:?}");
    assert!(!output.err.contains("panicked"), "{output:?}");
}

#[test]
fn refuses_queries_that_cannot_be_answered() {
    let mesh = Mesh::small(&[]);
    let next = "next: ";
    refused(
        &mesh.run(&["ask", "x", "-c", "image.generate"]),
        3,
        &["image.generate", "text.generate.rust", next],
    );
    refused(&mesh.run(&["ask", "x", "-m", "gpt-9"]), 3, &["no model 'gpt-9'", "nervure-bytes-rust", next]);
    refused(
        &mesh.run(&["ask", "x", "--where", "context >= 9999"]),
        3,
        &["none of them passes the filter", next],
    );
    refused(&mesh.run(&["ask", "x", "--max-tokens", "0"]), 2, &["max_tokens", next]);
    refused(&mesh.run(&["ask", "x", "--budget", "5"]), 2, &["budget"]);
    refused(
        &mesh.run(&["ask", &"x".repeat(100_000), "--max-tokens", "1", "--stop", &"y".repeat(65)]),
        2,
        &["stop"],
    );
    refused(&mesh.run(&["experts", "find", "--where", "context >"]), 2, &["column 10", "         ^", next]);
    refused(&mesh.run(&["testnet", "kill", "miner-9"]), 1, &["no node 'miner-9'", "miner-1, miner-2", next]);
}

#[test]
fn a_mesh_without_experts_says_so() {
    let mesh = Mesh::up(&["--validators", "1", "--miners", "0"]);
    refused(&mesh.run(&["ask", "x"]), 3, &["no expert for text.generate is known"]);
    assert!(mesh.run(&["experts", "find"]).succeeded().err.contains("0 found"));
}

#[test]
fn refuses_wrong_specs_and_keys() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("node");
    let spec = home.path().join("mesh.toml");
    let join = |more: &[&str]| run(&dir, &[&["join", spec.to_str().unwrap()], more].concat());
    refused(&join(&[]), 1, &["there is no mesh spec", "nervure mesh new"]);

    fs::write(&spec, "[mesh]\nname = \"x\"\nscoop = \"local\"\n").unwrap();
    refused(&join(&[]), 1, &["mesh.toml", "line 3", "scoop"]);

    fs::remove_file(&spec).unwrap();
    nervure().args(["mesh", "new", "x", "--out"]).arg(&spec).output().unwrap();
    refused(&join(&["--role", "miner"]), 1, &["is not registered as a miner", "[[nodes]]", "next: "]);
    refused(&join(&["--role", "king"]), 2, &["'king' is not a valid role"]);
    refused(&join(&["--expert", "builtin:poetry"]), 1, &["registered"]);

    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    refused(&join(&["--p2p-port", &port]), 5, &[&port, "UDP", "next: "]);

    let port = port_of_both();
    let both = join(&["--p2p-port", &port, "--http-port", &port]);
    refused(&both, 5, &[&port, "this node has the port for something else already"]);
    let below_a_file = format!("{}/mesh.toml", spec.display());
    refused(&run(&dir, &["join", &below_a_file]), 1, &["cannot read the mesh spec"]);

    let key = dir.join("key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    refused(&join(&[]), 1, &["key.pem", "0644", "chmod 600"]);
    refused(&run(&dir, &["key", "new"]), 1, &["already exists"]);
}

/// A port that is free for UDP and TCP.
fn port_of_both() -> String {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port.to_string();
        }
    }
}

#[test]
fn a_secret_that_cannot_be_used_leaves_nothing_unprotected() {
    let home = tempfile::tempdir().unwrap();
    let key = home.path().join("keys/key.pem");
    let new = |passphrase: &OsStr| {
        let mut command = nervure();
        command.args(["key", "new", "--out"]).arg(&key).env("NERVURE_KEY_PASSPHRASE", passphrase);
        CommandOutput::of(command.output().unwrap())
    };
    refused(&new(OsStr::new("")), 1, &["NERVURE_KEY_PASSPHRASE is set and empty", "next: "]);
    refused(&new(OsStr::from_bytes(b"p\xe4ssword")), 1, &["NERVURE_KEY_PASSPHRASE", "not UTF-8", "next: "]);
    assert!(!key.exists());
}

#[test]
fn a_directory_whose_name_is_no_text_is_refused_before_anything_starts() {
    let home = tempfile::tempdir().unwrap();
    let mut up = nervure();
    up.arg("--dir").arg(home.path().join(OsStr::from_bytes(b"nu\xff"))).args(["testnet", "up"]);
    refused(&CommandOutput::of(up.output().unwrap()), 1, &["is not UTF-8", "--dir"]);
    assert!(fs::read_dir(home.path()).unwrap().next().is_none());
}

#[test]
fn a_directory_with_other_things_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("thesis.tex"), "x").unwrap();
    refused(&run(home.path(), &["testnet", "up"]), 1, &["not empty and holds no testnet", "--dir"]);
    refused(&run(home.path(), &["testnet", "status"]), 1, &["there is no testnet", "nervure testnet up"]);
    refused(&run(home.path(), &["testnet", "up", "--validators", "0"]), 1, &["needs a validator"]);
}

#[test]
fn a_testnet_does_not_start_open_when_the_user_named_a_key() {
    let home = tempfile::tempdir().unwrap();
    let up = nervure()
        .env("NERVURE_API_KEY", "correct-horse-battery")
        .arg("--dir")
        .arg(home.path())
        .args(["testnet", "up"])
        .output();
    let output = crate::mesh::CommandOutput::of(up.unwrap());
    refused(&output, 1, &["NERVURE_API_KEY", "env -u NERVURE_API_KEY nervure testnet up"]);
}

#[test]
fn named_keys_are_made_listed_and_revoked_without_the_key_in_a_file() {
    let home = tempfile::tempdir().unwrap();
    let key = |args: &[&str]| run(home.path(), &[&["gateway", "key"], args].concat());
    let added = key(&["add", "alice", "--tokens-per-day", "1000", "--capability", "text.chat"]);
    assert_eq!(added.code, 0, "{added:?}");
    let secret = added.out.trim();
    assert!(secret.starts_with("nvk-"), "{added:?}");
    let file = fs::read_to_string(home.path().join("api-keys.json")).unwrap();
    assert!(file.contains("sha256:") && !file.contains(secret), "{file}");
    refused(&key(&["add", "alice"]), 1, &["already", "nervure gateway key list"]);
    refused(&key(&["add", "no spaces"]), 1, &["letters", "api-keys.json"]);
    let listed = key(&["list", "--json"]);
    assert!(listed.out.contains("\"alice\"") && listed.out.contains("text.chat"), "{listed:?}");
    let usage = run(home.path(), &["gateway", "usage", "--json"]);
    assert!(usage.out.contains("\"tokens_per_day\": 1000"), "{usage:?}");
    refused(&key(&["revoke", "bob"]), 1, &["no key 'bob'", "nervure gateway key list"]);
    assert_eq!(key(&["revoke", "alice"]).code, 0);
    assert_eq!(key(&["list"]).out.lines().count(), 1);
}
