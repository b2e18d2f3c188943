//! A byte model as an [`Expert`], on worker threads outside the async runtime.
//!
//! Dropping the expert closes its queue: queued and running requests end with `Cancelled`, and the threads are joined.
//! A request on which a worker panics ends with an error; the worker then continues with the next request.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use std::time::Instant;

use futures::FutureExt;
use futures::future::BoxFuture;
use nervure_experts::{Expert, ExpertError, ExpertStream, Health, ModelCard};
use nervure_protocol::{ChatMessage, ExpertEvent, ExpertRequest, FinishReason, Usage};

use crate::builtin::Builtin;
use crate::generate::{GenerateError, MAX_ANSWER_ITEMS, generate, send};
use crate::model::ByteModel;
use crate::queue::{Job, Queue};
use crate::session::Session;
use crate::session_cache::SessionCache;

/// How a byte model is served.
#[derive(Debug, Clone, Copy)]
pub struct ServeOptions {
    /// Worker threads, each with one request at a time. Default 1. More threads than cores make every answer slower.
    pub workers: NonZeroUsize,
    /// Requests that may wait. Default 16. A longer queue makes callers wait when they could ask another expert.
    pub queue: NonZeroUsize,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self { workers: NonZeroUsize::MIN, queue: NonZeroUsize::MIN.saturating_add(15) }
    }
}

/// A byte model and the threads that run it.
pub struct ByteExpert {
    card: ModelCard,
    queue: Queue,
    workers: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for ByteExpert {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByteExpert").field("card", &self.card).finish_non_exhaustive()
    }
}

impl ByteExpert {
    /// Serves a built-in model.
    ///
    /// # Errors
    /// When the weights cannot be read, and as [`Self::start`].
    pub fn builtin(builtin: &Builtin, options: ServeOptions) -> Result<Self, ExpertError> {
        Self::start(builtin.card(), &builtin.load()?, options)
    }

    /// Serves any byte model; the workers share its parameters.
    ///
    /// # Errors
    /// [`ExpertError::Internal`] when a thread cannot be started.
    pub fn start(card: ModelCard, model: &ByteModel, options: ServeOptions) -> Result<Self, ExpertError> {
        let queue = Queue::new(options.queue.get());
        let mut expert = Self { card, queue, workers: Vec::new() };
        for number in 0..options.workers.get() {
            let worker = Worker {
                card: expert.card.clone(),
                model: model.clone(),
                session: Session::new(model.clone()),
                sessions: SessionCache::new(model.clone()),
                queue: expert.queue.clone(),
            };
            let thread = std::thread::Builder::new()
                .name(format!("expert-{number}"))
                .spawn(move || worker.run())
                .map_err(|error| {
                    ExpertError::Internal(format!("cannot start a thread for the expert: {error}").into())
                })?;
            expert.workers.push(thread);
        }
        Ok(expert)
    }
}

impl Drop for ByteExpert {
    fn drop(&mut self) {
        self.queue.close();
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                tracing::error!(model = %self.card.model, "a worker thread of the expert died");
            }
        }
    }
}

impl Expert for ByteExpert {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn run(&self, request: ExpertRequest) -> ExpertStream {
        let (events, stream) = ExpertStream::channel(MAX_ANSWER_ITEMS);
        let queued = request.validate().and_then(|()| request.text_only());
        let queued = queued.map_err(ExpertError::from).and_then(|()| match request {
            ExpertRequest::Embed { .. } => Err(ExpertError::Unsupported {
                model: self.card.model.as_str().into(),
                operation: "embeddings",
            }),
            request => self.queue.push(Job { request, events }),
        });
        queued.map_or_else(ExpertStream::refused, |()| stream)
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        let dead = self.workers.iter().filter(|worker| worker.is_finished()).count();
        let health = match dead {
            0 => Health::Ready,
            dead => Health::Down { reason: format!("{dead} of {} worker threads died", self.workers.len()) },
        };
        std::future::ready(health).boxed()
    }
}

struct Worker {
    card: ModelCard,
    model: ByteModel,
    session: Session,
    sessions: SessionCache,
    queue: Queue,
}

impl Worker {
    fn run(mut self) {
        while let Some(job) = self.queue.pop() {
            let started = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| self.answer(&job)));
            let error = match outcome {
                Ok(Ok(()) | Err(GenerateError::CallerLeft)) => None,
                Ok(Err(GenerateError::Failed(error))) => Some(error),
                Err(_) => {
                    // The panic may have left half of an update in them.
                    self.session = Session::new(self.model.clone());
                    self.sessions = SessionCache::new(self.model.clone());
                    Some(ExpertError::Internal("the model failed on this request".into()))
                }
            };
            if let Some(error) = error {
                tracing::warn!(model = %self.card.model, %error, "an answer ended with an error");
                // Cannot fail for a live reader: the channel has room for the longest answer and its end.
                let _ = job.events.try_send(Err(error));
            }
            self.queue.finished(started);
        }
    }

    fn answer(&mut self, job: &Job) -> Result<(), GenerateError> {
        match &job.request {
            ExpertRequest::Complete { prompt, sampling } => {
                generate(&mut self.session, (prompt, sampling), &job.events, || self.queue.is_closed())
            }
            ExpertRequest::Chat { messages, sampling } => {
                let prompt = chat_prompt(messages);
                generate(&mut self.session, (&prompt, sampling), &job.events, || self.queue.is_closed())
            }
            ExpertRequest::Distribution { context } => {
                let distribution = self.sessions.next(context)?;
                send(&job.events, ExpertEvent::Distribution(distribution.to_vec()))?;
                let prompt_tokens = u32::try_from(context.len()).unwrap_or(u32::MAX);
                let usage = Usage { prompt_tokens, completion_tokens: 1 };
                send(&job.events, ExpertEvent::Done { usage, reason: FinishReason::Stop })
            }
            ExpertRequest::Embed { .. } => {
                let model = self.card.model.as_str().into();
                Err(GenerateError::Failed(ExpertError::Unsupported { model, operation: "embeddings" }))
            }
        }
    }
}

/// The prompt of a conversation: the contents of its messages, separated by empty lines. A base model continues the last
/// message; it was not trained on roles, and marks for them would only lead it away from its domain.
pub(crate) fn chat_prompt(messages: &[ChatMessage]) -> String {
    messages.iter().map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests;
