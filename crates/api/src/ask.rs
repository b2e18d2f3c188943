//! `POST /ask`: the request, and the lines of its response.
//!
//! The first line is `route` (in full with `explain`), then `text`, `fields`, `embedding` or `distribution` as they arrive,
//! `mixed` if several experts wrote one text, a `took_over` per takeover, a `receipt` of each expert if
//! requested, last `done` or `error`. A response without its last line was cut off.

use nervure_protocol::{ExpertRequest, FinishReason, Usage};
use serde::{Deserialize, Serialize};

use crate::{
    AnswerSummary, ErrorDetail, ExpertView, ParticipantView, QueryTarget, QueryTerms, ReceiptView, RouteView,
    TakeoverView,
};

/// A query, and what its response contains.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AskBody {
    /// The experts that it is for: `{"capability": ..}`, `{"model": ..}` or `{"named": ..}`.
    pub target: QueryTarget,
    /// The request to the expert.
    pub request: ExpertRequest,
    /// The strategy, and bounds on cost and time.
    #[serde(default)]
    pub terms: QueryTerms,
    /// Whether the first line lists every candidate and every number.
    #[serde(default)]
    pub explain: bool,
    /// Whether the response includes the experts' receipts.
    #[serde(default)]
    pub receipt: bool,
}

/// A line of the response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AskLine {
    /// The expert that answers, and how it was chosen.
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
        /// The index of the input.
        index: u32,
        /// Its vector.
        vector: Vec<f32>,
    },
    /// The probability of each byte to come next.
    Distribution {
        /// 256 probabilities.
        probabilities: Vec<f32>,
    },
    /// A piece of what a chat has beside its text, in the form of a delta of the OpenAI API: calls of tools, reasoning.
    Fields {
        /// The fields.
        fields: serde_json::Map<String, serde_json::Value>,
    },
    /// The experts that wrote a mixed text; sent after its last piece.
    Mixed {
        /// The experts and their final weights.
        participants: Vec<ParticipantView>,
    },
    /// A takeover: a successor continued the answer of an expert that failed. Sent before the end.
    #[serde(rename = "took_over")]
    Takeover {
        /// Both experts, and the position in the answer.
        takeover: TakeoverView,
    },
    /// An expert's receipt, sent right before the end; that of the expert whose answer was given comes first.
    Receipt {
        /// The receipt and the query that it is for.
        receipt: ReceiptView,
    },
    /// The answer is complete.
    Done {
        /// Tokens read and written.
        usage: Usage,
        /// Why it ended.
        reason: FinishReason,
    },
    /// The answer broke off and is incomplete.
    Error {
        /// The error.
        error: ErrorDetail,
    },
}

impl AskLine {
    /// The lines of a summary, which come before [`AskLine::Done`].
    pub fn of_summary(summary: AnswerSummary) -> impl Iterator<Item = Self> {
        let AnswerSummary { receipts, participants, took_over, released: _ } = summary;
        let mixed = (!participants.is_empty()).then_some(Self::Mixed { participants });
        let took_over = took_over.into_iter().map(|takeover| Self::Takeover { takeover });
        mixed
            .into_iter()
            .chain(took_over)
            .chain(receipts.into_iter().map(|receipt| Self::Receipt { receipt }))
    }
}
