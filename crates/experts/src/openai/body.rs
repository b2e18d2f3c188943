//! The body of an upstream's response. An [`AnswerMeter`] bounds its size, the time between its pieces, and the time for
//! all of it.

use std::time::Instant;

use nervure_protocol::{AnswerBounds, AnswerMeter, BoundExceeded};
use reqwest::{RequestBuilder, Response, header};

use super::refusal;
use crate::ExpertError;

/// A response that is being read within bounds.
#[derive(Debug)]
pub(super) struct BoundedResponse {
    response: Response,
    meter: AnswerMeter,
}

impl BoundedResponse {
    /// Sends a request, and waits for the head of its response: it is the first piece of the answer.
    pub(super) async fn send(request: RequestBuilder, bounds: AnswerBounds) -> Result<Self, ExpertError> {
        let mut meter = AnswerMeter::new(bounds, now());
        let response = meter.wait(request.send(), now(), sleep_until).await?;
        meter.charge(0)?;
        Ok(Self { response: response.map_err(|error| refusal::unavailable(&error))?, meter })
    }

    /// The head of the response.
    pub(super) const fn head(&self) -> &Response {
        &self.response
    }

    /// Whether the body is one JSON document, and no stream of events.
    pub(super) fn is_json(&self) -> bool {
        let kind = self.response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("application/json"))
    }

    /// The same response with at most so many bytes.
    pub(super) fn with_max_bytes(mut self, max_bytes: usize) -> Self {
        self.meter.set_max_bytes(max_bytes);
        self
    }

    /// The next piece of the body; `None` at its end.
    pub(super) async fn piece(&mut self) -> Result<Option<bytes::Bytes>, ExpertError> {
        let piece = self.meter.wait(self.response.chunk(), now(), sleep_until).await?;
        let piece = piece.map_err(|error| refusal::unavailable(&error))?;
        if let Some(piece) = &piece {
            self.meter.charge(piece.len())?;
        }
        Ok(piece)
    }

    /// The whole body.
    pub(super) async fn read(mut self) -> Result<Vec<u8>, ExpertError> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await? {
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}

impl From<BoundExceeded> for ExpertError {
    fn from(exceeded: BoundExceeded) -> Self {
        match exceeded {
            BoundExceeded::Late { after } | BoundExceeded::Stalled { after } => {
                Self::UpstreamStalled { after }
            }
            BoundExceeded::TooLong { .. } | BoundExceeded::TooManyPieces { .. } => {
                Self::UpstreamInvalid { reason: format!("an answer of {exceeded}").into() }
            }
        }
    }
}

/// The current moment of the runtime's clock, which tests may stop.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Ready at a moment, whatever budget the answer has used up: an answer that is always busy must end, too.
fn sleep_until(at: Instant) -> impl Future<Output = ()> {
    tokio::task::unconstrained(tokio::time::sleep_until(at.into()))
}
