//! Takes blocks that other validators agreed on: one by one as they are announced, or many after an absence.

use std::time::Instant;

use nervure_p2p::Verdict;
use nervure_primitives::{BlockHeight, NodeId};
use nervure_protocol::chain::{BlockAnnouncement, CertifiedBlock};
use nervure_store::{KeptStates, StoreOptions};

use super::{
    super::{
        ChainRole,
        blocks::{self, Certified},
        executor::Followed,
        fetch::BlocksAnswer,
        sync::{FollowOutcome, proves_existence, verify_next},
    },
    Host, HostError,
};
use crate::runtime::clock;

/// The fault of a peer that sends a block that validators did not agree on.
const NOT_AGREED: &str = "a block with an invalid commit certificate";

/// What an operator does whose node lacks blocks that others no longer keep.
const NO_HISTORY_HINT: &str = "begin with the state of a recent block: stop this node, move chain.redb away if it has \
    blocks (never consensus.wal), and start it with --checkpoint HEIGHT:BLOCK (nervure checkpoint list on a node that you \
    trust), or connect it to a node that keeps all blocks (--history archive)";

impl Host {
    /// A peer claims to be ahead: asks it for the missing blocks.
    pub(super) fn catch_up(&mut self, peer: NodeId) {
        if self.sync.on_claim(peer, Instant::now()) {
            self.deps.net.blocks(peer, self.height());
        }
    }

    /// A peer sent what no honest node sends: counts it, and asks others from now on.
    pub(in super::super) fn on_fault(&mut self, peer: NodeId, what: &dyn std::fmt::Display) {
        tracing::warn!(%peer, fault = %what, "a peer sent an invalid block; it is not asked for a time");
        self.deps.metrics.peer_faults.inc();
        self.sync.on_fault(peer, Instant::now());
    }

    /// No peer is left to be asked for the next block. When all of them have only later ones, says so, and what to do.
    pub(in super::super) fn on_no_peer_to_ask(&mut self) {
        let Some(from) = self.sync.pruned_from() else { return };
        let height = self.height();
        let why = format!(
            "no connected node has block {height} any more: they have blocks from {from} on; {}",
            NO_HISTORY_HINT
        );
        if self.deps.view.borrow().no_history.is_none() {
            tracing::warn!(%height, "{why}");
        }
        self.deps.view.send_modify(|view| view.no_history = Some(why));
    }

    /// Peers were asked for their heights: this node begins with what it has learned.
    pub(in super::super) fn on_handshake_done(&mut self) {
        if self.sync.is_in_handshake() {
            self.schedule.begin_at(Instant::now());
        }
    }

    /// A peer announces a committed block; the verdict says whether it is forwarded.
    pub(in super::super) fn on_announcement(
        &mut self,
        peer: NodeId,
        announcement: &BlockAnnouncement,
    ) -> Result<Verdict, HostError> {
        let height = announcement.height;
        // Before the block is decoded: old announcements cost a peer nothing and must cost this node nothing.
        if height < self.height() {
            return Ok(Verdict::Ignore);
        }
        let Some(block) = &announcement.block else {
            self.catch_up(peer);
            return Ok(Verdict::Ignore);
        };
        if height > self.height() {
            return Ok(self.on_later_block(peer, height, block));
        }
        let certified = match blocks::read(block) {
            Ok(certified) => certified,
            Err(invalid) => {
                self.on_fault(peer, &invalid);
                return Ok(Verdict::Reject);
            }
        };
        match self.follow(peer, &certified)? {
            FollowOutcome::Disagreed => Ok(Verdict::Reject),
            FollowOutcome::Old => Ok(Verdict::Ignore),
            FollowOutcome::Committed => {
                self.wait_for_next();
                Ok(Verdict::Accept)
            }
        }
    }

    /// A peer announces a block of a height after the next one: believes the height if a certificate proves it, and asks
    /// the peer for what is missing.
    fn on_later_block(&mut self, peer: NodeId, height: BlockHeight, block: &CertifiedBlock) -> Verdict {
        // A height that is known already is not worth the signatures of a certificate.
        if self.sync.behind() < Some(height) {
            match blocks::read(block) {
                Ok(certified) if certified.0.header.height != height => {
                    self.on_fault(peer, &"an announcement with the block of another height");
                    return Verdict::Reject;
                }
                Ok(certified) if proves_existence(self.deps.executor.tip(), &certified) => {
                    self.sync.on_proof(height);
                    self.deps.view.send_modify(|view| view.behind = self.sync.behind());
                }
                // The validators may be others by then: it is a claim like one without a certificate.
                Ok(_) => {}
                Err(invalid) => {
                    self.on_fault(peer, &invalid);
                    return Verdict::Reject;
                }
            }
        }
        self.catch_up(peer);
        Verdict::Ignore
    }

