//! Two of four validators are lost for good, with their disks. The two others make a new mesh of the last certified state,
//! and it makes blocks: with the same balances, and for light clients and new nodes too.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    mesh::{CommandOutput, eventually},
    validator_group::ValidatorGroup,
};

const LEFT: [usize; 2] = [0, 1];
const LOST: [usize; 2] = [2, 3];

/// Someone who holds tokens and no node.
const FRIEND: &str = "12D3KooWM5acdURCMNcf1qsxJMLP7Fv4ody79uNZrFe9t82qUshm";

/// The directory of a validator in the new mesh, with its key.
fn new_dir(group: &ValidatorGroup, number: usize) -> PathBuf {
    let dir = group.dir(number).with_file_name(format!("recovered-{number}"));
    DirBuilder::new().mode(0o700).create(&dir).unwrap();
    fs::copy(group.dir(number).join("key.pem"), dir.join("key.pem")).unwrap();
    dir
}

fn id(group: &ValidatorGroup, number: usize) -> String {
    let shown = group.ask(number, &["key", "show", "--json"]).succeeded().json();
    shown["node"].as_str().or_else(|| shown["id"].as_str()).unwrap().to_owned()
}

/// An account by the key of the owner of all validators.
fn wallet(group: &ValidatorGroup, number: usize, dir: &Path, args: &[&str]) -> CommandOutput {
    let owner = group.spec().with_file_name("owner.pem");
    let all = [args, &["--key", owner.to_str().unwrap()]].concat();
    group.ask_in(number, dir, &all)
}

/// What the friend has, verified from the mesh spec alone in the block at `height`.
fn friend(group: &ValidatorGroup, number: usize, dir: &Path, height: u64) -> u64 {
    let (height, fact) = (height.to_string(), format!("account/{FRIEND}"));
    let args = ["checkpoint", "verify", &height, "--fact", &fact, "--json"];
    let verified = group.ask_in(number, dir, &args).succeeded().json();
    verified["facts"][0][1]["account"]["account"]["balance"].as_u64().unwrap()
}

fn height(group: &ValidatorGroup, number: usize, dir: &Path) -> Option<u64> {
    let output = group.ask_in(number, dir, &["status", "--json"]);
    if output.code == 0 { output.json()["chain"]["height"].as_u64() } else { None }
}

/// Waits until both that are left have the same last block, which has no successor.
fn stands_still(group: &ValidatorGroup) -> u64 {
    LEFT.iter().for_each(|number| drop(group.says(*number, "no block is made")));
    eventually("both have the last block", || {
        let (one, other) = (group.height(0), group.height(1));
        (one == other && one > 0).then_some(one)
    })
}

/// Runs `mesh recover` for one of those that are left; the spec's text and what the command says.
fn recover(group: &ValidatorGroup, number: usize, validators: &str) -> (String, Value) {
    let (spec, state) = (spec_of(group, number), state_of(group, number));
    let args = ["mesh", "recover", "--validators", validators, "--json", "--out"];
    let files = [spec.to_str().unwrap(), "--state", state.to_str().unwrap()];
    let output = group.ask(number, &[&args[..], &files[..]].concat()).succeeded();
    (fs::read_to_string(spec).unwrap(), output.json())
}

fn spec_of(group: &ValidatorGroup, number: usize) -> PathBuf {
    group.spec().with_file_name(format!("recovered-{number}.toml"))
}

fn state_of(group: &ValidatorGroup, number: usize) -> PathBuf {
    group.spec().with_file_name(format!("recovered-{number}.state"))
}

#[test]
fn a_mesh_that_lost_half_of_its_power_continues_with_the_other_half() {
    let mut group = ValidatorGroup::running(4, 300, None);
    let ids: Vec<String> = LEFT.iter().map(|number| id(&group, *number)).collect();
    wallet(&group, 0, &group.dir(0), &["wallet", "send", FRIEND, "5"]).succeeded();
    for number in LOST {
        group.kill(number);
        fs::remove_dir_all(group.dir(number)).unwrap();
    }
    let last = stands_still(&group);
    assert_eq!(friend(&group, 0, &group.dir(0), last), 5_000_000_000);
    let running = group.ask(0, &["mesh", "recover", "--validators", &ids[0], "--out", "x", "--state", "y"]);
    assert!(running.code == 1 && running.err.contains("in use by another process"), "{running:?}");
    LEFT.iter().for_each(|number| group.stop(*number));

    // The order of the validators does not matter, and who runs it does not either.
    let (spec, made) = recover(&group, 0, &ids.join(","));
    let (same, _) = recover(&group, 1, &format!("{},{}", ids[1], ids[0]));
    assert_eq!(spec, same);
    assert_eq!(made["height"].as_u64(), Some(last));
    // An earlier block makes another mesh, and one that no node has makes none.
    let earlier = |height: u64| {
        let [out, state] = ["earlier.toml", "earlier.state"].map(|name| group.spec().with_file_name(name));
        [&out, &state].into_iter().for_each(|file| drop(fs::remove_file(file)));
        let height = height.to_string();
        let args = ["mesh", "recover", "--validators", &ids[0], "--height", &height, "--json", "--out"];
        let files = [out.to_str().unwrap(), "--state", state.to_str().unwrap()];
        group.ask(0, &[&args[..], &files[..]].concat())
    };
    let before = earlier(last - 1).succeeded().json();
    assert_eq!(before["height"].as_u64(), Some(last - 1));
    assert_ne!((&before["mesh"], &before["certified_state"]), (&made["mesh"], &made["certified_state"]));
    let none = earlier(last + 1);
    assert!(none.code == 1 && none.err.contains("is not kept"), "{none:?}");
    let lost = group.ask(0, &["mesh", "recover", "--validators", FRIEND, "--out", "x", "--state", "y"]);
    assert!(lost.code == 1 && lost.err.contains("is not a node of the mesh"), "{lost:?}");

    // One begins with the file, the other one fetches the state from it.
    let dirs: Vec<PathBuf> = LEFT.iter().map(|number| new_dir(&group, *number)).collect();
    // Their states are the same; the certificates of the block may have other signers. So each begins with any of them.
    let (spec, state) = (spec_of(&group, 0), state_of(&group, 1));
    let _first = group.join_with(0, &dirs[0], &spec, &["--state", state.to_str().unwrap()]);
    eventually("the first one begins", || height(&group, 0, &dirs[0]));
    let _second = group.join_with(1, &dirs[1], &spec, &[]);
    for number in LEFT {
        eventually("it makes blocks", || height(&group, number, &dirs[number]).filter(|now| *now > last + 3));
        assert_eq!(friend(&group, number, &dirs[number], last + 2), 5_000_000_000);
    }
    wallet(&group, 1, &dirs[1], &["wallet", "send", FRIEND, "7"]).succeeded();
    let shown = group.ask_in(0, &dirs[0], &["validator", "show", "--json"]).succeeded().json();
    let elected = |one: &&Value| !one["power"].is_null();
    assert_eq!(shown["validators"].as_array().unwrap().iter().filter(elected).count(), LEFT.len());

    let now = height(&group, 1, &dirs[1]).unwrap();
    assert_eq!(friend(&group, 1, &dirs[1], now), 12_000_000_000);

    // The former directory is not used by accident, and a file of another block does not begin the mesh.
    let log = group.dir(0).with_extension("log");
    fs::write(&log, "").unwrap();
    assert_eq!(group.join_with(0, &group.dir(0), &spec, &[]).ended(), Some(1));
    let refused = fs::read_to_string(&log).unwrap();
    assert!(refused.contains("is the chain of mesh"), "{refused}");
}
