//! An expert whose model is served by an OpenAI-compatible server: vLLM, llama.cpp, Ollama, or a gateway of another mesh.
//!
//! The operator chooses the upstream, but its data is not trusted: responses are bounded in size and time before they are
//! decoded, error messages are truncated, and an answer is complete only if the upstream reports why it ended. Redirects
//! and proxies are off, so that clients' requests reach only the server that the operator named.
//!
//! The answer is read while its stream is polled. Dropping the stream closes the connection, which cancels the answer in
//! these servers.

mod answer;
mod body;
mod config;
mod delta;
mod embeddings;
mod refusal;
mod sse;
mod text_limits;

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use nervure_protocol::{AnswerBounds, ExpertRequest, ModelName, names};
use serde::Deserialize;

use body::BoundedResponse;
pub use config::{ApiSecret, OpenAiConfig, UpstreamLimits};

use crate::{Expert, ExpertError, ExpertStream, Health, ModelCard};

/// Largest model list, in bytes.
const MAX_MODEL_LIST_BYTES: usize = 1 << 20;

/// Most model names in an error message.
const MAX_NAMES_IN_ERROR: usize = 8;

/// How long the server may take to send its model list.
const MODEL_LIST_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that are kept for the next request.
const MAX_IDLE_CONNECTIONS: usize = 8;

/// Tokens of context of a model whose server does not report them.
const DEFAULT_CONTEXT: u32 = 8192;

/// Stands for a message that quotes the API key.
const QUOTES_KEY: &str = "its message quotes this node's API key";

/// A model of an upstream server.
#[derive(Debug)]
pub struct OpenAiExpert {
    upstream: Arc<Upstream>,
    card: ModelCard,
}

/// The parts of an expert that every request needs.
#[derive(Debug)]
pub(crate) struct Upstream {
    client: reqwest::Client,
    /// The base URL, without a slash at its end.
    base: String,
    secret: Option<Arc<ApiSecret>>,
    limits: UpstreamLimits,
    model: String,
}

/// One model of a model list; servers add further fields.
#[derive(Debug, Deserialize)]
struct ListedModel {
    id: String,
    /// vLLM's name for the context.
    max_model_len: Option<u32>,
    /// llama.cpp's data of the model.
    meta: Option<ModelMeta>,
}

#[derive(Debug, Deserialize)]
struct ModelMeta {
    /// The context that llama.cpp was started with.
    n_ctx: Option<u32>,
}

impl ListedModel {
    /// A model of a server that lists none.
    fn unlisted(id: &str) -> Self {
        Self { id: id.to_owned(), max_model_len: None, meta: None }
    }

    fn context(&self) -> Option<u32> {
        self.max_model_len.or_else(|| self.meta.as_ref()?.n_ctx)
    }
}

#[derive(Debug, Deserialize)]
struct ModelList {
    data: Vec<ListedModel>,
}

impl OpenAiExpert {
    /// The capability of a model for which the operator names none.
    pub const DEFAULT_CAPABILITY: &str = "text.generate";

    /// Fetches the server's model list and serves the model that `config` names, or else the first one.
    ///
    /// # Errors
    /// [`ExpertError::BadRequest`] if the URL is not valid, [`ExpertError::UpstreamUnavailable`] or another `Upstream*`
    /// error if the server does not answer, [`ExpertError::UpstreamInvalid`] if it does not have the model.
    pub async fn connect(config: OpenAiConfig) -> Result<Self, ExpertError> {
        let base = config.checked_base()?;
        let client = reqwest::Client::builder()
            // A redirect would send the prompt of a client, and the key of the operator, to a server that the
            // upstream names.
            .redirect(reqwest::redirect::Policy::none())
            // Proxies of the environment are ignored for the same reason.
            .no_proxy()
            .connect_timeout(config.limits.connect)
            // Each idle one holds a file descriptor.
            .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
            .build()
            .map_err(|error| {
                ExpertError::Internal(format!("cannot create an HTTP client: {error}").into())
            })?;
        let mut upstream =
            Upstream { client, base, secret: config.api_key, limits: config.limits, model: String::new() };
        let chosen = match (upstream.models().await, config.model.as_deref()) {
            // A server without a model list can be used by who knows what it has.
            (Err(ExpertError::UpstreamRefused { status: 404, .. }), Some(model)) => {
                ListedModel::unlisted(model)
            }
            (listed, model) => choose(listed?, model)?,
        };
        upstream.model.clone_from(&chosen.id);
        let context = config.context.or(chosen.context()).unwrap_or(DEFAULT_CONTEXT);
        let card = ModelCard {
            model: chosen.id,
            identity: config.identity,
            capability: config.capability.unwrap_or_else(|| Self::DEFAULT_CAPABILITY.to_owned()),
            context,
            // The API reports no bound of the output, which the context bounds in any case.
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
        self.run_passed_on(request, 1)
    }

    fn run_passed_on(&self, request: ExpertRequest, hops: u8) -> ExpertStream {
        match request.validate() {
            Ok(()) => answer::stream(self.upstream.clone(), request, hops),
            Err(error) => ExpertStream::refused(error.into()),
        }
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        async {
            match self.upstream.models().await {
                Ok(listed) if listed.iter().any(|model| model.id == self.card.model) => Health::Ready,
                Ok(_) => Health::Down {
                    reason: format!("the model server no longer has {}", ModelName::new(&self.card.model)),
                },
                // It has no model list, and it is there.
                Err(ExpertError::UpstreamRefused { status: 404, .. }) => Health::Ready,
                Err(error) => Health::Down { reason: error.to_string() },
            }
        }
        .boxed()
    }
}

impl Upstream {
    /// A request to `path`, with the API key.
    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.secret {
            Some(secret) => request.header(reqwest::header::AUTHORIZATION, secret.header()),
            None => request,
        }
    }

