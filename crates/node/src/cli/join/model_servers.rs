//! Model servers on this machine: looked for on loopback, at the ports that Ollama, vLLM, llama.cpp and LM Studio use.
//!
//! What a hostile server can do: list names, of which [`MAX_MODELS`] are read from at most [`MAX_LIST_BYTES`] bytes, and which
//! are escaped when they are shown.

use std::time::Duration;

use futures::future::join_all;
use nervure_primitives::UntrustedText;
use serde::Deserialize;

/// Where servers are looked for, and what usually listens there.
const PLACES: [(u16, &str); 4] =
    [(11434, "Ollama"), (8000, "vLLM"), (8080, "llama.cpp"), (1234, "LM Studio")];

/// How long a server may take to list its models.
const LIST_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest list of models that is read.
const MAX_LIST_BYTES: usize = 256 << 10;

/// Models of one server that are offered.
const MAX_MODELS: usize = 16;

/// The name of a model, as its server says it.
type ModelName = UntrustedText<128>;

/// A server that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModelServer {
    /// Base URL, with the `/v1`.
    pub(super) url: String,
    /// What usually listens at its port.
    pub(super) kind: &'static str,
    /// Its models; none with a comma, which separates the settings of an expert.
    pub(super) models: Vec<String>,
}

#[derive(Deserialize)]
struct ModelList {
    data: Vec<ListedModel>,
}

#[derive(Deserialize)]
struct ListedModel {
    id: ModelName,
}

/// The servers that list a model.
pub(super) async fn find() -> Vec<ModelServer> {
    find_at(&PLACES).await
}

async fn find_at(places: &[(u16, &'static str)]) -> Vec<ModelServer> {
    let Ok(client) = reqwest::Client::builder().no_proxy().timeout(LIST_TIMEOUT).build() else {
        return Vec::new();
    };
    let asked = places.iter().map(|(port, kind)| {
        let (client, url) = (&client, format!("http://127.0.0.1:{port}/v1"));
        async move {
            let models = models(client, &url).await.filter(|models| !models.is_empty())?;
            Some(ModelServer { url, kind, models })
        }
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// The models that the server at `url` lists; none where no such server is.
async fn models(client: &reqwest::Client, url: &str) -> Option<Vec<String>> {
    let mut response = client.get(format!("{url}/models")).send().await.ok()?.error_for_status().ok()?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_LIST_BYTES {
            return None;
        }
    }
    let list: ModelList = serde_json::from_slice(&body).ok()?;
    let fits = |name: &String| !name.is_empty() && !name.contains(',') && !name.chars().any(char::is_control);
    let names = list.data.into_iter().map(|model| model.id.raw().trim().to_owned()).filter(fits);
    Some(names.take(MAX_MODELS).collect())
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// A server on loopback that answers one request with `body`, and its port.
    async fn server(body: String) -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).await.unwrap();
            assert!(String::from_utf8_lossy(&request[..read]).starts_with("GET /v1/models "));
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        });
        port
    }

    #[tokio::test]
    async fn finds_servers_and_passes_over_what_is_none() {
        let good = server(r#"{"object":"list","data":[{"id":"qwen3:4b"},{"id":"a,price=9"}]}"#.into()).await;
        let other = server("<html></html>".into()).await;
        let long = server(format!(r#"{{"data":[{{"id":"{}"}}]}}"#, "x".repeat(MAX_LIST_BYTES))).await;
        let found =
            find_at(&[(good, "Ollama"), (other, "vLLM"), (long, "llama.cpp"), (1, "LM Studio")]).await;
        let url = format!("http://127.0.0.1:{good}/v1");
        assert_eq!(found, [ModelServer { url, kind: "Ollama", models: vec!["qwen3:4b".into()] }]);
    }
}
