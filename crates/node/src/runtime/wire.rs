//! What travels inside a query's frames: the bodies that the query plane carries without looking.
//!
//! The open frame's body is an [`ExpertRequest`], each chunk an
//! [`ExpertEvent`], both in canonical CBOR; the end frame carries the last event's usage and reason.

use bytes::Bytes;
use nervure_experts::{ExpertEvent, ExpertRequest, FinishReason, Usage};
use nervure_p2p::query::{EndReason, QueryEnd, QueryUsage};
use nervure_primitives::cbor::{self, CborError, Limits};

/// Largest event in one chunk: an embedding of 16,384 dimensions at nine bytes each, and its header.
const MAX_EVENT: usize = 160 * 1024;

/// Largest request: the experts' own bound on text, and room for its fields.
const MAX_REQUEST: usize = 512 * 1024;

/// The chunk of one event.
pub(crate) fn encode_event(event: &ExpertEvent) -> Result<Bytes, CborError> {
    cbor::encode(event).map(Bytes::from)
}

/// The event in a chunk.
pub(crate) fn decode_event(chunk: &[u8]) -> Result<ExpertEvent, CborError> {
    cbor::decode(chunk, Limits::new(MAX_EVENT))
}

/// The body of one request.
pub(crate) fn encode_request(request: &ExpertRequest) -> Result<Vec<u8>, CborError> {
    cbor::encode(request)
}

/// The request in a body.
pub(crate) fn decode_request(body: &[u8]) -> Result<ExpertRequest, CborError> {
    cbor::decode(body, Limits::new(MAX_REQUEST))
}

/// The end frame of a complete answer; the query plane counts the chunks.
pub(crate) fn end(usage: Usage, reason: FinishReason) -> QueryEnd {
    let reason = match reason {
        FinishReason::Stop => EndReason::Stop,
        FinishReason::Length => EndReason::Length,
        _ => EndReason::Other,
    };
    let usage = QueryUsage { input: usage.prompt_tokens, output: usage.completion_tokens };
    QueryEnd::new(usage, reason)
}

/// The last event of a complete answer.
pub(crate) fn done(end: &QueryEnd) -> ExpertEvent {
    let reason = match end.reason {
        EndReason::Stop => FinishReason::Stop,
        EndReason::Length => FinishReason::Length,
        EndReason::Other => FinishReason::Other,
    };
    let usage = Usage { prompt_tokens: end.usage.input, completion_tokens: end.usage.output };
    ExpertEvent::Done { usage, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_miner_encodes_a_gateway_decodes() {
        let events = [
            ExpertEvent::Text("é".into()),
            ExpertEvent::Embedding { index: 1, vector: vec![0.1, -1.0] },
            ExpertEvent::Distribution(vec![1.0 / 256.0; 256]),
        ];
        for event in events {
            assert_eq!(decode_event(&encode_event(&event).unwrap()).unwrap(), event);
        }
        let usage = Usage { prompt_tokens: 3, completion_tokens: 4 };
        for reason in [FinishReason::Stop, FinishReason::Length, FinishReason::Other] {
            assert_eq!(done(&end(usage, reason)), ExpertEvent::Done { usage, reason });
        }
    }

    #[test]
    fn the_widest_embedding_fits_a_chunk() {
        let event = ExpertEvent::Embedding { index: u32::MAX, vector: vec![0.1; 16_384] };
        let chunk = encode_event(&event).unwrap();
        assert!(chunk.len() <= MAX_EVENT, "{}", chunk.len());
        assert!(decode_event(&chunk).is_ok());
        let wider = encode_event(&ExpertEvent::Embedding { index: 0, vector: vec![0.1; 20_000] }).unwrap();
        assert!(decode_event(&wider).is_err());
    }
}
