//! `GET /subnets`, `/subnets/{netuid}`, `/nodes/{node}`, `/validators` and `/proposals`: the ledger, for clients that trust this node.

use axum::{
    Json,
    extract::{Path, State},
};

use nervure_api::{NodeView, ProposalPage, SubnetDetail, SubnetPage, ValidatorPage};

use super::{App, error::ApiError, proofs::parse};

/// All subnets.
pub(super) async fn subnets(State(app): State<App>) -> Result<Json<SubnetPage>, ApiError> {
    Ok(Json(app.service.ledger().subnets().await?))
}

/// A subnet and its neurons.
pub(super) async fn subnet(
    State(app): State<App>,
    Path(netuid): Path<String>,
) -> Result<Json<SubnetDetail>, ApiError> {
    Ok(Json(app.service.ledger().subnet(parse("netuid", &netuid)?).await?))
}

/// The validators.
pub(super) async fn validators(State(app): State<App>) -> Result<Json<ValidatorPage>, ApiError> {
    Ok(Json(app.service.ledger().validators().await?))
}

/// The proposals.
pub(super) async fn proposals(State(app): State<App>) -> Result<Json<ProposalPage>, ApiError> {
    Ok(Json(app.service.ledger().proposals().await?))
}

/// A node of the ledger.
pub(super) async fn node(
    State(app): State<App>,
    Path(node): Path<String>,
) -> Result<Json<NodeView>, ApiError> {
    Ok(Json(app.service.ledger().node(parse("node", &node)?).await?))
}