    /// Blocks that were decided without this node; what comes after the first that does not hold is dropped.
    pub(in super::super) fn on_blocks_answer(
        &mut self,
        peer: NodeId,
        answer: BlocksAnswer,
    ) -> Result<(), HostError> {
        let blocks = match answer {
            BlocksAnswer::Blocks(blocks) => {
                if blocks.is_empty() && !self.deps.view.borrow().is_current {
                    self.deps.view.send_modify(|view| view.is_current = true);
                }
                blocks
            }
            BlocksAnswer::Pruned(from) => {
                tracing::debug!(%peer, %from, height = %self.height(), "the peer no longer has the next block");
                self.sync.on_pruned(peer, from);
                self.deps.net.poll(self.height(), self.sync.not_asked(Instant::now()));
                return Ok(());
            }
            BlocksAnswer::Silent => Vec::new(),
            BlocksAnswer::Invalid(invalid) => {
                self.on_fault(peer, &invalid);
                return Ok(());
            }
        };
        if let Some(height) = self.sync.on_response(peer, &blocks, self.height(), Instant::now()) {
            self.deps.net.blocks(peer, height);
        }
        if self.follow_all(peer, &blocks)? {
            let height = self.deps.executor.tip().header.height;
            tracing::info!(%height, %peer, "caught up with blocks of others");
            self.schedule.begin_at(Instant::now());
        }
        Ok(())
    }

    /// Commits blocks that others agreed on, all at once; whether there was any.
    fn follow_all(&mut self, peer: NodeId, blocks: &[Certified]) -> Result<bool, HostError> {
        let states = self.states_of(blocks);
        let Self { deps, sync, inputs, .. } = self;
        let own = deps.net.node();
        let mut own_signatures = Vec::new();
        let followed = deps.executor.follow_all(blocks, states, |tip, certificate| {
            own_signatures.extend(sync.own_signature(certificate, own));
            deps.anchoring.committed(tip, sync.is_live(tip.header.height));
        });
        // Before the error is returned below: a foreign signature of this key matters whatever became of the
        // blocks.
        if deps.role == ChainRole::Validator {
            inputs.extend(own_signatures);
        }
        let Followed { round, is_disagreed } = followed?;
        if is_disagreed {
            self.on_fault(peer, &NOT_AGREED);
        }
        let Some(round) = round else { return Ok(false) };
        // One block is what a poll at the tip brings: the node was not away.
        if blocks.len() > 1 {
            self.alerts.on_catch_up();
        }
        self.start_height(round);
        Ok(true)
    }

    /// Which states of `blocks` are kept: only the last one when none of them would be by the time that this node has
    /// caught up, since blocks come at a steady rate.
    fn states_of(&self, blocks: &[Certified]) -> KeptStates {
        let retain = u32::try_from(StoreOptions::default().retain).unwrap_or(u32::MAX);
        let last = blocks.last().map(|(block, _)| clock::now().since(block.header.time));
        match last > Some(self.deps.block_time.saturating_mul(retain)) {
            true => KeptStates::Last,
            false => KeptStates::All,
        }
    }

    /// A block that others agreed on, if it is the next one.
    fn follow(&mut self, peer: NodeId, (block, certificate): &Certified) -> Result<FollowOutcome, HostError> {
        let outcome = verify_next(self.deps.executor.tip(), block, certificate);
        match outcome {
            FollowOutcome::Old => {}
            FollowOutcome::Disagreed => self.on_fault(peer, &NOT_AGREED),
            FollowOutcome::Committed => {
                if self.deps.role == ChainRole::Validator {
                    self.inputs.extend(self.sync.own_signature(certificate, self.deps.net.node()));
                }
                if self.deps.executor.follow(block, certificate)? {
                    self.on_commit(certificate.round);
                }
            }
        }
        Ok(outcome)
    }
}
