//! Accounts and transactions, for wallets.

use std::collections::BTreeMap;

use nervure_ledger::transaction::Outcome;
use nervure_primitives::{Amount, BlockHeight, Hash, NodeId};
use serde::{Deserialize, Serialize};

/// What an owner key holds. Amounts are base units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountView {
    /// Whose.
    pub owner: NodeId,
    /// What it can spend.
    pub balance: Amount,
    /// The nonce that its next transaction has to carry.
    pub nonce: u64,
    /// What comes back from stakes, and at which block.
    pub unbonding: Vec<(BlockHeight, Amount)>,
    /// What it staked, by node.
    pub stakes: BTreeMap<NodeId, Amount>,
    /// The last block, which all of this is after.
    pub height: BlockHeight,
    /// The least fee of a transaction.
    pub min_fee: Amount,
    /// Milliseconds from one block to the next, as the mesh means it.
    pub block_milliseconds: u32,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransactionView {
    /// Its id.
    pub id: Hash,
    /// How far it is.
    pub state: TransactionState,
    /// Its block, once it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<BlockHeight>,
    /// What it did, or would do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Why the ledger refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

/// How far a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionState {
    /// It would be carried out now; nothing was handed in.
    Possible,
    /// It waits for a block, or this node does not know it.
    Waiting,
    /// It was carried out in a block that is final.
    Applied,
    /// It is in a block, and the ledger refused it there; it changed nothing.
    Refused,
}

/// A signed transaction.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitBody {
    /// The canonical CBOR of its envelope, in base64.
    pub envelope: String,
    /// Whether to check the transaction only, without submitting it.
    #[serde(default)]
    pub dry_run: bool,
}
