//! The one trait behind which every model stands.

use futures::future::BoxFuture;

use crate::{ExpertRequest, ExpertStream, ModelCard};

/// Something that answers requests. Object-safe: the node holds `Arc<dyn Expert>`.
pub trait Expert: Send + Sync + 'static {
    /// What it serves.
    fn card(&self) -> &ModelCard;

    /// Starts one answer. Refusals, too, come through the stream, as its only item.
    ///
    /// Dropping the stream cancels the work: a queued request is forgotten, a running one stops within one
    /// token, an upstream's connection is closed. Must be called, and the stream polled, inside a tokio
    /// runtime with time and I/O enabled.
    fn run(&self, request: ExpertRequest) -> ExpertStream;

    /// Whether requests have a chance now. The node withdraws the expert's record while it has none.
    fn health(&self) -> BoxFuture<'_, Health>;
}

/// State of an expert, as far as it can be told without a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Ready,
    /// It cannot answer.
    Down {
        /// What is wrong, for the operator.
        reason: String,
    },
}
