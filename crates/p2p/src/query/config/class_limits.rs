//! What the query server gives an asker of each class.

use std::{num::NonZeroU32, time::Duration};

use nervure_protocol::AskerClass;

use super::rate;

/// The limits of one class of askers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassLimits {
    /// Queries per second of one asker, with a burst of as many.
    pub rate: NonZeroU32,
    /// Queries in progress on one connection.
    pub streams: NonZeroU32,
    /// The longest time for an answer; an asker may name less, and never more.
    pub answer: Duration,
    /// How long a piece of an answer may wait for an asker that does not read, before its query is cut.
    pub write: Duration,
    /// Bytes that are buffered on one connection: towards an asker that does not read, and from it.
    pub window_bytes: u32,
}

/// The limits of all classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskerLimits([ClassLimits; AskerClass::ALL.len()]);

impl AskerLimits {
    /// The limits of `class`.
    pub const fn of(&self, class: AskerClass) -> &ClassLimits {
        &self.0[class as usize]
    }

    /// The limits of `class`, to change.
    pub const fn of_mut(&mut self, class: AskerClass) -> &mut ClassLimits {
        &mut self.0[class as usize]
    }

    /// The same limits for all classes: a server that treats them alike.
    pub const fn same(limits: ClassLimits) -> Self {
        Self([limits; AskerClass::ALL.len()])
    }
}

impl Default for AskerLimits {
    /// A mixture of experts asks a question for each byte, so that a gateway needs a high rate; it has stake.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        let stranger = ClassLimits {
            rate: rate(50),
            streams: rate(32),
            answer: seconds(60),
            write: seconds(5),
            window_bytes: 128 << 10,
        };
        let registered = ClassLimits { rate: rate(200), answer: seconds(120), ..stranger };
        let staked = ClassLimits {
            rate: rate(10_000),
            streams: rate(256),
            answer: seconds(600),
            write: seconds(15),
            window_bytes: 1 << 20,
        };
        let validator = ClassLimits { rate: rate(100_000), ..staked };
        Self([stranger, registered, staked, validator])
    }
}
