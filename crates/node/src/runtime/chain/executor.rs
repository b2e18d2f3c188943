//! Makes, validates, keeps, executes and commits blocks: the state of the chain in memory and on the disk.
//!
//! The write-ahead log holds every block that this node proposes or calls valid before the engine's next sync, so that
//! a decided block always exists somewhere. A block is committed in one durable transaction, before anything depends
//! on it.

use std::{num::NonZeroUsize, sync::Arc};

use nervure_consensus::{
    bft::{BlockStamp, Round, SignedVote, SignerRecord, WalEntry},
    checkpoint::CommitCertificate,
};
use nervure_ledger::{
    block::Block,
    chain::{BlockError, Next, Tip, certificate_in},
    event::Event,
    mempool::{Mempool, MempoolError},
    proposals::Proposals,
    transaction::{CheckedAhead, SignedTransaction},
    tree::StateTree,
};
use nervure_primitives::{BlockHeight, Hash, NodeId, UnixMillis};
use nervure_store::{KeptStates, Store, Wal};

use super::{
    ChainMetrics, blocks::Certified, host_error::HostError, proposed::ProposedBlocks, receipts::TxReceipts,
    steps::Step,
};

/// The files of the chain, and what other parts of the node read of it.
pub(super) struct ExecutorDeps {
    pub(super) store: Arc<Store>,
    pub(super) wal: Wal,
    pub(super) proposed: Arc<ProposedBlocks>,
    pub(super) receipts: Arc<TxReceipts>,
    pub(super) metrics: ChainMetrics,
    /// Threads that verify signatures of transactions.
    pub(super) threads: NonZeroUsize,
}

/// The tip with its store and log, and blocks that may follow it.
pub(super) struct BlockExecutor {
    store: Arc<Store>,
    wal: Wal,
    proposed: Arc<ProposedBlocks>,
    receipts: Arc<TxReceipts>,
    metrics: ChainMetrics,
    proposals: Proposals,
    threads: NonZeroUsize,
}

/// What became of blocks that a peer sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Followed {
    /// The round of the last one that was committed; none when there was no block to commit.
    pub(super) round: Option<Round>,
    /// Whether the next block was one that validators did not agree on.
    pub(super) is_disagreed: bool,
}

impl BlockExecutor {
    /// On top of `tip`, the last block in the store.
    pub(super) fn new(tip: Tip, deps: ExecutorDeps) -> Self {
        let ExecutorDeps { store, wal, proposed, receipts, metrics, threads } = deps;
        let last_commit = stored_certificate(&store, tip.header.height);
        if let Some(set) = tip.state.validators() {
            metrics.elected(set);
        }
        let proposals = Proposals::new(tip, last_commit, threads);
        Self { store, wal, proposed, receipts, metrics, proposals, threads }
    }

    /// The last committed block.
    pub(super) const fn tip(&self) -> &Tip {
        self.proposals.tip()
    }

    /// The height that is being decided.
    pub(super) const fn height(&self) -> BlockHeight {
        self.proposals.height()
    }

    /// The lowest block that is here with its body; none when the file cannot be read, which the next commit reports.
    pub(super) fn blocks_from(&self) -> Option<BlockHeight> {
        self.store.read().and_then(|reader| reader.blocks_from()).ok()
    }

    /// What became of one of the latest transactions in a block.
    pub(super) fn outcome(&self, id: &Hash) -> Option<Event> {
        self.receipts.of(id).map(|(_, event)| event)
    }

    /// Transactions that wait for a block.
    pub(super) const fn pool(&self) -> &Mempool {
        self.proposals.pool()
    }

    /// Takes a transaction for one of the next blocks.
    pub(super) fn insert(&mut self, signed: SignedTransaction) -> Result<Hash, MempoolError> {
        self.proposals.insert_verified(signed)
    }

    /// Appends to the write-ahead log.
    pub(super) fn append(&mut self, entry: &WalEntry) -> Result<(), HostError> {
        Ok(self.wal.append(entry)?)
    }

    /// Replaces the signer's record in the write-ahead log.
    pub(super) fn save_signer(&mut self, record: &SignerRecord) -> Result<(), HostError> {
        Ok(self.wal.save_signer(record)?)
    }

    /// Makes everything in the write-ahead log durable.
    pub(super) fn sync(&mut self) -> Result<(), HostError> {
        Ok(self.wal.sync()?)
    }

    /// Keeps a precommit for the tip that came after its certificate, for the next block made here.
    pub(super) fn late_precommit(&mut self, vote: &SignedVote) {
        self.proposals.late_precommit(vote);
    }

    /// Whether the block with this id is here and may follow.
    pub(super) fn holds(&self, id: &Hash) -> bool {
        self.proposals.holds(id)
    }

