//! A holder of tokens asks the HTTP APIs of others, and believes what they prove and nothing else.

use crate::{
    mesh::{Mesh, run},
    tampering_proxy::{TamperingProxy, flip},
};

const TO: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

#[test]
fn endpoints_of_others_are_believed_only_with_proofs() {
    let mesh = Mesh::up(&["--validators", "2", "--miners", "1"]);
    let home = tempfile::tempdir().unwrap();
    let (spec, key) =
        (mesh.mesh_file().display().to_string(), home.path().join("owner.pem").display().to_string());
    let owner = run(home.path(), &["key", "new", "--out", &key]).succeeded().out.trim().to_owned();
    mesh.run(&["wallet", "send", &owner, "20"]).succeeded();

    let honest = format!("http://{}", mesh.http("gateway-1"));
    let wallet = |command: &[&str], from: &[&str]| {
        let from: Vec<&str> = from.iter().flat_map(|url| ["--from", *url]).collect();
        run(home.path(), &[&["wallet"], command, &["--key", &key, "--mesh", &spec], &from[..]].concat())
    };
    let sent = wallet(&["send", TO, "3"], &[&honest]).succeeded();
    assert!(sent.err.contains("paid 3 tokens to"), "{sent:?}");
    let shown = wallet(&["show", "--json"], &[&honest]).succeeded().json();
    let balance = shown["balance"].as_u64().unwrap();
    assert!((16_000_000_000..17_000_000_000).contains(&balance), "{shown}");

    let proxy = TamperingProxy::in_front_of(mesh.http("validator-1"));
    let lying = format!("http://{}", proxy.addr());
    wallet(&["show"], &[&lying]).succeeded();
    for at in [100, 500, 900] {
        proxy.tamper(move |path, body| match path {
            "/light" => flip(body, "response", at),
            _ => body["balance"] = 99_000_000_000_u64.into(),
        });
        let refused = wallet(&["show"], &[&lying]);
        assert!(refused.code == 9 && refused.out.is_empty(), "{at}: {refused:?}");
        assert!(refused.err.contains("no peer gave an answer that verifies"), "{at}: {refused:?}");
        wallet(&["show"], &[&lying, &honest]).succeeded();
    }
    // Without the proofs the same endpoint is believed.
    let believed = crate::score::get(&format!("{lying}/accounts/{owner}"));
    assert_eq!(believed["balance"], 99_000_000_000_u64, "{believed}");

    let none = wallet(&["show"], &["spec"]);
    assert!(none.code == 1 && none.err.contains("names no endpoints"), "{none:?}");
    let bad = wallet(&["show"], &["mesh.example"]);
    assert!(bad.code == 2 && bad.err.contains("not an endpoint"), "{bad:?}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "only the key");
}
