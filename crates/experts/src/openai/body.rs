//! Reads a response body, bounded in size and in the time between its pieces.

use std::time::Duration;

use reqwest::Response;
use tokio::time::timeout;

use super::refusal;
use crate::ExpertError;

/// The next piece of a body; `None` at its end.
pub(super) async fn piece(
    response: &mut Response,
    piece_timeout: Duration,
) -> Result<Option<bytes::Bytes>, ExpertError> {
    match timeout(piece_timeout, response.chunk()).await {
        Ok(piece) => piece.map_err(|error| refusal::unavailable(&error)),
        Err(_) => Err(ExpertError::UpstreamStalled { after: piece_timeout }),
    }
}

/// The whole body, of at most `max_bytes`.
pub(super) async fn read(
    mut response: Response,
    max_bytes: usize,
    piece_timeout: Duration,
) -> Result<Vec<u8>, ExpertError> {
    let mut body = Vec::new();
    while let Some(piece) = piece(&mut response, piece_timeout).await? {
        if body.len() + piece.len() > max_bytes {
            return Err(ExpertError::UpstreamInvalid { reason: format!("more than {max_bytes} bytes") });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}
