//! The messages between nodes: attestations by gossip, submissions by request.
//!
//! An attestation is gossiped until a checkpoint has a quorum. A node that was away asks a peer for the submissions
//! that it missed, from a height on.
//!
//! # What a hostile peer can do
//! * *Gossip*: send bytes that are no attestation, and be scored for it; send attestations for other
//!   contracts, which are ignored. A valid message costs what its [`Attestation`] costs.
//! * *Request*: make this node read at most [`MAX_SUBMISSIONS`] submissions from its disk.
//! * *Response*: send [`MAX_SUBMISSIONS_RESPONSE_LEN`] bytes. Nothing in it is verified here: the receiver verifies the
//!   quorum of each submission before it stores it.

use nervure_primitives::{
    BlockHeight,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{
    AnchorDomain, Attestation, MAX_ATTESTATION_LEN, MAX_SUBMISSION_LEN, Submission, SubmissionError,
};

/// Largest encoding of an [`AttestationMessage`] in bytes: the domain, the number and the names of the fields.
pub const MAX_ATTESTATION_MESSAGE_LEN: usize = MAX_ATTESTATION_LEN + 64;

/// Largest encoding of a [`SubmissionsRequest`] in bytes.
pub const MAX_SUBMISSIONS_REQUEST_LEN: usize = 64;

/// Largest encoding of a [`SubmissionsResponse`] in bytes: at least 16 submissions of the largest size.
pub const MAX_SUBMISSIONS_RESPONSE_LEN: usize = 16 * MAX_SUBMISSION_LEN;

/// Most submissions in a response.
pub const MAX_SUBMISSIONS: usize = 64;

/// Bytes around the submissions of a response, rounded up.
const RESPONSE_OVERHEAD_BYTES: usize = 64;

/// Bytes before each submission: the header of a byte string, rounded up.
const HEADER_BYTES: usize = 8;

/// An attestation in gossip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttestationMessage {
    /// The contract that it is for: a node ignores those for another one instead of rejecting them.
    #[serde(rename = "d")]
    pub domain: AnchorDomain,
    /// The attestation.
    #[serde(rename = "a")]
    pub attestation: Attestation,
    /// How often it was sent: gossipsub drops a message that it knows, and this makes a repetition another message.
    #[serde(rename = "n")]
    pub number: u16,
}

impl AttestationMessage {
    /// The canonical bytes.
    ///
    /// # Errors
    /// None in practice.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// Reads a message; verifies nothing.
    ///
    /// # Errors
    /// When `bytes` are too many or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(MAX_ATTESTATION_MESSAGE_LEN))
    }
}

/// Asks for the submissions of a contract, from a height on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmissionsRequest {
    /// The contract.
    #[serde(rename = "d")]
    pub domain: AnchorDomain,
    /// The lowest height.
    #[serde(rename = "h")]
    pub from: BlockHeight,
}

impl SubmissionsRequest {
    /// The canonical bytes.
    ///
    /// # Errors
    /// None in practice.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// Reads a request.
    ///
    /// # Errors
    /// When `bytes` are too many or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(MAX_SUBMISSIONS_REQUEST_LEN))
    }
}

/// The submissions that a node has, in the order of their heights, as many as fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubmissionsResponse {
    encoded: Vec<ByteBuf>,
}

impl SubmissionsResponse {
    /// Adds a submission, if there is room for it; says whether there was.
    ///
    /// # Errors
    /// None in practice.
    pub fn push(&mut self, submission: &Submission) -> Result<bool, SubmissionError> {
        let bytes = submission.encode()?;
        let used: usize = self.encoded.iter().map(|one| one.len() + HEADER_BYTES).sum();
        let size = RESPONSE_OVERHEAD_BYTES + used + bytes.len() + HEADER_BYTES;
        let has_room = self.encoded.len() < MAX_SUBMISSIONS && size <= MAX_SUBMISSIONS_RESPONSE_LEN;
        if has_room {
            self.encoded.push(ByteBuf::from(bytes));
        }
        Ok(has_room)
    }

    /// The canonical bytes.
    ///
    /// # Errors
    /// None in practice.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// Reads a response; verifies nothing.
    ///
    /// # Errors
    /// When `bytes` are too many or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(MAX_SUBMISSIONS_RESPONSE_LEN))
    }

    /// The submissions, not verified; [`MAX_SUBMISSIONS`] of them if there are more.
    ///
    /// # Errors
    /// When one of them is too large or not canonical.
    pub fn submissions(&self) -> Result<Vec<Submission>, SubmissionError> {
        self.encoded.iter().take(MAX_SUBMISSIONS).map(|bytes| Submission::decode(bytes)).collect()
    }
}
