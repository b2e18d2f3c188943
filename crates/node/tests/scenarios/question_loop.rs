//! A gateway that is the upstream of its own expert (findings T10): a question goes round a few times and ends with an
//! error. Where the number of hops is removed on the way, it goes round until the places of the expert are taken.
//!
//! The upstream is a proxy in front of the gateway, because the gateway cannot serve a model before the miner does: it lists
//! the model itself, counts the questions, and passes them on.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::json;

use crate::mesh::Mesh;

/// Requests to an upstream at once, if the operator names no other number.
const DEFAULT_CONCURRENCY: usize = 16;

/// A whole answer, as a stream.
const ANSWER: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n\
    data: {\"choices\":[{\"index\":0,\"text\":\"x\",\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

struct Proxy {
    /// The capability, under which it lists its model too. The testnet asks for `text.generate` when it starts.
    capability: &'static str,
    /// Whether it removes the number of hops: the variant.
    forgets: bool,
    gateway: OnceLock<SocketAddr>,
    questions: AtomicUsize,
}

impl Proxy {
    /// Starts one, and returns it with the expert of which it is the upstream.
    fn start(capability: &'static str, forgets: bool) -> (Arc<Self>, String) {
        let started =
            Arc::new(Self { capability, forgets, gateway: OnceLock::new(), questions: AtomicUsize::new(0) });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let proxy = started.clone();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let proxy = proxy.clone();
                thread::spawn(move || proxy.serve(socket));
            }
        });
        (started, format!("openai:{url},capability={capability},name=loop"))
    }

    fn serve(&self, mut client: TcpStream) {
        let mut first = vec![0; 16 * 1024];
        let Ok(length @ 1..) = client.read(&mut first) else { return };
        first.truncate(length);
        if first.starts_with(b"GET") {
            let models = json!({ "data": [{ "id": self.capability }] }).to_string();
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}", models.len());
            let _ = client.write_all(format!("{head}\r\n\r\n{models}").as_bytes());
            return;
        }
        self.questions.fetch_add(1, Ordering::SeqCst);
        let mut text = String::from_utf8(first).unwrap().replacen(
            "HTTP/1.1\r\n",
            "HTTP/1.1\r\nconnection: close\r\n",
            1,
        );
        if self.forgets {
            text = text.replace("x-nervure-hops", "x-something-else");
        }
        // While the testnet starts it asks, too, and there is no loop yet.
        let Some(gateway) = self.gateway.get() else {
            let _ = client.write_all(ANSWER.as_bytes());
            return;
        };
        let mut gateway = TcpStream::connect(gateway).unwrap();
        gateway.write_all(text.as_bytes()).unwrap();
        let (mut from, mut to) = (client.try_clone().unwrap(), gateway.try_clone().unwrap());
        thread::spawn(move || {
            // The rest of the question, and the end of a client that leaves.
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Both);
        });
        let _ = std::io::copy(&mut gateway, &mut client);
        let _ = client.shutdown(std::net::Shutdown::Both);
    }
}

/// Asks for what the proxy answers, and returns the text and how many questions passed through the proxy.
fn ask(proxy: &Proxy, gateway: SocketAddr) -> (String, usize) {
    proxy.gateway.set(gateway).unwrap();
    proxy.questions.store(0, Ordering::SeqCst);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let text = runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let body = json!({
            "model": proxy.capability, "prompt": "x", "max_tokens": 1, "nervure": { "deadline_ms": 8_000 }
        });
        let response =
            client.post(format!("http://{gateway}/v1/completions")).json(&body).send().await.unwrap();
        response.text().await.unwrap()
    });
    (text, proxy.questions.load(Ordering::SeqCst))
}

#[test]
fn a_question_to_a_gateway_that_is_its_own_upstream_ends() {
    // Two experts, because the gateway asks one that has just failed only with one question at a time.
    let (strict, strict_expert) = Proxy::start("text.generate.loop", false);
    let (forgetful, forgetful_expert) = Proxy::start("text.generate.forgetful", true);
    let mesh = Mesh::up(&[
        "--validators",
        "1",
        "--miners",
        "2",
        "--expert",
        &strict_expert,
        "--expert",
        &forgetful_expert,
    ]);
    let gateway = mesh.http("gateway-1");

    let (answer, passed) = ask(&strict, gateway);
    assert!(answer.contains("error"), "{answer}");
    assert!((1..=5).contains(&passed), "{passed}: one for each hop, and the one that was refused");

    let (answer, without) = ask(&forgetful, gateway);
    assert!(answer.contains("error"), "{answer}");
    assert!(without > passed, "it goes round more often without the number: {without} and {passed}");
    assert!(without <= 2 * DEFAULT_CONCURRENCY, "the places of the upstream bound it: {without}");
}
