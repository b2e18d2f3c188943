//! Decided blocks: committed one by one, or many when this node was away.

use std::time::Instant;

use nervure_consensus::{
    bft::{Candidate, DriverError, Input, Round, Signed},
    checkpoint::CommitCertificate,
};
use nervure_ledger::{
    chain::Next,
    fail_point::{Point, reach},
};
use nervure_p2p::Verdict;
use nervure_primitives::NodeId;

use super::{
    ChainCounters, Part,
    blocks::{self, Certified, MOST},
    gossip::{Announcement, BLOCKS},
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
    /// It is committed.
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
            self.commit(next, &certificate, true)?;
            self.wait_for_next();
            let own = proposer == Some(self.parts.net.node());
            if let (true, Ok(block), Ok(proof)) = (own, block, certificate.encode()) {
                reach(Point::Announce);
                let announcement = Announcement::encode(certificate.height, block, proof);
                self.parts.net.publish(BLOCKS, announcement);
            }
        }
        Ok(())
    }

    /// A peer says that a block is committed; the verdict says whether it goes on to others.
    pub(super) fn announced(
        &mut self,
        peer: NodeId,
        announcement: &Announcement,
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
        match self.follow(peer, certified, true)? {
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
        let (count, before) = (blocks.len(), self.chain.tip().header.height);
        for (number, certified) in blocks.into_iter().enumerate() {
            if self.follow(peer, certified, number + 1 == count)? == Followed::Disagreed {
                break;
            }
        }
        if self.chain.tip().header.height > before {
            tracing::info!(height = %self.chain.tip().header.height, %peer, "caught up with blocks of others");
            self.begin_at = Some(Instant::now());
            if count == usize::from(MOST) {
                self.syncing = Some(Instant::now());
                self.parts.net.blocks(peer, self.height());
            }
        } else if answered && self.met_at.is_none() {
            self.begin_at = Some(Instant::now());
        }
        Ok(())
    }

    /// A block that others agreed on, verified against the validators that the block before it names.
    fn follow(
        &mut self,
        peer: NodeId,
        (block, certificate): Certified,
        durable: bool,
    ) -> Result<Followed, HostError> {
        let (height, id) = (block.header.height, block.header.id());
        if height != self.height() {
            return Ok(Followed::Old);
        }
        let Some(validators) = self.chain.tip().state.validators() else { return Ok(Followed::Disagreed) };
        let agreed = (certificate.height, certificate.value) == (height, id)
            && certificate.verify(validators, &self.chain.tip().header.mesh).is_ok();
        if !agreed {
            tracing::warn!(%peer, %height, "a block without the validators' agreement");
            return Ok(Followed::Disagreed);
        }
        self.look_for_own(&certificate);
        self.chain.check(&self.parts.store.read()?, &block).map_err(|error| {
            tracing::error!(%height, %error, "the validators' block does not follow");
            HostError::Contradicted { height, id }
        })?;
        if let Some(next) = self.chain.take(&id) {
            self.commit(next, &certificate, durable)?;
        }
        Ok(Followed::Committed)
    }

    /// Shows the engine a signature of this node's key, which it may not know of.
    fn look_for_own(&mut self, certificate: &CommitCertificate) {
        let own = self.parts.net.node();
        if self.parts.part == Part::Validator
            && let Some(signature) = certificate.signatures.of(&own)
        {
            let vote = Signed { statement: certificate.vote(), signer: own, signature: *signature };
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

    fn commit(
        &mut self,
        next: Next,
        certificate: &CommitCertificate,
        durable: bool,
    ) -> Result<(), HostError> {
        let proof = certificate.encode().map_err(|error| HostError::Wal(std::io::Error::other(error)))?;
        match durable {
            true => self.parts.store.commit(&next, Some(&proof))?,
            false => self.parts.store.commit_soon(&next, Some(&proof))?,
        }
        if durable {
            self.parts.wal.next_height()?;
        }
        self.parts.settled.note(next.block.header.height, &next.events);
        self.chain.committed(&next);
        self.settle_pending();
        if durable {
            self.commits = self.commits.wrapping_add(1);
            if self.commits == FIRST_SAID || self.commits.is_multiple_of(SAY_AGAIN) {
                self.say_pending();
            }
        }
        self.awaited = None;
        self.stirred = Instant::now();
        self.proposers.clear();
        self.heard.clear();
        self.parts.bodies.clear();
        let live = self.parts.view.borrow().behind.is_none_or(|behind| behind <= next.block.header.height);
        self.parts.anchoring.committed(self.chain.tip(), live);
        self.report(certificate.round);
        Ok(())
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
