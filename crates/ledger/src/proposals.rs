//! Blocks that may come next: made or checked, and kept until validators agree on one of them.
//!
//! This is what an application of the agreement engine does between two commits, without any disk: a node and
//! the simulation both use it, so that what is simulated is what runs. Its owner writes the block that
//! [`Proposals::take`] gives, and then says so with [`Proposals::committed`].
//!
//! Hazard: what is kept grows with the rounds of a height, by at most two blocks of others in each. Blocks share
//! their states with the tip, and are forgotten with the height.

use std::{collections::BTreeMap, num::NonZeroUsize};

use nervure_consensus::{
    checkpoint::{CommitCertificate, SignatureList},
    statement::SignedVote,
};
use nervure_primitives::{BlockHeight, Envelope, Hash, NodeId, UnixMillis};

use crate::{
    block::Block,
    chain::{BlockError, Draft, Next, Tip},
    mempool::{Mempool, MempoolError},
    transaction::{Checked, SignedTransaction},
    tree::StateTree,
};

/// The tip, what waits for a block, and the blocks that may follow.
#[derive(Debug)]
pub struct Proposals {
    tip: Tip,
    /// The certificate of the tip, which the next block carries.
    last_commit: Option<CommitCertificate>,
    pool: Mempool,
    kept: BTreeMap<Hash, Next>,
    threads: NonZeroUsize,
}

impl Proposals {
    /// On top of `tip` with its certificate, which only the genesis lacks; signatures are verified on so many
    /// `threads`.
    pub fn new(tip: Tip, last_commit: Option<CommitCertificate>, threads: NonZeroUsize) -> Self {
        Self { tip, last_commit, pool: Mempool::default(), kept: BTreeMap::new(), threads }
    }

    /// The last committed block.
    pub const fn tip(&self) -> &Tip {
        &self.tip
    }

    /// Transactions that wait.
    pub const fn pool(&self) -> &Mempool {
        &self.pool
    }

    /// Takes a transaction for one of the next blocks.
    ///
    /// # Errors
    /// When the pool does not take it.
    pub fn insert(&mut self, envelope: Envelope) -> Result<Hash, MempoolError> {
        self.pool.insert(envelope, &self.tip.state)
    }

    /// Takes a transaction whose signature is verified for one of the next blocks.
    ///
    /// # Errors
    /// When the pool does not take it.
    pub fn insert_verified(&mut self, signed: SignedTransaction) -> Result<Hash, MempoolError> {
        self.pool.insert_verified(signed, &self.tip.state)
    }

    /// The height that is being decided.
    pub const fn height(&self) -> BlockHeight {
        BlockHeight(self.tip.header.height.0.saturating_add(1))
    }

    /// Makes a block of what waits, as `proposer` whose clock says `now`: its id, and its bytes when it was not kept
    /// before. `tree` is that of the tip.
    ///
    /// # Errors
    /// When the tree is damaged.
    pub fn make(
        &mut self,
        tree: &impl StateTree,
        (proposer, now): (NodeId, UnixMillis),
    ) -> Result<(Hash, Option<Vec<u8>>), BlockError> {
        let candidates = self.pool.candidates(&self.tip.state);
        let last_commit = self.last_commit.clone();
        let draft = Draft { proposer, time: now, last_commit, transactions: Vec::new() };
        let next = self.tip.propose(tree, draft, candidates)?;
        let (id, body) = (next.block.header.id(), next.block.encode()?);
        let body = self.keep(id, next).then_some(body);
        Ok((id, body))
    }

    /// Executes a block of another validator, and keeps it if it may follow.
    ///
    /// # Errors
    /// [`BlockError::Tree`] when our own tree is damaged; any other says what is wrong with the block.
    pub fn check(&mut self, tree: &impl StateTree, block: &Block) -> Result<(), BlockError> {
        let id = block.header.id();
        if !self.holds(&id) {
            let next = self.tip.check(tree, block, self.threads)?;
            self.keep(id, next);
        }
        Ok(())
    }

    /// Executes a block that validators agreed on, with its transactions `checked` ([`Tip::check_agreed`]).
    ///
    /// # Errors
    /// See [`Self::check`].
    pub fn check_agreed(
        &mut self,
        tree: &impl StateTree,
        block: &Block,
        checked: &[Checked],
    ) -> Result<Next, BlockError> {
        match self.take(&block.header.id()) {
            Some(next) => Ok(next),
            None => self.tip.check_agreed(tree, block, checked),
        }
    }

    /// Whether the block with this id may follow, as far as is known.
    pub fn holds(&self, id: &Hash) -> bool {
        self.kept.contains_key(id)
    }

    /// A block that may follow.
    pub fn get(&self, id: &Hash) -> Option<&Next> {
        self.kept.get(id)
    }

    /// A block that validators agreed on, to be written.
    pub fn take(&mut self, id: &Hash) -> Option<Next> {
        self.kept.remove(id)
    }

    /// Keeps a verified precommit for the tip that came after its certificate: the next block made here says that its
    /// signer signed. Without it, the next block does not.
    pub fn late_precommit(&mut self, vote: &SignedVote) {
        let Some(commit) = self.last_commit.as_mut().filter(|commit| commit.vote() == vote.statement) else {
            return;
        };
        let all = commit.signatures.iter().copied().chain([(vote.signer, vote.signature)]);
        // Only more signers than a validator set has members do not make a list, and those are none.
        if let Ok(signatures) = SignatureList::collect(all) {
            commit.signatures = signatures;
        }
    }

    /// `next` is written with its certificate: it is the tip, and what waits is looked through.
    pub fn committed(&mut self, next: &Next, certificate: &CommitCertificate) {
        self.tip = next.tip();
        self.last_commit = Some(certificate.clone());
        self.kept.clear();
        self.pool.update(&self.tip.state);
    }

    fn keep(&mut self, id: Hash, next: Next) -> bool {
        self.kept.insert(id, next).is_none()
    }
}
