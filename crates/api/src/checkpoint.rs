//! Checkpoints and proofs, for clients that do not trust the node.
//!
//! What has to be verified travels as canonical CBOR in base64, next to a readable form of the same: programs verify
//! the first, people read the second.

use std::collections::BTreeMap;

use nervure_ledger::subnet::MetagraphRoot;
use nervure_primitives::{BlockHeight, Hash, Netuid};
use serde::{Deserialize, Serialize};

/// Checkpoints, the latest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointPage {
    /// The checkpoints.
    pub checkpoints: Vec<CheckpointRow>,
    /// Where the next page begins; none after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<BlockHeight>,
}

/// The whole of an anchored checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubmissionView {
    /// Its block.
    pub height: BlockHeight,
    /// Its id, as the validators signed it.
    pub id: Hash,
    /// Validators that signed it.
    pub signatures: u32,
    /// The `Submission` of `nervure-anchor`, in base64.
    pub submission: String,
}

/// The anchored checkpoint by which a block can be looked up outside of the mesh.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnchorRecordView {
    /// Its block: the one in question or the next with an election.
    pub height: BlockHeight,
    /// Its id, as the validators signed it.
    pub id: Hash,
    /// The transaction that put it into the contract; none where it is in this node's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// The chain's block with that transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<u64>,
}

/// A checkpoint in words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointRow {
    /// The block.
    pub height: BlockHeight,
    /// Its id.
    pub block: Hash,
    /// The root of the state after it.
    pub state: Hash,
    /// The metagraph roots of the epochs that it ended, by subnet.
    pub metagraphs: BTreeMap<Netuid, MetagraphRoot>,
    /// Where it is anchored; none while it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchored: Option<AnchorRecordView>,
}

/// A block that can be believed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointView {
    /// The block.
    pub height: BlockHeight,
    /// Its id.
    pub block: Hash,
    /// The root of the state after it.
    pub state: Hash,
    /// The metagraph roots of the epochs that it ended, by subnet; none for a block that is no checkpoint.
    pub metagraphs: BTreeMap<Netuid, MetagraphRoot>,
    /// Where it is anchored; none while it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchored: Option<AnchorRecordView>,
    /// Validators that agreed on it.
    pub validators: u32,
    /// Validators that signed it.
    pub signers: u32,
    /// The [`Checkpoint`](nervure_ledger::checkpoint::Checkpoint), in base64.
    pub checkpoint: String,
}

/// What the state after a block says about a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateProofView {
    /// The block.
    pub height: BlockHeight,
    /// The key.
    pub key: String,
    /// The block's [`Checkpoint`](nervure_ledger::checkpoint::Checkpoint), in base64.
    pub checkpoint: String,
    /// The [`Fact`](nervure_ledger::tree::Fact), in base64.
    pub fact: String,
}

/// What explains the last epoch of a node in a subnet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochView {
    /// The block under whose state it is proven.
    pub height: BlockHeight,
    /// The block's [`Checkpoint`](nervure_ledger::checkpoint::Checkpoint), in base64.
    pub checkpoint: String,
    /// The `nervure_light::score::EpochProof`, in base64.
    pub proof: String,
}
