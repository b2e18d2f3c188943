//! The bodies that a query's frames carry: an [`ExpertRequest`] in the open frame, an [`ExpertEvent`] in each chunk.
//! The end frame carries the usage and the reason of the last event.

use bytes::Bytes;
use nervure_primitives::cbor::{self, CborError, Limits};

use super::QueryEnd;
use crate::{
    ExpertEvent, ExpertRequest, FinishReason, Usage,
    bounds::{MAX_EVENT, MAX_REQUEST_BODY},
};

/// The chunk of one event.
///
/// # Errors
/// When the event has no canonical form, such as a vector with a NaN.
pub fn encode_event(event: &ExpertEvent) -> Result<Bytes, CborError> {
    cbor::encode(event).map(Bytes::from)
}

/// The event in a chunk.
///
/// # Errors
/// When the chunk is too long or not an event.
pub fn decode_event(chunk: &[u8]) -> Result<ExpertEvent, CborError> {
    cbor::decode(chunk, Limits::new(MAX_EVENT))
}

/// The body of one request.
///
/// # Errors
/// None in practice: requests always encode.
pub fn encode_request(request: &ExpertRequest) -> Result<Vec<u8>, CborError> {
    cbor::encode(request)
}

/// The request in a body; its fields are not checked yet.
///
/// # Errors
/// When the body is too long or not a request.
pub fn decode_request(body: &[u8]) -> Result<ExpertRequest, CborError> {
    cbor::decode(body, Limits::new(MAX_REQUEST_BODY))
}

/// The end frame of a complete answer; the query plane counts the chunks.
pub const fn end(usage: Usage, reason: FinishReason) -> QueryEnd {
    QueryEnd::new(usage, reason)
}

/// The last event of a complete answer.
pub const fn done(end: &QueryEnd) -> ExpertEvent {
    ExpertEvent::Done { usage: end.usage, reason: end.reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_events_decode() {
        let events = [
            ExpertEvent::Text("é".into()),
            ExpertEvent::Embedding { index: 1, vector: vec![0.1, -1.0] },
            ExpertEvent::Distribution(vec![1.0 / 256.0; 256]),
            ExpertEvent::Fields(String::from("{\"reasoning\":\"a\"}").try_into().unwrap()),
        ];
        for event in events {
            assert_eq!(decode_event(&encode_event(&event).unwrap()).unwrap(), event);
        }
        let usage = Usage { prompt_tokens: 3, completion_tokens: 4 };
        for reason in [FinishReason::Stop, FinishReason::Length, FinishReason::Other, FinishReason::ToolCalls]
        {
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
