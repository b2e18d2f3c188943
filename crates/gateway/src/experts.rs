//! `GET /experts?capability=&where=&netuid=&limit=&cursor=`: the expert records that this node knows, a page at a time.

use axum::{
    Json,
    extract::{Query, State},
    http::Uri,
};
use nervure_api::{ExpertPage, ExpertSearch};
use nervure_primitives::{Capability, Netuid};
use nervure_protocol::bounds::MAX_FILTER;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{App, error::ApiError};

/// Records in a page without `limit`.
const DEFAULT_PAGE_ITEMS: usize = 50;

/// Maximum number of records in a page; bounds what one request makes the node encode (about 300 bytes each).
const MAX_PAGE_ITEMS: usize = 500;

/// Longest other parameter, in bytes.
const MAX_PARAMETER_BYTES: usize = 1024;

/// The query string, as text: each part is parsed by itself, so that its error names it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ExpertParams {
    /// Only experts that it covers: `text.generate` finds `text.generate.rust`.
    #[schemars(with = "Capability")]
    capability: Option<String>,
    /// A filter over record fields, such as `context >= 4096 and price <= 5`; at most 512 bytes.
    #[serde(rename = "where")]
    #[schemars(with = "String")]
    filter: Option<String>,
    /// Only experts of this subnet.
    #[schemars(with = "Netuid")]
    netuid: Option<String>,
    /// Maximum number of records in the page.
    #[schemars(with = "u32", range(min = 1, max = MAX_PAGE_ITEMS), extend("default" = DEFAULT_PAGE_ITEMS))]
    limit: Option<String>,
    /// `next` of the page before.
    #[schemars(with = "String")]
    cursor: Option<String>,
}

/// The handler.
pub(super) async fn experts(State(app): State<App>, uri: Uri) -> Result<Json<ExpertPage>, ApiError> {
    let Query(params) = Query::<ExpertParams>::try_from_uri(&uri)
        .map_err(|error| ApiError::bad("query", error.body_text()))?;
    Ok(Json(app.service.experts(params.search()?).await?))
}

impl ExpertParams {
    fn search(self) -> Result<ExpertSearch, ApiError> {
        let within = |name, text: Option<String>, most: usize| match text {
            Some(text) if text.len() > most => Err(ApiError::bad(name, format!("at most {most} bytes"))),
            text => Ok(text.filter(|text| !text.trim().is_empty())),
        };
        let text = |name, text| within(name, text, MAX_PARAMETER_BYTES);
        let capability = text("capability", self.capability)?.map(|text| text.parse()).transpose();
        let netuid = text("netuid", self.netuid)?.map(|text| text.parse::<Netuid>()).transpose();
        Ok(ExpertSearch {
            capability: capability.map_err(|error| ApiError::bad("capability", format!("{error}")))?,
            netuid: netuid.map_err(|error| ApiError::bad("netuid", error.to_string()))?,
            filter: within("where", self.filter, MAX_FILTER)?,
            limit: limit(text("limit", self.limit)?)?,
            cursor: text("cursor", self.cursor)?,
        })
    }
}

/// From 1 to [`MAX_PAGE_ITEMS`].
fn limit(text: Option<String>) -> Result<usize, ApiError> {
    let Some(text) = text else { return Ok(DEFAULT_PAGE_ITEMS) };
    match text.parse() {
        Ok(limit) if (1..=MAX_PAGE_ITEMS).contains(&limit) => Ok(limit),
        _ => Err(ApiError::bad("limit", format!("a whole number from 1 to {MAX_PAGE_ITEMS}"))),
    }
}
