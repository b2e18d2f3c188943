//! Several experts behind one answer: they vote, they average, they write one text byte by byte, also when one of
//! them dies in the middle.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
};

use serde_json::Value;

use crate::mesh::{CommandOutput, Mesh, eventually};

/// The lines that `ask --json` printed, by their type.
fn lines(output: &CommandOutput, kind: &str) -> Vec<Value> {
    let lines = output.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["type"] == kind).collect()
}

fn weights(line: &Value) -> f64 {
    line.as_array().unwrap().iter().map(|one| one["weight"].as_f64().unwrap()).sum()
}

#[test]
fn several_experts_answer_together() {
    let mesh = Mesh::small(&[]);
    let ask = |strategy: &str, more: &[&str]| {
        mesh.run(&[&["ask", "The ", "--max-tokens", "8", "--strategy", strategy, "--json"], more].concat())
    };
    let mixed = ask("mix:2", &[]).succeeded();
    assert_eq!(lines(&mixed, "route")[0]["route"]["participants"].as_array().unwrap().len(), 2);
    let done = &lines(&mixed, "done")[0];
    assert_eq!(
        (&done["reason"], &done["usage"]["completion_tokens"]),
        (&"length".into(), &8.into()),
        "{mixed:?}"
    );
    let participants = &lines(&mixed, "mixed")[0]["participants"];
    assert!((weights(participants) - 1.0).abs() < 1e-6, "{participants}");

    let voted = eventually("there is a block to choose by", || {
        let voted = ask("vote:2", &["--verify"]);
        let is_early = voted.code != 0 && voted.err.contains("selected before the first block");
        (!is_early).then(|| voted.succeeded())
    });
    assert_eq!(lines(&voted, "receipt").len(), 2, "both signed: {voted:?}");
    assert!(lines(&voted, "receipt").iter().all(|line| line["receipt"]["wrong"].is_null()));
    let (answered, route) = (&lines(&voted, "route")[0]["expert"], &lines(&voted, "route")[0]["route"]);
    assert_eq!(route["participants"][0]["node"], answered["node"], "whose answer it is comes first");
    assert!((weights(&route["participants"]) - 1.0).abs() < 1e-6);

    let few = ask("mix:2", &["-c", "text.generate.rust"]);
    assert_eq!(few.code, 3, "{few:?}");
    let unfit = ask("average:2", &[]);
    assert!(unfit.code == 2 && unfit.err.contains("average is for embeddings"), "{unfit:?}");
    let unsigned = ask("mix:2", &["--verify"]).succeeded();
    assert!(unsigned.err.contains("no single expert signed for the answer"), "{unsigned:?}");
    let certified = &lines(&unsigned, "certified")[0]["certified"];
    assert_eq!(certified["experts"].as_array().unwrap().len(), 2, "{certified}");
}

/// Asks a gateway and returns its answer, line by line.
fn post(http: SocketAddr, path: &str, body: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(http).unwrap();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {http}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    BufReader::new(stream)
}

/// The next line of an answer that is JSON, between the lengths of the chunks that it comes in; none at its end.
fn next(answer: &mut impl BufRead) -> Option<Value> {
    let mut line = String::new();
    while answer.read_line(&mut line).unwrap() > 0 {
        if line.starts_with('{') {
            return Some(serde_json::from_str(&line).unwrap());
        }
        line.clear();
    }
    None
}

#[test]
fn a_mixture_continues_when_one_of_its_experts_is_killed() {
    let mesh = Mesh::small(&[]);
    // On a busy machine, the other expert may be too late for its next step, too.
    let (written, mixed) = eventually("the other expert continues", || {
        let seen = mixture_with_a_kill(&mesh);
        if seen.is_none() && mesh.node("miner-1")["alive"] != true {
            mesh.run(&["testnet", "start", "miner-1"]).succeeded();
        }
        seen
    });
    let killed = mesh.node("miner-1")["node"].clone();
    let bytes = |of_killed: bool| {
        let mut all = mixed["participants"].as_array().unwrap().iter();
        all.find(|one| (one["node"] == killed) == of_killed).unwrap()["bytes"].as_u64().unwrap()
    };
    assert!(bytes(true) < written, "the kill came too late to show anything: {mixed}");
    assert!(bytes(false) > bytes(true), "{mixed}");
}

