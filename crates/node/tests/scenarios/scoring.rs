//! The closed loop: validators' tasks become scores, weights, incentives, and the routes of queries.

use serde_json::Value;

use crate::{
    mesh::{Mesh, eventually, run},
    tampering_proxy::{TamperingProxy, flip},
};

const EXPERTS: [&str; 4] = ["--expert", "builtin:rust", "--expert", "builtin:rust,quality=50"];

/// The node of a miner.
fn id(mesh: &Mesh, name: &str) -> String {
    mesh.node(name)["node"].as_str().unwrap().to_owned()
}

/// A node's incentive in the last epoch of subnet 1.
fn incentive(mesh: &Mesh, node: &str) -> u64 {
    let shown = mesh.run(&["subnet", "show", "1", "--json"]).succeeded().json();
    let neurons = shown["neurons"].as_array().unwrap();
    neurons.iter().find(|neuron| neuron["node"] == node).unwrap()["incentive"].as_u64().unwrap()
}

/// The route of a query.
fn route(mesh: &Mesh, more: &[&str]) -> Value {
    let ask = ["ask", "fn ", "-c", "text.generate.rust", "--max-tokens", "1", "--explain", "--json"];
    let output = mesh.run(&[&ask, more].concat()).succeeded();
    serde_json::from_str(output.out.lines().next().unwrap()).unwrap()
}

/// The expert that is asked first, apart from the draw among equals.
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
    let explained = mesh.run(&["score", "explain", &good]).succeeded();
    assert!(explained.out.contains("2 validators' weights count for the node"), "{explained:?}");

    mesh.run(&["testnet", "degrade", "miner-1", "--quality", "0"]).succeeded();
    eventually("questions leave it", || (best(&mesh) == worse).then_some(()));
    eventually("and so does the incentive", || {
        (incentive(&mesh, &worse) > incentive(&mesh, &good)).then_some(())
    });

    mesh.run(&["testnet", "kill", "miner-1"]).succeeded();
    // After three tasks of each validator in a row without an answer.
    eventually("a silent miner earns less and less", || {
        (incentive(&mesh, &good) * 5 < incentive(&mesh, &worse)).then_some(())
    });
    eventually("a silent miner earns nothing", || {
        (incentive(&mesh, &good) == 0 && incentive(&mesh, &worse) > 0).then_some(())
    });
}

#[test]
fn an_answer_comes_with_a_receipt_and_a_certificate_that_hold() {
    let mesh = Mesh::small(&EXPERTS);
    let ask = ["ask", "fn ", "-c", "text.generate.rust", "--max-tokens", "9", "--verify"];
    let output = eventually("there is a block to choose by", || {
        let output = mesh.run(&ask);
        let is_early = output.code != 0 && output.err.contains("selected before the first block");
        (!is_early).then(|| output.succeeded())
    });
    let signer = output.err.lines().find_map(|line| line.strip_prefix("verified: ")).unwrap();
    assert!(
        [id(&mesh, "miner-1"), id(&mesh, "miner-2")].iter().any(|id| signer.starts_with(id)),
        "{output:?}"
    );
    let output = mesh.run(&[&ask[..], &["--json"]].concat()).succeeded();
    let lines: Vec<Value> = output.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let certified = lines.iter().find(|line| line["type"] == "certified").unwrap()["certified"].clone();
    assert_eq!(certified["height"], lines[0]["route"]["block"]);
    assert!(certified["trusted"].as_str().unwrap().contains("genesis"), "{certified}");
    assert!(certified["signers"].as_u64() > Some(0), "{certified}");
    refuses_a_forged_certificate(&mesh);
}

/// The command talks to the address in `node.json`: here a proxy that forwards the gateway's answers.
fn refuses_a_forged_certificate(mesh: &Mesh) {
    let proxy = TamperingProxy::in_front_of(mesh.http("gateway-1"));
    let between = tempfile::tempdir().unwrap();
    let file = std::fs::read_to_string(mesh.dir().join("nodes/gateway-1/node.json")).unwrap();
    let mut file: Value = serde_json::from_str(&file).unwrap();
    file["http"] = proxy.addr().into();
    std::fs::write(between.path().join("node.json"), file.to_string()).unwrap();
    std::fs::copy(mesh.mesh_file(), between.path().join("mesh.toml")).unwrap();
    let ask = || {
        let ask = ["ask", "fn ", "-c", "text.generate.rust", "--max-tokens", "2", "--verify"];
        run(between.path(), &ask)
    };
    let honest = ask().succeeded();
    assert!(honest.err.contains("certified: block "), "{honest:?}");
    for (at, field) in [(200, "checkpoint"), (900, "checkpoint"), (300, "fact"), (950, "fact")] {
        proxy.tamper(move |_, body| flip(body, field, at));
        let output = ask();
        assert!(output.code == 9 && output.err.contains("NOT certified"), "{field} {at}: {output:?}");
    }
    // Another neuron's slot, with its own good proof.
    proxy.tamper(|path, body| {
        if path.starts_with("/nodes/") {
            body["slots"]["1"] = 0.into();
        }
    });
    let output = ask();
    assert!(output.code == 9 && output.err.contains("had no slot in subnet 1"), "{output:?}");
}
