//! The client against a raw server on loopback that answers with prepared bytes, right or wrong.

use std::{net::SocketAddr, time::Duration};

use nervure_ledger::tree::Key;
use nervure_light::Source;
use nervure_primitives::BlockHeight;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{Client, ClientError, lines::MAX_LINE_BYTES, transport::MAX_RESPONSE_BYTES};
use crate::{AskBody, AskLine, ExpertSearch, QueryTarget, SourceError};

/// Longer than any step of these tests takes.
const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// A line that ends an answer.
const DONE: &str = r#"{"type":"done","usage":{"prompt_tokens":1,"completion_tokens":1},"reason":"stop"}"#;

/// A client of a server that gives `response` to its first request and closes; the task returns the request's head.
async fn client(response: impl Into<Vec<u8>>) -> (Client, JoinHandle<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let response = response.into();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let head = read_request(&mut socket).await;
        // A client that has read enough hangs up.
        let _ = socket.write_all(&response).await;
        let _ = socket.shutdown().await;
        // Closing before the client does could lose the end of the response.
        let _ = socket.read(&mut [0]).await;
        head
    });
    (Client::new(address).unwrap().with_timeout(TEST_TIMEOUT), server)
}

/// Reads a whole request, because closing with unread bytes would reset the connection; returns its head.
async fn read_request(socket: &mut TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let read = socket.read_buf(&mut request).await.unwrap();
        assert!(read > 0, "the client closed before the end of its request");
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return head.to_owned();
        }
    }
}

fn response(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// A response whose end is the end of the connection.
fn stream(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}")
}

fn query() -> AskBody {
    AskBody {
        target: QueryTarget::Model("words".into()),
        request: nervure_protocol::ExpertRequest::Embed { inputs: vec!["a".into()] },
        terms: crate::QueryTerms::default(),
        explain: false,
        receipt: false,
    }
}

/// The lines of a response to a query, up to its end or the first error.
async fn lines(response: impl Into<Vec<u8>>) -> (Vec<AskLine>, Option<ClientError>) {
    let (client, _server) = client(response).await;
    let mut answer = client.ask(&query()).await.unwrap();
    let mut lines = Vec::new();
    loop {
        match answer.next().await {
            Ok(Some(line)) => lines.push(line),
            Ok(None) => return (lines, None),
            Err(error) => return (lines, Some(error)),
        }
    }
}

#[tokio::test]
async fn decodes_an_error_body() {
    let body = r#"{"error":{"message":"every expert is busy","type":"rate_limit_error","param":null,"code":"busy",
        "hint":"wait a moment","exit_code":5,"retry_after_ms":1500}}"#;
    let (client, _server) = client(response("429 Too Many Requests", body)).await;
    let error = client.peers().await.unwrap_err();
    assert_eq!(error.to_string(), "every expert is busy");
    assert_eq!((error.hint().as_deref(), error.exit_code()), (Some("wait a moment"), 5));
    assert_eq!(error.retry_after(), Some(Duration::from_millis(1500)));
}

#[tokio::test]
async fn keeps_an_error_of_a_newer_version() {
    let body = r#"{"error":{"message":"out of phase","type":"new_error","param":null,"code":"out_of_phase","phase":3}}"#;
    let (client, _server) = client(response("418 I'm a teapot", body)).await;
    let error = client.peers().await.unwrap_err();
    let ClientError::Response(body) = &error else { panic!("{error}") };
    assert_eq!(body.error.code.as_deref(), Some("out_of_phase"));
    assert_eq!((error.to_string().as_str(), error.exit_code(), error.hint()), ("out of phase", 1, None));
}

#[tokio::test]
async fn refuses_what_is_not_an_answer_of_a_node() {
    for (status, body, what) in [
        ("502 Bad Gateway", "<html>nginx</html>", "status 502 Bad Gateway without an error body"),
        ("500 Internal Server Error", "", "status 500 Internal Server Error without an error body"),
        ("200 OK", "<html>", "expected value at line 1"),
        ("200 OK", r#"{"peers": 7}"#, "invalid type: integer"),
    ] {
        let (client, _server) = client(response(status, body)).await;
        let error = client.peers().await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, ClientError::InvalidResponse { .. }) && text.contains(what), "{text}");
        assert!(text.contains(&client.address().to_string()) && text.contains("another version"), "{text}");
    }
}

