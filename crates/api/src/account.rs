//! Accounts and transactions, for wallets.

use std::collections::BTreeMap;

use nervure_ledger::transaction::Outcome;
use nervure_primitives::{Amount, BlockHeight, Hash, NodeId};
use serde::{Deserialize, Serialize};

/// What an owner key holds. Amounts are base units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountView {
    /// The owner key.
    pub owner: NodeId,
    /// The balance that it can spend.
    pub balance: Amount,
    /// The nonce of its next transaction, after those that are pending on this node.
    pub nonce: u64,
    /// Unstaked amounts that cannot be spent yet, each with the block at which it can.
    pub unbonding: Vec<(BlockHeight, Amount)>,
    /// Its stakes, by node.
    pub stakes: BTreeMap<NodeId, Amount>,
    /// The height of the last block; all values are those of the state after it.
    pub height: BlockHeight,
    /// What transactions cost now.
    pub fees: FeesView,
    /// The mesh's block time, in milliseconds.
    pub block_milliseconds: u32,
}

/// What transactions cost now, in base units for 1,000 units of weight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FeesView {
    /// The base fee of the next block. It rises by at most an eighth with each block.
    pub base_fee: u64,
    /// The least tip that would be in the next block, as far as this node knows what is pending; 0 unless more is pending
    /// than a block has room for.
    pub tip: u64,
}

/// A transaction and its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TransactionView {
    /// Its id.
    pub id: Hash,
    /// Its state.
    pub state: TransactionState,
    /// The height of its block; absent until it is in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<BlockHeight>,
    /// What was paid for it, whether it took effect or not; in a dry run, what would be paid now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<Amount>,
    /// Its effect on the ledger; in a dry run, the effect that it would have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Why the ledger rejected it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

/// The state of a transaction. The earlier names `waiting` and `refused` are still read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TransactionState {
    /// A dry run: the ledger would apply it now. It was not submitted.
    Possible,
    /// It is in the mempool, or this node does not know it.
    #[serde(alias = "waiting")]
    Pending,
    /// It is in a finalised block and took effect.
    Applied,
    /// It is in a finalised block without effect: the ledger rejected it.
    #[serde(alias = "refused")]
    Rejected,
}

/// A signed transaction to submit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SubmitBody {
    /// The canonical CBOR of its envelope, in base64.
    pub envelope: String,
    /// Whether to check the transaction only, without submitting it.
    #[serde(default)]
    pub dry_run: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_earlier_names_of_states_and_writes_the_present_ones() {
        let read = |text: &str| serde_json::from_str::<TransactionState>(text).unwrap();
        assert_eq!(
            (read("\"waiting\""), read("\"refused\"")),
            (TransactionState::Pending, TransactionState::Rejected)
        );
        for (state, name) in
            [(TransactionState::Pending, "\"pending\""), (TransactionState::Rejected, "\"rejected\"")]
        {
            assert_eq!((serde_json::to_string(&state).unwrap().as_str(), read(name)), (name, state));
        }
    }
}
