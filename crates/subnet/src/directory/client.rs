//! The client's side: decodes responses from untrusted nodes.

use nervure_primitives::{
    UntrustedText,
    cbor::{self, CborError, Limits},
};
use nervure_protocol::bounds::MAX_REFUSAL;

use super::MAX_RESPONSE;
use nervure_protocol::{
    bounds::MAX_PAGE,
    directory::{DirectoryResponse as Response, PageCursor},
};

/// Why a response is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// It does not decode.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// The node refused, with this reason.
    #[error("refused: {0}")]
    Refused(UntrustedText<MAX_REFUSAL>),
    /// A response to another kind of request, or more records than a page may have.
    #[error("the response does not fit the request")]
    Unfitting,
}

/// A page as it arrived: nothing in it is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPage {
    /// Encoded signed records, not verified.
    pub records: Vec<Vec<u8>>,
    /// Where the next page begins; none after the last.
    pub next: Option<PageCursor>,
}

/// Decodes the response to [`DirectoryRequest::Find`](nervure_protocol::directory::DirectoryRequest::Find), sent with `after`. A page whose `next` does not advance
/// would make the client ask for ever: its `next` is dropped.
///
/// # Errors
/// When it is not a valid response.
pub fn read_page(bytes: &[u8], after: Option<&PageCursor>) -> Result<FoundPage, DirectoryError> {
    match decode(bytes)? {
        Response::Page { records, next } if records.len() <= MAX_PAGE => {
            let place = |cursor: &PageCursor| (cursor.node, cursor.expert.clone());
            let forward = |next: &PageCursor| after.is_none_or(|after| place(next) > place(after));
            let next = next.filter(|next| !records.is_empty() && forward(next));
            Ok(FoundPage { records: records.into_iter().map(serde_bytes::ByteBuf::into_vec).collect(), next })
        }
        _ => Err(DirectoryError::Unfitting),
    }
}

/// Decodes the response to [`DirectoryRequest::Publish`](nervure_protocol::directory::DirectoryRequest::Publish): the number of records that the node stored.
///
/// # Errors
/// When it is not a valid response.
pub fn read_published(bytes: &[u8]) -> Result<u16, DirectoryError> {
    match decode(bytes)? {
        Response::Published { kept, .. } => Ok(kept),
        _ => Err(DirectoryError::Unfitting),
    }
}

fn decode(bytes: &[u8]) -> Result<Response, DirectoryError> {
    match cbor::decode(bytes, Limits::new(MAX_RESPONSE))? {
        Response::Refused { reason } => Err(DirectoryError::Refused(reason)),
        response => Ok(response),
    }
}
