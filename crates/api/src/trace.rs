//! The trace of an answer that was requested with `explain`.

use serde::{Deserialize, Serialize};

use crate::{ExpertView, ParticipantView, ReceiptView, RouteView, TakeoverView};

/// How the expert of an answer was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TraceView {
    /// The expert that began to answer.
    pub expert: ExpertView,
    /// Every candidate with the terms of its cost, and the experts that were left out.
    pub route: RouteView,
    /// The path of the checkpoint whose incentives the gate used; absent before the first block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// Whether the answer has ended. The fields below are empty until then.
    pub ended: bool,
    /// The takeovers, in order.
    pub took_over: Vec<TakeoverView>,
    /// The receipts that the experts signed.
    pub receipts: Vec<ReceiptView>,
    /// The experts that took part in a mixed text, with their final weights.
    pub participants: Vec<ParticipantView>,
}
