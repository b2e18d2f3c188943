//! The topic and the request protocol about anchored checkpoints; the messages are [`nervure_anchor`]'s.

use nervure_anchor::{
    LocalAnchor, MAX_ATTESTATION_LEN, MAX_ATTESTATION_MESSAGE_LEN, MAX_SUBMISSION_LEN, MAX_SUBMISSIONS,
    MAX_SUBMISSIONS_REQUEST_LEN, MAX_SUBMISSIONS_RESPONSE_LEN, Submission, SubmissionsResponse,
};
use nervure_p2p::{ProtocolSpec, TopicSpec};
use nervure_primitives::BlockHeight;
use nervure_protocol::{bounds, protocols::ANCHOR, topics::ATTESTATIONS};

// The protocol's bounds are those of the documents.
const _: () = assert!(bounds::MAX_ATTESTATION == MAX_ATTESTATION_LEN);
const _: () = assert!(bounds::MAX_SUBMISSION == MAX_SUBMISSION_LEN);
const _: () = assert!(bounds::MAX_SUBMISSIONS == MAX_SUBMISSIONS);
const _: () = assert!(ATTESTATIONS.max_len == MAX_ATTESTATION_MESSAGE_LEN);
const _: () = assert!(ANCHOR.max_request == MAX_SUBMISSIONS_REQUEST_LEN);
const _: () = assert!(ANCHOR.max_response == MAX_SUBMISSIONS_RESPONSE_LEN);

/// The topic. A peer may forward the attestations of 64 validators, with repeats.
pub(crate) fn topic() -> TopicSpec {
    TopicSpec { per_peer_per_second: 200, ..TopicSpec::of(ATTESTATIONS) }
}

/// The bounds of the protocol.
pub(crate) fn protocol() -> ProtocolSpec {
    ProtocolSpec::of(ANCHOR)
}

/// The submissions that are kept from a height on, as many as fit. Reads from the disk.
pub(super) fn answer(log: &LocalAnchor, mut from: BlockHeight) -> Option<Vec<u8>> {
    let mut response = SubmissionsResponse::default();
    while let Some(submission) = log.submission(from).ok()?
        && response.push(&submission).ok()?
    {
        from = BlockHeight(submission.checkpoint.height().0.checked_add(1)?);
    }
    response.encode().ok()
}

/// The submissions of an answer, unverified.
pub(crate) fn read(bytes: &[u8]) -> Option<Vec<Submission>> {
    SubmissionsResponse::decode(bytes).ok()?.submissions().ok()
}
