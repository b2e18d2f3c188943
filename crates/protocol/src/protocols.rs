//! The request protocols of a mesh: each asks one node for one response.
//!
//! A node refuses a request of a protocol that it does not serve.

use crate::bounds::{MAX_BLOCK, MAX_STATE_RECORD, MAX_SUBMISSION, STATE_PAGE};

/// A request protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Its name, with its version.
    pub name: &'static str,
    /// Longest request, in bytes.
    pub max_request: usize,
    /// Longest response, in bytes.
    pub max_response: usize,
}

/// Expert records on the nodes that the DHT names: [`crate::directory`].
pub const DIRECTORY: Protocol =
    Protocol { name: "directory/1", max_request: 64 << 10, max_response: 64 << 10 };

/// Blocks: [`crate::chain::BlocksRequest`]. The response has room for the largest block and its certificate.
pub const CHAIN: Protocol =
    Protocol { name: "chain/1", max_request: 64, max_response: MAX_BLOCK + 128 * 1024 };

/// The state of a recent block: [`crate::state_sync`]. The response has room for a page, one more record, and what
/// goes around them.
pub const STATE: Protocol =
    Protocol { name: "state/1", max_request: 96, max_response: STATE_PAGE + MAX_STATE_RECORD + (64 << 10) };

/// Submissions of checkpoints from a height on.
pub const ANCHOR: Protocol =
    Protocol { name: "anchor/1", max_request: 64, max_response: 16 * MAX_SUBMISSION };

/// The time of a node's clock: [`crate::clock`].
pub const CLOCK: Protocol = Protocol { name: "clock/1", max_request: 0, max_response: 8 };

/// All of them.
pub const ALL: [Protocol; 5] = [DIRECTORY, CHAIN, STATE, ANCHOR, CLOCK];
