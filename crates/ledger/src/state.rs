//! The state of the ledger, and how a block changes it.
//!
//! [`State::apply`] is a pure function: the same state and the same block give the same state and
//! events on every machine. It reads no clock and draws no randomness; everything is kept in ordered
//! maps.
//!
//! **Conservation.** After every block, balances, unbonding amounts, stakes and pending emission add
//! up to the issuance, to the base unit ([`State::held`]).
//!
//! A transaction that is refused changes nothing, not even its sender's nonce or balance.

mod genesis;

use nervure_primitives::{BlockHeight, MeshId};

pub use genesis::GenesisError;

use crate::{
    accounts::Accounts,
    block::{Block, BlockError, Event, MAX_TRANSACTIONS},
    economics::emission::block_reward,
    nodes::Nodes,
    params::Params,
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

    /// Everything that somebody or some pot holds, in base units: always the issuance.
    pub fn held(&self) -> u128 {
        self.accounts.total() + self.nodes.total() + u128::from(self.carry)
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
        Ok((next, events))
    }

    /// What every block does before its transactions.
    fn begin_block(&mut self) {
        self.accounts.release(self.height);
        self.mint();
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
