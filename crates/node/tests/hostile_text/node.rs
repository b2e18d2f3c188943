//! The HTTP API of a node whose every text is hostile.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    thread,
};

use nervure_ledger::subnet::Hyperparameters;
use nervure_primitives::{MeshId, NodeId};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A plain part of [`HOSTILE`].
pub(crate) const MARK: &str = "evil";

/// Clears the screen, sets the title, begins a line of its own, reverses what follows, hides.
pub(crate) const HOSTILE: &str =
    "evil\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}31m\r\nforged\u{202e}\u{2066}\u{200b}\u{feff}\u{2028}\0\u{7f}\u{ad}";

/// A node that serves until the test ends.
pub(crate) struct HostileNode {
    dir: TempDir,
}

impl HostileNode {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = json!({
            "pid": std::process::id(),
            "name": "hostile",
            "role": "gateway",
            "node": node_id(),
            "mesh": MeshId::from_bytes([7; 32]),
            "http": listener.local_addr().unwrap(),
            "query": null,
            "p2p": [],
            "started_unix_ms": 1,
        });
        std::fs::write(dir.path().join("node.json"), file.to_string()).unwrap();
        // Ends with the process of the test.
        thread::spawn(move || listener.incoming().for_each(|stream| answer(stream.unwrap())));
        Self { dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn id(&self) -> NodeId {
        node_id()
    }
}

fn node_id() -> NodeId {
    NodeId::from_bytes([1; 32])
}

/// Reads one request and answers it.
fn answer(stream: TcpStream) {
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let path = line.split_whitespace().nth(1).unwrap_or("/").split('?').next().unwrap_or("/").to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap()
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let (status, answer) = document(&path, &String::from_utf8(body).unwrap());
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    // A client that has what it wants may leave.
    let _ = (&stream).write_all(head.as_bytes()).and_then(|()| (&stream).write_all(answer.as_bytes()));
}

/// The status and the body for a path.
fn document(path: &str, body: &str) -> (&'static str, String) {
    let found = match path {
        "/experts" => json!({ "experts": [expert()] }),
        "/peers" => {
            json!({ "peers": [{ "node": node_id(), "direction": HOSTILE, "agent": HOSTILE, "addresses": [HOSTILE] }] })
        }
        "/status" => status(),
        "/subnets" => json!({ "height": 9, "lock_cost": 1, "subnets": [subnet()] }),
        "/subnets/1" => json!({ "height": 9, "subnet": subnet(), "neurons": [] }),
        "/checkpoints" => error(),
        "/ask" if body.contains("broken") => {
            return ("200 OK", format!("{}\n", json!({ "type": "error", "error": error()["error"] })));
        }
        "/ask" => return ("200 OK", ask()),
        _ => error(),
    };
    let status = if found.get("error").is_some() { "503 Service Unavailable" } else { "200 OK" };
    (status, found.to_string())
}

fn expert() -> Value {
    json!({
        "node": node_id(), "netuid": 1, "expert": HOSTILE, "capability": "text.generate", "model": HOSTILE,
        "context": 1, "max_output": 1, "price": 0, "byte_level": true, "load": 0, "relayed": false,
        "expires_in_ms": 1000,
    })
}

fn subnet() -> Value {
    json!({
        "netuid": 1, "name": HOSTILE, "owner": null, "owner_node": null, "registered": 1, "locked": 1, "earned": 1,
        "price": 1, "pending": 1, "epoch": 1, "due": 1, "neurons": 0, "slots": 1,
        "backing": { "behind": 1, "of": 2, "factor_milli": 1000 },
        "hyperparameters": Hyperparameters::default(),
    })
}

fn status() -> Value {
    json!({
        "node": node_id(), "mesh": MeshId::from_bytes([7; 32]), "role": HOSTILE, "version": HOSTILE, "uptime_ms": 1,
        "not_ready": HOSTILE, "clock": HOSTILE, "peers_connected": 0, "experts_known": 0, "serving": [HOSTILE],
        "anchor": { "chain": 1, "contract": HOSTILE, "open": 0, "trouble": HOSTILE },
    })
}

fn error() -> Value {
    json!({ "error": {
        "message": HOSTILE, "type": HOSTILE, "param": HOSTILE, "code": HOSTILE, "hint": HOSTILE, "exit_code": 3,
        "attempts": [{ "node": node_id(), "expert": HOSTILE, "failure": HOSTILE }],
    } })
}

/// The lines of an answer by two experts, one of which another one replaced.
fn ask() -> String {
    let participant = json!({
        "node": node_id(), "netuid": 1, "expert": HOSTILE, "weight": 0.5, "bytes": 1, "left": HOSTILE,
    });
    let record = json!({ "node": HOSTILE, "expert": HOSTILE });
    let route = json!({
        "strategy": HOSTILE, "candidates": 2, "filtered": 1, "tried": 1, "participants": [participant],
        "detail": {
            "choices": [{ "record": record, "cost": 1, "note": HOSTILE }],
            "filtered": [{ "record": record, "reason": HOSTILE }],
        },
    });
    let takeover = json!({ "from": node_id(), "why": HOSTILE, "at": 1, "expert": expert() });
    [
        json!({ "type": "route", "expert": expert(), "route": route }),
        json!({ "type": "text", "text": HOSTILE }),
        json!({ "type": "mixed", "participants": [participant] }),
        json!({ "type": "took_over", "takeover": takeover }),
        json!({ "type": "done", "usage": { "prompt_tokens": 1, "completion_tokens": 1 }, "reason": "stop" }),
    ]
    .map(|line| format!("{line}\n"))
    .concat()
}
