//! Live scores on request: a node that has just joined asks for the last message of each validator of a subnet.
//!
//! Messages travel as they were signed, and the asker verifies each as one from gossip. What a hostile node can do: leave
//! messages out, or send older ones of the last hour; so more than one node is asked.

use nervure_primitives::{
    Netuid, NodeId,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{bounds::MAX_SCORES_PAGE, protocols::SCORES};

/// The request of [`SCORES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoresRequest {
    /// The subnet.
    #[serde(rename = "n")]
    pub netuid: Netuid,
    /// Only validators after this one; none for the first page.
    #[serde(rename = "a")]
    pub after: Option<NodeId>,
}

/// The response of [`SCORES`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoresResponse {
    /// Signed live scores, in ascending order of validator; at most [`MAX_SCORES_PAGE`].
    #[serde(rename = "s")]
    pub scores: Vec<ByteBuf>,
    /// Whether there are more.
    #[serde(rename = "m")]
    pub more: bool,
}

impl ScoresRequest {
    /// Its canonical bytes.
    ///
    /// # Errors
    /// None in practice.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// Reads one.
    ///
    /// # Errors
    /// When `bytes` are too many or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(SCORES.max_request))
    }
}

impl ScoresResponse {
    /// Its canonical bytes.
    ///
    /// # Errors
    /// None in practice.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// Reads one; the messages in it are not verified.
    ///
    /// # Errors
    /// When `bytes` are too many or not canonical. More than [`MAX_SCORES_PAGE`] messages are cut off.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let mut response: Self = cbor::decode(bytes, Limits::new(SCORES.max_response))?;
        response.scores.truncate(MAX_SCORES_PAGE);
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::{ENVELOPE_OVERHEAD, MAX_LIVE_SCORES_LEN};

    #[test]
    fn the_largest_messages_fit() {
        let request = ScoresRequest { netuid: Netuid(u16::MAX), after: Some(NodeId::from_bytes([9; 32])) };
        assert_eq!(ScoresRequest::decode(&request.encode().unwrap()), Ok(request));
        let largest = ByteBuf::from(vec![7; MAX_LIVE_SCORES_LEN + ENVELOPE_OVERHEAD]);
        let response = ScoresResponse { scores: vec![largest; MAX_SCORES_PAGE], more: true };
        let bytes = response.encode().unwrap();
        assert!(bytes.len() <= SCORES.max_response, "{}", bytes.len());
        assert_eq!(ScoresResponse::decode(&bytes), Ok(response));
    }

    #[test]
    fn messages_beyond_a_page_are_cut_off() {
        let many = ScoresResponse { scores: vec![ByteBuf::new(); MAX_SCORES_PAGE + 3], more: false };
        assert_eq!(ScoresResponse::decode(&many.encode().unwrap()).unwrap().scores.len(), MAX_SCORES_PAGE);
    }
}
