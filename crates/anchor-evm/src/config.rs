//! How to reach the chain.

use std::{fmt, time::Duration};

use nervure_anchor::AnchorDomain;

/// Where the contract is and how much to believe.
#[derive(Clone)]
pub struct EvmConfig {
    /// JSON-RPC endpoints, `http` or `https`. The first is used for everything; all that can be reached have to
    /// agree on what is kept. May hold secrets, so they are never shown.
    pub endpoints: Vec<String>,
    /// The chain and the contract.
    pub domain: AnchorDomain,
    /// The block of the contract's deployment: older ones are not searched for events.
    pub since: u64,
    /// When something is kept for good.
    pub finality: Finality,
    /// Bounds on time, size and money.
    pub limits: Limits,
}

/// When a block of the chain is taken to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    /// When this many blocks follow it; too few on a chain that reorganises, and a checkpoint is thought to
    /// be kept that is not (the next submission finds out).
    Depth(u64),
    /// When the chain itself calls it final.
    Finalized,
}

/// Bounds on what an endpoint can make us spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest time for one request. Too short, and a slow endpoint is never heard.
    pub request: Duration,
    /// Largest answer in bytes. Too small, and a list of events does not fit.
    pub answer: usize,
    /// How often a request is tried before the endpoint counts as unreachable; at least 1.
    pub tries: u32,
    /// Longest time for a whole submission; after it, the caller tries again when it likes.
    pub submit: Duration,
    /// Time between two looks at a transaction.
    pub poll: Duration,
    /// How many looks without it being in a block before it is sent again with a higher fee.
    pub patience: u32,
    /// Most that is offered per unit of gas, in wei. Too little, and nothing is anchored while the chain is
    /// busy; the mesh goes on and catches up.
    pub max_fee: u128,
    /// Most gas of one submission.
    pub max_gas: u64,
    /// Most blocks in one search for events; many endpoints refuse more than 10,000.
    pub range: u64,
}

impl Limits {
    /// For a public chain with a block every few seconds.
    pub const PUBLIC: Self = Self {
        request: Duration::from_secs(15),
        answer: 4 << 20,
        tries: 3,
        submit: Duration::from_secs(20 * 60),
        poll: Duration::from_secs(4),
        patience: 15,
        max_fee: 200_000_000_000,
        max_gas: 10_000_000,
        range: 9_000,
    };

    /// For a chain on this machine.
    pub const LOCAL: Self = Self {
        request: Duration::from_secs(5),
        submit: Duration::from_secs(30),
        poll: Duration::from_millis(50),
        patience: 40,
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
