//! An expert behind any server that speaks the OpenAI API: vLLM, llama.cpp, Ollama, or a gateway of another mesh.
//!
//! The upstream is the operator's choice and still not trusted: whatever it sends is bounded in size and time before it is
//! decoded, its errors are passed on typed and cut, and an answer counts as whole only when the upstream has said why
//! it ended. Redirects and proxies are off: the questions of others go where the operator said and nowhere else.
//!
//! The answer is produced while its stream is polled; dropping the stream closes the connection, which is how these
//! servers learn that nobody listens any more.

mod answer;
mod body;
mod config;
mod refusal;
mod sse;

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use serde::Deserialize;
use tokio::time::timeout;

pub use config::{ApiSecret, OpenAiConfig, UpstreamLimits};

use crate::{Expert, ExpertError, ExpertRequest, ExpertStream, Health, ModelCard};

/// Largest model list, in bytes.
const MAX_MODELS: usize = 1 << 20;

/// Most names of models in an error.
const NAMES: usize = 8;

/// Time for a model list.
const MODELS_PATIENCE: Duration = Duration::from_secs(5);

/// Tokens of context that a model is taken to have when its server does not say.
const DEFAULT_CONTEXT: u32 = 8192;

/// What a model behind an API is taken to do.
const DEFAULT_CAPABILITY: &str = "text.generate";

/// A model of an upstream server.
#[derive(Debug)]
pub struct OpenAiExpert {
    upstream: Arc<Upstream>,
    card: ModelCard,
}

/// What every request needs.
#[derive(Debug)]
pub(crate) struct Upstream {
    client: reqwest::Client,
    /// Without a slash at its end.
    base: String,
    secret: Option<ApiSecret>,
    limits: UpstreamLimits,
    model: String,
}

/// One model of a list; servers add fields of their own.
#[derive(Debug, Deserialize)]
struct ListedModel {
    id: String,
    /// vLLM's name for the context.
    max_model_len: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct ModelList {
    data: Vec<ListedModel>,
}

impl OpenAiExpert {
    /// Asks the server for its models and takes the one that `config` names, else the first.
    ///
    /// # Errors
    /// [`ExpertError::BadRequest`] for a URL that is none, [`ExpertError::UpstreamUnavailable`] and its kin when the
    /// server does not answer, [`ExpertError::UpstreamInvalid`] when it does not have the model.
    pub async fn connect(config: OpenAiConfig) -> Result<Self, ExpertError> {
        let base = config.checked_base()?;
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(config.limits.connect)
            .build()
            .map_err(|error| ExpertError::Internal(format!("no HTTP client: {error}")))?;
        let mut upstream =
            Upstream { client, base, secret: config.api_key, limits: config.limits, model: String::new() };
        let listed = upstream.models().await?;
        let chosen = choose(listed, config.model.as_deref())?;
        upstream.model.clone_from(&chosen.id);
        let context = config.context.or(chosen.max_model_len).unwrap_or(DEFAULT_CONTEXT);
        let card = ModelCard {
            model: chosen.id,
            capability: config.capability.unwrap_or_else(|| DEFAULT_CAPABILITY.to_owned()),
            context,
            max_output: context,
            byte_level: false,
            description: "served by an OpenAI-compatible server".to_owned(),
        };
        Ok(Self { upstream: Arc::new(upstream), card })
    }
}

impl Expert for OpenAiExpert {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn run(&self, request: ExpertRequest) -> ExpertStream {
        match request.validate() {
            Ok(()) => answer::stream(self.upstream.clone(), request),
            Err(error) => ExpertStream::refused(error.into()),
        }
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        async {
            match self.upstream.models().await {
                Ok(listed) if listed.iter().any(|model| model.id == self.card.model) => Health::Ready,
                Ok(_) => {
                    Health::Down { reason: format!("the model server no longer has {}", self.card.model) }
                }
                Err(error) => Health::Down { reason: error.to_string() },
            }
        }
        .boxed()
    }
}

impl Upstream {
    /// A request to `path`, with the secret.
    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.secret {
            Some(secret) => request.header(reqwest::header::AUTHORIZATION, secret.header()),
            None => request,
        }
    }

    /// Sends a request and waits for the head of its response, which must be a success.
    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, ExpertError> {
        let patience = self.limits.first_byte;
        let response = match timeout(patience, request.send()).await {
            Ok(response) => response.map_err(|error| refusal::unavailable(&error))?,
            Err(_) => return Err(ExpertError::UpstreamStalled { after: patience }),
        };
        match response.status().is_success() {
            true => Ok(response),
            false => Err(refusal::read(response, self.limits.between).await),
        }
    }

    async fn models(&self) -> Result<Vec<ListedModel>, ExpertError> {
        let ask = async {
            let response = self.send(self.request(reqwest::Method::GET, "/models")).await?;
            body::read(response, MAX_MODELS, self.limits.between).await
        };
        let body = match timeout(MODELS_PATIENCE, ask).await {
            Ok(body) => body?,
            Err(_) => return Err(ExpertError::UpstreamStalled { after: MODELS_PATIENCE }),
        };
        let list: ModelList = serde_json::from_slice(&body).map_err(|error| refusal::invalid(&error))?;
        Ok(list.data)
    }
}

fn choose(listed: Vec<ListedModel>, wanted: Option<&str>) -> Result<ListedModel, ExpertError> {
    let names: Vec<_> = listed.iter().take(NAMES).map(|model| crate::error::printable(&model.id)).collect();
    let found = listed.into_iter().find(|model| wanted.is_none_or(|wanted| model.id == wanted));
    found.ok_or_else(|| ExpertError::UpstreamInvalid {
        reason: match wanted {
            Some(wanted) => format!("it has no model '{wanted}': it has {}", names.join(", ")),
            None => "it has no models".to_owned(),
        },
    })
}

/// What the stream of an answer goes through, without a connection.
pub(crate) fn fuzz(data: &[u8]) {
    let mut lines = sse::Lines::new(4096);
    for piece in data.chunks(data.len().div_ceil(2).max(1)) {
        lines.push(piece);
        while let Ok(Some(line)) = lines.next() {
            answer::fuzz(&line);
        }
    }
}

#[cfg(test)]
mod tests;
