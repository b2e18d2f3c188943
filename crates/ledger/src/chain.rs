//! From one block to the next.
//!
//! [`Tip::next`] makes a block of transactions, [`Tip::propose`] one of those that a block may have, [`Tip::check`] is what
//! a validator does with a block of another validator: it executes the transactions and compares every field of the
//! header with what came out. All leave the tip as it was; what they return is written when validators agree on the
//! block.

use std::num::NonZeroUsize;

use nervure_primitives::{BlockHeight, Envelope, Hash, cbor::CborError};

use crate::{
    block::{Block, Header, MAX_TRANSACTIONS},
    event::Event,
    spec::MeshSpec,
    state::{Advanced, EpochRecord, GenesisError, InvalidTransaction, LedgerState},
    transaction::{Checked, SignedTransaction},
    tree::{MemoryTree, StateTree, TreeError, TreeUpdate, changes},
};

/// The last block: its header and the state after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// The header of the last block.
    pub header: Header,
    /// The state after it.
    pub state: LedgerState,
}

/// A block that can follow a tip, with all that it does.
#[derive(Clone, Debug)]
pub struct Next {
    /// The block.
    pub block: Block,
    /// The state after it.
    pub state: LedgerState,
    /// What happened in it.
    pub events: Vec<Event>,
    /// What its epochs were computed from.
    pub epochs: Vec<EpochRecord>,
    /// What it does to the state tree.
    pub update: TreeUpdate,
}

/// Why a spec has no first block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The first state is not valid.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The state tree could not be made.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// Why a block cannot follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// Not the next height.
    #[error("block {given} cannot follow: block {expected} is next")]
    Height {
        /// The height that comes next.
        expected: BlockHeight,
        /// The height of the block.
        given: BlockHeight,
    },
    /// More than [`MAX_TRANSACTIONS`].
    #[error("{count} transactions are more than the {MAX_TRANSACTIONS} of a block")]
    TooManyTransactions {
        /// How many it has.
        count: usize,
    },
    /// Larger than [`MAX_BLOCK_LEN`](crate::block::MAX_BLOCK_LEN).
    #[error(transparent)]
    TooLarge(#[from] CborError),
    /// A transaction that no valid block has: nobody pays for it, or it is not signed, not next or not valid any more.
    #[error(transparent)]
    Transaction(#[from] InvalidTransaction),
    /// A field of the header is not what it has to be.
    #[error("the header's {field} is {given}, but it has to be {expected}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it has to be.
        expected: Hash,
        /// What it is.
        given: Hash,
    },
    /// The state tree that is stored is damaged.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl Tip {
    /// The genesis of `spec` and what it writes to an empty tree.
    ///
    /// # Errors
    /// When the spec has no first state.
    pub fn genesis(spec: &MeshSpec) -> Result<(Self, TreeUpdate), StartError> {
        let state = LedgerState::genesis(spec)?;
        let update = MemoryTree::default().update(&changes(None, &state))?;
        let validators = state.validators_hash();
        let header = Header {
            mesh: state.mesh(),
            height: BlockHeight(0),
            parent: Hash::from_bytes([0; 32]),
            transactions: Block::transactions_hash(&[]),
            state: update.root,
            validators,
            next_validators: validators,
        };
        Ok((Self { header, state }, update))
    }

    /// The next block with these `transactions`. `tree` is that of this tip.
    ///
    /// # Errors
    /// When they are too many, one of them makes the block invalid, or the tree is damaged.
    pub fn next(
        &self,
        tree: &impl StateTree,
        transactions: Vec<Envelope>,
        threads: NonZeroUsize,
    ) -> Result<Next, BlockError> {
        if transactions.len() > MAX_TRANSACTIONS {
            return Err(BlockError::TooManyTransactions { count: transactions.len() });
        }
        // A cheap clone: maps share their nodes. The tip stays as it is until validators decide.
        let mut state = self.state.clone();
        let checked = Checked::all(&transactions, &state.mesh(), threads);
        let advanced = state.advance_recorded(&checked)?;
        self.assemble(tree, Content { transactions, state, advanced })
    }

    /// The next block with those of `candidates` that it may have, in their order. `tree` is that of this tip.
    ///
    /// # Errors
    /// When the tree is damaged.
    pub(crate) fn propose(
        &self,
        tree: &impl StateTree,
        candidates: Vec<SignedTransaction>,
    ) -> Result<Next, BlockError> {
        let mut state = self.state.clone();
        let (envelopes, checked): (Vec<Envelope>, Vec<Checked>) =
            candidates.into_iter().map(|one| (one.envelope, one.checked)).unzip();
        let mut places = Vec::new();
        let advanced = state.advance_with(&checked, |index| places.push(index));
        let mut places = places.into_iter().peekable();
        let is_included = |(index, envelope)| places.next_if_eq(&index).map(|_| envelope);
        let transactions = envelopes.into_iter().enumerate().filter_map(is_included).collect();
        self.assemble(tree, Content { transactions, state, advanced })
    }

    /// The block of transactions that were carried out.
    fn assemble(&self, tree: &impl StateTree, content: Content) -> Result<Next, BlockError> {
        let Content { transactions, state, advanced: Advanced { events, epochs } } = content;
        let update = tree.update(&changes(Some(&self.state), &state))?;
        let header = Header {
            mesh: state.mesh(),
            height: state.height(),
            parent: self.header.id(),
            transactions: Block::transactions_hash(&transactions),
            state: update.root,
            // The set that the block before announced, and the one that this block's state elects for the
            // next.
            validators: self.header.next_validators,
            next_validators: state.validators_hash(),
        };
        let block = Block { header, transactions };
        // Only for the size: a block that peers cannot decode must not be proposed.
        block.encode()?;
        Ok(Next { block, state, events, epochs, update })
    }

    /// What `block` does, if it follows this tip and its header says the truth.
    ///
    /// # Errors
    /// When it does not.
    pub fn check(
        &self,
        tree: &impl StateTree,
        block: &Block,
        threads: NonZeroUsize,
    ) -> Result<Next, BlockError> {
        let (header, expected) = (&block.header, BlockHeight(self.header.height.0.saturating_add(1)));
        if header.height != expected {
            return Err(BlockError::Height { expected, given: header.height });
        }
        // What is cheap to refuse first.
        let mesh = |header: &Header| Hash::from_bytes(*header.mesh.as_bytes());
        same("mesh", mesh(&self.header), mesh(header))?;
        same("parent", self.header.id(), header.parent)?;
        same("transactions", Block::transactions_hash(&block.transactions), header.transactions)?;
        // The same function that proposes, so that a proposer and a validator cannot compute differently.
        let next = self.next(tree, block.transactions.clone(), threads)?;
        let made = &next.block.header;
        same("validators", made.validators, header.validators)?;
        same("next_validators", made.next_validators, header.next_validators)?;
        same("state", made.state, header.state)?;
        Ok(next)
    }
}

/// Transactions of a block, and what they did.
struct Content {
    transactions: Vec<Envelope>,
    state: LedgerState,
    advanced: Advanced,
}

fn same(field: &'static str, expected: Hash, given: Hash) -> Result<(), BlockError> {
    if expected == given { Ok(()) } else { Err(BlockError::Field { field, expected, given }) }
}

impl Next {
    /// The tip when this block is the last one.
    pub fn tip(&self) -> Tip {
        Tip { header: self.block.header.clone(), state: self.state.clone() }
    }
}
