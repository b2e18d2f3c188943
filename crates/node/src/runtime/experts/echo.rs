//! `builtin:echo`: an expert that returns the prompt, for measurements of everything but the model.

use futures::{FutureExt, future::BoxFuture, stream};
use nervure_experts::{Expert, ExpertError, ExpertStream, Health, ModelCard};
use nervure_protocol::{ExpertEvent, ExpertRequest, FinishReason, Usage};

/// Its name.
pub(super) const ECHO: &str = "echo";

/// The expert.
pub(super) struct EchoExpert(ModelCard);

impl EchoExpert {
    pub(super) fn new() -> Self {
        Self(ModelCard {
            model: ECHO.into(),
            identity: Default::default(),
            capability: "text.echo".into(),
            context: 4_096,
            max_output: 4_096,
            byte_level: false,
            description: "Gives the text back.".into(),
        })
    }
}

impl Expert for EchoExpert {
    fn card(&self) -> &ModelCard {
        &self.0
    }

    fn run(&self, request: ExpertRequest) -> ExpertStream {
        let unsupported =
            |operation| ExpertStream::refused(ExpertError::Unsupported { model: ECHO.into(), operation });
        if let Err(error) = request.text_only() {
            return ExpertStream::refused(error.into());
        }
        match request {
            ExpertRequest::Complete { prompt, .. } if !prompt.is_empty() => {
                let length = u32::try_from(prompt.len()).unwrap_or(u32::MAX);
                let usage = Usage { prompt_tokens: length, completion_tokens: length };
                let done = ExpertEvent::Done { usage, reason: FinishReason::Stop };
                ExpertStream::new(stream::iter([Ok(ExpertEvent::Text(prompt)), Ok(done)]))
            }
            ExpertRequest::Embed { .. } => unsupported("embeddings"),
            ExpertRequest::Distribution { .. } => unsupported("distributions"),
            ExpertRequest::Complete { .. } | ExpertRequest::Chat { .. } => unsupported("conversations"),
        }
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        std::future::ready(Health::Ready).boxed()
    }
}
