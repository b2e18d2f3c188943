//! The HTTP API as a thing that is bound and then runs: settings checked, router put together, sockets left to
//! [`super::connections`].

use std::{net::SocketAddr, sync::Arc};

use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use super::{
    GatewayConfig, GatewayError, Shared,
    connections::{self, permits},
    metrics::HttpMetrics,
    router,
    traces::Traces,
};
use crate::service::SharedService;

/// The HTTP API, bound and not yet running.
pub(crate) struct Gateway {
    listener: TcpListener,
    local_addr: SocketAddr,
    shared: Arc<Shared>,
}

impl Gateway {
    /// Checks the settings and binds.
    pub(crate) async fn bind(config: GatewayConfig, service: SharedService) -> Result<Self, GatewayError> {
        config.check()?;
        let bind = config.bind;
        let failed = |source| GatewayError::Bind { bind, source };
        let listener = TcpListener::bind(bind).await.map_err(failed)?;
        let local_addr = listener.local_addr().map_err(failed)?;
        let slots = Arc::new(Semaphore::new(permits(config.limits.questions.get())));
        let (traces, metrics) = (Traces::default(), HttpMetrics::default());
        let shared = Arc::new(Shared { service, config, slots, traces, metrics });
        Ok(Self { listener, local_addr, shared })
    }

    /// Where it listens, with the port that was chosen.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `stop`, then until every answer in progress has ended or its grace is over.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Self { listener, shared, .. } = self;
        let limits = shared.config.limits.clone();
        connections::serve(listener, router(shared), limits, stop).await;
    }
}
