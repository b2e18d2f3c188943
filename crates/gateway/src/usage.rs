//! `GET /usage`: what named keys used today.

use axum::{Json, extract::State};
use nervure_api::UsagePage;

use super::{App, client::Client};

/// One's own key; all of them for the operator.
pub(super) async fn usage(State(app): State<App>, client: Client) -> Json<UsagePage> {
    let only = client.grant().filter(|grant| !grant.operator);
    Json(UsagePage { keys: app.config.named_keys.usage(only) })
}
