//! The gossip topics of a mesh.
//!
//! A node that hears a topic which is not listed here ignores it.

use nervure_primitives::Netuid;

use crate::bounds::{
    CONSENSUS_COUNTER, ENVELOPE_OVERHEAD, MAX_ASSIGNMENT_LEN, MAX_ATTESTATION, MAX_BLOCK_ANNOUNCEMENT,
    MAX_CONSENSUS_MESSAGE, MAX_LIVE_SCORES_LEN, MAX_RECORD_LEN, MAX_TASK_BATCH_LEN, MAX_TRAFFIC_LEN,
    MAX_TRANSACTION,
};

/// A topic, or a family of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name; for a family, what the names of its topics begin with.
    pub name: &'static str,
    /// Longest message, in bytes.
    pub max_len: usize,
}

/// Expert records: one topic for each subnet, `experts/` and its number.
pub const EXPERTS: Topic = Topic { name: "experts/", max_len: MAX_RECORD_LEN + ENVELOPE_OVERHEAD };

/// Validators' commitments to batches of tasks.
pub const TASK_BATCHES: Topic =
    Topic { name: "task-batches", max_len: MAX_TASK_BATCH_LEN + ENVELOPE_OVERHEAD };

/// Openings of validators' assignments, after their batch.
pub const ASSIGNMENTS: Topic = Topic { name: "assignments/2", max_len: MAX_ASSIGNMENT_LEN };

/// Traffic statistics of gateways. Their predecessor, with a table for each field, was `traffic`.
pub const TRAFFIC: Topic = Topic { name: "traffic/2", max_len: MAX_TRAFFIC_LEN + ENVELOPE_OVERHEAD };

/// Live scores of validators. Their predecessor, about neurons instead of experts, was `scores`.
pub const SCORES: Topic = Topic { name: "expert-scores", max_len: MAX_LIVE_SCORES_LEN + ENVELOPE_OVERHEAD };

/// Proposals, votes and certificates, between validators.
pub const CONSENSUS: Topic = Topic { name: "consensus", max_len: MAX_CONSENSUS_MESSAGE + CONSENSUS_COUNTER };

/// Transactions.
pub const TRANSACTIONS: Topic = Topic { name: "transactions", max_len: MAX_TRANSACTION };

/// Committed blocks.
pub const BLOCKS: Topic = Topic { name: "blocks", max_len: MAX_BLOCK_ANNOUNCEMENT };

/// Attestations of checkpoints: with the domain, the counter and their names.
pub const ATTESTATIONS: Topic = Topic { name: "attestations", max_len: MAX_ATTESTATION + 64 };

/// All of them.
pub const ALL: [Topic; 9] =
    [EXPERTS, TASK_BATCHES, ASSIGNMENTS, TRAFFIC, SCORES, CONSENSUS, TRANSACTIONS, BLOCKS, ATTESTATIONS];

/// The topic on which a subnet's experts are advertised.
pub fn experts(netuid: Netuid) -> String {
    format!("{}{netuid}", EXPERTS.name)
}
