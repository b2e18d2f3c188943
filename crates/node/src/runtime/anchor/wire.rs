//! The messages about anchored checkpoints: attestations by gossip, submissions by request.

use nervure_anchor::{
    AnchorDomain, Attestation, LocalAnchor, MAX_ATTESTATION_LEN, MAX_SUBMISSION_LEN, Submission,
};
use nervure_p2p::{ProtocolSpec, TopicSpec};
use nervure_primitives::{
    BlockHeight,
    cbor::{self, CborError, Limits},
};
use nervure_protocol::{
    bounds::{self, MAX_SUBMISSIONS},
    protocols::ANCHOR,
    topics::ATTESTATIONS,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Bytes around the submissions of a response, rounded up.
const RESPONSE_OVERHEAD_BYTES: usize = 64;

// The protocol's bounds are those of the documents.
const _: () = assert!(bounds::MAX_ATTESTATION == MAX_ATTESTATION_LEN);
const _: () = assert!(bounds::MAX_SUBMISSION == MAX_SUBMISSION_LEN);

/// The topic. A peer may forward the attestations of 64 validators, with repeats.
pub(crate) fn topic() -> TopicSpec {
    TopicSpec { per_peer_per_second: 200, ..TopicSpec::of(ATTESTATIONS) }
}

/// The bounds of the protocol.
pub(crate) fn protocol() -> ProtocolSpec {
    ProtocolSpec::of(ANCHOR)
}

/// An attestation in gossip. With its domain, nodes ignore those for another contract instead of rejecting them; the
/// number makes a repeated broadcast a new message for gossipsub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AttestationMessage {
    #[serde(rename = "d")]
    pub(super) domain: AnchorDomain,
    #[serde(rename = "a")]
    pub(super) attestation: Attestation,
    #[serde(rename = "n")]
    pub(super) number: u16,
}

impl AttestationMessage {
    pub(super) fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(ATTESTATIONS.max_len))
    }
}

/// Requests submissions for a domain from a height on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    #[serde(rename = "d")]
    pub(super) domain: AnchorDomain,
    #[serde(rename = "h")]
    pub(super) from: BlockHeight,
}

impl Request {
    pub(super) fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(ANCHOR.max_request))
    }
}

/// The submissions that are kept from a height on, as many as fit. Reads from the disk.
pub(super) fn answer(log: &LocalAnchor, mut from: BlockHeight) -> Option<Vec<u8>> {
    let (mut found, mut room) = (Vec::new(), ANCHOR.max_response - RESPONSE_OVERHEAD_BYTES);
    while found.len() < MAX_SUBMISSIONS
        && let Some(submission) = log.submission(from).ok()?
    {
        let bytes = submission.encode().ok()?;
        let Some(left) = room.checked_sub(bytes.len() + 8) else { break };
        room = left;
        from = BlockHeight(submission.checkpoint.height().0.checked_add(1)?);
        found.push(ByteBuf::from(bytes));
    }
    cbor::encode(&found).ok()
}

/// The submissions of an answer, unverified.
pub(crate) fn read(bytes: &[u8]) -> Option<Vec<Submission>> {
    let found: Vec<ByteBuf> = cbor::decode(bytes, Limits::new(ANCHOR.max_response)).ok()?;
    found.iter().take(MAX_SUBMISSIONS).map(|bytes| Submission::decode(bytes).ok()).collect()
}

#[cfg(test)]
mod tests {
    use nervure_anchor::{AnchorAddress, AnchorSignature};
    use nervure_primitives::Hash;

    use super::*;

    #[test]
    fn the_longest_messages_fit_their_bounds() {
        let domain = AnchorDomain { chain: u64::MAX, contract: AnchorAddress::from_bytes([255; 20]) };
        let attestation = Attestation {
            checkpoint: Hash::from_bytes([255; 32]),
            signer: AnchorAddress::from_bytes([255; 20]),
            signature: AnchorSignature::from_bytes([255; 64]),
        };
        let message = AttestationMessage { domain, attestation, number: u16::MAX };
        assert_eq!(AttestationMessage::decode(&message.encode().unwrap()).unwrap(), message);
        let request = Request { domain, from: BlockHeight(u64::MAX) };
        assert_eq!(Request::decode(&request.encode().unwrap()).unwrap(), request);
    }

    proptest::proptest! {
        #[test]
        fn decoding_never_panics(bytes: Vec<u8>) {
            let _ = (AttestationMessage::decode(&bytes), Request::decode(&bytes), read(&bytes));
        }
    }
}
