//! Catching up: when this node asks peers for blocks, and which of their blocks it takes.
//!
//! What a hostile peer can do: announce heights that do not exist, which costs one request at a time; and answer with
//! blocks that validators did not agree on, which end at their certificate.

use std::time::{Duration, Instant};

use nervure_consensus::{
    bft::{Input, SignedStatement},
    checkpoint::CommitCertificate,
};
use nervure_ledger::{block::Block, chain::Tip};
use nervure_primitives::{BlockHeight, NodeId};

use super::blocks::Certified;

/// How long a response with blocks may take before another peer is asked.
const SYNC_TIMEOUT: Duration = Duration::from_secs(10);

/// What a block that other validators agreed on is to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FollowOutcome {
    /// It is the next one, and validators agreed on it.
    Committed,
    /// It is not the next one.
    Old,
    /// Validators did not agree on it.
    Disagreed,
}

/// Which blocks are requested, and how far this node is behind.
#[derive(Debug, Default)]
pub(super) struct BlockSync {
    /// Since when blocks are awaited that others have.
    requested_at: Option<Instant>,
    /// The highest block that a peer announced, while this node does not have it.
    behind: Option<BlockHeight>,
    /// This node's height when it first learned the height of a peer; none before that.
    handshake_height: Option<BlockHeight>,
}

impl BlockSync {
    /// A peer has the block at `height`, which this node lacks. Returns whether to ask it for blocks now: one request
    /// at a time.
    pub(super) fn on_peer_ahead(&mut self, height: BlockHeight, now: Instant) -> bool {
        self.behind = self.behind.max(Some(height));
        let is_awaited =
            self.requested_at.is_some_and(|since| now.saturating_duration_since(since) < SYNC_TIMEOUT);
        if !is_awaited {
            self.requested_at = Some(now);
        }
        !is_awaited
    }

    /// A response with `blocks` has arrived, and `next` is the height that this node decides. Returns the height to
    /// ask the same peer for: there may be more blocks, which arrive while these are executed.
    pub(super) fn on_response(
        &mut self,
        blocks: &[Certified],
        next: BlockHeight,
        now: Instant,
    ) -> Option<BlockHeight> {
        let is_next = blocks.first().is_some_and(|(block, _)| block.header.height == next);
        let more =
            (blocks.len() > 1 && is_next).then(|| BlockHeight(next.0.saturating_add(blocks.len() as u64)));
        self.requested_at = more.map(|_| now);
        more
    }

    /// The highest block that a peer announced, while this node does not have it.
    pub(super) const fn behind(&self) -> Option<BlockHeight> {
        self.behind
    }

    /// Whether no peer is known to have a block after `height`.
    pub(super) fn is_live(&self, height: BlockHeight) -> bool {
        self.behind.is_none_or(|behind| behind <= height)
    }

    /// The block at `height` was committed.
    pub(super) fn on_commit(&mut self, height: BlockHeight) {
        self.behind = self.behind.filter(|behind| *behind > height);
    }

    /// This node, at `height`, knows the height of a peer or has waited long enough for it.
    pub(super) fn end_handshake(&mut self, height: BlockHeight) {
        self.handshake_height.get_or_insert(height);
    }

    /// Whether no height of a peer is known yet.
    pub(super) const fn is_in_handshake(&self) -> bool {
        self.handshake_height.is_none()
    }

    /// A signature of this node's `own` key in a certificate of others, for the engine, which may not know it: then
    /// another process or an old backup has signed with this key.
    pub(super) fn own_signature(&self, certificate: &CommitCertificate, own: NodeId) -> Option<Input> {
        let signature = certificate.signatures.of(&own)?;
        let vote = SignedStatement { statement: certificate.vote(), signer: own, signature: *signature };
        let began_here =
            self.handshake_height.is_some_and(|met| certificate.height.0 > met.0.saturating_add(1));
        Some(Input::OwnSignature { vote, began_here })
    }
}

/// Verifies that a block is the next one after `tip`, and that the validators that `tip` names agreed on it.
pub(super) fn verify_next(tip: &Tip, block: &Block, certificate: &CommitCertificate) -> FollowOutcome {
    let (height, id) = (block.header.height, block.header.id());
    if height.0 != tip.header.height.0.saturating_add(1) {
        return FollowOutcome::Old;
    }
    let Some(validators) = tip.state.validators() else { return FollowOutcome::Disagreed };
    let is_agreed = (certificate.height, certificate.value) == (height, id)
        && certificate.verify(validators, &tip.header.mesh).is_ok();
    match is_agreed {
        true => FollowOutcome::Committed,
        false => FollowOutcome::Disagreed,
    }
}

#[cfg(test)]
mod tests;
