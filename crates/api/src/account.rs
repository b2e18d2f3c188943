//! Accounts and transactions, for wallets.

use std::collections::BTreeMap;

use nervure_ledger::{deposits::Deposit, proxies::ProxyGrant, transaction::Outcome};
use nervure_primitives::{Amount, BlockHeight, Hash, Netuid, NodeId};
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
    /// The least balance of an account: one with less does not exist, and a payment that leaves less is rejected.
    #[serde(default)]
    pub existential_deposit: Amount,
    /// The sum of all its deposits.
    #[serde(default)]
    pub deposited: Amount,
    /// What is deposited for records of its nodes and comes back when they go; of more than 256, the first.
    #[serde(default)]
    pub deposits: Vec<Deposit>,
    /// What is locked in subnets that it owns.
    #[serde(default)]
    pub locked: BTreeMap<Netuid, Amount>,
    /// Amounts that it gets little by little.
    #[serde(default)]
    pub vesting: Vec<VestingView>,
    /// Who may act for it.
    #[serde(default)]
    pub proxies: Vec<ProxyView>,
    /// What its proxies announced.
    #[serde(default)]
    pub announcements: Vec<AnnouncementView>,
    /// Its own transactions that are pending on this node.
    #[serde(default)]
    pub pending: Vec<PendingView>,
    /// The height of the last block; all values are those of the state after it.
    pub height: BlockHeight,
    /// What transactions cost now.
    pub fees: FeesView,
    /// The mesh's block time, in milliseconds.
    pub block_milliseconds: u32,
    /// Stakes that were moved to another node and still answer for the one that they were on.
    #[serde(default)]
    pub moved: Vec<MovedStakeView>,
    /// The nodes that it owns.
    #[serde(default)]
    pub nodes: Vec<NodeId>,
    /// The subnets that it owns.
    #[serde(default)]
    pub subnets: Vec<Netuid>,
}

/// A stake that was moved to another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MovedStakeView {
    /// The node that it was on, and answers for; none when its key is not known any more.
    pub from: Option<NodeId>,
    /// The node that it is on.
    pub to: Option<NodeId>,
    /// How much was moved; a slash of the former node is taken of it at `free`.
    pub amount: Amount,
    /// The block from which on it can be unstaked or moved again.
    pub free: BlockHeight,
}

/// An amount that becomes free little by little.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VestingView {
    /// Who gave it; the owner itself for an amount of the genesis.
    pub from: NodeId,
    /// Its number among those of both; the record is `vesting/TO/FROM/NUMBER`.
    pub number: u8,
    /// All of it.
    pub amount: Amount,
    /// What was claimed of it.
    pub claimed: Amount,
    /// What can be claimed now.
    pub free: Amount,
    /// The block from which it grows.
    pub start: BlockHeight,
    /// The block before which nothing is free.
    pub cliff: BlockHeight,
    /// The block at which all of it is free.
    pub end: BlockHeight,
}

/// A key that may act for an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProxyView {
    /// The key.
    pub proxy: NodeId,
    /// What it may do.
    pub grant: ProxyGrant,
    /// What its limit leaves in the current interval; absent without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Amount>,
}

/// A call that a proxy announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AnnouncementView {
    /// Its id, by which it can be cancelled.
    pub id: Hash,
    /// Who announced it.
    pub proxy: NodeId,
    /// The first block that may carry it out.
    pub ready: BlockHeight,
    /// What it asks for, in words.
    pub does: String,
}

/// A transaction that is pending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PendingView {
    /// Its id.
    pub id: Hash,
    /// Its nonce.
    pub nonce: u64,
    /// The most that is paid for it.
    pub fee: Amount,
    /// The last block that may carry it.
    pub expiry: BlockHeight,
    /// What it asks for, in words.
    pub does: String,
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
    pub rejection: Option<String>,
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
