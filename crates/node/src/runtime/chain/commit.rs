//! Decided blocks: committed one by one, or many when this node was away.

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
    ChainCounters, Part,
    blocks::{self, Certified},
    host::{Host, HostError},
};

/// After how many block times without a block a follower asks for it.
const PATIENCE: u32 = 3;

/// After how many blocks since the start own transactions that still wait are said again, and then after how many.
const FIRST_SAID: u32 = 2;
const SAY_AGAIN: u32 = 64;

/// What became of a block of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Followed {
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
            self.parts.net.body(Candidate { height, round, value, proposer: *signer });
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
            let own = proposer == Some(self.parts.net.node());
            if let (true, Ok(block), Ok(proof)) = (own, block, certificate.encode()) {
                reach(Point::Announce);
                let announcement = BlockAnnouncement::new(certificate.height, block, proof);
                self.parts.net.publish(BLOCKS.name, announcement.encode().unwrap_or_default());
            }
        }
        Ok(())
    }

    /// A peer says that a block is committed; the verdict says whether it goes on to others.
    pub(super) fn announced(
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
            Followed::Disagreed => Ok(Verdict::Reject),
            Followed::Old => Ok(Verdict::Ignore),
            Followed::Committed => {
                self.wait_for_next();
                Ok(Verdict::Accept)
            }
        }
    }

    /// Blocks that were decided without this node; what comes after the first that does not hold is dropped.
    pub(super) fn take_blocks(
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
            self.parts.net.blocks(peer, BlockHeight(self.height().0.saturating_add(blocks.len() as u64)));
        }
        if self.follow_all(peer, &blocks)? {
            tracing::info!(height = %self.chain.tip().header.height, %peer, "caught up with blocks of others");
            self.begin_at = Some(Instant::now());
        } else if answered && self.met_at.is_none() {
            self.begin_at = Some(Instant::now());
        }
        Ok(())
    }

    /// Writes blocks that others agreed on, all at once; whether there was any.
    fn follow_all(&mut self, peer: NodeId, blocks: &[Certified]) -> Result<bool, HostError> {
        if blocks.is_empty() {
            return Ok(false);
        }
        let store = self.parts.store.clone();
        let (mut batch, mut written) = (store.batch()?, Vec::new());
        for (block, certificate) in blocks {
            match self.may_follow(peer, block, certificate) {
                Followed::Old => continue,
                Followed::Disagreed => break,
                Followed::Committed => {}
            }
            let Some(next) = self.carry_out(&batch.tree()?, block)? else { continue };
            batch.push(&next, Some(&proof(certificate)?))?;
            self.move_on(&next);
            written.push((next.block.header.height, next.events, certificate.round));
        }
        let Some((_, _, round)) = written.last() else { return Ok(false) };
        let round = *round;
        batch.commit()?;
        self.parts.wal.next_height()?;
        for (height, events, _) in &written {
            self.parts.settled.note(*height, events);
        }
        self.went_on(round);
        Ok(true)
    }

    /// A block that others agreed on, if it is the next one.
    fn follow(&mut self, peer: NodeId, (block, certificate): &Certified) -> Result<Followed, HostError> {
        let followed = self.may_follow(peer, block, certificate);
        if followed == Followed::Committed
            && let Some(next) = self.carry_out(&self.parts.store.read()?, block)?
        {
            self.commit(&next, certificate)?;
        }
        Ok(followed)
    }

    /// Whether a block is the next one, verified against the validators that the block before it names.
    fn may_follow(&mut self, peer: NodeId, block: &Block, certificate: &CommitCertificate) -> Followed {
        let (height, id) = (block.header.height, block.header.id());
        if height != self.height() {
            return Followed::Old;
        }
        let Some(validators) = self.chain.tip().state.validators() else { return Followed::Disagreed };
        let agreed = (certificate.height, certificate.value) == (height, id)
            && certificate.verify(validators, &self.chain.tip().header.mesh).is_ok();
        if !agreed {
            tracing::warn!(%peer, %height, "a block without the validators' agreement");
            return Followed::Disagreed;
        }
        self.look_for_own(certificate);
        Followed::Committed
    }

    /// What a block does that validators agreed on. If it cannot follow, something is broken.
    fn carry_out(&mut self, tree: &impl StateTree, block: &Block) -> Result<Option<Next>, HostError> {
        let (height, id) = (block.header.height, block.header.id());
        self.chain.check(tree, block).map_err(|error| {
            tracing::error!(%height, %error, "the validators' block does not follow");
            HostError::Contradicted { height, id }
        })?;
        Ok(self.chain.take(&id))
    }

    /// Shows the engine a signature of this node's key, which it may not know of.
    fn look_for_own(&mut self, certificate: &CommitCertificate) {
        let own = self.parts.net.node();
        if self.parts.part == Part::Validator
            && let Some(signature) = certificate.signatures.of(&own)
        {
            let vote = SignedStatement { statement: certificate.vote(), signer: own, signature: *signature };
            let began_here = self.met_at.is_some_and(|met| certificate.height.0 > met.0.saturating_add(1));
            self.inputs.push_back(Input::OwnSignature { vote, began_here });
        }
    }

    /// When the next height begins, or, for a follower, when it is asked for if nobody announces it.
    fn wait_for_next(&mut self) {
        self.begin_at = Some(match self.parts.part {
            Part::Validator => self.pace.next(Instant::now()),
            Part::Follower => Instant::now() + PATIENCE * self.parts.block_time,
        });
    }

    fn commit(&mut self, next: &Next, certificate: &CommitCertificate) -> Result<(), HostError> {
        self.parts.store.commit(next, Some(&proof(certificate)?))?;
        self.parts.wal.next_height()?;
        self.parts.settled.note(next.block.header.height, &next.events);
        self.move_on(next);
        self.went_on(certificate.round);
        self.commits = self.commits.wrapping_add(1);
        if self.commits == FIRST_SAID || self.commits.is_multiple_of(SAY_AGAIN) {
            self.say_pending();
        }
        Ok(())
    }

    /// Makes a block that is final the tip.
    fn move_on(&mut self, next: &Next) {
        self.chain.committed(next);
        let live = self.parts.view.borrow().behind.is_none_or(|behind| behind <= next.block.header.height);
        self.parts.anchoring.committed(self.chain.tip(), live);
    }

    /// The tip is another: forgets what was about the height before.
    fn went_on(&mut self, round: Round) {
        self.settle_pending();
        self.awaited = None;
        self.stirred = Instant::now();
        self.proposers.clear();
        self.heard.clear();
        self.parts.bodies.clear();
        self.report(round);
    }

    fn report(&self, round: Round) {
        let (tip, waiting) = (self.chain.tip().clone(), self.chain.pool().len());
        tracing::debug!(height = %tip.header.height, round = round.0, waiting, "committed");
        // A follower does not know when the height began.
        let took = (self.parts.part == Part::Validator).then(|| self.pace.took(Instant::now()));
        self.parts.view.send_modify(|view| {
            view.behind = view.behind.filter(|behind| *behind > tip.header.height);
            view.silent_through = view.silent_through.filter(|through| *through > tip.header.height);
            (view.committed, view.took) = (Instant::now(), took);
            (view.round, view.waiting, view.stalled) = (0, waiting, None);
            view.tip = tip.into();
        });
    }

    /// Ends: says why, and what to do.
    pub(super) fn fail(&self, error: &DriverError<HostError>) {
        let next = match error {
            DriverError::Host(error) => error.hint(),
            _ => "start this node again, and report it with the log",
        };
        tracing::error!(%error, next, "this node follows the chain no more");
        ChainCounters::count(&self.parts.counters.refused_blocks);
        self.parts.view.send_modify(|view| view.failed = Some(format!("{error}; {next}")));
    }
}

/// A certificate as it is kept.
fn proof(certificate: &CommitCertificate) -> Result<Vec<u8>, HostError> {
    certificate.encode().map_err(|error| HostError::Wal(std::io::Error::other(error)))
}
