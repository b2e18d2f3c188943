//! The API over a real socket, in front of a mock node.

mod conformance;
mod hostile;
mod keys;
mod light;
mod messages;
mod mock_service;
mod node;
mod ollama;
mod openai;
mod openapi;
mod pages;
mod proofs;
mod python;
mod reference;
mod responses;
mod shutdown;
mod tools;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Gateway, GatewayConfig, MeshService};
use mock_service::MockService;

/// Longer than any step of these tests takes; a test that reaches it fails.
const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// A running API in front of a mock node.
pub(crate) struct Running {
    addr: SocketAddr,
    service: Arc<MockService>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    http: reqwest::Client,
}

/// Starts one with the OpenAI endpoints, with the settings that `change` made.
pub(crate) async fn start(change: impl FnOnce(&mut GatewayConfig)) -> Running {
    let mut config = GatewayConfig { openai: true, ..GatewayConfig::loopback() };
    change(&mut config);
    let service = Arc::new(MockService::new(config.metrics.clone()));
    let gateway = Gateway::bind(config, service.clone()).await.unwrap();
    let (addr, stop) = (gateway.local_addr(), CancellationToken::new());
    let task = tokio::spawn(gateway.run(stop.clone()));
    Running {
        addr,
        service,
        stop,
        task,
        http: reqwest::Client::builder().no_proxy().timeout(TEST_TIMEOUT).build().unwrap(),
    }
}

impl Running {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        let reply = Reply::of(self.http.get(self.url(path)).send().await.unwrap()).await;
        conformance::check("GET", path, &reply);
        reply
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        let reply = Reply::of(self.send(path, body).await).await;
        conformance::check("POST", path, &reply);
        reply
    }

    /// Waits until so many questions are in progress or wait.
    async fn waiting(&self, count: u64) {
        for _ in 0..2000 {
            let metrics = self.service.metrics();
            let line =
                metrics.lines().find_map(|line| line.strip_prefix("nervure_http_queries_in_progress "));
            if line.is_some_and(|value| value.parse() == Ok(count)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("there were never {count} questions");
    }

    /// Sends JSON and does not read the answer yet.
    async fn send(&self, path: &str, body: &Value) -> reqwest::Response {
        self.http.post(self.url(path)).json(body).send().await.unwrap()
    }
}

/// A whole response.
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts an error and gives its message.
    #[track_caller]
    pub(crate) fn error(&self, status: u16, code: &str) -> String {
        let error = &self.json()["error"];
        assert_eq!((self.status, error["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert!(error["type"].is_string() && error.get("param").is_some(), "the OpenAI form: {}", self.text);
        error["message"].as_str().unwrap().to_owned()
    }
}
