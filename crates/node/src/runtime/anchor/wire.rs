//! What nodes say to each other about anchored checkpoints: attestations by gossip, whole submissions by request.

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
const RESPONSE_OVERHEAD: usize = 64;

// The protocol's bounds are those of the documents.
const _: () = assert!(bounds::MAX_ATTESTATION == MAX_ATTESTATION_LEN);
const _: () = assert!(bounds::MAX_SUBMISSION == MAX_SUBMISSION_LEN);

/// The topic. Sixty-four validators, each of which may send its attestation again.
pub(crate) fn topic() -> TopicSpec {
    TopicSpec { per_peer_per_second: 200, ..TopicSpec::of(ATTESTATIONS) }
}

/// The bounds of the protocol.
pub(crate) fn protocol() -> ProtocolSpec {
    ProtocolSpec::of(ANCHOR)
}

/// An attestation as it goes round. Its domain is there so that nodes which know another contract do not hold it
/// against each other; the number makes saying it again another message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    #[serde(rename = "d")]
    pub(super) domain: AnchorDomain,
    #[serde(rename = "a")]
    pub(super) attestation: Attestation,
    #[serde(rename = "n")]
    pub(super) number: u16,
}

impl Said {
    pub(super) fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(ATTESTATIONS.max_len))
    }
}

/// What is asked: submissions for a domain from a height on.
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
    let (mut found, mut room) = (Vec::new(), ANCHOR.max_response - RESPONSE_OVERHEAD);
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

/// The submissions of an answer, of which nothing is verified.
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
        let said = Said { domain, attestation, number: u16::MAX };
        assert_eq!(Said::decode(&said.encode().unwrap()).unwrap(), said);
        let request = Request { domain, from: BlockHeight(u64::MAX) };
        assert_eq!(Request::decode(&request.encode().unwrap()).unwrap(), request);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = (Said::decode(&bytes), Request::decode(&bytes), read(&bytes));
        }
    }
}
