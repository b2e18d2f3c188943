//! `GET /accounts/{owner}`, `POST /transactions` and `GET /transactions/{id}`: the ledger, for wallets.

use axum::{
    Json,
    extract::{Path, State},
};
use data_encoding::BASE64;
use nervure_api::{AccountView, SubmitBody, TransactionView};
use nervure_ledger::transaction::MAX_LEN;
use nervure_primitives::{Envelope, Hash, NodeId};

use super::{App, body::JsonBody, error::ApiError};

/// What an owner key holds.
pub(super) async fn account(
    State(app): State<App>,
    Path(owner): Path<String>,
) -> Result<Json<AccountView>, ApiError> {
    let owner: NodeId = owner.parse().map_err(|error| ApiError::bad("owner", format!("{error}")))?;
    Ok(Json(app.service.account(owner).await?))
}

/// Takes a transaction.
pub(super) async fn submit(
    State(app): State<App>,
    JsonBody(body): JsonBody<SubmitBody>,
) -> Result<Json<TransactionView>, ApiError> {
    let bad = |message: String| ApiError::bad("envelope", message);
    let bytes = BASE64.decode(body.envelope.as_bytes()).map_err(|error| bad(error.to_string()))?;
    let envelope = Envelope::decode(&bytes, MAX_LEN).map_err(|error| bad(error.to_string()))?;
    Ok(Json(app.service.submit(envelope, body.dry_run).await?))
}

/// What became of a transaction.
pub(super) async fn transaction(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<TransactionView>, ApiError> {
    let id: Hash = id.parse().map_err(|error| ApiError::bad("id", format!("{error}")))?;
    Ok(Json(app.service.transaction(id).await?))
}
