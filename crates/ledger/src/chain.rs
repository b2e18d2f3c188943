//! From one block to the next.
//!
//! [`Tip::next`] makes a block of transactions, `Tip::propose` one of those that a block may have, [`Tip::check`] is what
//! a validator does with a block of another validator: it executes the transactions and compares every field of the
//! header with what came out. All leave the tip as it was; what they return is written when validators agree on the
//! block.

mod agreed;

use std::{num::NonZeroUsize, sync::Arc};

use nervure_consensus::checkpoint::{CertificateError, CommitCertificate, ValidatorSet};
use nervure_primitives::{BlockHeight, Envelope, Hash, MeshId, NodeId, UnixMillis, cbor::CborError};

use crate::{
    block::{Block, Header, MAX_TRANSACTIONS},
    event::Event,
    recovery::{self, RecoveryError},
    spec::MeshSpec,
    state::{Advanced, EpochRecord, GenesisError, InvalidTransaction, LedgerState},
    transaction::{Checked, SignedTransaction},
    tree::{MemoryTree, StateTree, TreeError, TreeUpdate, changes},
    upgrade::UnknownVersion,
};

pub use agreed::{WithCertificate, certificate_in};

/// The last block: its header and the state after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// The header of the last block.
    pub header: Header,
    /// The state after it.
    pub state: LedgerState,
}

/// What a proposer chooses about its block. Everything else in the block follows from the tip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The validator that proposes it.
    pub proposer: NodeId,
    /// When, by its clock; the block's time is later than that of the tip, whatever the clock says.
    pub time: UnixMillis,
    /// The commit certificate of the tip; none when the tip is the genesis.
    pub last_commit: Option<CommitCertificate>,
    /// The transactions in their order.
    pub transactions: Vec<Envelope>,
}

