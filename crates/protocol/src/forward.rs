//! Forwarding: a gateway asks an expert a validator's question as one of its own.
//!
//! A miner sees which node asks. A validator therefore asks through gateways, and its questions arrive between those of
//! users, on the same connection and in the same form. The gateway sees the question and the answer. It cannot change
//! either unnoticed: the miner's receipt names the query, the request and the answer, and the validator hashes what it
//! received itself.
//!
//! What a hostile validator can do: have a gateway ask an expert, at a bounded rate. What a hostile gateway can do: not
//! ask, or tell a miner that a question is a task; the validator rotates gateways and asks another one, or asks itself.

use nervure_primitives::{
    Hash, Netuid, NodeId,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{
    FinishReason, Usage,
    bounds::{ENVELOPE_OVERHEAD, MAX_ANSWER_MS, MAX_CHUNK, MAX_RECEIPT_LEN},
    protocols::FORWARD,
    query::ErrorText,
};

/// Chunks of one forwarded answer.
const MAX_FORWARDED_CHUNKS: usize = 8_192;

/// A question that a gateway is asked to put to an expert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardRequest {
    /// The subnet.
    #[serde(rename = "n")]
    pub netuid: Netuid,
    /// The node of the expert.
    #[serde(rename = "m")]
    pub miner: NodeId,
    /// The expert's name on that node.
    #[serde(rename = "x")]
    pub expert: String,
    /// The query's name, drawn by the validator: the receipt is for it.
    #[serde(rename = "i")]
    pub query: Hash,
    /// The encoded request.
    #[serde(rename = "q")]
    pub body: ByteBuf,
    /// Milliseconds that the whole answer may take.
    #[serde(rename = "d")]
    pub deadline_ms: u32,
}

/// What a gateway answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ForwardResponse {
    /// The expert's whole answer.
    Answer {
        /// Its chunks, as they arrived.
        #[serde(rename = "c")]
        chunks: Vec<ByteBuf>,
        /// Tokens read and written.
        #[serde(rename = "u")]
        usage: Usage,
        /// Why it ended.
        #[serde(rename = "r")]
        reason: FinishReason,
        /// The miner's receipt to this gateway.
        #[serde(rename = "s")]
        receipt: Option<ByteBuf>,
    },
    /// The expert has no room until so many milliseconds later.
    Busy(u32),
    /// The expert did not answer.
    Failed(ErrorText),
    /// The gateway does not ask it.
    Refused(ErrorText),
}

impl ForwardRequest {
    /// The bytes on the wire.
    ///
    /// # Errors
    /// None in practice: requests always encode.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// Decodes a request that came from outside. Its body is not decoded.
    ///
    /// # Errors
    /// When it is not one, or a field is out of its bounds.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let request: Self = cbor::decode(bytes, Limits::new(FORWARD.max_request))?;
        match (1..=MAX_ANSWER_MS).contains(&request.deadline_ms) {
            true => Ok(request),
            false => Err(CborError::Structure("deadline_ms is out of bounds".into())),
        }
    }
}

impl ForwardResponse {
    /// The bytes on the wire.
    ///
    /// # Errors
    /// None in practice: responses always encode.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// Whether the answer is longer than a response may be.
    pub fn is_too_long(chunks: &[ByteBuf]) -> bool {
        // A chunk's header has at most five bytes.
        let bytes: usize = chunks.iter().map(|chunk| chunk.len() + 5).sum();
        chunks.len() > MAX_FORWARDED_CHUNKS
            || bytes + MAX_RECEIPT_LEN + 2 * ENVELOPE_OVERHEAD > FORWARD.max_response
    }

    /// Decodes a response that came from outside. Its chunks are not decoded.
    ///
    /// # Errors
    /// When it is not one, or has too many chunks or too long ones.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let response: Self = cbor::decode(bytes, Limits::new(FORWARD.max_response))?;
        match &response {
            Self::Answer { chunks, .. }
                if chunks.len() > MAX_FORWARDED_CHUNKS
                    || chunks.iter().any(|chunk| chunk.len() > MAX_CHUNK) =>
            {
                Err(CborError::Structure("chunks are out of bounds".into()))
            }
            _ => Ok(response),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::key;

    fn request(deadline_ms: u32) -> ForwardRequest {
        ForwardRequest {
            netuid: Netuid(1),
            miner: key(2).node_id(),
            expert: "rust".into(),
            query: Hash::of("q", &[]),
            body: ByteBuf::from(vec![1, 2]),
            deadline_ms,
        }
    }

    #[test]
    fn a_deadline_is_within_the_bounds_of_an_answer() {
        let decoded = |ms| ForwardRequest::decode(&request(ms).encode().unwrap());
        assert_eq!(decoded(60_000), Ok(request(60_000)));
        assert!(decoded(0).is_err() && decoded(MAX_ANSWER_MS + 1).is_err());
    }

    #[test]
    fn an_answer_within_the_bound_fits_the_response() {
        let usage = Usage::default();
        let answer = |chunks: Vec<ByteBuf>| ForwardResponse::Answer {
            chunks,
            usage,
            reason: FinishReason::Stop,
            receipt: Some(ByteBuf::from(vec![7; MAX_RECEIPT_LEN])),
        };
        let chunks = |count: usize, len: usize| vec![ByteBuf::from(vec![1; len]); count];
        let most =
            (1..).take_while(|n| !ForwardResponse::is_too_long(&chunks(*n, MAX_CHUNK))).last().unwrap();
        let encoded = answer(chunks(most, MAX_CHUNK)).encode().unwrap();
        assert!(encoded.len() <= FORWARD.max_response && ForwardResponse::decode(&encoded).is_ok());
        assert!(ForwardResponse::is_too_long(&chunks(MAX_FORWARDED_CHUNKS + 1, 1)));
        let many = answer(chunks(MAX_FORWARDED_CHUNKS + 1, 1)).encode().unwrap();
        assert!(ForwardResponse::decode(&many).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_decoders_panic(bytes: Vec<u8>) {
            let _ = (ForwardRequest::decode(&bytes), ForwardResponse::decode(&bytes));
        }
    }
}
