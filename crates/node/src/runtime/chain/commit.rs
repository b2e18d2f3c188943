//! Commits decided blocks: one by one, or many at once after an absence.

use std::time::Instant;

use nervure_consensus::{
    bft::{Candidate, DriverError, Input, Round, SignedStatement},
    checkpoint::CommitCertificate,
};
use nervure_ledger::{block::Block, chain::Next, tree::StateTree};
use nervure_p2p::Verdict;
use nervure_primitives::{BlockHeight, NodeId};
use nervure_protocol::{chain::BlockAnnouncement, topics::BLOCKS};
use nervure_store::fail_point::{Point, reach};

use super::{
    ChainRole,
    blocks::{self, Certified},
    host::{Host, HostError},
    span,
};

/// A follower asks for the next block after this many block times without one.
const FOLLOWER_TIMEOUT_BLOCKS: u32 = 3;

/// Own pending transactions are published again after this many blocks since the start, and then at this interval.
const FIRST_REBROADCAST_BLOCKS: u32 = 2;
const REBROADCAST_INTERVAL_BLOCKS: u32 = 64;

/// What happened to a block that other validators agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FollowOutcome {
    /// It is the next one, and validators agreed on it.
    Committed,
    /// It is not the next one.
    Old,
    /// Validators did not agree on it.
    Disagreed,
}

impl Host {
    /// Validators agreed: commits the block, or fetches it first.
    pub(super) fn decided(&mut self, certificate: CommitCertificate) -> Result<(), HostError> {
        if certificate.height != self.height() {
            return Ok(());
        }
        self.awaited = Some(certificate);
        self.commit_awaited()?;
        if let Some(CommitCertificate { height, round, value, ref signatures, .. }) = self.awaited
            && let Some((signer, _)) = signatures.iter().next()
        {
            self.deps.net.body(Candidate { height, round, value, proposer: *signer });
        }
        Ok(())
    }

    /// Commits the block that was decided, if it is here.
    pub(super) fn commit_awaited(&mut self) -> Result<(), HostError> {
        let here = |certificate: &mut CommitCertificate| self.chain.holds(&certificate.value);
        let Some(certificate) = self.awaited.take_if(here) else { return Ok(()) };
        if let Some(next) = self.chain.take(&certificate.value) {
            let proposer = self.proposers.get(&certificate.round.0).copied();
            let block = next.block.encode();
            self.commit(&next, &certificate)?;
            self.wait_for_next();
            let own = proposer == Some(self.deps.net.node());
            if let (true, Ok(block), Ok(proof)) = (own, block, certificate.encode()) {
                reach(Point::Announce);
                let announcement = BlockAnnouncement::new(certificate.height, block, proof);
                self.deps.net.publish(BLOCKS.name, announcement.encode().unwrap_or_default());
            }
        }
        Ok(())
    }

    /// A peer announces a committed block; the verdict says whether it is forwarded.
    pub(super) fn on_announcement(
        &mut self,
        peer: NodeId,
        announcement: &BlockAnnouncement,
    ) -> Result<Verdict, HostError> {
        let height = announcement.height;
        if height < self.height() {
            return Ok(Verdict::Ignore);
        }
        let block = announcement.block.as_ref().filter(|_| height == self.height());
        let Some(block) = block else {
            self.catch_up(peer, height);
            return Ok(Verdict::Ignore);
        };
        let Some(certified) = blocks::read(block) else { return Ok(Verdict::Reject) };
        match self.follow(peer, &certified)? {
            FollowOutcome::Disagreed => Ok(Verdict::Reject),
            FollowOutcome::Old => Ok(Verdict::Ignore),
            FollowOutcome::Committed => {
                self.wait_for_next();
                Ok(Verdict::Accept)
            }
        }
    }

    /// Blocks that were decided without this node; what comes after the first that does not hold is dropped.
    pub(super) fn on_blocks_fetched(
        &mut self,
        peer: NodeId,
        blocks: Option<Vec<Certified>>,
    ) -> Result<(), HostError> {
        self.syncing = None;
        let answered = blocks.is_some();
        let blocks = blocks.unwrap_or_default();
        if blocks.len() > 1 && blocks.first().is_some_and(|(block, _)| block.header.height == self.height()) {
            // There may be more: they come while these are looked at.
            self.syncing = Some(Instant::now());
            self.deps.net.blocks(peer, BlockHeight(self.height().0.saturating_add(blocks.len() as u64)));
        }
        if self.follow_all(peer, &blocks)? {
            tracing::info!(height = %self.chain.tip().header.height, %peer, "caught up with blocks of others");
            self.begin_at = Some(Instant::now());
        } else if answered && self.handshake_height.is_none() {
            self.begin_at = Some(Instant::now());
        }
        Ok(())
    }

    /// Writes blocks that others agreed on, all at once; whether there was any.
    fn follow_all(&mut self, peer: NodeId, blocks: &[Certified]) -> Result<bool, HostError> {
        if blocks.is_empty() {
            return Ok(false);
        }
        let store = self.deps.store.clone();
        let (mut batch, mut written) = (store.batch()?, Vec::new());
        for (block, certificate) in blocks {
            match self.verify_next(peer, block, certificate) {
                FollowOutcome::Old => continue,
                FollowOutcome::Disagreed => break,
                FollowOutcome::Committed => {}
            }
            let Some(next) = self.execute(&batch.tree()?, block)? else { continue };
            batch.push(&next, Some(&proof(certificate)?))?;
            self.set_tip(&next);
            written.push((next.block.header.height, next.events, certificate.round));
        }
        let Some((_, _, round)) = written.last() else { return Ok(false) };
        let round = *round;
        batch.commit()?;
        self.deps.wal.next_height()?;
        for (height, events, _) in &written {
            self.deps.receipts.note(*height, events);
        }
        self.start_height(round);
        Ok(true)
    }

