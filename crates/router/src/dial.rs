//! How the router reaches an expert: one query goes out, a stream of events comes back.
//!
//! The node implements [`Dial`] over its query client and its swarm; tests implement it with scripted experts. Where a
//! node can be reached, and over which connection, is for the implementation to know.
//!
//! # What a hostile expert can do
//! Everything that a stream can carry: end early, never end, send an end in the middle, send more than is useful. The
//! router bounds all of it; an implementation bounds the size of one event.

use std::{sync::Arc, time::Duration};

use futures::{future::BoxFuture, stream::BoxStream};
use nervure_primitives::{Amount, Hash};
use nervure_protocol::{
    ExpertEvent, ExpertRecord, FinishReason, Usage,
    query::{ErrorText, QueryErrorCode},
};

/// Opens queries to experts.
///
/// Dropping the future, or the stream that it gave, cancels the query.
pub trait Dial: Send + Sync {
    /// Sends `query` to the node of its expert. Ready when the query is on its way; the expert may still refuse it.
    ///
    /// # Errors
    /// When the node cannot be reached, or refuses at once.
    fn dial(&self, query: ExpertQuery) -> BoxFuture<'_, Result<EventStream, DialError>>;
}

/// One query to one expert.
#[derive(Debug, Clone)]
pub struct ExpertQuery {
    /// The expert.
    pub record: ExpertRecord,
    /// The encoded request.
    pub body: Arc<[u8]>,
    /// The most that the answer may cost.
    pub budget: Amount,
    /// How long the whole answer may take.
    pub timeout: Duration,
    /// Identifies the query; random, and shared with no other query, not even with another attempt at the same one: a
    /// miner must not recognise either at another miner. The receipt names it. It is the
    /// [`query_name`](nervure_protocol::query_name) of the end user's nonce and of `salt`.
    pub id: Hash,
    /// Random bytes, from which the end user's client computes the id again.
    pub salt: Hash,
    /// How many servers have passed the question on before.
    pub hops: u8,
}

/// An answer as it arrives. Ends with [`AnswerItem::End`] or an error; an implementation need not end it otherwise.
pub type EventStream = BoxStream<'static, Result<AnswerItem, DialError>>;

/// One item of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum AnswerItem {
    /// A part of the answer.
    Event(ExpertEvent),
    /// The answer is complete.
    End(AnswerEnd),
}

/// What the last frame of a complete answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerEnd {
    /// Tokens read and written.
    pub usage: Usage,
    /// Why the answer ended.
    pub reason: FinishReason,
    /// The hash of the answer as it arrived: see [`nervure_protocol::AnswerHasher`].
    pub answer: Hash,
    /// The node's signed receipt, not verified yet.
    pub receipt: Option<Vec<u8>>,
}

/// Why a query has no answer, or only a part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// There is no connection to the node.
    #[error("{0}")]
    Unreachable(ErrorText),
    /// The node refused or failed, and said so.
    #[error("{message}")]
    Refused {
        /// The kind of refusal.
        code: QueryErrorCode,
        /// The node's words.
        message: ErrorText,
        /// When asking again may help.
        retry_after: Option<Duration>,
    },
    /// The node sent something that the protocol does not allow.
    #[error("the expert broke the protocol: {0}")]
    Protocol(ErrorText),
    /// The answer stopped before its end, or came too late.
    #[error("{0}")]
    Interrupted(ErrorText),
}