#[tokio::test]
async fn refuses_an_oversized_answer() {
    let large = " ".repeat(MAX_RESPONSE_BYTES + 1);
    for status in ["200 OK", "500 Internal Server Error"] {
        let (client, _server) = client(response(status, &large)).await;
        let error = client.peers().await.unwrap_err();
        assert!(error.to_string().contains(&format!("more than {MAX_RESPONSE_BYTES} bytes")), "{error}");
    }
    let (client, _server) = client(response("200 OK", &format!("{{\"peers\": []}}{}", &large[20..]))).await;
    assert!(client.peers().await.unwrap().peers.is_empty(), "one of the largest size is read");
}

#[tokio::test]
async fn says_what_to_do_when_no_node_listens() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = Client::new(address).unwrap().status().await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("the node at {address} does not answer")), "{error}");
    assert_eq!((error.exit_code(), error.retry_after()), (8, None));
    assert!(error.hint().unwrap().contains("nervure testnet status"), "{:?}", error.hint());
}

#[tokio::test]
async fn gives_up_a_node_that_stays_silent() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let client = Client::new(address).unwrap().with_timeout(Duration::from_millis(50));
    let error = client.status().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn encodes_the_parameters_of_a_search() {
    let (client, server) = client(response("200 OK", r#"{"experts": []}"#)).await;
    let search = ExpertSearch {
        capability: Some("text.generate".parse().unwrap()),
        filter: Some("price <= 5 & model=a".into()),
        limit: 3,
        ..ExpertSearch::default()
    };
    assert!(client.experts(&search).await.unwrap().experts.is_empty());
    let head = server.await.unwrap();
    let line = "GET /experts?capability=text.generate&where=price+%3C%3D+5+%26+model%3Da&limit=3 HTTP/1.1";
    assert_eq!(head.lines().next(), Some(line));
}

#[tokio::test]
async fn reads_an_answer_line_by_line() {
    let text = r#"{"type":"text","text":"Hé\n"}"#;
    let (read, error) = lines(stream(&format!("{text}\n{text}\n{DONE}\n"))).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(read[0], AskLine::Text { text: "Hé\n".into() });
    assert!(read.len() == 3 && matches!(read[2], AskLine::Done { .. }), "{read:?}");
}

#[tokio::test]
async fn refuses_broken_lines() {
    let text = r#"{"type":"text","text":"a"}"#;
    for (rest, what) in [
        (&DONE[..20], "an incomplete line"),
        ("not JSON\n", "expected ident"),
        ("{\"type\":\"song\"}\n", "unknown variant `song`"),
        ("\n", "EOF while parsing"),
    ] {
        let (read, error) = lines(stream(&format!("{text}\n{rest}"))).await;
        let error = error.unwrap();
        assert_eq!(read.len(), 1, "the lines before are read");
        assert!(error.to_string().contains(what), "{rest}: {error}");
    }
}

#[tokio::test]
async fn refuses_an_endless_line() {
    let endless = "x".repeat(2 * MAX_LINE_BYTES);
    let (read, error) = lines(stream(&endless)).await;
    let error = error.unwrap().to_string();
    assert!(
        read.is_empty() && error.contains(&format!("a line of more than {MAX_LINE_BYTES} bytes")),
        "{error}"
    );
}

#[tokio::test]
async fn tells_a_cut_connection_from_the_end_of_an_answer() {
    let cut =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{DONE}\n\r\n", DONE.len() + 1);
    let (read, error) = lines(cut).await;
    assert_eq!(read.len(), 1);
    assert!(matches!(error, Some(ClientError::Unreachable { .. })), "{error:?}");
}

#[tokio::test]
async fn a_proof_that_does_not_decode_is_an_invalid_proof() {
    let view = r#"{"height":7,"key":"chain","checkpoint":"!!","fact":"AAAA"}"#;
    for body in [view, "<html>"] {
        let (client, _server) = client(response("200 OK", body)).await;
        let error = client.fact(Key::Chain, BlockHeight(7)).await.unwrap_err();
        assert!(matches!(error, SourceError::InvalidProof { .. }), "{error}");
    }
    let refused = r#"{"error":{"message":"no such block","type":"t","param":null,"code":"not_found"}}"#;
    let (client, _server) = client(response("404 Not Found", refused)).await;
    let error = client.fact(Key::Chain, BlockHeight(7)).await.unwrap_err();
    assert!(matches!(error, SourceError::Client(ClientError::Response(_))), "an honest refusal: {error}");
}
