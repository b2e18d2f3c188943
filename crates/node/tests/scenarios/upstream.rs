//! A miner whose model is on an OpenAI-compatible server: here the gateway of another mesh, a real process.
//! When it dies, the miner's record is withdrawn.

use crate::mesh::{Mesh, eventually};

#[test]
fn a_miner_serves_what_an_openai_server_answers_and_notices_when_it_dies() {
    let upstream = Mesh::small(&["--name", "upstream"]);
    let expert = format!("openai:http://{}/v1,model=nervure-bytes-rust,name=far", upstream.http("gateway-1"));
    let mesh = Mesh::up(&["--validators", "1", "--miners", "1", "--expert", &expert, "--record-expiry", "8"]);
    let found = mesh.experts("text.generate");
    assert_eq!((found.len(), &found[0]["expert"]), (1, &"far".into()));

    let ask = ["ask", "fn ", "--max-tokens", "12", "--seed", "7"];
    let far = mesh.run(&ask).succeeded().out;
    let near = upstream.run(&[&ask[..], &["-m", "nervure-bytes-rust"]].concat()).succeeded().out;
    assert_eq!(far, near, "the same seed, the same model, the same text, over two meshes");

    let refused = mesh.run(&["ask", "x", "--max-tokens", "2000000"]);
    assert_eq!(refused.code, 2, "{refused:?}");

    upstream.run(&["testnet", "kill", "gateway-1"]).succeeded();
    eventually("the record is withdrawn", || mesh.experts("text.generate").is_empty().then_some(()));
    upstream.run(&["testnet", "start", "gateway-1"]).succeeded();
}