/// How much a mixture wrote of which one expert is killed, and by whom; none where the last one was late.
fn mixture_with_a_kill(mesh: &Mesh) -> Option<(u64, Value)> {
    let body = r#"{"target":{"capability":"text.generate"},"terms":{"strategy":"mix:2","deadline_ms":110000},
        "request":{"complete":{"prompt":"def f(x):\n","sampling":
        {"max_tokens":240,"temperature_milli":0,"top_p_milli":1000,"seed":1,"stop":[]}}}}"#;
    let mut answer = post(mesh.http("gateway-1"), "/ask", body);
    let text = loop {
        let line = next(&mut answer)?;
        if line["type"] == "text" {
            break line;
        }
    };
    assert_ne!(text["text"], "", "it writes");
    mesh.run(&["testnet", "kill", "miner-1"]).succeeded();
    let mut rest = Vec::new();
    while let Some(line) = next(&mut answer) {
        rest.push(line);
    }
    let last = rest.last().unwrap();
    if last["error"]["message"].as_str().is_some_and(|message| message.contains("in time")) {
        return None;
    }
    assert_eq!(last["type"], "done", "{last}");
    let mixed = rest.iter().find(|line| line["type"] == "mixed").unwrap();
    Some((last["usage"]["completion_tokens"].as_u64().unwrap(), mixed.clone()))
}

/// A server of one embedding model, whose vectors are turned by a right angle every time.
fn vectors() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut turned = false;
        for client in listener.incoming().flatten() {
            let Some(path) = read(&client) else { continue };
            let body = if path.ends_with("/models") {
                serde_json::json!({"object": "list", "data": [{"id": "compass", "object": "model"}]})
            } else {
                turned = !turned;
                let vector = if turned { [3.0, 0.0] } else { [0.0, 1.0] };
                serde_json::json!({
                    "object": "list", "model": "compass", "usage": {"prompt_tokens": 1, "total_tokens": 1},
                    "data": [{"object": "embedding", "index": 0, "embedding": vector}],
                })
            };
            let body = body.to_string();
            let length = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            // A client that disconnects must not end the server.
            let _ = (&client).write_all((head + &body).as_bytes());
        }
    });
    addr
}

/// Reads a whole request and returns its path.
fn read(client: &TcpStream) -> Option<String> {
    let mut request = BufReader::new(client);
    let (mut first, mut header, mut length) = (String::new(), String::new(), 0);
    request.read_line(&mut first).ok()?;
    while request.read_line(&mut header).ok()? > 2 {
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        header.clear();
    }
    request.read_exact(&mut vec![0; length]).ok()?;
    Some(first.split(' ').nth(1)?.to_owned())
}

#[test]
fn vectors_of_one_model_are_averaged() {
    let expert = format!("openai:http://{}/v1,model=compass,name=compass,capability=embed", vectors());
    // The miners take the experts in turn, and a testnet is up when one of them has written text.
    let mesh =
        Mesh::up(&["--validators", "1", "--miners", "4", "--expert", "builtin:rust", "--expert", &expert]);
    assert_eq!(mesh.experts("embed").len(), 2);
    let body = r#"{"model":"compass","input":"north-east","nervure":{"strategy":"average:2"}}"#;
    let mut answer = String::new();
    post(mesh.http("gateway-1"), "/v1/embeddings", body).read_to_string(&mut answer).unwrap();
    let json = answer.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{answer}"));
    let json: Value = serde_json::from_str(json).unwrap();
    let vector = json["data"][0]["embedding"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert!(vector.iter().all(|x| (x.as_f64().unwrap() - 0.5f64.sqrt()).abs() < 1e-6), "{answer}");
}
