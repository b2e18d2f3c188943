//! A byte model as an [`Expert`]: worker threads of its own, off the async runtime.
//!
//! Dropping the expert closes its queue: queued and running requests end with `Cancelled`, and the threads are joined.
//! A request that panics its worker ends that one answer with an error; the worker goes on.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use std::time::Instant;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::builtin::Builtin;
use super::contexts::Contexts;
use super::generate::{CHANNEL, Stopped, generate, send};
use super::model::ByteModel;
use super::queue::{Job, Queue};
use super::session::Session;
use crate::{
    ChatMessage, Expert, ExpertError, ExpertEvent, ExpertRequest, ExpertStream, FinishReason, Health,
    ModelCard, Usage,
};

/// How a byte model is served.
#[derive(Debug, Clone, Copy)]
pub struct ServeOptions {
    /// Threads that answer, one request each at a time. Default 1. More than the machine's cores only slow each other down.
    pub workers: NonZeroUsize,
    /// Requests that may wait. Default 16. With more, callers wait longer before they could go elsewhere.
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
    /// Serves a shipped model.
    ///
    /// # Errors
    /// As [`Self::start`], and when the weights cannot be read.
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
                contexts: Contexts::new(model.clone()),
                queue: expert.queue.clone(),
            };
            let thread = std::thread::Builder::new()
                .name(format!("expert-{number}"))
                .spawn(move || worker.run())
                .map_err(|error| ExpertError::Internal(format!("no thread for the expert: {error}")))?;
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
                tracing::error!(model = %self.card.model, "an expert's worker thread had died");
            }
        }
    }
}

impl Expert for ByteExpert {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn run(&self, request: ExpertRequest) -> ExpertStream {
        let (events, stream) = ExpertStream::channel(CHANNEL);
        let queued = request.validate().map_err(ExpertError::from).and_then(|()| match request {
            ExpertRequest::Embed { .. } => {
                Err(ExpertError::Unsupported { model: self.card.model.clone(), operation: "embeddings" })
            }
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
    contexts: Contexts,
    queue: Queue,
}

impl Worker {
    fn run(mut self) {
        while let Some(job) = self.queue.pop() {
            let started = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| self.answer(&job)));
            let error = match outcome {
                Ok(Ok(()) | Err(Stopped::CallerLeft)) => None,
                Ok(Err(Stopped::Failed(error))) => Some(error),
                Err(_) => {
                    self.session = Session::new(self.model.clone());
                    self.contexts = Contexts::new(self.model.clone());
                    Some(ExpertError::Internal("the model failed on this request".to_owned()))
                }
            };
            if let Some(error) = error {
                tracing::warn!(model = %self.card.model, %error, "an answer ended early");
                // A channel without room has no reader, or its reader finds the end missing.
                let _ = job.events.try_send(Err(error));
            }
            self.queue.finished(started);
        }
    }

    fn answer(&mut self, job: &Job) -> Result<(), Stopped> {
        match &job.request {
            ExpertRequest::Complete { prompt, sampling } => {
                generate(&mut self.session, (prompt, sampling), &job.events, || self.queue.is_closed())
            }
            ExpertRequest::Chat { messages, sampling } => {
                let prompt = chat_prompt(messages);
                generate(&mut self.session, (&prompt, sampling), &job.events, || self.queue.is_closed())
            }
            ExpertRequest::Distribution { context } => {
                let distribution = self.contexts.next(context)?;
                send(&job.events, ExpertEvent::Distribution(distribution.to_vec()))?;
                let prompt_tokens = u32::try_from(context.len()).unwrap_or(u32::MAX);
                let usage = Usage { prompt_tokens, completion_tokens: 1 };
                send(&job.events, ExpertEvent::Done { usage, reason: FinishReason::Stop })
            }
            ExpertRequest::Embed { .. } => {
                let model = self.card.model.clone();
                Err(Stopped::Failed(ExpertError::Unsupported { model, operation: "embeddings" }))
            }
        }
    }
}

/// The text that a conversation becomes: the messages' contents, an empty line between two. A base model
/// knows no roles, so that marking them would only push it away from its domain; it continues the last
/// message.
fn chat_prompt(messages: &[ChatMessage]) -> String {
    messages.iter().map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests;
