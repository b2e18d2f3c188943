//! Token holders change a parameter and vote on an upgrade, at which programs that do not know it stop.

use serde_json::Value;

use crate::{
    mesh::{CommandOutput, Mesh, eventually},
    validator_group::ValidatorGroup,
};

/// More than the voting period and the delay of a local mesh, in blocks.
const DECIDES: u64 = 26;

fn shown(mesh: &Mesh, number: &str) -> Value {
    mesh.run(&["proposal", "show", number, "--json"]).succeeded().json()
}

#[test]
fn a_parameter_is_changed_by_a_vote_that_anyone_can_verify() {
    let mesh = Mesh::up(&["--validators", "2", "--miners", "1", "--block-milliseconds", "300"]);
    let unknown = mesh.run(&["proposal", "create", "params", "min_base_fe=400"]);
    assert!(unknown.code != 0 && unknown.err.contains("there is no parameter min_base_fe"), "{unknown:?}");
    let fixed = mesh.run(&["proposal", "create", "params", "consensus.block_milliseconds=1"]);
    assert!(fixed.code != 0 && fixed.err.contains("cannot be changed by a vote"), "{fixed:?}");
    let create = ["proposal", "create", "params", "min_base_fee=400", "--title", "a higher floor"];
    let tried = mesh.run(&[&create[..], &["--dry-run"]].concat()).succeeded();
    assert!(tried.err.contains("changes min_base_fee from 300 to 400"), "{tried:?}");
    mesh.run(&create).succeeded();
    let listed = mesh.run(&["proposal", "list", "--json"]).succeeded().json();
    assert_eq!(listed["proposals"][0]["proposal"]["title"], "a higher floor");
    let before = shown(&mesh, "1");
    assert_eq!((before["verdict"].as_str(), before["count"]["yes"].as_u64()), (Some("no_quorum"), Some(0)));

    let powerless = mesh.run(&["proposal", "vote", "1", "yes"]);
    assert!(powerless.code != 0 && powerless.err.contains("nervure stake add"), "{powerless:?}");
    let validator = mesh.node("validator-1")["node"].as_str().unwrap().to_owned();
    mesh.run(&["stake", "add", &validator, "50000"]).succeeded();
    let voted = mesh.run(&["proposal", "vote", "1", "yes"]).succeeded();
    assert!(voted.err.contains("counted now, it would be passed"), "{voted:?}");
    let after = shown(&mesh, "1");
    assert_eq!(after["verdict"], "passed");
    // What a stake is worth is rounded down, and has the dividends of the meantime.
    let (yes, total) = (after["count"]["yes"].as_u64().unwrap(), after["count"]["total"].as_u64().unwrap());
    assert!((49_999_999_999_999..=50_500_000_000_000).contains(&yes) && total > yes, "{after}");
    let owner = before["proposal"]["proposer"].as_str().unwrap();
    let text = mesh.run(&["proposal", "show", "1", "--owner", owner]).succeeded();
    for part in ["min_base_fee from 300 to 400", "votes yes", "certified by", "it would be passed"] {
        assert!(text.out.contains(part), "{part}: {text:?}");
    }
    let value = || -> Value {
        let page = mesh.run(&["proposal", "params", "min_base_fee", "--json"]).succeeded().json();
        page["parameters"]["min_base_fee"].clone()
    };
    assert_eq!(value(), 300);
    eventually("the parameter is changed", || (value() == 400).then_some(()));
    assert!(shown(&mesh, "1")["proposal"]["status"]["done"].is_object());
    eventually("the base fee follows its floor", || {
        let fees = mesh.run(&["status"]).succeeded();
        fees.out.contains("400 base units for a weight of 1000").then_some(())
    });
    let over = mesh.run(&["proposal", "vote", "1", "no"]);
    assert!(over.code != 0 && over.err.contains("were counted at block"), "{over:?}");
}

#[test]
fn an_upgrade_that_was_voted_stops_a_program_that_does_not_know_it() {
    let mut group = ValidatorGroup::running(1, 300, None);
    let owner = group.spec().with_file_name("owner.pem").display().to_string();
    let ask = |group: &ValidatorGroup, args: &[&str]| -> CommandOutput {
        group.ask(0, &[args, &["--key", &owner]].concat())
    };
    let at = group.height(0) + DECIDES + 30;
    let height = at.to_string();
    let page = group.ask(0, &["validator", "show", "--json"]).succeeded().json();
    let id = page["validators"][0]["node"].as_str().unwrap().to_owned();
    ask(&group, &["stake", "add", &id, "50000"]).succeeded();
    ask(&group, &["proposal", "create", "upgrade", "--to", "2", "--height", &height]).succeeded();
    ask(&group, &["proposal", "vote", "1", "yes"]).succeeded();
    eventually("the upgrade is planned", || (group.chain(0)["upgrade"] == at).then_some(()));
    assert_eq!(group.ended(0), Some(10), "it stops before that block");
    assert!(group.log(0).contains("protocol version 2"), "{}", group.log(0));
}
