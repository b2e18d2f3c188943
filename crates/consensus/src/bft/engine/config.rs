//! How an engine is configured.

use std::time::Duration;

use crate::{
    bft::{Synchrony, Timeouts},
    checkpoint::Quorum,
};

/// The configuration of an engine.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How long timers run.
    pub timeouts: Timeouts,
    /// How long to listen for own signatures of an earlier process before the first signature.
    /// Longer is safer after a restored backup and slower after every restart; zero turns the
    /// protection off.
    pub listen: Duration,
    /// How far block times may be from this node's clock. Too small, and honest proposals are refused; too large, and
    /// a Byzantine proposer moves the time of the mesh.
    pub synchrony: Synchrony,
    pub(super) quorum: Quorum,
    pub(super) checks_time: bool,
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
        let (synchrony, quorum) = (Synchrony::DEFAULT, Quorum::TWO_THIRDS);
        Self { timeouts, listen, synchrony, quorum, checks_time: true }
    }

    /// With other bounds on block times.
    pub const fn with_synchrony(mut self, synchrony: Synchrony) -> Self {
        self.synchrony = synchrony;
        self
    }

    /// Prevotes blocks whatever their time and proposer. **Unsafe**; only for the test that has to notice it.
    #[cfg(any(test, feature = "simulation"))]
    pub const fn without_time_check(mut self) -> Self {
        self.checks_time = false;
        self
    }

    /// Decides with another quorum. **Unsafe**; only for the test that has to notice it.
    #[cfg(any(test, feature = "simulation"))]
    pub const fn with_quorum(mut self, quorum: Quorum) -> Self {
        self.quorum = quorum;
        self
    }
}
