//! The trait of everything that a miner serves.

use futures::future::BoxFuture;

use crate::{ExpertStream, ModelCard};
use nervure_protocol::ExpertRequest;

/// A served model. Object-safe: the node holds `Arc<dyn Expert>`.
pub trait Expert: Send + Sync + 'static {
    /// Name, capability and limits of the model.
    fn card(&self) -> &ModelCard;

    /// Starts one answer. A refusal is the only item of its stream.
    ///
    /// Dropping the stream cancels the work: a queued request is removed, a running one stops within one token, and the
    /// connection to an upstream is closed. Must be called, and the stream polled, inside a tokio runtime with time and
    /// I/O enabled.
    fn run(&self, request: ExpertRequest) -> ExpertStream;

    /// The same, for a question that `hops` servers have passed on, this one included. An expert that asks another server
    /// tells it the number, so that a question cannot go round for ever.
    fn run_passed_on(&self, request: ExpertRequest, _hops: u8) -> ExpertStream {
        self.run(request)
    }

    /// Whether the expert can answer now. The node withdraws the expert's record while it cannot.
    fn health(&self) -> BoxFuture<'_, Health>;
}

/// The health of an expert, as far as it can be checked without a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It can answer.
    Ready,
    /// It cannot answer.
    Down {
        /// Why, for the operator.
        reason: String,
    },
}
