//! A client that leaves in the middle of its answer: the expert stops working for it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use crate::mesh::{Mesh, eventually};

/// A value of a node's `/metrics`.
fn metric(http: SocketAddr, name: &str) -> u64 {
    let mut stream = TcpStream::connect(http).unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {http}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let line = text.lines().find(|line| line.split(' ').next() == Some(name));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn an_expert_stops_when_its_client_has_left() {
    let mesh = Mesh::small(&[]);
    let (gateway, miner) = (mesh.http("gateway-1"), mesh.http("miner-1"));
    let body = r#"{"model":"text.generate.rust","prompt":"fn ","max_tokens":4096,"stream":true}"#;
    let mut stream = TcpStream::connect(gateway).unwrap();
    let head = format!(
        "POST /v1/completions HTTP/1.1\r\nhost: {gateway}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut some = [0; 512];
    assert!(stream.read(&mut some).unwrap() > 0);
    eventually("the miner works", || (metric(miner, "nervure_queries_in_progress") == 1).then_some(()));
    drop(stream);
    eventually("the miner is free", || (metric(miner, "nervure_queries_in_progress") == 0).then_some(()));
    eventually("the gateway is too", || {
        (metric(gateway, "nervure_http_queries_in_progress") == 0).then_some(())
    });
}
