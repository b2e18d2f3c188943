//! The state that the handlers share.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::{GatewayConfig, SharedService, traces::TraceStore};

/// The state of the router.
pub(super) type App = Arc<GatewayState>;

/// What the handlers share.
pub(super) struct GatewayState {
    /// The node.
    pub(super) service: SharedService,
    /// The operator's settings.
    pub(super) config: GatewayConfig,
    /// One permit per query in progress.
    pub(super) permits: Arc<Semaphore>,
    /// The traces of the last answers that were requested with `explain`.
    pub(super) traces: TraceStore,
}