    /// What the header of the block with this id says about its making; none when it is not here or may not follow.
    pub(super) fn stamp_of(&self, id: &Hash) -> Option<BlockStamp> {
        let header = &self.proposals.get(id)?.block.header;
        Some(BlockStamp { proposer: header.proposer, time: header.time })
    }

    /// Makes a block of the transactions that wait, as `proposer` whose clock says `now`, and keeps it. Returns its
    /// id.
    pub(super) fn propose(&mut self, proposer: NodeId, now: UnixMillis) -> Result<Hash, HostError> {
        let tree = self.store.read()?;
        let made = self.metrics.time(Step::Execute, || self.proposals.make(&tree, (proposer, now)));
        let (id, body) = made.map_err(HostError::Block)?;
        if let Some(body) = body {
            self.keep(id, body)?;
        }
        Ok(id)
    }

    /// Executes a proposed block, and keeps it when it may follow. The inner error says why it may not.
    pub(super) fn validate(&mut self, block: &Block) -> Result<Result<(), BlockError>, HostError> {
        let tree = self.store.read()?;
        match self.metrics.time(Step::Execute, || self.proposals.check(&tree, block)) {
            Ok(()) => {
                block.encode().map_or(Ok(()), |body| self.keep(block.header.id(), body))?;
                Ok(Ok(()))
            }
            // The tree is this node's own.
            Err(error @ BlockError::Tree(_)) => Err(HostError::Block(error)),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Takes back blocks of this height that the log kept: they were proposed before this process began.
    pub(super) fn recover(&mut self, blocks: &[Vec<u8>]) -> Result<(), HostError> {
        let height = self.height();
        let decoded = blocks.iter().filter_map(|bytes| Block::decode(bytes).ok());
        for block in decoded.filter(|block| block.header.height == height) {
            // Executed again: the log has the bytes only, and the result has to be in memory to commit it.
            let follows = self.proposals.check(&self.store.read()?, &block).is_ok();
            if let (true, Ok(body)) = (follows, block.encode()) {
                self.proposed.keep(block.header.id(), body);
            }
        }
        Ok(())
    }

    /// Keeps a block of this height; the engine's next sync makes it durable, before anything is signed for it.
    fn keep(&mut self, id: Hash, body: Vec<u8>) -> Result<(), HostError> {
        if !self.wal.append_block(&body)? {
            // More than a hundred blocks of one height. Other validators have them, unless all stop at once.
            tracing::warn!(block = %id, "the log has no room for more blocks of this height");
        }
        self.proposed.keep(id, body);
        Ok(())
    }

    /// The block that validators agreed on, to be committed; none when it is not here.
    pub(super) fn take(&mut self, id: &Hash) -> Option<Next> {
        self.proposals.take(id)
    }

    /// Commits a block, durably; it is the tip then.
    pub(super) fn commit(&mut self, next: &Next, certificate: &CommitCertificate) -> Result<(), HostError> {
        // The order is the crash safety: the block is durable before the log that could restore it moves on,
        // and the tip in memory changes last.
        let encoded = encode(certificate)?;
        self.metrics.time(Step::Commit, || self.store.commit(next, Some(&encoded)))?;
        self.wal.next_height()?;
        self.receipts.note(next.block.header.height, &next.events);
        self.set_tip(next, certificate);
        Ok(())
    }

    /// Executes and commits the next block, which others agreed on. Returns whether it was committed.
    pub(super) fn follow(
        &mut self,
        block: &Block,
        certificate: &CommitCertificate,
    ) -> Result<bool, HostError> {
        let (tree, id, metrics) = (self.store.read()?, block.header.id(), self.metrics.clone());
        let next = execute(&mut self.proposals, &tree, block, |proposals, tree| {
            metrics.time(Step::Execute, || proposals.check(tree, block))?;
            Ok(proposals.take(&id))
        })?;
        let Some(next) = next else { return Ok(false) };
        self.commit(&next, certificate)?;
        Ok(true)
    }

    /// Executes and commits the next ones of `blocks` that others agreed on, in one write, up to the first without
    /// agreement. Every block becomes the tip for `on_block` before all of them are written.
    ///
    /// One certificate decides all blocks before it that the same validators decided ([`Tip::agreed`]); signatures of
    /// transactions are verified on other threads while blocks are executed.
    pub(super) fn follow_all(
        &mut self,
        blocks: &[Certified],
        states: KeptStates,
        mut on_block: impl FnMut(&Tip, &CommitCertificate),
    ) -> Result<Followed, HostError> {
        let mut followed = Followed::default();
        let blocks = self.without_old(blocks);
        if blocks.is_empty() {
            return Ok(followed);
        }
        // Before any signature of a transaction is verified: a peer may send anything.
        if self.tip().agreed(blocks) == 0 && self.tip().agreed(&blocks[..1]) == 0 {
            return Ok(Followed { is_disagreed: true, ..followed });
        }
        let store = self.store.clone();
        let (mut batch, mut written) = (store.batch(states)?, Vec::new());
        let (mesh, threads, metrics) = (self.tip().header.mesh, self.threads, self.metrics.clone());
        let bodies = blocks.iter().map(|(block, _)| block.transactions.as_slice());
        CheckedAhead::run(bodies, &mesh, threads, |ahead| {
            let (mut done, mut most) = (0, blocks.len());
            while let Some(rest) = blocks.get(done..).filter(|rest| !rest.is_empty()) {
                let rest = &rest[..most.min(rest.len())];
                let run = self.tip().agreed(rest);
                if run == 0 && rest.len() > 1 {
                    // The last certificate of the run is invalid. The blocks before it may have valid ones.
                    most = 1;
                    continue;
                }
                if run == 0 {
                    // A gap is no lie; a next block without agreement is.
                    followed.is_disagreed = rest[0].0.header.height == self.height();
                    break;
                }
                let run = &rest[..run];
                for (index, (block, _)) in run.iter().enumerate() {
                    let checked = ahead.take(done + index);
                    let next = execute(&mut self.proposals, &batch.tree()?, block, |proposals, tree| {
                        metrics.time(Step::Execute, || proposals.check_agreed(tree, block, &checked))
                    })?;
                    let Some(certificate) = certificate_in(run, index) else { break };
                    batch.push(&next, Some(&encode(certificate)?))?;
                    self.set_tip(&next, certificate);
                    on_block(self.tip(), certificate);
                    written.push((next.block.header.height, next.events));
                    followed.round = Some(certificate.round);
                }
                done += run.len();
            }
            Ok::<_, HostError>(())
        })?;
        if followed.round.is_some() {
            // One write for all: each write waits for the disk.
            batch.commit()?;
            self.wal.next_height()?;
            written.iter().for_each(|(height, events)| self.receipts.note(*height, events));
        }
        Ok(followed)
    }

    /// Those of `blocks` from the next one on: what comes before it is old.
    fn without_old<'b>(&self, blocks: &'b [Certified]) -> &'b [Certified] {
        let next = blocks.iter().position(|(block, _)| block.header.height == self.height());
        next.and_then(|next| blocks.get(next..)).unwrap_or_default()
    }

