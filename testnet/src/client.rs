//! A client of the part of a node's HTTP API that a testnet uses: the status, and one small completion.
//!
//! The nodes are our own, on loopback; answers are bounded all the same, and proxies of the environment are not used.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use nervure_primitives::{Excerpt, Netuid};
use serde::Deserialize;

/// Largest answer that is read.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Longest wait for one `/status`.
const STATUS_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest wait for the whole of the first completion.
const COMPLETION_TIMEOUT: Duration = Duration::from_secs(15);

/// The fields of `/status` that a testnet uses; others are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Health {
    /// Peers connected now.
    pub peers_connected: u32,
    /// Expert records in the node's index.
    pub experts_known: u32,
    /// Time since its start, in milliseconds.
    #[serde(default)]
    pub uptime_ms: u64,
    /// Where it is in the chain.
    #[serde(default)]
    pub chain: Option<ChainHealth>,
}

/// Where a node is in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct ChainHealth {
    /// Its last block.
    pub height: u64,
    /// Milliseconds since it committed that.
    pub age_ms: u64,
    /// Milliseconds from the beginning of the last height to its commit, at a validator.
    #[serde(default)]
    pub finality_ms: Option<u64>,
    /// The last block that ended an epoch.
    #[serde(default)]
    pub checkpoint: Option<u64>,
    /// The subnets and their epochs.
    #[serde(default)]
    pub epochs: BTreeMap<Netuid, u64>,
}

/// Asks nodes over HTTP. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Client(reqwest::Client);

impl Client {
    /// A client that keeps its connections.
    pub(crate) fn new() -> Result<Self, String> {
        reqwest::Client::builder().no_proxy().build().map(Self).map_err(|error| error.to_string())
    }

    /// `GET /status`.
    pub(crate) async fn health(&self, http: SocketAddr) -> Result<Health, String> {
        let request = self.0.get(format!("http://{http}/status")).timeout(STATUS_TIMEOUT);
        serde_json::from_slice(&answer(request).await?).map_err(|error| error.to_string())
    }

    /// `GET /v1/models`: whether the server answers.
    pub(crate) async fn models(&self, http: SocketAddr) -> Result<(), String> {
        let request = self.0.get(format!("http://{http}/v1/models")).timeout(STATUS_TIMEOUT);
        answer(request).await.map(drop)
    }

    /// `POST /v1/completions` for the general capability; the answer must hold some text.
    pub(crate) async fn complete(&self, http: SocketAddr) -> Result<(), String> {
        let body = serde_json::json!({ "model": "text.generate", "prompt": "The mesh ", "max_tokens": 8 });
        let request =
            self.0.post(format!("http://{http}/v1/completions")).json(&body).timeout(COMPLETION_TIMEOUT);
        let answer: serde_json::Value =
            serde_json::from_slice(&answer(request).await?).map_err(|error| error.to_string())?;
        match answer["choices"][0]["text"].as_str() {
            Some(text) if !text.is_empty() => Ok(()),
            _ => Err(format!("an answer without text: {}", Excerpt::new(answer))),
        }
    }
}

/// The body of a successful answer; an error has the body of any other.
async fn answer(request: reqwest::RequestBuilder) -> Result<Vec<u8>, String> {
    let mut response = request.send().await.map_err(|error| error.without_url().to_string())?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| error.without_url().to_string())? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(format!("an answer of more than {MAX_ANSWER_BYTES} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    match response.status() {
        status if status.is_success() => Ok(body),
        status => Err(format!("{status}: {}", Excerpt::new(String::from_utf8_lossy(&body)))),
    }
}
