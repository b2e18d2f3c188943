//! `POST /ask`: the endpoint of `nervure ask`. JSON in, one JSON object per line out.
//!
//! The first line is `route` (who answers and why; in full with `explain`), then `text`, `embedding` or
//! `distribution` as they come, `mixed` where several wrote one text, a `receipt` of each where they were wanted, last
//! `done` or `error`. A response without its last line was cut. What fails before an expert has begun to answer has an
//! HTTP status and the error body of every other endpoint instead.

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use nervure_experts::{ExpertEvent, ExpertRequest, FinishReason, Usage};
use serde::{Deserialize, Serialize};

use super::{
    App,
    answer::{Slot, begin},
    body::JsonBody,
    error::{ApiError, ErrorDetail},
    terms::Terms,
};
use crate::service::{
    AskError, Ending, ExpertView, ParticipantView, ReceiptView, RouteView, SuccessionView, Target,
};

/// The request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskBody {
    /// Whom it is for: `{"capability": ..}`, `{"model": ..}` or `{"named": ..}`.
    pub target: Target,
    /// What the expert is asked.
    pub request: ExpertRequest,
    /// How experts are chosen, and bounds on cost and time.
    #[serde(default)]
    pub terms: Terms,
    /// Whether the first line shall have every candidate and every number.
    #[serde(default)]
    pub explain: bool,
    /// Whether the experts' receipts are wanted.
    #[serde(default)]
    pub receipt: bool,
}

/// A line of the response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum AskLine {
    /// Who answers, and why.
    Route {
        /// The expert.
        expert: ExpertView,
        /// How it was chosen.
        route: RouteView,
    },
    /// A piece of the answer.
    Text {
        /// The piece.
        text: String,
    },
    /// The vector of one input.
    Embedding {
        /// Which input.
        index: u32,
        /// Its vector.
        vector: Vec<f32>,
    },
    /// How likely each byte is to come next.
    Distribution {
        /// 256 probabilities.
        probabilities: Vec<f32>,
    },
    /// Who wrote a text that several wrote together, after the last of it.
    Mixed {
        /// They, and their weights in the end.
        participants: Vec<ParticipantView>,
    },
    /// Another expert went on with the answer, told before its end.
    TookOver {
        /// Who from whom, and where.
        succession: SuccessionView,
    },
    /// An expert's word on its answer, right before the end; of several, whoever gave the answer first.
    Receipt {
        /// The receipt, and what it is for.
        receipt: ReceiptView,
    },
    /// The answer is complete.
    Done {
        /// What it took.
        usage: Usage,
        /// Why it ended.
        reason: FinishReason,
    },
    /// The answer broke off; what came before is not the whole.
    Error {
        /// What went wrong.
        error: ErrorDetail,
    },
}

impl From<Result<ExpertEvent, AskError>> for AskLine {
    fn from(item: Result<ExpertEvent, AskError>) -> Self {
        match item {
            Ok(ExpertEvent::Text(text)) => Self::Text { text },
            Ok(ExpertEvent::Embedding { index, vector }) => Self::Embedding { index, vector },
            Ok(ExpertEvent::Distribution(probabilities)) => Self::Distribution { probabilities },
            Ok(ExpertEvent::Done { usage, reason }) => Self::Done { usage, reason },
            Err(error) => Self::Error { error: ApiError::from(error).into_body().error },
        }
    }
}

impl AskLine {
    /// The lines of what is known in the end only.
    fn before_done(ending: Ending) -> impl Iterator<Item = Self> {
        let Ending { receipts, participants, took_over } = ending;
        let mixed = (!participants.is_empty()).then_some(Self::Mixed { participants });
        let took_over = took_over.into_iter().map(|succession| Self::TookOver { succession });
        mixed
            .into_iter()
            .chain(took_over)
            .chain(receipts.into_iter().map(|receipt| Self::Receipt { receipt }))
    }
}

/// The handler.
pub(super) async fn ask(
    State(app): State<App>,
    slot: Slot,
    JsonBody(body): JsonBody<AskBody>,
) -> Result<Response, ApiError> {
    let mut ask = body.terms.ask(&app, body.target, body.request)?;
    (ask.explain, ask.receipt) = (ask.explain || body.explain, ask.receipt || body.receipt);
    let begun = begin(&app, slot, ask).await?;
    let headers = begun.headers();
    let first = AskLine::Route { expert: begun.expert, route: begun.route };
    let ending = begun.ending;
    let rest = begun.events.map(AskLine::from).flat_map(move |line| {
        let ending = matches!(line, AskLine::Done { .. }).then(|| ending.get().cloned()).flatten();
        stream::iter(AskLine::before_done(ending.unwrap_or_default()).chain([line]))
    });
    let lines = stream::iter([first]).chain(rest).map(|line| encode(&line));
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, kind, Body::from_stream(lines)).into_response())
}

/// One line with its end.
fn encode(line: &AskLine) -> Result<Bytes, serde_json::Error> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    Ok(bytes.into())
}
