//! The closed loop: validators' tasks become scores, weights, incentives, and the way of every question.

use serde_json::Value;

use crate::mesh::{Mesh, eventually};

const EXPERTS: [&str; 4] = ["--expert", "builtin:rust", "--expert", "builtin:rust,quality=50"];

/// The node of a miner.
fn id(mesh: &Mesh, name: &str) -> String {
    mesh.node(name)["node"].as_str().unwrap().to_owned()
}

/// A node's incentive in the last epoch of subnet 1.
fn incentive(mesh: &Mesh, node: &str) -> u64 {
    let shown = mesh.run(&["subnet", "show", "1", "--json"]).well().json();
    let neurons = shown["neurons"].as_array().unwrap();
    neurons.iter().find(|neuron| neuron["node"] == node).unwrap()["incentive"].as_u64().unwrap()
}

/// What the route of a question says.
fn route(mesh: &Mesh, more: &[&str]) -> Value {
    let ask = ["ask", "fn ", "-c", "text.generate.rust", "--max-tokens", "1", "--explain", "--json"];
    let said = mesh.run(&[&ask, more].concat()).well();
    serde_json::from_str(said.out.lines().next().unwrap()).unwrap()
}

/// Who is asked first, leaving the draw among equals aside.
fn best(mesh: &Mesh) -> String {
    let route = route(mesh, &["--policy", "trusted"]);
    let choices = route["route"]["detail"]["choices"].as_array().unwrap();
    let best = choices.iter().min_by_key(|choice| choice["distrust"].as_u64().unwrap()).unwrap();
    best["record"]["node"].as_str().unwrap().to_owned()
}

#[test]
fn good_miners_earn_more_and_questions_leave_one_that_becomes_bad() {
    let mesh = Mesh::small(&EXPERTS);
    let (good, worse) = (id(&mesh, "miner-1"), id(&mesh, "miner-2"));
    eventually("the good one earns more, and the worse one something", || {
        let (good, worse) = (incentive(&mesh, &good), incentive(&mesh, &worse));
        (good > worse && worse > 0).then_some(())
    });
    eventually("questions go to the good one", || (best(&mesh) == good).then_some(()));
    let explained = mesh.run(&["score", "explain", &good]).well();
    assert!(explained.out.contains("2 validators' weights count for the node"), "{explained:?}");

    mesh.run(&["testnet", "degrade", "miner-1", "--quality", "0"]).well();
    eventually("questions leave it", || (best(&mesh) == worse).then_some(()));
    eventually("and so does the incentive", || {
        (incentive(&mesh, &worse) > incentive(&mesh, &good)).then_some(())
    });
}

#[test]
fn an_answer_comes_with_a_receipt_that_holds() {
    let mesh = Mesh::small(&EXPERTS);
    let ask = ["ask", "fn ", "-c", "text.generate.rust", "--max-tokens", "9", "--verify"];
    let said = mesh.run(&ask).well();
    let signer = said.err.lines().find_map(|line| line.strip_prefix("verified: ")).unwrap();
    assert!([id(&mesh, "miner-1"), id(&mesh, "miner-2")].iter().any(|id| signer.starts_with(id)), "{said:?}");
}
