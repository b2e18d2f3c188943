//! `POST /light` and `POST /light/transactions`: what strangers of the mesh may ask over HTTP as over the swarm.
//!
//! Both need no key: what they give is public and proven, and a transaction is paid for. What a hostile client can do: have
//! records read from the disk, and signatures verified, a bounded number at once; the connections of each client are
//! bounded as well.

use axum::{Json, extract::State};
use data_encoding::BASE64;
use nervure_api::{ApiErrorCode, LightBody, LightView};

use super::{App, body::JsonBody, error::ApiError};
use crate::service::LightCall;

/// Requests that are answered at once; more are refused as busy.
pub(super) const MAX_LIGHT_REQUESTS: usize = 8;

/// Longest request in base64: a transaction in its envelope.
const MAX_REQUEST_TEXT: usize = 16 * 1024;

/// `POST /light`.
pub(super) async fn proofs(
    state: State<App>,
    JsonBody(body): JsonBody<LightBody>,
) -> Result<Json<LightView>, ApiError> {
    answer(state, &body, LightCall::Proof).await
}

/// `POST /light/transactions`.
pub(super) async fn transactions(
    state: State<App>,
    JsonBody(body): JsonBody<LightBody>,
) -> Result<Json<LightView>, ApiError> {
    answer(state, &body, LightCall::Transaction).await
}

async fn answer(
    State(app): State<App>,
    body: &LightBody,
    call: fn(Vec<u8>) -> LightCall,
) -> Result<Json<LightView>, ApiError> {
    let Ok(_permit) = app.light.try_acquire() else {
        return Err(ApiError::new(ApiErrorCode::Busy, "too many requests are being answered; try again"));
    };
    if body.request.len() > MAX_REQUEST_TEXT {
        return Err(ApiError::bad("request", format!("has at most {MAX_REQUEST_TEXT} characters")));
    }
    let bytes = BASE64.decode(body.request.as_bytes());
    let bytes = bytes.map_err(|error| ApiError::bad("request", error.to_string()))?;
    let response = app.service.light(call(bytes)).await?;
    Ok(Json(LightView { response: BASE64.encode(&response) }))
}
