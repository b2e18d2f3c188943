//! How an engine is configured.

use std::time::Duration;

use crate::{bft::Timeouts, checkpoint::Quorum};

/// The configuration of an engine.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How long timers run.
    pub timeouts: Timeouts,
    /// How long to listen for own signatures of an earlier process before the first signature.
    /// Longer is safer after a restored backup and slower after every restart; zero turns the
    /// protection off.
    pub listen: Duration,
    pub(super) quorum: Quorum,
}

impl Config {
    /// For validators on one machine or in one data centre: listens for one second.
    pub const fn local() -> Self {
        Self::new(Timeouts::local(), Duration::from_secs(1))
    }

    /// For validators around the world: listens for ten seconds, in which peers rebroadcast at
    /// least three times.
    pub const fn public() -> Self {
        Self::new(Timeouts::public(), Duration::from_secs(10))
    }

    /// An engine with these timers that decides by two thirds of the power.
    pub const fn new(timeouts: Timeouts, listen: Duration) -> Self {
        Self { timeouts, listen, quorum: Quorum::TWO_THIRDS }
    }

    /// Decides with another quorum. **Unsafe**; only for the test that has to notice it.
    #[cfg(any(test, feature = "simulation"))]
    pub const fn with_quorum(mut self, quorum: Quorum) -> Self {
        self.quorum = quorum;
        self
    }
}
