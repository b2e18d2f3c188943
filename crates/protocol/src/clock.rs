//! The time of a node's clock: the request is empty, the response is eight bytes, big-endian.

use nervure_primitives::UnixMillis;

/// The response of [`CLOCK`](crate::protocols::CLOCK).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockResponse(pub UnixMillis);

impl ClockResponse {
    /// Its bytes.
    pub const fn encode(self) -> [u8; 8] {
        self.0.0.to_be_bytes()
    }

    /// Reads one; none when it is not eight bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self(UnixMillis(u64::from_be_bytes(bytes.try_into().ok()?))))
    }
}
