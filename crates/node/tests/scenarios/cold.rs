//! An ephemeral client joins for one command and finds experts through the directory.

use std::io::{Read, Write};

use crate::mesh::{Mesh, eventually, run};

#[test]
fn an_ephemeral_client_finds_every_expert_and_is_answered() {
    // Renewals come every 20 minutes here, so that only the directory can bring the records.
    let mesh = Mesh::up(&["--validators", "2", "--miners", "6", "--record-expiry", "3600"]);
    let (home, spec) = (tempfile::tempdir().unwrap(), mesh.mesh_file());
    let spec = spec.to_str().unwrap();
    eventually("records are on the responsible nodes", || {
        let found = run(home.path(), &["experts", "find", "--mesh", spec, "--json"]);
        (found.code == 0 && found.json()["experts"].as_array().unwrap().len() == 6).then_some(())
    });
    // A client searches for a few seconds and uses the records that it has by then: on a busy machine, not always all.
    eventually("it finds those that can do something", || {
        let find = ["experts", "find", "text.generate.rust", "--mesh", spec, "--json"];
        let found = run(home.path(), &find).succeeded().json();
        (found["experts"].as_array().unwrap().len() == 2).then_some(())
    });
    let ask = ["ask", "fn ", "-c", "text.generate.rust", "--max-tokens", "5", "--mesh", spec];
    assert_eq!(run(home.path(), &ask).succeeded().out.trim_end_matches('\n').len(), 5);
    let url = serve_once(std::fs::read_to_string(spec).unwrap());
    let shown = run(home.path(), &["mesh", "show", &url]).succeeded();
    assert!(shown.out.contains("2 validators, 6 miners, 1 gateways"), "{shown:?}");
    assert!(std::fs::read_dir(home.path()).unwrap().next().is_none(), "an ephemeral client leaves no files");
}

#[test]
fn a_gateway_that_starts_again_hears_of_everything_without_waiting_for_renewals() {
    let mesh = Mesh::small(&["--record-expiry", "3600"]);
    mesh.run(&["testnet", "kill", "gateway-1"]).succeeded();
    mesh.run(&["testnet", "start", "gateway-1"]).succeeded();
    eventually("it knows both experts", || (mesh.node("gateway-1")["experts_known"] == 2).then_some(()));
}

/// A web server that answers one request with `text`.
fn serve_once(text: String) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mesh.toml", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        assert!(socket.read(&mut request).unwrap() > 0);
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", text.len());
        socket.write_all(head.as_bytes()).unwrap();
        socket.write_all(text.as_bytes()).unwrap();
    });
    url
}
