//! Takes blocks that other validators agreed on: one by one as they are announced, or many after an absence.

use std::time::Instant;

use nervure_p2p::Verdict;
use nervure_primitives::{BlockHeight, NodeId};
use nervure_protocol::chain::BlockAnnouncement;

use super::{
    super::{
        ChainRole,
        blocks::{self, Certified},
        sync::{FollowOutcome, verify_next},
    },
    Host, HostError,
};

impl Host {
    /// A peer is ahead: asks for the missing blocks.
    pub(super) fn catch_up(&mut self, peer: NodeId, height: BlockHeight) {
        let may_ask = self.sync.on_peer_ahead(height, Instant::now());
        self.deps.view.send_modify(|view| view.behind = self.sync.behind());
        if may_ask {
            self.deps.net.blocks(peer, self.height());
        }
    }

    /// A peer announces a committed block; the verdict says whether it is forwarded.
    pub(in super::super) fn on_announcement(
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
    pub(in super::super) fn on_blocks_fetched(
        &mut self,
        peer: NodeId,
        blocks: Option<Vec<Certified>>,
    ) -> Result<(), HostError> {
        let is_answered = blocks.is_some();
        let blocks = blocks.unwrap_or_default();
        if let Some(height) = self.sync.on_response(&blocks, self.height(), Instant::now()) {
            self.deps.net.blocks(peer, height);
        }
        if self.follow_all(peer, &blocks)? {
            let height = self.deps.executor.tip().header.height;
            tracing::info!(%height, %peer, "caught up with blocks of others");
            self.schedule.begin_at(Instant::now());
        } else if is_answered && self.sync.is_in_handshake() {
            self.schedule.begin_at(Instant::now());
        }
        Ok(())
    }

    /// Commits blocks that others agreed on, all at once; whether there was any.
    fn follow_all(&mut self, peer: NodeId, blocks: &[Certified]) -> Result<bool, HostError> {
        let Self { deps, sync, inputs, .. } = self;
        let (own, role) = (deps.net.node(), deps.role);
        let mut own_signatures = Vec::new();
        let round = deps.executor.follow_all(
            blocks,
            |tip, (block, certificate)| {
                let outcome = verify_next(tip, block, certificate);
                match outcome {
                    FollowOutcome::Committed => own_signatures.extend(sync.own_signature(certificate, own)),
                    FollowOutcome::Disagreed => warn_of_certificate(peer, block.header.height),
                    FollowOutcome::Old => {}
                }
                outcome
            },
            |tip| deps.anchoring.committed(tip, sync.is_live(tip.header.height)),
        );
        if role == ChainRole::Validator {
            inputs.extend(own_signatures);
        }
        let Some(round) = round? else { return Ok(false) };
        self.start_height(round);
        Ok(true)
    }

    /// A block that others agreed on, if it is the next one.
    fn follow(&mut self, peer: NodeId, (block, certificate): &Certified) -> Result<FollowOutcome, HostError> {
        let outcome = verify_next(self.deps.executor.tip(), block, certificate);
        match outcome {
            FollowOutcome::Old => {}
            FollowOutcome::Disagreed => warn_of_certificate(peer, block.header.height),
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

fn warn_of_certificate(peer: NodeId, height: BlockHeight) {
    tracing::warn!(%peer, %height, "a block with an invalid commit certificate");
}
