//! The state that the handlers share.

use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use tokio::sync::Semaphore;

use super::{
    GatewayConfig, SharedService, client::QueryPlaces, responses::Conversations, traces::TraceStore,
};

/// The state of the router.
pub(super) type App = Arc<GatewayState>;

/// What the handlers share.
pub(super) struct GatewayState {
    /// The node.
    pub(super) service: SharedService,
    /// The operator's settings.
    pub(super) config: GatewayConfig,
    /// The places of queries in progress.
    pub(super) places: QueryPlaces,
    /// Memory for bodies that are arriving, in KiB.
    pub(super) body_memory: Arc<Semaphore>,
    /// One permit per request of a client without a state in progress.
    pub(super) light: Semaphore,
    /// The traces of the last answers that were requested with `explain`.
    pub(super) traces: TraceStore,
    /// The conversations of the last responses.
    pub(super) conversations: Conversations,
    /// The OpenAPI document, made when it is first requested.
    pub(super) openapi: OnceLock<Bytes>,
}