    /// A block that others agreed on, if it is the next one.
    fn follow(&mut self, peer: NodeId, (block, certificate): &Certified) -> Result<FollowOutcome, HostError> {
        let followed = self.verify_next(peer, block, certificate);
        if followed == FollowOutcome::Committed
            && let Some(next) = self.execute(&self.deps.store.read()?, block)?
        {
            self.commit(&next, certificate)?;
        }
        Ok(followed)
    }

    /// Verifies that a block is the next one, against the validators that the block before it names.
    fn verify_next(&mut self, peer: NodeId, block: &Block, certificate: &CommitCertificate) -> FollowOutcome {
        let (height, id) = (block.header.height, block.header.id());
        if height != self.height() {
            return FollowOutcome::Old;
        }
        let Some(validators) = self.chain.tip().state.validators() else { return FollowOutcome::Disagreed };
        let agreed = (certificate.height, certificate.value) == (height, id)
            && certificate.verify(validators, &self.chain.tip().header.mesh).is_ok();
        if !agreed {
            tracing::warn!(%peer, %height, "a block with an invalid commit certificate");
            return FollowOutcome::Disagreed;
        }
        self.report_own_signature(certificate);
        FollowOutcome::Committed
    }

    /// Executes a block that validators agreed on. An error means that this node or a third of them is faulty.
    fn execute(&mut self, tree: &impl StateTree, block: &Block) -> Result<Option<Next>, HostError> {
        let (height, id) = (block.header.height, block.header.id());
        self.chain.check(tree, block).map_err(|error| {
            tracing::error!(%height, %error, "the validators' block does not follow");
            HostError::Contradicted { height, id }
        })?;
        Ok(self.chain.take(&id))
    }

    /// Reports a signature of this node's own key to the engine, which may not know it: then another process or an old
    /// backup has signed with this key.
    fn report_own_signature(&mut self, certificate: &CommitCertificate) {
        let own = self.deps.net.node();
        if self.deps.role == ChainRole::Validator
            && let Some(signature) = certificate.signatures.of(&own)
        {
            let vote = SignedStatement { statement: certificate.vote(), signer: own, signature: *signature };
            let began_here =
                self.handshake_height.is_some_and(|met| certificate.height.0 > met.0.saturating_add(1));
            self.inputs.push_back(Input::OwnSignature { vote, began_here });
        }
    }

    /// Schedules the next height or, for a follower, the next request if no peer announces a block.
    fn wait_for_next(&mut self) {
        self.begin_at = Some(match self.deps.role {
            ChainRole::Validator => self.pacemaker.next(Instant::now()),
            ChainRole::Follower => Instant::now() + FOLLOWER_TIMEOUT_BLOCKS * self.deps.block_time,
        });
    }

    fn commit(&mut self, next: &Next, certificate: &CommitCertificate) -> Result<(), HostError> {
        self.deps.store.commit(next, Some(&proof(certificate)?))?;
        self.deps.wal.next_height()?;
        self.deps.receipts.note(next.block.header.height, &next.events);
        self.set_tip(next);
        self.start_height(certificate.round);
        self.commits = self.commits.wrapping_add(1);
        if self.commits == FIRST_REBROADCAST_BLOCKS
            || self.commits.is_multiple_of(REBROADCAST_INTERVAL_BLOCKS)
        {
            self.rebroadcast_pending();
        }
        Ok(())
    }

    /// Makes a block that is final the tip.
    fn set_tip(&mut self, next: &Next) {
        self.deps.metrics.block(next.block.transactions.len());
        self.chain.committed(next);
        let live = self.deps.view.borrow().behind.is_none_or(|behind| behind <= next.block.header.height);
        self.deps.anchoring.committed(self.chain.tip(), live);
    }

    /// The tip has changed: drops the state of the height before.
    fn start_height(&mut self, round: Round) {
        self.prune_pending();
        self.awaited = None;
        self.last_activity = Instant::now();
        self.proposers.clear();
        self.heard.clear();
        self.deps.proposed.clear();
        self.report(round);
        self.span = span::of_height(self.height(), 0);
    }

    fn report(&self, round: Round) {
        let (tip, waiting) = (self.chain.tip().clone(), self.chain.pool().len());
        tracing::debug!(height = %tip.header.height, round = round.0, waiting, "committed");
        // A follower does not know when the height began.
        let took = (self.deps.role == ChainRole::Validator).then(|| self.pacemaker.took(Instant::now()));
        if let Some(took) = took {
            self.deps.metrics.height(took);
        }
        self.deps.view.send_modify(|view| {
            view.behind = view.behind.filter(|behind| *behind > tip.header.height);
            view.silent_through = view.silent_through.filter(|through| *through > tip.header.height);
            (view.committed, view.took) = (Instant::now(), took);
            (view.round, view.waiting, view.stalled) = (0, waiting, None);
            view.tip = tip.into();
        });
    }

    /// Reports why the node stops following the chain, and what to do.
    pub(super) fn fail(&self, error: &DriverError<HostError>) {
        let next = match error {
            DriverError::Host(error) => error.hint(),
            _ => "start this node again, and report it with the log",
        };
        tracing::error!(%error, next, "this node has stopped following the chain");
        self.deps.metrics.refused_blocks.inc();
        self.deps.view.send_modify(|view| view.failed = Some(format!("{error}; {next}")));
    }
}

/// A certificate as it is stored.
fn proof(certificate: &CommitCertificate) -> Result<Vec<u8>, HostError> {
    certificate.encode().map_err(|error| HostError::Wal(std::io::Error::other(error)))
}
