//! An OpenAI-compatible model server that writes as many tokens as it is asked for, and counts the requests that it has at
//! once.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// The name of its model.
pub(super) const MODEL: &str = "steady";

/// Tokens of one event, and the pause before it: 400 tokens a second.
const TOKENS_PER_EVENT: u64 = 4;
const EVENT_INTERVAL: Duration = Duration::from_millis(10);

/// Tokens that are written where a request names no number.
const DEFAULT_TOKENS: u64 = 64;

/// The server; it stops when it is dropped.
pub(super) struct Upstream {
    address: SocketAddr,
    requests: Arc<Requests>,
    serving: JoinHandle<()>,
}

/// Requests in progress, and the most that there were.
#[derive(Default)]
struct Requests {
    now: AtomicU64,
    most: AtomicU64,
}

/// One request in progress.
struct RequestGuard(Arc<Requests>);

impl RequestGuard {
    fn new(requests: &Arc<Requests>) -> Self {
        let now = requests.now.fetch_add(1, Ordering::SeqCst) + 1;
        requests.most.fetch_max(now, Ordering::SeqCst);
        Self(requests.clone())
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Upstream {
    /// Serves on a free port of this host.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("cannot listen on a port for the model server")?;
        let (address, requests) = (listener.local_addr()?, Arc::<Requests>::default());
        let router = Router::new()
            .route("/v1/models", get(|| async { Json(json!({"data": [{"id": MODEL}]})) }))
            .route("/v1/completions", post(complete))
            .with_state(requests.clone());
        let serving = tokio::spawn(async move {
            // It ends with the task; what a client does to it is counted at the askers.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, requests, serving })
    }

    /// Its base URL.
    pub(super) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The most requests that it had at once.
    pub(super) fn most_at_once(&self) -> u64 {
        self.requests.most.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An answer of the requested length, written at an even pace for as long as the client reads.
async fn complete(State(requests): State<Arc<Requests>>, Json(body): Json<Value>) -> Response {
    let guard = RequestGuard::new(&requests);
    let tokens = body["max_tokens"].as_u64().unwrap_or(DEFAULT_TOKENS);
    let events = tokens.div_ceil(TOKENS_PER_EVENT);
    let pieces = futures::stream::iter(0..events).then(|_| async {
        tokio::time::sleep(EVENT_INTERVAL).await;
        event(&json!({"choices": [{"text": "let ", "finish_reason": null}]}))
    });
    let end = json!({"choices": [{"text": "", "finish_reason": "length"}]});
    let last = futures::stream::iter([event(&end), "data: [DONE]\n\n".to_owned()]);
    // The guard goes with the stream, whether it was read to its end or not.
    let text = pieces.chain(last).map(move |piece| {
        let _in_progress = &guard;
        Ok::<_, Infallible>(piece)
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(text)).into_response()
}

fn event(body: &Value) -> String {
    format!("data: {body}\n\n")
}
