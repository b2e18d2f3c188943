//! From the genesis to any block and any record with nothing but certificates.

use serde_json::Value;

use crate::{
    mesh::{Mesh, eventually},
    tampering_proxy::{TamperingProxy, flip},
};

#[test]
fn checkpoints_are_listed_shown_and_verified_from_the_genesis() {
    let mesh = Mesh::up(&["--validators", "4", "--miners", "1"]);
    // The next election is at block 10, with the stake after the first epoch.
    let latest = eventually("a checkpoint after an election", || {
        let page = mesh.run(&["checkpoint", "list", "--json"]).succeeded().json();
        page["checkpoints"].get(0).filter(|row| row["height"].as_u64() > Some(10)).cloned()
    });
    let height = latest["height"].to_string();
    let shown = mesh.run(&["checkpoint", "show", &height]).succeeded();
    assert!(shown.out.contains(latest["block"].as_str().unwrap()), "{shown:?}");

    let verified =
        mesh.run(&["checkpoint", "verify", &height, "--fact", "neuron/1/0", "--fact", "subnet/77", "--json"]);
    let verified = verified.succeeded().json();
    for field in ["height", "block", "state", "metagraphs"] {
        assert_eq!(verified[field], latest[field], "{field}");
    }
    assert_eq!(verified["validators"].as_object().unwrap().len(), 4);
    assert!(verified["facts"][0][1]["neuron"]["neuron"]["permit"].as_bool().unwrap(), "{verified}");
    assert_eq!(verified["facts"][1], serde_json::json!(["subnet/77", null]), "absence is proven as well");

    let status = mesh.node("gateway-1");
    assert!(status["checkpoint"].as_u64() >= latest["height"].as_u64(), "{status}");

    verifies_from_a_trusted_block(&mesh, &latest);
    lies_are_refused(&mesh, &height);
}

fn verifies_from_a_trusted_block(mesh: &Mesh, latest: &Value) {
    let block = mesh.run(&["checkpoint", "show", "3", "--json"]).succeeded().json()["block"].clone();
    let block = block.as_str().unwrap();
    let height = latest["height"].to_string();
    let pinned =
        mesh.run(&["checkpoint", "verify", &height, "--trust", &format!("3:{block}"), "--json"]).succeeded();
    assert_eq!(pinned.json()["block"], latest["block"]);
    let other = mesh.run(&["checkpoint", "verify", &height, "--trust", &format!("4:{block}")]);
    assert!(other.code == 9 && other.err.contains("the one that is trusted"), "{other:?}");
    let before = mesh.run(&["checkpoint", "verify", "2", "--trust", &format!("3:{block}")]);
    assert!(before.code == 1 && before.err.contains("lead forward only"), "{before:?}");
    let nowhere = mesh.run(&["checkpoint", "verify", "99999999"]);
    assert!(nowhere.code == 1 && nowhere.err.contains("there is no block 99999999"), "{nowhere:?}");
}

fn lies_are_refused(mesh: &Mesh, height: &str) {
    let proxy = TamperingProxy::in_front_of(mesh.http("validator-1"));
    let ask = || mesh.run(&["checkpoint", "verify", height, "--fact", "neuron/1/0", "--from", &proxy.addr()]);
    ask().succeeded();
    for at in [10, 200, 400, 600, 800, 990] {
        proxy.tamper(move |_, body| flip(body, "checkpoint", at));
        let output = ask();
        assert!(output.code == 9 && output.out.is_empty(), "{at}: {output:?}");
        proxy.tamper(move |_, body| flip(body, "fact", at));
        let output = ask();
        assert!(output.code == 9 && output.out.is_empty(), "{at}: {output:?}");
    }
    // Another block than the one that was asked for.
    let addr = mesh.http("validator-1").to_string();
    proxy.tamper(move |path, body| {
        if path.starts_with("/checkpoints/") {
            *body = crate::score::get(&format!("http://{addr}/checkpoints/2"));
        }
    });
    let output = ask();
    assert!(output.code == 9 && output.err.contains("and the node sent block 2"), "{output:?}");
}
