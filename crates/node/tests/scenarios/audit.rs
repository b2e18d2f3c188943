//! A miner serves noise under the digest of a model: a released answer shows it, and its score follows.

use nervure_byte_lm::{builtin, weights_digest};
use serde_json::Value;

use crate::mesh::{Mesh, eventually, run};

#[test]
fn a_released_answer_of_another_model_is_a_proof_against_its_miner() {
    let digest = weights_digest(builtin::find("rust").unwrap().weights());
    // Noise without a statement about its model is not audited; with one it is a lie.
    let liar = format!("builtin:rust,quality=50,digest={digest}");
    let mesh = Mesh::small(&["--expert", "builtin:rust", "--expert", &liar]);
    let node = |name: &str| mesh.node(name)["node"].as_str().unwrap().to_owned();
    let (honest, liar) = (node("miner-1"), node("miner-2"));
    let ask = |miner: &str, more: &[&str]| {
        let only = format!("node = \"{miner}\"");
        let ask = ["ask", "fn main() {", "-c", "text.generate.rust", "--max-tokens", "40", "--where", &only];
        mesh.run(&[&ask[..], more].concat())
    };

    // The audits of the validators of the mesh, and the one that has something.
    let audits = || {
        let page = |name: &str| -> Value {
            run(&mesh.dir().join("nodes").join(name), &["audit", "list", "--json"]).succeeded().json()
        };
        ["validator-1", "validator-2"].map(|name| (name, page(name)))
    };
    let found = eventually("the released answer is found to be of another model", || {
        ask(&liar, &["--release"]).succeeded();
        audits().into_iter().find(|(_, page)| !page["mismatches"].as_array().unwrap().is_empty())
    });
    let (validator, page) = found;
    for (_, page) in audits() {
        for mismatch in page["mismatches"].as_array().unwrap() {
            assert_eq!(mismatch["miner"], liar, "the honest one is never accused");
        }
    }

    let query = page["mismatches"][0]["query"].as_str().unwrap();
    let dir = mesh.dir().join("nodes").join(validator);
    let shown = run(&dir, &["audit", "show", query, "--json"]).succeeded();
    let evidence = tempfile::tempdir().unwrap();
    let (file, forged) = (evidence.path().join("evidence.json"), evidence.path().join("forged.json"));
    std::fs::write(&file, &shown.out).unwrap();
    let verified = run(evidence.path(), &["audit", "verify", file.to_str().unwrap()]).succeeded();
    assert!(verified.err.contains("verified: the miner signed"), "{verified:?}");
    let mut view: Value = serde_json::from_str(&shown.out).unwrap();
    view["answer"]["usage"]["completion_tokens"] = 39.into();
    std::fs::write(&forged, view.to_string()).unwrap();
    let refused = run(evidence.path(), &["audit", "verify", forged.to_str().unwrap()]);
    assert!(refused.code == 9 && refused.err.contains("NOT verified"), "{refused:?}");

    let mesh_file = mesh.mesh_file();
    let explain =
        ["score", "explain", &liar, "--netuid", "1", "--json", "--mesh", mesh_file.to_str().unwrap()];
    let explained = run(&dir, &explain).succeeded().json();
    assert_eq!(explained["mismatches"][0]["miner"], liar, "{explained}");

    // A question that is not released reaches no validator; one that is, and is answered honestly, accuses no miner.
    ask(&honest, &["--release"]).succeeded();
    eventually("the incentive leaves the liar", || {
        let shown = mesh.run(&["subnet", "show", "1", "--json"]).succeeded().json();
        let neurons = shown["neurons"].as_array().unwrap();
        let incentive = |node: &str| {
            neurons.iter().find(|neuron| neuron["node"] == node).unwrap()["incentive"].as_u64().unwrap()
        };
        (incentive(&honest) > 0 && incentive(&liar) * 4 < incentive(&honest)).then_some(())
    });
}
