//! A whole response body, bounded in size and in the time between its pieces.

use std::time::Duration;

use reqwest::Response;
use tokio::time::timeout;

use super::refusal;
use crate::ExpertError;

/// The next piece of a body; `None` at its end.
pub(super) async fn piece(
    response: &mut Response,
    between: Duration,
) -> Result<Option<bytes::Bytes>, ExpertError> {
    match timeout(between, response.chunk()).await {
        Ok(piece) => piece.map_err(|error| refusal::unavailable(&error)),
        Err(_) => Err(ExpertError::UpstreamStalled { after: between }),
    }
}

/// All of a body of at most `most` bytes.
pub(super) async fn read(
    mut response: Response,
    most: usize,
    between: Duration,
) -> Result<Vec<u8>, ExpertError> {
    let mut body = Vec::new();
    while let Some(piece) = piece(&mut response, between).await? {
        if body.len() + piece.len() > most {
            return Err(ExpertError::UpstreamInvalid { reason: format!("more than {most} bytes") });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}
