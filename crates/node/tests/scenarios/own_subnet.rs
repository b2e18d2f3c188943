//! A stranger founds a subnet of its own, gives its miner all the weight in it, and answers with garbage. Outside of that
//! subnet, no question goes there.

use std::{path::Path, process::Stdio};

use serde_json::Value;

use crate::{
    mesh::{Mesh, Running, eventually, nervure, run},
    mock_server::MockServer,
};

const QUESTIONS: usize = 20;

/// The number that the stranger's subnet gets: after the seed subnets.
const OWN: &str = "22";

/// A node of the mesh's owner key: its id and the file of its key.
fn registered(mesh: &Mesh, dir: &Path) -> (String, String) {
    let node = run(dir, &["key", "new"]).succeeded().out.trim().to_owned();
    let key = dir.join("key.pem").display().to_string();
    mesh.run(&["key", "register", &key]).succeeded();
    (node, key)
}

/// The stranger's subnet, in which only its own weights count, and its miner's node.
fn own_subnet(mesh: &Mesh, home: &Path) -> String {
    let (founder, key) = registered(mesh, &home.join("founder"));
    let (miner, _) = registered(mesh, &home.join("miner"));
    let rules = ["--set", "commit_reveal=false", "--set", "weights_interval=0", "--set", "tempo=6"];
    mesh.run(&[&["subnet", "create", "mallory", "--node", &founder], &rules[..]].concat()).succeeded();
    mesh.run(&["neuron", "register", "--netuid", OWN, "--node", &miner]).succeeded();
    mesh.run(&["stake", "add", &founder, "100"]).succeeded();
    eventually("the miner earns all that its subnet has", || {
        let shown = mesh.run(&["subnet", "show", OWN, "--json"]).succeeded().json();
        let earns = shown["neurons"][1]["incentive"].as_u64()? == 65_535;
        // Again and again: before the founder has a permit they are refused, and after a while they are old.
        let _ = mesh.run(&["weights", "set", OWN, "1=1", "--key", &key]);
        earns.then_some(())
    });
    miner
}

fn choice<'a>(route: &'a Value, expert: &str) -> Option<&'a Value> {
    let choices = route["route"]["detail"]["choices"].as_array().unwrap();
    choices.iter().find(|choice| choice["record"]["expert"] == expert)
}

#[test]
fn a_subnet_of_ones_own_gets_no_question_of_others() {
    let mesh = Mesh::small(&["--expert", "builtin:rust", "--expert", "builtin:rust,quality=50"]);
    let (server, home) = (MockServer::start(), tempfile::tempdir().unwrap());
    own_subnet(&mesh, home.path());
    let mut join = nervure();
    join.arg("--dir").arg(home.path().join("miner")).arg("join").arg(mesh.mesh_file());
    let expert =
        format!("openai:{},model=mock-40,name=evil,capability=text.generate.rust,netuid={OWN}", server.url);
    join.args(["--role", "miner", "--expert", &expert]);
    let _miner = Running(join.stdout(Stdio::null()).spawn().unwrap());

    eventually("its expert is known, and the honest ones are tested", || {
        let route = mesh.route(&[]);
        let tested = choice(&route, "rust")?["trust"]["tasks"].as_u64()? >= 8;
        let filtered = route["route"]["detail"]["filtered"].as_array().unwrap();
        let evil = filtered.iter().find(|one| one["record"]["expert"] == "evil")?;
        assert_eq!(evil["reason"], "unbacked", "{route}");
        tested.then_some(())
    });
    for _ in 0..QUESTIONS {
        assert_ne!(mesh.route(&[])["expert"]["expert"], "evil");
    }
    // The variant without the factor: who vouches for both subnets gets the garbage first.
    let vouched = mesh.route(&["--subnet", "1", "--subnet", OWN]);
    let costs = ["evil", "rust"].map(|name| choice(&vouched, name).unwrap()["cost"].as_u64().unwrap());
    assert!(costs[0] < costs[1], "without the factor it is the best: {costs:?}");

    let shown = mesh.run(&["subnet", "show", OWN]).succeeded();
    assert!(shown.out.contains("its trust counts 0.000 outside"), "{shown:?}");
    let shown = mesh.run(&["subnet", "show", "1"]).succeeded();
    assert!(shown.out.contains("its trust counts 1.000 outside"), "{shown:?}");
    names_the_subnets_that_have_an_expert(&mesh);
}

/// A question may name the subnets that it trusts, and is refused when none has an expert.
fn names_the_subnets_that_have_an_expert(mesh: &Mesh) {
    let ask = ["ask", "fn ", "-c", "text.generate.rust", "--max-tokens", "1"];
    let own = mesh.route(&["--subnet", OWN]);
    assert_eq!(own["expert"]["expert"], "evil", "who names the subnet gets what it has");
    let refused = mesh.run(&[&ask[..], &["--subnet", "18"]].concat());
    let why = "no expert in subnet 18 matches; those that match are in subnets 1, 22";
    assert!(refused.code == 3 && refused.err.contains(why), "{refused:?}");
    let certified = mesh.run(&[&ask[..], &["--verify"]].concat()).succeeded();
    assert!(certified.err.contains("behind subnet 1: 100.0 % of the power"), "{certified:?}");
}