    /// A question to `path` that `hops` servers have passed on. Servers that are no gateways ignore the header.
    fn question(&self, path: &str, hops: u8) -> reqwest::RequestBuilder {
        self.request(reqwest::Method::POST, path).header(names::HOPS_HEADER, u16::from(hops))
    }

    /// Sends a request and waits for the head of its response; any status but success is an error.
    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        bounds: AnswerBounds,
    ) -> Result<BoundedResponse, ExpertError> {
        let response = BoundedResponse::send(request, bounds).await?;
        match response.head().status().is_success() {
            true => Ok(response),
            // The body of an error is read within the same bounds of time, and with fewer bytes.
            false => Err(self.withheld(refusal::read(response).await)),
        }
    }

    /// The error without a message that quotes the API key: that is the operator's, and the error goes to the asker.
    fn withheld(&self, mut error: ExpertError) -> ExpertError {
        let quotes = |text: &str| self.secret.as_ref().is_some_and(|secret| secret.is_quoted_in(text));
        match &mut error {
            ExpertError::BadRequest { reason, .. } if quotes(reason) => *reason = QUOTES_KEY.to_owned(),
            ExpertError::UpstreamRefused { message, .. }
            | ExpertError::ContextTooLong { message, .. }
            | ExpertError::UpstreamInvalid { reason: message }
                if quotes(&message.to_string()) =>
            {
                *message = QUOTES_KEY.into();
            }
            _ => {}
        }
        error
    }

    /// The bounds of an answer to a query. The asker's deadline ends it as well, by dropping its stream.
    fn answer_bounds(&self) -> AnswerBounds {
        let UpstreamLimits { first_byte, between, answer, .. } = self.limits;
        AnswerBounds { first: first_byte, between, max_bytes: answer, ..AnswerBounds::NONE }
    }

    async fn models(&self) -> Result<Vec<ListedModel>, ExpertError> {
        let bounds = AnswerBounds {
            whole: MODEL_LIST_TIMEOUT,
            max_bytes: MAX_MODEL_LIST_BYTES,
            ..self.answer_bounds()
        };
        let request = self.request(reqwest::Method::GET, "/models");
        let body = self.send(request, bounds).await?.read().await?;
        let list: ModelList = serde_json::from_slice(&body).map_err(|error| refusal::invalid(&error))?;
        Ok(list.data)
    }
}

fn choose(listed: Vec<ListedModel>, wanted: Option<&str>) -> Result<ListedModel, ExpertError> {
    let names: Vec<_> =
        listed.iter().take(MAX_NAMES_IN_ERROR).map(|model| ModelName::new(&model.id).to_string()).collect();
    let found = listed.into_iter().find(|model| wanted.is_none_or(|wanted| model.id == wanted));
    found.ok_or_else(|| ExpertError::UpstreamInvalid {
        reason: match wanted {
            Some(wanted) => format!("it has no model '{wanted}': it has {}", names.join(", ")).into(),
            None => "it has no models".into(),
        },
    })
}

/// Decodes `data` as a streamed answer, without a connection.
pub(crate) fn fuzz(data: &[u8]) {
    let mut lines = sse::SseLines::new(4096);
    for piece in data.chunks(data.len().div_ceil(2).max(1)) {
        lines.push(piece);
        while let Ok(Some(line)) = lines.next() {
            answer::fuzz(&line);
        }
    }
}

#[cfg(test)]
mod tests;