    fn set_tip(&mut self, next: &Next, certificate: &CommitCertificate) {
        self.metrics.block(next.block.transactions.len(), certificate.round.0);
        let parent = self.proposals.tip();
        if let (Some(set), Some(commit)) = (parent.state.last_validators(), &next.block.last_commit) {
            self.metrics.validators().committed(set, commit);
        }
        if parent.header.next_validators != next.block.header.next_validators
            && let Some(set) = next.state.validators()
        {
            self.metrics.elected(set);
        }
        self.proposals.committed(next, certificate);
        self.proposed.clear();
    }
}

/// Executes a block that validators agreed on. Its transactions are those that the certified header commits to
/// ([`Block::decode`]), so that an error is no peer's doing: this node or a third of the validators is faulty.
fn execute<T: StateTree, R>(
    proposals: &mut Proposals,
    tree: &T,
    block: &Block,
    check: impl FnOnce(&mut Proposals, &T) -> Result<R, BlockError>,
) -> Result<R, HostError> {
    let (height, id) = (block.header.height, block.header.id());
    check(proposals, tree).map_err(|error| match error {
        // The tree is this node's own: its disk failed, and the block may be right.
        BlockError::Tree(_) => HostError::Block(error),
        // The validators agreed on rules that this program does not know.
        BlockError::UnknownVersion(unknown) => HostError::UnknownVersion(unknown),
        error => {
            tracing::error!(%height, %error, "the validators' block does not follow");
            HostError::Contradicted { height, id }
        }
    })
}

/// The certificate of the block at `height`, which the next block carries; none of the genesis.
fn stored_certificate(store: &Store, height: BlockHeight) -> Option<CommitCertificate> {
    let found = store.read().and_then(|reader| reader.certificate(height));
    let found =
        found.inspect_err(|error| tracing::error!(%height, %error, "no certificate of the last block"));
    CommitCertificate::decode(&found.ok()??).ok()
}

/// A certificate as it is stored.
fn encode(certificate: &CommitCertificate) -> Result<Vec<u8>, HostError> {
    certificate.encode().map_err(|error| HostError::Wal(std::io::Error::other(error)))
}

#[cfg(test)]
mod tests;
