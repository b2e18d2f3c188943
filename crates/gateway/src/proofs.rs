//! `GET /checkpoints`, `/checkpoints/{height}`, `/anchored/{height}`, `/facts` and `/epochs/{netuid}`: the ledger, for
//! clients that verify.
//!
//! What a hostile client can do: make the node read a page of checkpoints or one proof from the disk per request.
//! Nothing that it sends is kept.

use std::{borrow::Cow, str::FromStr};

use axum::{
    Json,
    extract::{Path, Query, State},
    http::Uri,
};
use nervure_api::{CheckpointPage, CheckpointView, EpochView, StateProofView, SubmissionView, paths::LATEST};
use nervure_ledger::tree::Key;
use nervure_primitives::{BlockHeight, Netuid, NodeId};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, de::DeserializeOwned};

use super::{App, error::ApiError};

/// Checkpoints in a page without `limit`.
const DEFAULT_PAGE_ITEMS: usize = 20;

/// Most checkpoints in a page: each is read from the disk.
const MAX_PAGE_ITEMS: usize = 200;

/// The parameters of a page.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PageParams {
    /// Only blocks up to this height: `next` of the page before.
    #[schemars(with = "BlockHeight")]
    before: Option<String>,
    /// Maximum number of checkpoints in the page.
    #[schemars(with = "u32", range(min = 1, max = MAX_PAGE_ITEMS), extend("default" = DEFAULT_PAGE_ITEMS))]
    limit: Option<String>,
}

/// The parameters of a checkpoint.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CheckpointParams {
    /// When the certificate of the block is no longer kept, the next block that has one. For light clients, which need a
    /// block in between.
    later: bool,
}

/// The parameters of a state proof.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StateProofParams {
    /// The key: `chain`, `account/ID`, `unbonding/BLOCK/ID/NUMBER`, `node/ID`, `stake/NUMBER/STAKER`, `retired/ID`, `vote/NODE`, `resting/N`,
    /// `subnet/N`, `neuron/N/UID`, `proxy/OWNER/PROXY`, `announcement/OWNER/HASH`, `vesting/TO/FROM/NUMBER` and others.
    key: String,
    /// The block; the last one by default.
    #[schemars(with = "BlockHeight")]
    height: Option<String>,
}

/// The parameters of an epoch.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EpochParams {
    /// The node.
    #[schemars(with = "NodeId")]
    node: String,
}

/// A height in a path, or [`LATEST`]; never made, only described.
pub(crate) enum CheckpointHeight {}

impl JsonSchema for CheckpointHeight {
    fn schema_name() -> Cow<'static, str> {
        "CheckpointHeight".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [generator.subschema_for::<BlockHeight>(), { "const": LATEST }] })
    }
}

/// A page of checkpoints.
pub(super) async fn checkpoints(State(app): State<App>, uri: Uri) -> Result<Json<CheckpointPage>, ApiError> {
    let params: PageParams = query(&uri)?;
    let up_to = params.before.map(|text| parse::<BlockHeight>("before", &text)).transpose()?;
    let limit = match params.limit.as_deref().map(str::parse) {
        None => DEFAULT_PAGE_ITEMS,
        Some(Ok(limit)) if (1..=MAX_PAGE_ITEMS).contains(&limit) => limit,
        Some(_) => return Err(ApiError::bad("limit", format!("a whole number from 1 to {MAX_PAGE_ITEMS}"))),
    };
    Ok(Json(app.service.ledger().checkpoints(up_to.unwrap_or(BlockHeight(u64::MAX)), limit).await?))
}

/// A block with its certificate.
pub(super) async fn checkpoint(
    State(app): State<App>,
    Path(height): Path<String>,
    uri: Uri,
) -> Result<Json<CheckpointView>, ApiError> {
    let CheckpointParams { later } = query(&uri)?;
    let height = if height == LATEST { None } else { Some(parse("height", &height)?) };
    let ledger = app.service.ledger();
    Ok(Json(match height.filter(|_| later) {
        Some(height) => ledger.checkpoint_from(height).await?,
        None => ledger.checkpoint(height).await?,
    }))
}

/// A checkpoint as it was anchored.
pub(super) async fn anchored(
    State(app): State<App>,
    Path(height): Path<String>,
) -> Result<Json<SubmissionView>, ApiError> {
    Ok(Json(app.service.ledger().anchored(parse("height", &height)?).await?))
}

/// A record of a state with its proof.
pub(super) async fn state_proof(State(app): State<App>, uri: Uri) -> Result<Json<StateProofView>, ApiError> {
    let params: StateProofParams = query(&uri)?;
    let height = params.height.map(|text| parse::<BlockHeight>("height", &text)).transpose()?;
    Ok(Json(app.service.ledger().state_proof(parse::<Key>("key", &params.key)?, height).await?))
}

/// The proof of a node's last epoch.
pub(super) async fn epoch(
    State(app): State<App>,
    Path(netuid): Path<String>,
    uri: Uri,
) -> Result<Json<EpochView>, ApiError> {
    let params: EpochParams = query(&uri)?;
    let (netuid, node) = (parse::<Netuid>("netuid", &netuid)?, parse::<NodeId>("node", &params.node)?);
    Ok(Json(app.service.ledger().epoch(netuid, node).await?))
}

fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, ApiError> {
    let Query(params) =
        Query::try_from_uri(uri).map_err(|error| ApiError::bad("query", error.body_text()))?;
    Ok(params)
}

/// Parses a part of a request; the error names it.
pub(super) fn parse<T: FromStr>(field: &str, text: &str) -> Result<T, ApiError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| ApiError::bad(field, error.to_string()))
}
