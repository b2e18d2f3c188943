//! A node serves a good expert and puts a second one beside it that answers with garbage. Validators test both, and
//! questions go to the good one only.

use std::{path::Path, process::Stdio};

use serde_json::Value;

use crate::{
    mesh::{Mesh, Running, eventually, nervure, run},
    mock_server::MockServer,
};

const QUESTIONS: usize = 20;

/// A miner with a good expert `a` and a garbage expert `b`, both for Rust.
fn two_experts(mesh: &Mesh, dir: &Path, url: &str) -> (Running, String) {
    let node = run(dir, &["key", "new"]).succeeded().out.trim().to_owned();
    mesh.run(&["key", "register", dir.join("key.pem").to_str().unwrap()]).succeeded();
    mesh.run(&["neuron", "register", "--netuid", "1", "--node", &node]).succeeded();
    let mut join = nervure();
    join.arg("--dir").arg(dir).arg("join").arg(mesh.mesh_file());
    let garbage = format!("openai:{url},model=mock-40,name=b,capability=text.generate.rust,netuid=1");
    join.args(["--role", "miner", "--expert", "builtin:rust,name=a,netuid=1", "--expert", &garbage]);
    (Running(join.stdout(Stdio::null()).spawn().unwrap()), node)
}

/// The route of a question, and the trust figures of the two experts.
fn route(mesh: &Mesh) -> (Value, [Value; 2]) {
    let route = mesh.route(&[]);
    let choices = route["route"]["detail"]["choices"].as_array().unwrap().clone();
    let figures = ["a", "b"].map(|name| {
        let choice = choices.iter().find(|choice| choice["record"]["expert"] == name);
        choice.map_or(Value::Null, |choice| choice["trust"].clone())
    });
    (route, figures)
}

#[test]
fn a_garbage_expert_beside_a_good_one_is_tested_and_left() {
    // The other miner is worse than the good expert, so that this one is asked.
    let mesh = Mesh::up(&["--validators", "2", "--miners", "1", "--expert", "builtin:rust,quality=50"]);
    let (server, home) = (MockServer::start(), tempfile::tempdir().unwrap());
    let (_miner, node) = two_experts(&mesh, home.path(), &server.url);
    // On a busy machine it misses some tasks at first.
    let [_, b] = eventually(
        "both are tested, no newcomers any more, and the good one loses nothing by the other",
        || {
            let (_, figures) = route(&mesh);
            let tested = |figures: &Value| figures["tasks"].as_u64().unwrap_or(0) >= 16;
            let is_good = figures[0]["live_score_milli"].as_u64() > Some(150);
            (is_good && figures.iter().all(tested)).then_some(figures)
        },
    );
    assert_eq!((b["quality_milli"].as_u64(), b["live_score_milli"].as_u64()), (Some(0), Some(0)), "{b}");
    let first_of_all = || {
        let (route, _) = route(&mesh);
        let choices = route["route"]["detail"]["choices"].as_array().unwrap();
        // On a busy machine the others may be paused for a moment: then it is the only one.
        assert!(choices.len() == 1 || choices[0]["record"]["expert"] != "b", "first of all: {route}");
        route["expert"]["expert"].as_str().unwrap().to_owned()
    };
    let answered: Vec<_> = (0..QUESTIONS).map(|_| first_of_all()).collect();
    // On a busy machine the other one may answer first for a while.
    eventually("the good one is asked", || {
        (answered.iter().any(|name| name == "a") || first_of_all() == "a").then_some(())
    });

    let incentives = || {
        let shown = mesh.run(&["subnet", "show", "1", "--json"]).succeeded().json();
        let neurons = shown["neurons"].as_array().unwrap().clone();
        let of =
            |id: &str| neurons.iter().find(|one| one["node"] == id).unwrap()["incentive"].as_u64().unwrap();
        [of(&node), of(mesh.node("miner-1")["node"].as_str().unwrap())]
    };
    eventually("it earns by its best expert", || {
        let [two, one] = incentives();
        (two > one && one > 0).then_some(())
    });
    let explained = mesh.run(&["score", "explain", &node, "--netuid", "1", "--json"]).succeeded().json();
    let experts = explained["experts"].as_array().unwrap();
    assert_eq!(experts.len(), 2, "{explained}");
    assert!(experts.iter().all(|expert| expert["trust"]["tasks"].as_u64() > Some(0)), "{explained}");
}
