//! How to reach the chain.

use std::{fmt, time::Duration};

use nervure_anchor::AnchorDomain;

/// The contract, the endpoints that reach it, and bounds.
#[derive(Clone)]
pub struct EvmConfig {
    /// JSON-RPC endpoints, `http` or `https`. The first is used for everything; all reachable ones have to agree
    /// on the contract's state. They may contain secrets and are never shown.
    pub endpoints: Vec<String>,
    /// The chain and the contract.
    pub domain: AnchorDomain,
    /// The block of the contract's deployment: older ones are not searched for events.
    pub since: u64,
    /// When a stored checkpoint counts as final.
    pub finality: Finality,
    /// Bounds on time, size and send_error.
    pub limits: Limits,
}

/// When a block of the chain counts as final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    /// When this many blocks follow it. With too few on a chain that reorganises, a checkpoint may be taken for
    /// stored and then vanish; the next submission finds out.
    Depth(u64),
    /// When the chain itself finalises it.
    Finalized,
}

/// Bounds on the time, memory and money that an endpoint can cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest time for one request. If it is too short, a slow endpoint counts as unreachable.
    pub request_timeout: Duration,
    /// Largest answer in bytes. If it is too small, a list of events does not fit.
    pub max_answer_bytes: usize,
    /// How often a request is tried before the endpoint counts as unreachable; at least 1.
    pub max_attempts: u32,
    /// Longest time for a whole submission; after it, the caller may try again.
    pub submit_timeout: Duration,
    /// Time between two polls of a transaction's receipt.
    pub poll_interval: Duration,
    /// How many polls without a receipt before the transaction is sent again with a higher fee.
    pub max_polls: u32,
    /// Highest fee per unit of gas, in wei. If it is too low, nothing is anchored while the chain is busy; the
    /// mesh continues and catches up later.
    pub max_fee: u128,
    /// Most gas for one submission.
    pub max_gas: u64,
    /// Most blocks in one search for events; many endpoints refuse more than 10,000.
    pub max_block_range: u64,
}

impl Limits {
    /// For a public chain with a block every few seconds.
    pub const PUBLIC: Self = Self {
        request_timeout: Duration::from_secs(15),
        max_answer_bytes: 4 << 20,
        max_attempts: 3,
        submit_timeout: Duration::from_secs(20 * 60),
        poll_interval: Duration::from_secs(4),
        max_polls: 15,
        max_fee: 200_000_000_000,
        max_gas: 10_000_000,
        max_block_range: 9_000,
    };

    /// For a chain on this machine.
    pub const LOCAL: Self = Self {
        request_timeout: Duration::from_secs(5),
        submit_timeout: Duration::from_secs(30),
        poll_interval: Duration::from_millis(50),
        max_polls: 40,
        ..Self::PUBLIC
    };
}

impl fmt::Debug for EvmConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoints, domain, since, finality, limits } = self;
        f.debug_struct("EvmConfig")
            .field("endpoints", &endpoints.len())
            .field("domain", domain)
            .field("since", since)
            .field("finality", finality)
            .field("limits", limits)
            .finish()
    }
}
