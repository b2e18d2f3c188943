//! The server: it checks the settings, binds, and runs until it is stopped. Sockets are for [`super::connections`].

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use super::{
    GatewayConfig, GatewayError, SharedService, body::KIB, client, connections, light::MAX_LIGHT_REQUESTS,
    responses::Conversations, routes::router, state::GatewayState, traces::TraceStore,
};

/// The HTTP API, bound and not yet running.
pub struct Gateway {
    listener: TcpListener,
    local_addr: SocketAddr,
    shared: Arc<GatewayState>,
}

impl Gateway {
    /// Checks the settings and binds.
    ///
    /// # Errors
    /// The API would be open to other hosts without a key, or the address cannot be bound.
    pub async fn bind(config: GatewayConfig, service: SharedService) -> Result<Self, GatewayError> {
        // Before the socket exists: an API without a key must not be open to other hosts for a moment either.
        config.check()?;
        let bind = config.bind;
        let failed = |source| GatewayError::Bind { bind, source };
        let listener = TcpListener::bind(bind).await.map_err(failed)?;
        let local_addr = listener.local_addr().map_err(failed)?;
        let limits = &config.limits;
        let body_memory = (limits.max_body_memory.get() / KIB).clamp(1, Semaphore::MAX_PERMITS);
        let shared = GatewayState {
            service,
            places: client::places(limits),
            body_memory: Arc::new(Semaphore::new(body_memory)),
            config,
            light: Semaphore::new(MAX_LIGHT_REQUESTS),
            conversations: Conversations::default(),
            traces: TraceStore::default(),
            openapi: OnceLock::new(),
        };
        let shared = Arc::new(shared);
        Ok(Self { listener, local_addr, shared })
    }

    /// Where it listens, with the port that was chosen.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `stop`, then until every answer in progress has ended or the shutdown timeout has passed.
    pub async fn run(self, stop: CancellationToken) {
        let Self { listener, shared, .. } = self;
        let limits = shared.config.limits.clone();
        let keys = shared.config.named_keys.clone();
        tokio::select! {
            () = connections::serve(listener, router(shared), limits, stop) => {}
            () = keys.maintain() => {}
        }
        // What the last answers used.
        keys.tick().await;
    }
}
