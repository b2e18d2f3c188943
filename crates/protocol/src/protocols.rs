//! The request protocols of a mesh: each asks one node for one response.
//!
//! A node refuses a request of a protocol that it does not serve.

use crate::bounds::{
    ENVELOPE_OVERHEAD, MAX_AUDIT, MAX_BLOCK, MAX_FORWARDED, MAX_LIGHT_RESPONSE, MAX_LIVE_SCORES_LEN,
    MAX_REQUEST_BODY, MAX_SCORES_PAGE, MAX_STATE_RECORD, MAX_SUBMISSION, MAX_TRANSACTION, STATE_PAGE,
};

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

/// A transaction of a node whose gossip counts for nothing, because it is not registered: [`crate::submission`].
pub const TRANSACTIONS: Protocol =
    Protocol { name: "transactions/1", max_request: MAX_TRANSACTION, max_response: 512 };

/// An answer that is released to a validator: [`crate::AuditCase`].
pub const AUDIT: Protocol = Protocol { name: "audit/1", max_request: MAX_AUDIT, max_response: 512 };

/// Live scores of a subnet's validators: [`crate::ScoresRequest`].
pub const SCORES: Protocol = Protocol {
    name: "scores/1",
    max_request: 64,
    max_response: MAX_SCORES_PAGE * (MAX_LIVE_SCORES_LEN + ENVELOPE_OVERHEAD + 16) + 64,
};

/// Certificates and records with proofs, for clients without a state: [`crate::light`].
pub const LIGHT: Protocol =
    Protocol { name: "light/1", max_request: 8 << 10, max_response: MAX_LIGHT_RESPONSE };

/// Claims to a faucet: [`crate::faucet`].
pub const FAUCET: Protocol = Protocol { name: "faucet/1", max_request: 256, max_response: 512 };

/// Questions of validators that gateways ask for them: [`crate::forward`].
pub const FORWARD: Protocol =
    Protocol { name: "forward/1", max_request: MAX_REQUEST_BODY + 512, max_response: MAX_FORWARDED };

/// Whether two nodes reach each other: [`crate::reach`].
pub const REACH: Protocol = Protocol { name: "reach/1", max_request: 512, max_response: 640 };

/// All of them.
pub const ALL: [Protocol; 12] =
    [DIRECTORY, CHAIN, STATE, ANCHOR, CLOCK, TRANSACTIONS, LIGHT, FAUCET, FORWARD, SCORES, AUDIT, REACH];
