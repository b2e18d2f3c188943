//! A stranger stakes half of what it has on a miner, which validates nothing: it is told so before it signs, and the mesh
//! makes blocks after the next elections.

use crate::mesh::{Mesh, eventually};

#[test]
fn stake_on_a_miner_gives_no_power_and_says_so_before_it_is_signed() {
    let mesh = Mesh::up(&["--validators", "2", "--miners", "1", "--gateways", "0"]);
    let miner = mesh.node("miner-1")["node"].as_str().unwrap().to_owned();
    let add = ["stake", "add", &miner, "50000"];
    let dry = mesh.run(&[&add[..], &["--dry-run"]].concat()).succeeded();
    assert!(dry.err.contains("has not joined the validators: the stake gives no voting power"), "{dry:?}");
    let before = mesh.run(&["status", "--json"]).succeeded().json()["chain"]["height"].as_u64().unwrap();
    mesh.run(&add).succeeded();
    let shown = || mesh.run(&["validator", "show", "--json"]).succeeded().json();
    let election = shown()["election"].as_u64().unwrap();
    eventually("blocks after the next election", || {
        (shown()["height"].as_u64() > Some(election + 2)).then_some(())
    });
    let page = shown();
    let has_power = |one: &&serde_json::Value| !one["power"].is_null();
    let elected: Vec<_> = page["validators"].as_array().unwrap().iter().filter(has_power).collect();
    assert_eq!(elected.len(), 2, "{page}");
    assert!(elected.iter().all(|one| one["node"] != miner.as_str()), "{page}");
    assert!(page["height"].as_u64().unwrap() > before);
}
