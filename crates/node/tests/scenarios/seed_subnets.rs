//! The subnets of text APIs and embeddings: miners of different qualities before a mock model server, or before a
//! user's server.

use serde_json::Value;

use crate::{
    mesh::{Mesh, eventually, nervure, run},
    mock_server::MockServer,
};

const TEXT_API: &str = "18";
const EMBEDDING: &str = "21";

/// The incentives of three miners in a subnet, in their order.
fn incentives(mesh: &Mesh, netuid: &str) -> [u64; 3] {
    let shown = mesh.run(&["subnet", "show", netuid, "--json"]).succeeded().json();
    let neurons = shown["neurons"].as_array().unwrap().clone();
    ["miner-1", "miner-2", "miner-3"].map(|name| {
        let node = &mesh.node(name)["node"];
        neurons.iter().find(|neuron| neuron["node"] == *node).unwrap()["incentive"].as_u64().unwrap()
    })
}

fn embeddings(mesh: &Mesh, inputs: &[&str]) -> Vec<Vec<f64>> {
    let url = format!("http://{}/v1/embeddings", mesh.http("gateway-1"));
    let body = serde_json::json!({"model": "text.embed", "input": inputs});
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer: Value = runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.post(url).json(&body).send().await.unwrap().json().await.unwrap()
    });
    serde_json::from_value::<Vec<Value>>(answer["data"].clone())
        .unwrap_or_else(|error| panic!("{error}: {answer}"))
        .iter()
        .map(|item| serde_json::from_value(item["embedding"].clone()).unwrap())
        .collect()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn miners_of_text_apis_and_embeddings_earn_by_their_quality() {
    let mesh = Mesh::whole(&["--validators", "2", "--miners", "3"]);
    let status = mesh.run(&["testnet", "status"]).succeeded();
    assert!(
        status.out.contains("mock-100 in 18") && status.out.contains("a program, no model"),
        "{status:?}"
    );
    let found = mesh.experts("text.chat");
    assert!(found.len() == 3 && found.iter().all(|expert| expert["netuid"] == 18), "{found:?}");

    let ask = ["ask", "--chat", "What is 6 * 7?", "--subnet", TEXT_API, "--policy", "trusted"];
    eventually("a right answer", || {
        let output = mesh.run(&ask).succeeded();
        assert!(output.out.contains("mock model server"), "it says what it is: {output:?}");
        output.out.contains("Answer: 42").then_some(())
    });
    let vectors = embeddings(&mesh, &["the dog is afraid", "a hound in fear", "prices of flats"]);
    assert_eq!((vectors.len(), vectors[0].len()), (3, 128));
    for netuid in [TEXT_API, EMBEDDING] {
        eventually("the best earns most and the worst least", || {
            let [good, mediocre, bad] = incentives(&mesh, netuid);
            (good > mediocre && mediocre > bad).then_some(())
        });
    }
    eventually("questions go to the best vectors", || {
        let vectors = embeddings(&mesh, &["the dog is afraid", "a hound in fear", "prices of flats"]);
        (cosine(&vectors[0], &vectors[1]) > cosine(&vectors[0], &vectors[2]) + 0.3).then_some(())
    });
}

#[test]
fn a_crashed_mock_server_is_reported_and_restarts() {
    let mesh = Mesh::whole(&["--validators", "1", "--miners", "1", "--record-expiry", "8"]);
    let mock_server = || mesh.run(&["testnet", "status", "--json"]).succeeded().json()["mock_server"].clone();
    assert_eq!(mock_server()["alive"], true);
    assert_eq!(mesh.experts("text.chat").len(), 1);
    mesh.run(&["testnet", "kill", "mock-server"]).succeeded();
    assert_eq!(mock_server()["alive"], false);
    eventually("its miner withdraws", || mesh.experts("text.chat").is_empty().then_some(()));
    assert_eq!(mesh.experts("text.generate").len(), 1, "the built-in model still serves");
    let early = mesh.run(&["testnet", "degrade", "miner-1"]);
    assert!(early.code == 1 && early.err.contains("nervure testnet start mock-server"), "{early:?}");
    assert_eq!(mesh.node("miner-1")["alive"], true, "it was not killed for nothing");
    let log = mesh.run(&["testnet", "logs", "mock-server"]).succeeded();
    assert!(log.out.contains("not a language model"), "{log:?}");
    let no = mesh.run(&["testnet", "degrade", "mock-server"]);
    assert!(no.code == 1 && no.err.contains("serves no expert"), "{no:?}");
    let started = mesh.run(&["testnet", "start", "mock-server"]).succeeded();
    assert!(started.err.contains("mock-server runs and answers"), "{started:?}");
    eventually("its miner is back", || (mesh.experts("text.chat").len() == 1).then_some(()));
    let pid = mock_server()["pid"].as_u64().unwrap();
    let down = mesh.run(&["testnet", "down"]).succeeded();
    assert!(down.err.contains("stopped 3 nodes and the mock-server"), "{down:?}");
    assert!(!std::path::Path::new(&format!("/proc/{pid}/stat")).exists() || mock_server()["alive"] == false);
}

#[test]
fn a_users_server_replaces_the_mock_server() {
    let server = MockServer::start();
    let small = ["--validators", "1", "--miners", "2", "--upstream", &server.url];
    let models = ["--upstream-model", "mock-100", "--upstream-embedding", "mock-embed-100"];
    let mesh = Mesh::whole(&[&small[..], &models].concat());
    assert!(mesh.run(&["testnet", "status", "--json"]).succeeded().json()["mock_server"].is_null());
    assert_eq!((mesh.experts("text.chat").len(), mesh.experts("text.embed").len()), (1, 1));
    let output = mesh.run(&[
        "ask",
        "--chat",
        "Sort these numbers from smallest to largest: 3, 1, 2.",
        "--subnet",
        TEXT_API,
    ]);
    assert!(output.succeeded().out.contains("Answer: 1, 2, 3"));
    assert_eq!(embeddings(&mesh, &["x"])[0].len(), 128);
}

#[test]
fn refuses_an_unusable_server_before_anything_starts() {
    let home = tempfile::tempdir().unwrap();
    let up = |more: &[&str]| {
        run(&home.path().join("t"), &[&["testnet", "up", "--detach", "--upstream"], more].concat())
    };
    let server = MockServer::start();
    let missing = up(&[&server.url, "--upstream-model", "gpt"]);
    assert!(
        missing.code == 1 && missing.err.contains("it has no model 'gpt': it has mock-100"),
        "{missing:?}"
    );
    let url = server.url.clone();
    drop(server);
    for (more, why) in [
        (vec![url.as_str()], "nothing was started"),
        (vec!["ftp://x"], "nothing was started"),
        (vec![url.as_str(), "--upstream-key-env", "NO_SUCH_KEY"], "NO_SUCH_KEY"),
    ] {
        let refused = up(&more);
        assert!(
            refused.code == 1 && refused.err.contains(why) && refused.err.contains("next:"),
            "{refused:?}"
        );
    }
    assert_eq!(up(&[]).code, 2, "no URL");
    assert!(!home.path().join("t").exists(), "nothing was written");
    let open = nervure().args(["mock-server", "--listen", "0.0.0.0:0"]).output().unwrap();
    assert!(String::from_utf8(open.stderr).unwrap().contains("loopback only"));
}
