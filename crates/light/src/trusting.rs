//! How long a trusted header counts.
//!
//! Validators that left the set and have their stake back can sign another history from the headers of their time on
//! without losing anything (a long-range attack). Certificates alone do not tell the two histories apart. So a header
//! counts for the *trusting period* from its time on, which is shorter than the unbonding: until then its validators
//! can still be held to what they sign. A client whose header is older has to get a recent one from a source outside
//! the chain.
//!
//! The caller passes its clock. A clock that is wrong by days makes the check worthless, and one that is a little wrong
//! does not matter: headers from the future are refused only beyond [`MAX_CLOCK_DRIFT`].

use std::time::Duration;

use nervure_ledger::{block::Header, spec::MeshSpec};
use nervure_primitives::UnixMillis;

use crate::LightClientError;

/// How far the time of a header may be ahead of the client's clock.
pub const MAX_CLOCK_DRIFT: Duration = Duration::from_secs(10);

/// The trusting period of a mesh, and the clock at which it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustingPeriod {
    period: Option<Duration>,
    now: UnixMillis,
}

impl TrustingPeriod {
    /// Headers count for `period` from their time on; without one for ever, which is for local meshes whose validators
    /// are known. `now` is the client's clock.
    pub const fn new(period: Option<Duration>, now: UnixMillis) -> Self {
        Self { period, now }
    }

    /// The period in the mesh spec.
    pub fn of(spec: &MeshSpec, now: UnixMillis) -> Self {
        Self::new(spec.consensus.trusting_period(), now)
    }

    /// The same period, at another moment.
    #[must_use]
    pub const fn at(self, now: UnixMillis) -> Self {
        Self { period: self.period, now }
    }

    /// The client's clock.
    pub const fn now(&self) -> UnixMillis {
        self.now
    }

    /// Refuses to start, or to continue, from a header that is older than the period.
    pub(crate) fn check_trusted(&self, header: &Trusted) -> Result<(), LightClientError> {
        let age = self.now.since(header.time);
        match self.period {
            Some(period) if age > period => {
                Err(LightClientError::Expired { height: header.height, age, period })
            }
            _ => Ok(()),
        }
    }

    /// Refuses a header that is not later than the trusted one, or too far in the future.
    pub(crate) fn check_later(&self, trusted: &Trusted, header: &Header) -> Result<(), LightClientError> {
        let (height, time) = (header.height, header.time);
        if time <= trusted.time {
            return Err(LightClientError::NotLaterTime { height });
        }
        if self.period.is_some() && time > self.now.plus(MAX_CLOCK_DRIFT) {
            return Err(LightClientError::Future { height, ahead: time.since(self.now) });
        }
        Ok(())
    }
}

/// Height and time of the header that a client trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trusted {
    pub(crate) height: nervure_primitives::BlockHeight,
    pub(crate) time: UnixMillis,
}

impl From<&Header> for Trusted {
    fn from(header: &Header) -> Self {
        Self { height: header.height, time: header.time }
    }
}
