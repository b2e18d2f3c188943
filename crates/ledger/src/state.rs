//! The state of the ledger, and how a block changes it.
//!
//! [`LedgerState::advance`] is deterministic: the same state and the same transactions give the same state and
//! events on every machine. It reads no clock and draws no randomness; everything is kept in ordered
//! maps.
//!
//! **Conservation.** After every block, balances, unbonding amounts, stakes, locks, deposits, the treasury and pending
//! emission add up to the issuance, to the base unit ([`LedgerState::held`]).
//!
//! A block first pays out what is unbonded, mints its reward, shares it among the subnets and lets prices
//! decay; then come its transactions, and last the epochs that are due.
//!
//! A transaction that is rejected changes nothing but its signer's nonce and the balance of who pays for it. One that
//! cannot be admitted makes the block invalid ([`InvalidTransaction`]).

mod advance;
mod anchor;
mod deposits;
mod election;
mod epochs;
mod genesis;
mod governance;
mod shares;
mod slashing;

use std::sync::Arc;

use imbl::OrdMap;
use nervure_consensus::checkpoint::ValidatorSet;
use nervure_primitives::{Amount, BlockHeight, MeshId, Netuid, NodeId};
use serde::{Deserialize, Serialize};

pub use advance::{Advanced, InvalidTransaction, Trial};
pub use epochs::EpochRecord;
pub use genesis::GenesisError;
pub use governance::ActionError;
pub use shares::{ROOT_VALIDATORS, ShareChange};
pub use slashing::{Offence, REPORTER_PERMILLE};

use crate::{
    accounts::Accounts,
    anchors::Anchors,
    block::BlockContext,
    block_weight::BlockWeight,
    economics::{base_fee::BaseFee, burn::decay_factor, emission::block_reward, lock::LastLock},
    governance::Governance,
    lane::Lane,
    nodes::Nodes,
    params::Params,
    proxies::Proxies,
    roster::Roster,
    spec::ConsensusSection,
    subnet::Subnet,
    upgrade::Upgrades,
};

/// Everything the ledger knows after a block. A clone shares all of it with the original and costs next
/// to nothing; what a block changes is then copied piece by piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerState {
    pub(crate) mesh: MeshId,
    pub(crate) params: Arc<Params>,
    pub(crate) consensus: ConsensusSection,
    pub(crate) upgrades: Arc<Upgrades>,
    /// The most weight of a block.
    pub(crate) limit: BlockWeight,
    pub(crate) height: u64,
    pub(crate) issuance: u64,
    /// Minted and not assigned yet, in base units.
    pub(crate) carry: u64,
    /// The base fee of the next block.
    pub(crate) base_fee: BaseFee,
    pub(crate) lane: Lane,
    pub(crate) accounts: Accounts,
    pub(crate) nodes: Nodes,
    pub(crate) subnets: OrdMap<Netuid, Subnet>,
    /// The least number that no subnet had yet.
    pub(crate) next_netuid: u32,
    /// The numbers of dissolved subnets.
    pub(crate) resting: OrdMap<Netuid, RestingNumber>,
    pub(crate) last_lock: LastLock,
    pub(crate) votes: OrdMap<NodeId, SubnetVote>,
    /// The validators until the next election.
    pub(crate) validators: Option<Arc<ValidatorSet>>,
    /// The validators that agreed on the last block: another set than `validators` right after an election.
    pub(crate) last_validators: Option<Arc<ValidatorSet>>,
    pub(crate) anchors: Anchors,
    pub(crate) roster: Roster,
    pub(crate) governance: Governance,
    pub(crate) proxies: Proxies,
}

/// A node's vote on each subnet's share of the emission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubnetVote {
    /// The block of the vote.
    pub block: u64,
    /// Subnets and weights; subnets that are gone since count for nothing.
    pub weights: Vec<(Netuid, u16)>,
    /// What is deposited for it.
    pub deposit: Amount,
}

