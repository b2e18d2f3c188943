//! A minimal HTTP server: it answers every request with the same completion.

use std::net::{Ipv4Addr, SocketAddr};

use axum::{Router, http::header, response::IntoResponse, routing::post};

/// An answer like the gateway's.
const ANSWER: &str = concat!(
    r#"{"id":"cmpl-0","object":"text_completion","created":0,"model":"echo","#,
    r#""choices":[{"index":0,"text":"The mesh gives this back.","logprobs":null,"finish_reason":"stop"}],"#,
    r#""usage":{"prompt_tokens":25,"completion_tokens":25,"total_tokens":50}}"#
);

/// Serves on the current runtime, and returns the address.
pub(crate) fn serve() -> anyhow::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let answer = |_: String| async { ([(header::CONTENT_TYPE, "application/json")], ANSWER).into_response() };
    let router = Router::new().route("/v1/completions", post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}
