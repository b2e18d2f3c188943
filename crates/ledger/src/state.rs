//! The state of the ledger, and how a block changes it.
//!
//! [`State::apply`] is a pure function: the same state and the same block give the same state and
//! events on every machine. It reads no clock and draws no randomness; everything is kept in ordered
//! maps.
//!
//! **Conservation.** After every block, balances, unbonding amounts, stakes, locks and pending emission add
//! up to the issuance, to the base unit ([`State::held`]).
//!
//! A block first pays out what is unbonded, mints its reward, shares it among the subnets and lets prices
//! decay; then come its transactions, and last the epochs that are due.
//!
//! A transaction that is refused changes nothing, not even its sender's nonce or balance.

mod epochs;
mod genesis;
mod shares;

use std::collections::BTreeMap;

use nervure_primitives::{BlockHeight, MeshId, Netuid, NodeId};

pub use genesis::GenesisError;

use crate::{
    accounts::Accounts,
    block::{Block, BlockError, Event, MAX_TRANSACTIONS},
    economics::{burn::decay_factor, emission::block_reward, lock::LastLock},
    nodes::Nodes,
    params::Params,
    subnet::Subnet,
    transaction,
};

/// Everything the ledger knows after a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub(crate) mesh: MeshId,
    pub(crate) params: Params,
    pub(crate) height: u64,
    pub(crate) issuance: u64,
    /// Minted and not yet anybody's, in base units.
    pub(crate) carry: u64,
    pub(crate) accounts: Accounts,
    pub(crate) nodes: Nodes,
    pub(crate) subnets: BTreeMap<Netuid, Subnet>,
    /// The number of the next subnet. Numbers are never used twice, so that nothing said about a
    /// dissolved subnet is taken for another.
    pub(crate) next_netuid: u32,
    pub(crate) last_lock: LastLock,
    pub(crate) votes: BTreeMap<NodeId, Vote>,
}

/// What a node says about how much of the emission each subnet deserves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The block at which it said so.
    pub block: u64,
    /// Subnets and weights; subnets that are gone since count for nothing.
    pub weights: Vec<(Netuid, u16)>,
}

impl State {
    /// The height of the last block; 0 at genesis.
    pub fn height(&self) -> BlockHeight {
        BlockHeight(self.height)
    }

    /// The mesh whose transactions it takes.
    pub fn mesh(&self) -> MeshId {
        self.mesh
    }

    /// The parameters of the mesh.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// All base units that exist.
    pub fn issuance(&self) -> u64 {
        self.issuance
    }

    /// Balances and what is unbonding.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Node keys and stakes.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// The subnets by their numbers.
    pub fn subnets(&self) -> &BTreeMap<Netuid, Subnet> {
        &self.subnets
    }

    /// What registering a subnet in the next block locks, in base units.
    pub fn lock_cost(&self) -> u64 {
        self.params.lock.cost(self.last_lock, self.height.saturating_add(1))
    }

    /// Everything that somebody or some pot holds, in base units: always the issuance.
    pub fn held(&self) -> u128 {
        self.accounts.total()
            + self.nodes.total()
            + self.subnets.values().map(Subnet::held).sum::<u128>()
            + u128::from(self.carry)
    }

    /// The state after `block`, and what happened in it.
    ///
    /// # Errors
    /// When the block cannot follow at all. A transaction that is refused is an event, not an error.
    pub fn apply(&self, block: &Block) -> Result<(Self, Vec<Event>), BlockError> {
        let expected = BlockHeight(self.height.saturating_add(1));
        if block.height != expected {
            return Err(BlockError::Height { expected, given: block.height });
        }
        if block.transactions.len() > MAX_TRANSACTIONS {
            return Err(BlockError::TooManyTransactions { count: block.transactions.len() });
        }
        let mut next = self.clone();
        next.height = expected.0;
        next.begin_block();
        let mut events = Vec::with_capacity(block.transactions.len());
        for envelope in &block.transactions {
            let id = envelope.id();
            events.push(match transaction::execute(&mut next, envelope) {
                Ok(outcome) => Event::Applied { id, outcome },
                Err(refusal) => Event::Refused { id, refusal },
            });
        }
        next.run_epochs(&mut events);
        Ok((next, events))
    }

    /// What every block does before its transactions.
    fn begin_block(&mut self) {
        self.accounts.release(self.height);
        self.mint();
        self.share_out();
        let factor = decay_factor(self.params.burn.half_life);
        for subnet in self.subnets.values_mut() {
            subnet.price = self.params.burn.after_block(subnet.price, factor);
        }
    }

    /// Mints the block's reward into the carry.
    fn mint(&mut self) {
        let reward = block_reward(self.issuance);
        self.issuance = self.issuance.saturating_add(reward);
        self.carry = self.carry.saturating_add(reward);
    }

    /// Takes an amount out of the world that was already taken from its holder: it can be minted again.
    pub(crate) fn recycle(&mut self, amount: u64) {
        self.issuance = self.issuance.saturating_sub(amount);
    }
}
