//! The progress of a testnet while it starts and runs; the caller displays it.

use std::{fmt, time::Duration};

use nervure_primitives::MeshId;
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

/// One step of progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A phase advanced: `done` of `total`.
    Advanced {
        /// The phase.
        phase: Phase,
        /// Number of nodes or experts that completed it.
        done: usize,
        /// Number of all.
        total: usize,
    },
    /// A phase ended.
    Finished {
        /// The phase.
        phase: Phase,
        /// Number of nodes or experts.
        total: usize,
        /// Time since the start, not since the previous phase.
        at: Duration,
    },
    /// The state of an earlier run that was killed is removed.
    Cleaned {
        /// Its nodes that were still running and were stopped.
        stopped: Vec<String>,
    },
    /// The nodes of an earlier testnet in the directory are removed, with their keys and chain.
    Replaced {
        /// The mesh that it was.
        mesh: MeshId,
    },
    /// The start failed and is retried.
    Retrying {
        /// Why it failed.
        reason: String,
    },
    /// A node ended by itself, or was killed.
    NodeEnded {
        /// The node.
        name: String,
        /// How it ended.
        status: String,
    },
    /// Nodes are being stopped.
    Stopping {
        /// Number of nodes.
        nodes: usize,
    },
    /// Nodes that did not stop when asked are being killed.
    Killing {
        /// Their names.
        nodes: Vec<String>,
    },
}

/// Receives the progress.
pub trait Progress: Send {
    /// Handles `event`. Must not block for long: the start waits for it.
    fn event(&mut self, event: &Event);
}

/// Ignores all events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&mut self, _: &Event) {}
}

/// When each phase of a start ended, in milliseconds since its beginning.
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
