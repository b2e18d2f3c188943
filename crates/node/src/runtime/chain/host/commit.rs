//! Commits blocks that this node decided with the other validators, and begins the height after.

use std::time::Instant;

use nervure_consensus::{
    bft::{Candidate, Round},
    checkpoint::CommitCertificate,
};
use nervure_primitives::Hash;
use nervure_protocol::{chain::BlockAnnouncement, topics::BLOCKS};
use nervure_store::fail_point::{Point, reach};

use super::{
    super::{ChainRole, alerts::AfterBlock, span},
    CurrentHeight, Host, HostDeps, HostError,
};

/// A follower asks for the next block after this many block times without one.
const FOLLOWER_TIMEOUT_BLOCKS: u32 = 3;

impl Host {
    /// Validators agreed: commits the block, or fetches it first.
    pub(super) fn decided(&mut self, certificate: CommitCertificate) -> Result<(), HostError> {
        if certificate.height != self.height() {
            return Ok(());
        }
        self.current.awaited = Some(certificate);
        self.commit_awaited()?;
        // Still awaited: the block was not here. Any signer has it, since it signed only after it had
        // validated the block.
        if let Some(CommitCertificate { height, round, value, ref signatures }) = self.current.awaited
            && let Some((signer, _)) = signatures.iter().next()
        {
            let candidate = Candidate { height, round, value, proposer: *signer };
            self.deps.net.body(candidate, self.sync.paused(Instant::now()));
        }
        Ok(())
    }

    /// Commits the block that was decided, if it is here.
    pub(super) fn commit_awaited(&mut self) -> Result<(), HostError> {
        let executor = &mut self.deps.executor;
        let is_here = |certificate: &mut CommitCertificate| executor.holds(&certificate.value);
        let Some(certificate) = self.current.awaited.take_if(is_here) else { return Ok(()) };
        if let Some(next) = executor.take(&certificate.value) {
            let proposer = self.current.proposers.get(&certificate.round.0).copied();
            let block = next.block.encode();
            executor.commit(&next, &certificate)?;
            self.on_commit(certificate.round);
            self.wait_for_next();
            // The proposer alone announces: with every validator doing so, each block would be sent once per
            // validator.
            let is_own = proposer == Some(self.deps.net.node());
            if let (true, Ok(block), Ok(proof)) = (is_own, block, certificate.encode()) {
                reach(Point::Announce);
                let announcement = BlockAnnouncement::new(certificate.height, block, proof);
                self.deps.net.publish(BLOCKS.name, announcement.encode().unwrap_or_default());
            }
        }
        Ok(())
    }

    /// One block was committed as it came.
    pub(super) fn on_commit(&mut self, round: Round) {
        self.report_final();
        self.start_height(round);
        self.report_equivocation();
        for (id, bytes) in self.deps.pending.due_broadcasts() {
            self.publish_transaction(id, bytes);
        }
    }

    /// Schedules the next height or, for a follower, the next request if no peer announces a block.
    pub(super) fn wait_for_next(&mut self) {
        self.schedule.begin_at(match self.deps.role {
            ChainRole::Validator => self.pacemaker.next(Instant::now()),
            ChainRole::Follower => Instant::now() + FOLLOWER_TIMEOUT_BLOCKS * self.deps.block_time,
        });
    }

    /// The tip is final: a checkpoint of it can be signed.
    fn report_final(&self) {
        let tip = self.deps.executor.tip();
        self.deps.anchoring.committed(tip, self.sync.is_live(tip.header.height));
    }

    /// The tip has changed: drops the state of the height before.
    pub(super) fn start_height(&mut self, round: Round) {
        self.prune_pending();
        self.note_validators(round);
        self.current = CurrentHeight::default();
        self.stalls.on_commit(Instant::now());
        self.sync.on_commit(self.deps.executor.tip().header.height);
        self.report(round);
        self.span = span::of_height(self.height(), 0);
    }

    /// Notes who did not propose, what validators missed by the ledger, and what is wrong with this node's own part.
    fn note_validators(&mut self, round: Round) {
        let HostDeps { executor, metrics, net, .. } = &self.deps;
        for (_, proposer) in self.current.proposers.range(..round.0) {
            metrics.validators().missed_proposal(proposer);
        }
        let tip = executor.tip();
        for (member, liveness) in tip.state.roster().liveness() {
            metrics.validators().liveness(member, liveness.missed.count(), liveness.silent);
        }
        self.alerts.on_block(&AfterBlock {
            height: tip.header.height,
            outcome: |id: &Hash| executor.outcome(id),
            is_pending: |id: &Hash| executor.pool().contains(id),
            silent: tip.state.roster().liveness_of(&net.node()).map(|liveness| liveness.silent),
        });
    }

    fn report(&self, round: Round) {
        let (tip, waiting) = (self.deps.executor.tip().clone(), self.deps.executor.pool().len());
        tracing::debug!(height = %tip.header.height, round = round.0, waiting, "committed");
        // A follower does not know when the height began.
        let took = (self.deps.role == ChainRole::Validator).then(|| self.pacemaker.took(Instant::now()));
        if let Some(took) = took {
            self.deps.metrics.height(took);
        }
        let (going_tip, from) = (self.going_tip(), self.deps.executor.blocks_from());
        self.deps.view.send_modify(|view| {
            view.history.from = from.unwrap_or(view.history.from);
            view.no_history = None;
            view.alerts.clone_from(self.alerts.active());
            view.going_tip = going_tip;
            view.behind = self.sync.behind();
            view.silent_through = view.silent_through.filter(|through| *through > tip.header.height);
            (view.committed, view.took) = (Instant::now(), took);
            (view.round, view.waiting, view.stalled) = (0, waiting, None);
            view.tip = tip.into();
        });
    }
}
