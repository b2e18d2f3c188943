//! Checkpoints and proofs, for clients that do not trust the node.
//!
//! Each document has the canonical CBOR in base64, which programs verify, next to the same data in readable form.

use std::collections::BTreeMap;

use nervure_ledger::subnet::MetagraphRoot;
use nervure_primitives::{BlockHeight, Hash, Netuid};
use serde::{Deserialize, Serialize};

/// Checkpoints, the latest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckpointPage {
    /// The checkpoints.
    pub checkpoints: Vec<CheckpointRow>,
    /// Where the next page begins; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<BlockHeight>,
}

/// An anchored checkpoint with its signatures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubmissionView {
    /// Its block.
    pub height: BlockHeight,
    /// Its id, as the validators signed it.
    pub id: Hash,
    /// The number of validators that signed it.
    pub signatures: u32,
    /// The `Submission` of `nervure-anchor`, in base64.
    pub submission: String,
}

/// The anchored checkpoint that covers a block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AnchorRecordView {
    /// Its block: the block itself, or the next one with an election.
    pub height: BlockHeight,
    /// Its id, as the validators signed it.
    pub id: Hash,
    /// The transaction that submitted it to the contract; absent where the checkpoint is in this node's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// The block of the outside chain with that transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<u64>,
}

/// A checkpoint in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckpointRow {
    /// The block.
    pub height: BlockHeight,
    /// Its id.
    pub block: Hash,
    /// The root of the state after it.
    pub state: Hash,
    /// The metagraph roots of the epochs that it ended, by subnet.
    pub metagraphs: BTreeMap<Netuid, MetagraphRoot>,
    /// Where it is anchored; absent until it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchored: Option<AnchorRecordView>,
}

/// A block with its certificate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckpointView {
    /// The block.
    pub height: BlockHeight,
    /// Its id.
    pub block: Hash,
    /// The root of the state after it.
    pub state: Hash,
    /// The metagraph roots of the epochs that it ended, by subnet; empty for a block that ended no epoch.
    pub metagraphs: BTreeMap<Netuid, MetagraphRoot>,
    /// Where it is anchored; absent until it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchored: Option<AnchorRecordView>,
    /// The number of validators of its height.
    pub validators: u32,
    /// The number of validators that signed it.
    pub signers: u32,
    /// The [`Checkpoint`](nervure_ledger::checkpoint::Checkpoint), in base64.
    pub checkpoint: String,
}

/// The record of a key in the state after a block, with its proof.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// The proof of a node's last epoch in a subnet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EpochView {
    /// The block whose state root the proof is checked against.
    pub height: BlockHeight,
    /// The block's [`Checkpoint`](nervure_ledger::checkpoint::Checkpoint), in base64.
    pub checkpoint: String,
    /// The `nervure_light::score::EpochProof`, in base64.
    pub proof: String,
}
