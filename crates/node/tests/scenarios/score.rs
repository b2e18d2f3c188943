//! Why is my score zero: answered with a proof, and a node that lies about it is not believed.

use serde_json::Value;

use crate::{
    mesh::{Mesh, eventually},
    tampering_proxy::{TamperingProxy, flip},
};

/// Commits weights as a validator; the file with the weights to reveal.
fn commit(mesh: &Mesh, validator: &str, weights: &[&str]) -> String {
    let key = mesh.dir().join(format!("nodes/{validator}/key.pem")).display().to_string();
    let out = mesh.dir().join(format!("{validator}.weights.json")).display().to_string();
    let first = ["weights", "commit", "1"];
    let args = [&first[..], weights, &["--key", &key, "--out", &out]].concat();
    let output = mesh.run(&args).succeeded();
    assert!(
        output.err.contains("this commits weights in subnet 1") && output.err.contains("weights reveal"),
        "{output:?}"
    );
    out
}

fn reveal(mesh: &Mesh, validator: &str, file: &str) {
    let key = mesh.dir().join(format!("nodes/{validator}/key.pem")).display().to_string();
    mesh.run(&["weights", "reveal", file, "--wait", "--key", &key]).succeeded();
}

fn explained(mesh: &Mesh, node: &str) -> Value {
    mesh.run(&["score", "explain", node, "--json"]).succeeded().json()
}

#[test]
fn a_score_is_explained_with_a_proof_and_lies_are_refused() {
    let mesh = Mesh::up(&["--validators", "3", "--miners", "2"]);
    let id = |name: &str| mesh.node(name)["node"].as_str().unwrap().to_owned();
    let (judge, first, second) = (id("validator-1"), id("miner-1"), id("miner-2"));
    let unweighted = eventually("an epoch has ended", || {
        let output = mesh.run(&["score", "explain", &first]);
        (output.code == 0).then_some(output)
    });
    assert!(unweighted.out.contains("have set no weights that count"), "{unweighted:?}");

    // Uids 3 and 4 are the miners. All three validators weigh the first, one of them the second as well.
    let rows: [(&str, &[&str]); 3] =
        [("validator-1", &["3=1", "4=2"]), ("validator-2", &["3=1"]), ("validator-3", &["3=1"])];
    let files = rows.map(|(validator, weights)| (validator, commit(&mesh, validator, weights)));
    files.iter().for_each(|(validator, file)| reveal(&mesh, validator, file));
    let score = eventually("the weights count", || {
        let score = explained(&mesh, &first);
        (score["result"]["as_miner"] != 0).then_some(score)
    });
    assert_eq!((&score["uid"], &score["netuid"]), (&Value::from(3), &Value::from(1)));
    assert_eq!(score["opinions"].as_array().unwrap().len(), 3);
    assert!(score["why"][0].as_str().unwrap().contains("3 validators' weights count"), "{score}");
    assert_eq!(score["proof"]["validators"], 3);
    let zero = mesh.run(&["score", "explain", &second]).succeeded();
    assert!(zero.out.contains("the consensus cut it to nothing: validators with 33"), "{zero:?}");
    assert!(zero.err.contains("verified:"), "{zero:?}");
    let judge = mesh.run(&["score", "explain", &judge]).succeeded();
    assert!(judge.out.contains("it earns dividends"), "{judge:?}");
    let shown = mesh.run(&["subnet", "show", "1", "--json"]).succeeded().json();
    assert!(shown["neurons"][3]["incentive"].as_u64().unwrap() > 0, "{shown}");
    assert!(shown["subnet"]["earned"].as_u64().unwrap() > 0, "the owner's share arrives");

    lies_are_refused(&mesh, &first, second);
}

fn lies_are_refused(mesh: &Mesh, node: &str, other: String) {
    let gateway = mesh.http("gateway-1");
    let proxy = TamperingProxy::in_front_of(gateway);
    let ask = || mesh.run(&["score", "explain", node, "--netuid", "1", "--from", &proxy.addr()]);
    ask().succeeded();
    let refused = |what: &str| {
        let output = ask();
        assert_eq!(output.code, 9, "{what}: {output:?}");
        assert!(output.out.is_empty() && output.err.contains("do not trust this node"), "{what}: {output:?}");
    };
    for at in [10, 300, 600, 990] {
        proxy.tamper(move |_, body| flip(body, "proof", at));
        refused("a bit of the explanation");
        proxy.tamper(move |_, body| flip(body, "checkpoint", at));
        refused("a bit of the certificate, the header or the validators");
    }
    // The valid explanation of another node.
    let honest = TamperingProxy::in_front_of(gateway);
    proxy.tamper(move |_, body| {
        let url = format!("http://{}/epochs/1?node={other}", honest.addr());
        let theirs = get(&url);
        body["proof"] = theirs["proof"].clone();
    });
    refused("the explanation of another node");
    proxy.tamper(|_, body| body["proof"] = "not base64".into());
    refused("no explanation at all");
    proxy.tamper(|_, _| {});
    ask().succeeded();
}

/// `GET` of JSON.
pub fn get(url: &str) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let body = client.get(url).send().await.unwrap().bytes().await.unwrap();
        serde_json::from_slice(&body).unwrap()
    })
}