/// The number of a subnet that was dissolved. It is used again after a rest, so that nothing that was signed about the
/// former subnet is taken for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestingNumber {
    /// The block from which on a new subnet may have it.
    pub free: BlockHeight,
    /// The epoch that the next subnet begins with: no epoch of a number comes twice.
    pub epoch: u64,
}

impl LedgerState {
    /// The height of the last block; 0 at genesis.
    pub fn height(&self) -> BlockHeight {
        BlockHeight(self.height)
    }

    /// The mesh whose transactions it takes.
    pub fn mesh(&self) -> MeshId {
        self.mesh
    }

    /// The parameters of the mesh now: those of its spec, and what votes made of them.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Which version of the rules each height has.
    pub fn upgrades(&self) -> &Upgrades {
        &self.upgrades
    }

    /// All base units that exist.
    pub fn issuance(&self) -> u64 {
        self.issuance
    }

    /// The base fee of the next block.
    pub fn base_fee(&self) -> BaseFee {
        self.base_fee
    }

    /// The most weight that a block may have.
    pub fn block_limit(&self) -> BlockWeight {
        self.limit
    }

    /// Balances and what is unbonding.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Node keys and stakes.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// Who joined the validators, who is jailed, and what those in office missed.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Who may act for an owner, and what they announced.
    pub fn proxies(&self) -> &Proxies {
        &self.proxies
    }

    /// The subnets by their numbers.
    pub fn subnets(&self) -> &OrdMap<Netuid, Subnet> {
        &self.subnets
    }

    /// What registering a subnet in the next block locks, in base units.
    pub fn lock_cost(&self) -> u64 {
        self.params.lock.cost(self.last_lock, self.height.saturating_add(1))
    }

    /// The numbers of dissolved subnets, and when they are used again.
    pub fn resting(&self) -> &OrdMap<Netuid, RestingNumber> {
        &self.resting
    }

    /// All balances, stakes, locks, deposits and pending amounts, in base units: always the issuance.
    pub fn held(&self) -> u128 {
        let votes = self.votes.values().map(|vote| u128::from(vote.deposit.base_units()));
        let anchors = self.anchors.keys.values().map(|key| u128::from(key.deposit.base_units()));
        votes.chain(anchors).sum::<u128>()
            + self.accounts.total()
            + self.proxies.held()
            + self.nodes.total_held()
            + self.subnets.values().map(Subnet::held).sum::<u128>()
            + u128::from(self.carry)
            + self.governance.held()
            + self.nodes.ballots.held()
    }

    /// The numbers of the subnets, ascending.
    pub(crate) fn netuids(&self) -> Vec<Netuid> {
        self.subnets.keys().copied().collect()
    }

    /// What every block does before its transactions.
    fn begin_block(&mut self, context: &BlockContext) {
        // The first block has no certificate of a parent, and a trial of a transaction has none either.
        if !context.signers.is_empty() {
            // Before the height goes up: they signed the block of this state.
            let signed = |member: &NodeId| context.signers.contains(member);
            self.roster.count(self.height, self.params.liveness_window, signed);
        }
        self.height = self.height.saturating_add(1);
        self.nodes.block = self.height;
        // Before the transactions: what is unbonded now can be spent in this block.
        self.release_unbonded();
        self.release_moved();
        self.forget_retired();
        self.mint();
        // After the minting, so that this block's reward is shared in this block.
        self.share_out();
        let factor = decay_factor(self.params.burn.half_life);
        for netuid in self.netuids() {
            if let Some(subnet) = self.subnets.get_mut(&netuid) {
                subnet.price = self.params.burn.after_block(subnet.price, factor);
            }
        }
    }

    /// Mints the block's reward into the carry.
    fn mint(&mut self) {
        // By the issuance before this reward.
        let reward = block_reward(self.issuance);
        self.issuance = self.issuance.saturating_add(reward);
        self.carry = self.carry.saturating_add(reward);
    }

    /// Takes an amount out of the world that was already taken from its holder: it can be minted again.
    pub(crate) fn recycle(&mut self, amount: u64) {
        self.issuance = self.issuance.saturating_sub(amount);
    }
}