impl Draft {
    /// A draft on top of `tip` that no consensus stands behind: for tools and tests that only execute blocks. After
    /// height 1, [`Tip::check`] refuses its block in a mesh with validators, because it has no certificate.
    pub fn uncertified(tip: &Tip, transactions: Vec<Envelope>) -> Self {
        let first = tip.state.validators().and_then(|validators| validators.members().first());
        Self {
            proposer: first.map_or(NodeId::from_bytes([0; 32]), |validator| validator.node),
            time: tip.header.time,
            last_commit: None,
            transactions,
        }
    }
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
    /// The mesh begins with a version that this program does not know.
    #[error(transparent)]
    UnknownVersion(#[from] UnknownVersion),
    /// The mesh continues another one: its first state does not follow from the spec.
    #[error("the mesh continues block {height} of mesh {mesh}, and there is no state of it here")]
    NeedsState {
        /// The mesh before.
        mesh: MeshId,
        /// Its last certified block.
        height: BlockHeight,
    },
    /// What the spec says about the mesh that it continues does not hold.
    #[error("the mesh cannot continue the one before: {0}")]
    Recovery(String),
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
    /// Made by rules that this program does not know, or to be made by them.
    #[error(transparent)]
    UnknownVersion(#[from] UnknownVersion),
    /// Made by other rules than those of its height.
    #[error("the block is of protocol version {given}, and this height has version {expected}")]
    Version {
        /// The version of the height.
        expected: u32,
        /// The version in the header.
        given: u32,
    },
    /// Not later than its parent.
    #[error(
        "the block's time {given} is not later than that of its parent, {parent} (milliseconds since 1970)"
    )]
    Time {
        /// The time of the parent, in milliseconds since 1970.
        parent: u64,
        /// The time in the header, in milliseconds since 1970.
        given: u64,
    },
    /// Its proposer is no validator of the height.
    #[error("the proposer {0} is not a validator of this height")]
    Proposer(NodeId),
    /// The certificate in it is of another block than the parent.
    #[error("the certificate in the block is not of its parent")]
    OtherCommit,
    /// It has no certificate of its parent, and needs one; or it has one, and its parent is the genesis.
    #[error("a block has the certificate of its parent, except at height 1")]
    NoCommit,
    /// The certificate of the parent does not verify.
    #[error("the parent's certificate: {0}")]
    Commit(#[from] CertificateError),
    /// More than [`MAX_TRANSACTIONS`].
    #[error("{count} transactions are more than the {MAX_TRANSACTIONS} of a block")]
    TooManyTransactions {
        /// How many it has.
        count: usize,
    },
    /// Larger than [`MAX_BLOCK_LEN`](crate::block::MAX_BLOCK_LEN).
    #[error(transparent)]
    TooLarge(#[from] CborError),
    /// A transaction that no valid block has: no account pays for it, or it is not signed, not next or not valid any more.
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
    /// When the spec has no first state, or the mesh continues another one.
    pub fn genesis(spec: &MeshSpec) -> Result<(Self, TreeUpdate), StartError> {
        if let Some(recovered) = &spec.recovered {
            return Err(StartError::NeedsState { mesh: recovered.mesh, height: recovered.height });
        }
        let state = LedgerState::genesis(spec)?;
        let update = MemoryTree::default().update(&changes(None, &state))?;
        let validators = state.validators_hash();
        let header = Header {
            version: state.upgrades().known_at(BlockHeight(0))?,
            mesh: state.mesh(),
            height: BlockHeight(0),
            parent: Hash::from_bytes([0; 32]),
            time: spec.consensus.genesis_time(),
            proposer: Header::NO_PROPOSER,
            last_commit: Block::commit_hash(None),
            transactions: Block::transactions_hash(&[]),
            state: update.root,
            validators,
            next_validators: validators,
        };
        Ok((Self { header, state }, update))
    }

    /// The first header of the mesh of `spec`, and what its lists say about nodes and subnets: for clients that follow no
    /// chain. In a mesh that continues another one, the state is not that of the header.
    ///
    /// # Errors
    /// When the spec has no first state.
    pub fn listed(spec: &MeshSpec) -> Result<Self, StartError> {
        match &spec.recovered {
            None => Ok(Self::genesis(spec)?.0),
            Some(_) => {
                let (header, set) = first_header(spec)?;
                let mut state = LedgerState::genesis(spec)?;
                state.height = header.height.0;
                state.validators = set.map(Arc::new);
                Ok(Self { header, state })
            }
        }
    }

    /// The next block of `draft`, whose certificate is not verified. `tree` is that of this tip.
    ///
    /// # Errors
    /// When the transactions are too many, one of them makes the block invalid, or the tree is damaged.
    pub fn next(
        &self,
        tree: &impl StateTree,
        draft: Draft,
        threads: NonZeroUsize,
    ) -> Result<Next, BlockError> {
        bounded(&draft.transactions)?;
        let checked = Checked::all(&draft.transactions, &self.state.mesh(), threads);
        self.next_checked(tree, draft, &checked)
    }

    /// [`Self::next`] with the transactions of the draft `checked`.
    fn next_checked(
        &self,
        tree: &impl StateTree,
        mut draft: Draft,
        checked: &[Checked],
    ) -> Result<Next, BlockError> {
        let transactions = std::mem::take(&mut draft.transactions);
        // A cheap clone: maps share their nodes. The tip stays as it is until validators decide.
        let mut state = self.state.clone();
        let block = self.begin(draft)?;
        let advanced = state.advance_recorded(&block.context(), checked)?;
        self.finish(tree, Block { transactions, ..block }, (state, advanced))
    }

    /// The next block of `draft` with those of `candidates` that it may have, in their order. `tree` is that of this tip.
    ///
    /// # Errors
    /// When the tree is damaged.
    pub(crate) fn propose(
        &self,
        tree: &impl StateTree,
        draft: Draft,
        candidates: Vec<SignedTransaction>,
    ) -> Result<Next, BlockError> {
        let mut state = self.state.clone();
        let (envelopes, checked): (Vec<Envelope>, Vec<Checked>) =
            candidates.into_iter().map(|one| (one.envelope, one.checked)).unzip();
        let block = self.begin(draft)?;
        let mut places = Vec::new();
        let advanced = state.advance_with(&block.context(), &checked, |index| places.push(index));
        let mut places = places.into_iter().peekable();
        let included = |(index, envelope)| places.next_if_eq(&index).map(|_| envelope);
        let transactions = envelopes.into_iter().enumerate().filter_map(included).collect();
        self.finish(tree, Block { transactions, ..block }, (state, advanced))
    }

    /// The next block before its execution, which reads its header.
    fn begin(&self, draft: Draft) -> Result<Block, UnknownVersion> {
        let Draft { proposer, time, last_commit, .. } = draft;
        let height = BlockHeight(self.header.height.0.saturating_add(1));
        let header = Header {
            version: self.state.upgrades().known_at(height)?,
            mesh: self.header.mesh,
            height,
            parent: self.header.id(),
            // A clock behind that of the last proposer does not stop the chain.
            time: time.max(UnixMillis(self.header.time.0.saturating_add(1))),
            proposer,
            last_commit: Block::commit_hash(last_commit.as_ref()),
            // The set that the block before announced.
            validators: self.header.next_validators,
            // The rest follows from the execution.
            transactions: self.header.transactions,
            next_validators: self.header.next_validators,
            state: self.header.state,
        };
        Ok(Block { header, last_commit, transactions: Vec::new() })
    }

    /// The block after its execution, which gave `state` and what happened.
    fn finish(
        &self,
        tree: &impl StateTree,
        mut block: Block,
        (state, advanced): (LedgerState, Advanced),
    ) -> Result<Next, BlockError> {
        let Advanced { events, epochs } = advanced;
        let update = tree.update(&changes(Some(&self.state), &state))?;
        block.header.transactions = Block::transactions_hash(&block.transactions);
        (block.header.state, block.header.next_validators) = (update.root, state.validators_hash());
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
        self.check_header(block)?;
        self.check_commit(block.last_commit.as_ref())?;
        let checked = Checked::all(&block.transactions, &self.state.mesh(), threads);
        self.carry_out(tree, block, &checked)
    }

    /// What is cheap to refuse: whether the header follows this tip and commits to the body.
    fn check_header(&self, block: &Block) -> Result<(), BlockError> {
        let (header, expected) = (&block.header, BlockHeight(self.header.height.0.saturating_add(1)));
        if header.height != expected {
            return Err(BlockError::Height { expected, given: header.height });
        }
        // The version before the rest: another one may change what the rest means.
        let upgrades = self.state.upgrades();
        upgrades.check(expected, header.version)?;
        let version = upgrades.known_at(expected)?;
        if header.version != version {
            return Err(BlockError::Version { expected: version, given: header.version });
        }
        let mesh = |header: &Header| Hash::from_bytes(*header.mesh.as_bytes());
        same("mesh", mesh(&self.header), mesh(header))?;
        same("parent", self.header.id(), header.parent)?;
        bounded(&block.transactions)?;
        same("transactions", Block::transactions_hash(&block.transactions), header.transactions)?;
        same("last_commit", Block::commit_hash(block.last_commit.as_ref()), header.last_commit)?;
        if header.time <= self.header.time {
            return Err(BlockError::Time { parent: self.header.time.0, given: header.time.0 });
        }
        // Any validator of the height: which of them is the proposer of a round is up to the consensus.
        if self.state.validators().is_some_and(|validators| !validators.contains(&header.proposer)) {
            return Err(BlockError::Proposer(header.proposer));
        }
        Ok(())
    }

    /// Verifies the certificate of this tip that is in the next block: more than two thirds of the validators that
    /// agreed on this tip signed its id. Without it a proposer could choose who seems to have missed a height.
    fn check_commit(&self, certificate: Option<&CommitCertificate>) -> Result<(), BlockError> {
        match (self.commit_of(certificate)?, self.state.last_validators()) {
            (Some(certificate), Some(validators)) => {
                self.names_this(certificate)?;
                Ok(certificate.verify(validators, &self.header.mesh)?)
            }
            (Some(_) | None, _) => Ok(()),
        }
    }

    /// The certificate in the next block, which is there if and only if validators agreed on this tip.
    fn commit_of<'c>(
        &self,
        certificate: Option<&'c CommitCertificate>,
    ) -> Result<Option<&'c CommitCertificate>, BlockError> {
        // No one signs the genesis. A mesh without validators has no certificates.
        let has_validators = self.state.last_validators().is_some() && !self.header.is_genesis();
        match has_validators == certificate.is_some() {
            true => Ok(certificate),
            false => Err(BlockError::NoCommit),
        }
    }

