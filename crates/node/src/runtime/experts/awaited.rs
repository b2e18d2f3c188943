//! An expert whose model server was not up when the node started: its server is asked again whenever its health is looked at,
//! and until it answers the expert's record is withdrawn, while the node's other experts serve.

use std::sync::{Arc, OnceLock};

use futures::{FutureExt, future::BoxFuture};
use nervure_experts::{Expert, ExpertError, ExpertStream, Health, ModelCard, OpenAiConfig, OpenAiExpert};
use nervure_protocol::ExpertRequest;

/// How the settings of a connection are made: each attempt needs its own.
type Settings = Box<dyn Fn() -> OpenAiConfig + Send + Sync>;

/// The expert.
pub(super) struct AwaitedExpert {
    settings: Settings,
    /// What is known before the server is.
    provisional: ModelCard,
    connected: Arc<OnceLock<OpenAiExpert>>,
}

/// The model's name in the withdrawn record of an expert that names none.
const UNKNOWN_MODEL: &str = "upstream";

/// Tokens of context in it.
const UNKNOWN_CONTEXT: u32 = 1;

impl AwaitedExpert {
    /// An expert that connects with `settings` as soon as the server is there.
    pub(super) fn new(settings: Settings) -> Self {
        let config = settings();
        let provisional = ModelCard {
            model: config.model.unwrap_or_else(|| UNKNOWN_MODEL.to_owned()),
            identity: config.identity,
            capability: config.capability.unwrap_or_else(|| OpenAiExpert::DEFAULT_CAPABILITY.to_owned()),
            context: UNKNOWN_CONTEXT,
            max_output: UNKNOWN_CONTEXT,
            byte_level: false,
            description: "its server is awaited".to_owned(),
        };
        Self { settings, provisional, connected: Arc::default() }
    }

    /// Whether `error` says that the server is not there, and may come. A server that answers something wrong does not mend
    /// itself.
    pub(super) fn may_come(error: &ExpertError) -> bool {
        matches!(error, ExpertError::UpstreamUnavailable { .. } | ExpertError::UpstreamStalled { .. })
    }
}

impl Expert for AwaitedExpert {
    fn card(&self) -> &ModelCard {
        self.connected.get().map_or(&self.provisional, |expert| expert.card())
    }

    fn run(&self, request: ExpertRequest) -> ExpertStream {
        self.run_passed_on(request, 1)
    }

    fn run_passed_on(&self, request: ExpertRequest, hops: u8) -> ExpertStream {
        match self.connected.get() {
            Some(expert) => expert.run_passed_on(request, hops),
            None => ExpertStream::refused(ExpertError::UpstreamUnavailable {
                reason: "it has not been there since this node started".to_owned(),
            }),
        }
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        async {
            if let Some(expert) = self.connected.get() {
                return expert.health().await;
            }
            match OpenAiExpert::connect((self.settings)()).await {
                Ok(expert) => {
                    tracing::info!(model = expert.card().model, "the model server is there");
                    // Fails only when another look at the health was faster, with the same outcome.
                    let _ = self.connected.set(expert);
                    Health::Ready
                }
                Err(error) => Health::Down { reason: error.to_string() },
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU16, Ordering};

    use super::*;

    /// A server that lists one model, on the given listener.
    fn serve(listener: tokio::net::TcpListener) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 1024]).await;
                let body = r#"{"data":[{"id":"m","max_model_len":4096}]}"#;
                let head =
                    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all((head + body).as_bytes()).await;
            }
        });
    }

    #[tokio::test]
    async fn it_is_down_until_its_server_comes_and_then_what_the_server_says() {
        let port = Arc::new(AtomicU16::new(9));
        let of = port.clone();
        let url = move || format!("http://127.0.0.1:{}/v1", of.load(Ordering::Relaxed));
        let expert = AwaitedExpert::new(Box::new(move || OpenAiConfig::new(url())));
        assert!(matches!(expert.health().await, Health::Down { .. }));
        assert_eq!((expert.card().model.as_str(), expert.card().context), (UNKNOWN_MODEL, UNKNOWN_CONTEXT));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        port.store(listener.local_addr().unwrap().port(), Ordering::Relaxed);
        serve(listener);
        assert_eq!(expert.health().await, Health::Ready);
        assert_eq!((expert.card().model.as_str(), expert.card().context), ("m", 4096));
    }
}
