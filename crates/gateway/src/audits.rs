//! `GET /audits` and `/audits/{query}`: what this node's audits found.
//!
//! Evidence has the question and the answer that were released for the audit. Only who may use this API sees it.

use axum::{
    Json,
    extract::{Path, State},
};
use nervure_api::{AuditPage, EvidenceView};
use nervure_primitives::Hash;

use super::{App, error::ApiError, proofs::parse};

/// The handler of the page.
pub(super) async fn audits(State(app): State<App>) -> Json<AuditPage> {
    Json(app.service.audits())
}

/// The handler of one mismatch.
pub(super) async fn evidence(
    State(app): State<App>,
    Path(query): Path<String>,
) -> Result<Json<EvidenceView>, ApiError> {
    let query: Hash = parse("query", &query)?;
    let found = app.service.evidence(&query);
    found
        .map(Json)
        .ok_or_else(|| ApiError::not_found(format!("this node has no evidence of the query {query}")))
}
