//! The life of a testnet: up, status, ask, down.

use crate::mesh::{Mesh, run};

#[test]
fn a_testnet_comes_up_answers_and_goes() {
    // Two experts of each model at full quality: the same seed gives the same text from either.
    let experts = ["rust", "python", "prose", "manual"].map(|model| format!("builtin:{model}"));
    let experts: Vec<_> = experts.iter().flat_map(|expert| ["--expert", expert]).collect();
    let mesh = Mesh::up(&experts);
    let status = mesh.run(&["testnet", "status", "--json"]).succeeded().json();
    let nodes = status["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 13);
    assert!(nodes.iter().all(|node| node["alive"] == true), "{status}");

    assert_eq!(mesh.experts("text.generate").len(), 8, "a capability finds what is below it");
    assert_eq!(mesh.experts("text.generate.rust").len(), 2);
    let page = mesh.run(&["experts", "find", "--limit", "3", "--json"]).succeeded().json();
    assert_eq!(page["experts"].as_array().unwrap().len(), 3);
    assert!(page["next"].is_string());
    let filtered =
        mesh.run(&["experts", "find", "--where", "model ~ \"prose\"", "--json"]).succeeded().json();
    assert_eq!(filtered["experts"].as_array().unwrap().len(), 2);

    let node = page["experts"][0]["node"].as_str().unwrap();
    let shown = mesh.run(&["experts", "show", &node[node.len() - 8..]]).succeeded();
    assert!(shown.out.contains(node) && shown.out.contains("256 tokens"), "{shown:?}");

    let ask = ["ask", "fn ", "-c", "text.generate.rust", "--max-tokens", "12", "--seed", "7"];
    let first = mesh.run(&ask).succeeded();
    assert_eq!(first.out, mesh.run(&ask).succeeded().out, "the same seed gives the same text");
    assert_eq!(first.out.trim_end_matches('\n').len(), 12, "{first:?}");
    let explained =
        mesh.run(&["ask", "fn ", "-c", "text.generate.rust", "--max-tokens", "1", "--explain"]).succeeded();
    assert!(
        explained.err.contains("rust on ") && explained.err.contains("2 could be asked"),
        "{explained:?}"
    );

    let again = mesh.run(&["testnet", "up"]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("running already"), "{again:?}");
    assert_eq!(mesh.experts("text").len(), 8, "the second `up` did no harm");

    let down = mesh.run(&["testnet", "down"]).succeeded();
    assert!(down.err.contains("stopped 13 nodes"), "{down:?}");
    let gone = mesh.run(&["ask", "x"]);
    assert_eq!(gone.code, 8, "{gone:?}");
    assert!(gone.err.contains("nervure testnet up"), "{gone:?}");
}

#[test]
fn two_testnets_live_side_by_side_and_do_not_mix() {
    let small = ["--validators", "2", "--miners", "2"];
    let (one, two) = (Mesh::whole(&small), Mesh::whole(&[&small[..], &["--name", "other"]].concat()));
    for mesh in [&one, &two] {
        assert_eq!(mesh.experts("text").len(), 6, "each miner in each of three subnets");
        assert_eq!(mesh.node("gateway-1")["peers_connected"], 4);
    }
}

#[test]
fn up_cleans_up_after_a_killed_run() {
    let mesh = Mesh::whole(&["--validators", "2", "--miners", "2"]);
    for name in ["validator-1", "validator-2", "miner-1", "miner-2", "gateway-1"] {
        mesh.run(&["testnet", "kill", name]).succeeded();
    }
    let again =
        run(mesh.dir(), &["testnet", "up", "--detach", "--validators", "1", "--miners", "1"]).succeeded();
    assert!(
        again.err.contains("an earlier run did not shut down cleanly: stopped its mock-server"),
        "{again:?}"
    );
    assert_eq!(mesh.experts("text.generate").len(), 1);
}
