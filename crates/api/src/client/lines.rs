//! The answer to `POST /ask`, line by line.

use bytes::BytesMut;
use nervure_primitives::Excerpt;

use super::{ClientError, Endpoint};
use crate::AskLine;

/// Longest line of an answer, in bytes.
pub(super) const MAX_LINE_BYTES: usize = 1 << 20;

/// The lines of an answer in progress. Dropping it cancels the query.
#[derive(Debug)]
pub struct AskLines {
    response: reqwest::Response,
    http: Endpoint,
    buffer: BytesMut,
}

impl AskLines {
    pub(super) fn new(response: reqwest::Response, http: Endpoint) -> Self {
        Self { response, http, buffer: BytesMut::new() }
    }

    /// The next line; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<AskLine>, ClientError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                return serde_json::from_slice(&line).map(Some).map_err(|error| self.invalid(error));
            }
            if self.buffer.len() > MAX_LINE_BYTES {
                return Err(self.invalid(format!("a line of more than {MAX_LINE_BYTES} bytes")));
            }
            let chunk = self.response.chunk().await;
            let failed = |source| ClientError::Unreachable { http: self.http.clone(), source };
            match chunk.map_err(failed)? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(self.invalid("an incomplete line")),
            }
        }
    }

    fn invalid(&self, what: impl std::fmt::Display) -> ClientError {
        ClientError::InvalidResponse { http: self.http.clone(), what: Excerpt::new(what) }
    }
}
