//! Endpoints that lie, flood or do not answer. They need no chain: they invent their answers.

use std::time::Duration;

use nervure_anchor::{Anchor, AnchorDomain, AnchorError};
use nervure_anchor_evm::{EvmAnchor, EvmConfig, Finality, Limits, anvil::AnvilOptions};
use nervure_primitives::BlockHeight;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    chain::{Chain, LIMITS, account, ask, run},
    mesh::{MESH, address, checkpoint, four, signed},
};

/// An endpoint that answers each method with `answer`; `None` never answers.
async fn endpoint<A>(answer: A) -> String
where
    A: Fn(&str) -> Option<String> + Clone + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answer.clone()));
        }
    });
    format!("http://{address}")
}

async fn serve(mut stream: TcpStream, answer: impl Fn(&str) -> Option<String>) {
    let Some(question) = question(&mut stream).await else { return };
    match answer(&question) {
        Some(body) => write(&mut stream, &body).await,
        None => std::future::pending().await,
    }
}

async fn write(stream: &mut TcpStream, body: &str) {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // A client with a bound closes the connection before the end.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body.as_bytes()).await;
}

/// The body of a request.
async fn question(stream: &mut TcpStream) -> Option<String> {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut part).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.to_lowercase().split("content-length: ").nth(1)?.lines().next()?.trim().parse().ok()?;
        if body.len() >= length {
            return Some(body.to_owned());
        }
    }
}

/// The answer `result` to a question.
fn result(question: &str, result: Value) -> Option<String> {
    let question: Value = serde_json::from_str(question).ok()?;
    Some(json!({ "jsonrpc": "2.0", "id": question["id"], "result": result }).to_string())
}

fn config(endpoints: Vec<String>) -> EvmConfig {
    let domain = AnchorDomain { chain: 31_337, contract: address(1) };
    let limits = Limits {
        request_timeout: Duration::from_millis(200),
        max_attempts: 2,
        max_answer_bytes: 64 << 10,
        ..LIMITS
    };
    EvmConfig { endpoints, domain, since: 0, finality: Finality::Depth(0), limits }
}

async fn connect(config: EvmConfig) -> AnchorError {
    EvmAnchor::connect(config, MESH, None).await.unwrap_err()
}

#[test]
fn refuses_another_chain_or_contract() {
    run(async {
        let chain = endpoint(|question| result(question, json!("0x1"))).await;
        let refused = connect(config(vec![chain])).await;
        assert!(matches!(refused, AnchorError::Untrustworthy(_)), "{refused}");
        let code = endpoint(|question| {
            result(question, json!(if question.contains("eth_chainId") { "0x7a69" } else { "0x6001" }))
        });
        let refused = connect(config(vec![code.await])).await;
        assert!(matches!(refused, AnchorError::Untrustworthy(_)), "{refused}");
        assert!(refused.to_string().contains("another contract"), "{refused}");
    });
}

#[test]
fn a_flooding_silent_or_garbling_endpoint_counts_as_unreachable() {
    run(async {
        let flood = endpoint(|question| result(question, json!("0".repeat(1 << 20)))).await;
        let refused = connect(config(vec![flood])).await;
        assert!(refused.is_transient() && refused.to_string().contains("too large"), "{refused}");
        let nonsense = endpoint(|_| Some("<html>".into())).await;
        assert!(connect(config(vec![nonsense])).await.is_transient());
        let silent = endpoint(|_| None).await;
        let begun = std::time::Instant::now();
        assert!(connect(config(vec![silent])).await.is_transient());
        assert!(begun.elapsed() < Duration::from_secs(3), "two tries of 200 ms");
        let unreachable = "http://127.0.0.1:1/secret-key".to_owned();
        let refused = connect(config(vec![unreachable])).await;
        assert!(refused.is_transient() && !refused.to_string().contains("secret-key"), "{refused}");
        for wrong in ["file:///etc/passwd", "nonsense", ""] {
            connect(config(vec![wrong.to_owned()])).await;
        }
        connect(config(Vec::new())).await;
    });
}

/// An endpoint that forwards everything except reads of stored checkpoints.
async fn liar(real: String, lie: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let real = real.clone();
            tokio::spawn(async move {
                let Some(text) = question(&mut stream).await else { return };
                let asked: Value = serde_json::from_str(&text).unwrap();
                let method = asked["method"].as_str().unwrap().to_owned();
                let answer = match (method.as_str(), lie) {
                    ("eth_call", "everything is stored") => Ok(json!(format!("0x{}", "11".repeat(64)))),
                    _ => ask(&real, &method, asked["params"].clone()).await,
                };
                let body = match answer {
                    Ok(answer) => json!({ "jsonrpc": "2.0", "id": asked["id"], "result": answer }),
                    Err(error) => json!({ "jsonrpc": "2.0", "id": asked["id"], "error": error }),
                };
                write(&mut stream, &body.to_string()).await;
            });
        }
    });
    format!("http://{address}")
}

#[test]
fn an_endpoint_that_invents_checkpoints_is_contradicted() {
    run(async {
        let Some(chain) = Chain::start(AnvilOptions::default()).await else { return };
        let real = chain.anvil.endpoint().to_owned();
        let honest = liar(real.clone(), "").await;
        let liar = liar(real.clone(), "everything is stored").await;
        let first = signed(&chain.contract.domain, &checkpoint(10, &four()), &four(), &[1, 2, 3]);
        let with = |endpoints: Vec<String>| EvmConfig { endpoints, ..chain.config(0) };

        let anchor =
            EvmAnchor::connect(with(vec![honest, real.clone()]), MESH, Some(account())).await.unwrap();
        anchor.submit(&first).await.unwrap();
        assert!(anchor.at(BlockHeight(10)).await.unwrap().is_some(), "two that agree");
        for endpoints in [vec![liar.clone(), real.clone()], vec![real.clone(), liar.clone()]] {
            let anchor = EvmAnchor::connect(with(endpoints), MESH, None).await.unwrap();
            let refused = anchor.at(BlockHeight(10)).await.unwrap_err();
            assert!(matches!(refused, AnchorError::Untrustworthy(_)), "{refused}");
        }
        // Alone, its lie about the submitted height is a conflict: the id is another one.
        let anchor = EvmAnchor::connect(with(vec![liar]), MESH, Some(account())).await.unwrap();
        assert!(matches!(anchor.submit(&first).await, Err(AnchorError::Rejected(_))));
        // An unreachable endpoint does not keep the others from answering.
        let gone = vec![real, "http://127.0.0.1:1".to_owned()];
        let anchor = EvmAnchor::connect(with(gone), MESH, None).await.unwrap();
        assert!(anchor.at(BlockHeight(10)).await.unwrap().is_some());
    });
}