    /// The certificate names its block itself: a valid one could be of any block.
    fn names_this(&self, certificate: &CommitCertificate) -> Result<(), BlockError> {
        match (certificate.height, certificate.value) == (self.header.height, self.header.id()) {
            true => Ok(()),
            false => Err(BlockError::OtherCommit),
        }
    }
}

/// Refuses more transactions than a block may have.
fn bounded(transactions: &[Envelope]) -> Result<(), BlockError> {
    match transactions.len() {
        count if count > MAX_TRANSACTIONS => Err(BlockError::TooManyTransactions { count }),
        _ => Ok(()),
    }
}

/// The first header of the mesh of `spec`, which its light clients trust, and the validators of the block after it. No
/// state is needed, also where the mesh continues another one.
///
/// # Errors
/// When the spec has no first state.
pub fn first_header(spec: &MeshSpec) -> Result<(Header, Option<ValidatorSet>), StartError> {
    let Some(recovered) = &spec.recovered else {
        let Tip { header, state } = Tip::genesis(spec)?.0;
        return Ok((header, state.validators().map(|set| set.as_ref().clone())));
    };
    let failed = |error: RecoveryError| StartError::Recovery(error.to_string());
    let set = recovered.validator_set().map_err(|error| failed(error.into()))?;
    Ok((recovery::first_header(spec, recovered).map_err(failed)?, Some(set)))
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
