//! What a testnet tells while it starts and runs. Somebody else draws it.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// The phases of a start, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Keys and the mesh spec are written.
    Keys,
    /// Every process is up and answers.
    Nodes,
    /// Every node has its peers.
    Connected,
    /// The gateways know every expert.
    Experts,
    /// The first query got its answer.
    Query,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Keys => "keys",
            Self::Nodes => "nodes started",
            Self::Connected => "nodes connected",
            Self::Experts => "experts found",
            Self::Query => "first query answered",
        })
    }
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A phase goes on: `done` of `total`.
    Advanced {
        /// Which phase.
        phase: Phase,
        /// How many are done.
        done: usize,
        /// Of how many.
        total: usize,
    },
    /// A phase ended.
    Finished {
        /// Which phase.
        phase: Phase,
        /// How many things it was about.
        total: usize,
        /// Time since the start, not since the phase before.
        at: Duration,
    },
    /// The remains of an earlier run that was killed are gone.
    Cleaned {
        /// Its nodes that still ran and were stopped.
        stopped: Vec<String>,
    },
    /// The start failed for a reason that a second try may cure.
    Retrying {
        /// What happened.
        reason: String,
    },
    /// A node ended by itself, or was killed.
    NodeEnded {
        /// Which node.
        name: String,
        /// How it ended.
        status: String,
    },
    /// Nodes are being stopped.
    Stopping {
        /// How many.
        nodes: usize,
    },
    /// Nodes that did not stop when asked are being killed.
    Killing {
        /// Which ones.
        nodes: Vec<String>,
    },
}

/// Who is told.
pub trait Progress: Send {
    /// Takes notice of `event`. Must not block for long: the start waits meanwhile.
    fn event(&mut self, event: &Event);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&mut self, _: &Event) {}
}

/// When each phase of a start ended, in milliseconds since its begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// Keys and mesh spec.
    pub keys: u64,
    /// All processes up.
    pub nodes: u64,
    /// All nodes connected.
    pub connected: u64,
    /// All experts known to the gateways.
    pub experts: u64,
    /// First query answered: ready.
    pub query: u64,
}

impl Timings {
    pub(crate) fn set(&mut self, phase: Phase, at: Duration) {
        let slot = match phase {
            Phase::Keys => &mut self.keys,
            Phase::Nodes => &mut self.nodes,
            Phase::Connected => &mut self.connected,
            Phase::Experts => &mut self.experts,
            Phase::Query => &mut self.query,
        };
        *slot = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
    }
}
