//! What travels inside a query's frames: the bodies that the query plane carries without looking.
//!
//! The open frame's body is an [`ExpertRequest`](nervure_experts::ExpertRequest), each chunk an
//! [`ExpertEvent`], both in canonical CBOR; the end frame carries the last event's usage and reason.

use bytes::Bytes;
use nervure_experts::{ExpertEvent, FinishReason, Usage};
use nervure_p2p::query::{EndReason, QueryEnd, QueryUsage};
use nervure_primitives::cbor::{self, CborError, Limits};

/// Largest event in one chunk: an embedding of 16,384 dimensions at nine bytes each, and its header.
const MAX_EVENT: usize = 160 * 1024;

/// The chunk of one event.
pub(crate) fn encode(event: &ExpertEvent) -> Result<Bytes, CborError> {
    cbor::encode(event).map(Bytes::from)
}

/// The event in a chunk.
pub(crate) fn decode(chunk: &[u8]) -> Result<ExpertEvent, CborError> {
    cbor::decode(chunk, Limits::new(MAX_EVENT))
}
