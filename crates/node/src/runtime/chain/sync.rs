//! Catching up: when this node asks peers for blocks, and which of their blocks it takes.
//!
//! A *claim* is a peer's word that it has blocks that this node lacks. A claim is worth a request; only a certificate
//! makes this node say that it is behind.
//!
//! What a hostile peer can do: claim heights that do not exist, which costs one request at a time and is not
//! believed; be silent when it is asked, which delays this node by [`HEDGE_DELAY`], until it asks another; and
//! answer with what validators did not agree on, which ends at its certificate, and the peer is not asked again for
//! [`FAULT_PAUSE`].

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use nervure_consensus::{
    bft::{Input, SignedStatement},
    checkpoint::CommitCertificate,
};
use nervure_ledger::{block::Block, chain::Tip};
use nervure_primitives::{BlockHeight, NodeId};

use super::blocks::Certified;

/// How long a response with blocks may take before its request counts as lost.
const SYNC_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a request may run before another peer that claims blocks is asked as well.
const HEDGE_DELAY: Duration = Duration::from_secs(2);

/// Requests that run at once, each to another peer.
const MAX_REQUESTS: usize = 3;

/// How long a peer that sent invalid blocks is not asked for any.
const FAULT_PAUSE: Duration = Duration::from_secs(600);

/// How long a peer that claimed blocks and had none is not asked for any.
const EMPTY_CLAIM_PAUSE: Duration = Duration::from_secs(5);

/// Peers that are not asked for a time. With more, the one whose pause ends first is asked again: peers are
/// connections, of which a node has fewer.
const MAX_PAUSED_PEERS: usize = 1_024;

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

/// A request for blocks that is not answered yet.
#[derive(Clone, Copy, Debug)]
struct Request {
    asked_at: Instant,
    /// Whether the peer claimed to have blocks. Otherwise it is asked again because its last answer had many.
    is_claimed: bool,
}

/// Which blocks are requested, of whom, and how far this node is behind.
#[derive(Debug, Default)]
pub(super) struct BlockSync {
    /// Peers that were asked for blocks and have not answered.
    requests: BTreeMap<NodeId, Request>,
    /// Peers that are not asked, and until when.
    paused: BTreeMap<NodeId, Instant>,
    /// Peers that no longer have the next block, and from which height on they have some.
    pruned: BTreeMap<NodeId, BlockHeight>,
    /// The highest block that a certificate proved to exist, while this node does not have it.
    behind: Option<BlockHeight>,
    /// This node's height when it first learned the height of a peer; none before that.
    handshake_height: Option<BlockHeight>,
}

impl BlockSync {
    /// `peer` claims to have a block that this node lacks. Returns whether to ask it for blocks now: another peer is
    /// asked beside the first only when that one is slow.
    pub(super) fn on_claim(&mut self, peer: NodeId, now: Instant) -> bool {
        let age = |request: &Request| now.saturating_duration_since(request.asked_at);
        self.requests.retain(|_, request| age(request) < SYNC_TIMEOUT);
        // True also without requests: then the first peer that claims blocks is asked at once.
        let is_slow = self.requests.values().all(|request| age(request) >= HEDGE_DELAY);
        let may_ask = is_slow
            && self.requests.len() < MAX_REQUESTS
            && !self.requests.contains_key(&peer)
            && !self.pruned.contains_key(&peer)
            && !self.is_paused(&peer, now);
        if may_ask {
            self.requests.insert(peer, Request { asked_at: now, is_claimed: true });
        }
        may_ask
    }

    /// A certificate proved that there is a block at `height`.
    pub(super) fn on_proof(&mut self, height: BlockHeight) {
        self.behind = self.behind.max(Some(height));
    }

    /// A response of `peer` with `blocks` has arrived, and `next` is the height that this node decides. Returns the
    /// height to ask the same peer for: there may be more blocks, which arrive while these are executed.
    pub(super) fn on_response(
        &mut self,
        peer: NodeId,
        blocks: &[Certified],
        next: BlockHeight,
        now: Instant,
    ) -> Option<BlockHeight> {
        let was_claimed = self.requests.remove(&peer).is_some_and(|request| request.is_claimed);
        // Polled peers are not among the requests: they claim nothing, and may have no block.
        if blocks.is_empty() && was_claimed {
            self.pause(peer, now, EMPTY_CLAIM_PAUSE);
        }
        let is_next = blocks.first().is_some_and(|(block, _)| block.header.height == next);
        // A single block is what a peer at the tip sends: asking it again would cost a request per block.
        let more =
            (blocks.len() > 1 && is_next).then(|| BlockHeight(next.0.saturating_add(blocks.len() as u64)));
        if more.is_some() {
            self.requests.insert(peer, Request { asked_at: now, is_claimed: false });
        }
        more
    }

    /// `peer` has blocks from `from` on, and no longer the next one: it is not asked until this node gets there. That is no
    /// fault, and a peer that lies about it is like one that is silent.
    pub(super) fn on_pruned(&mut self, peer: NodeId, from: BlockHeight) {
        self.requests.remove(&peer);
        self.pruned.insert(peer, from);
        if self.pruned.len() > MAX_PAUSED_PEERS
            && let Some(first) = self.pruned.keys().next().copied()
        {
            self.pruned.remove(&first);
        }
    }

    /// From which height on the peer that goes back furthest has blocks, of those that lack the next one.
    pub(super) fn pruned_from(&self) -> Option<BlockHeight> {
        self.pruned.values().min().copied()
    }

    /// `peer` sent what no honest node sends: it is not asked for a time.
    pub(super) fn on_fault(&mut self, peer: NodeId, now: Instant) {
        self.requests.remove(&peer);
        self.pause(peer, now, FAULT_PAUSE);
    }

    fn pause(&mut self, peer: NodeId, now: Instant, pause: Duration) {
        self.paused.retain(|_, until| *until > now);
        let until = self.paused.entry(peer).or_insert(now);
        // The longer pause wins: an empty answer must not shorten the pause for a fault.
        *until = (*until).max(now + pause);
        if self.paused.len() > MAX_PAUSED_PEERS
            && let Some(first) = self.paused.iter().min_by_key(|(_, until)| **until).map(|(peer, _)| *peer)
        {
            self.paused.remove(&first);
        }
    }

    fn is_paused(&self, peer: &NodeId, now: Instant) -> bool {
        self.paused.get(peer).is_some_and(|until| *until > now)
    }

    /// The peers that are not asked now.
    pub(super) fn paused(&self, now: Instant) -> BTreeSet<NodeId> {
        self.paused.iter().filter(|(_, until)| **until > now).map(|(peer, _)| *peer).collect()
    }

    /// The peers that are not asked for the next blocks now.
    pub(super) fn not_asked(&self, now: Instant) -> BTreeSet<NodeId> {
        self.paused(now).into_iter().chain(self.pruned.keys().copied()).collect()
    }

    /// The highest block that a certificate proved to exist, while this node does not have it.
    pub(super) const fn behind(&self) -> Option<BlockHeight> {
        self.behind
    }

    /// Whether no block after `height` is known to exist.
    pub(super) fn is_live(&self, height: BlockHeight) -> bool {
        self.behind.is_none_or(|behind| behind <= height)
    }

    /// The block at `height` was committed.
    pub(super) fn on_commit(&mut self, height: BlockHeight) {
        self.behind = self.behind.filter(|behind| *behind > height);
        let next = height.0.saturating_add(1);
        self.pruned.retain(|_, from| from.0 > next);
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
        // The height after the handshake may have begun in an earlier process of this node, which signed with
        // the same key. Later ones began in this process.
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
    // The certificate names its block itself: without this check a valid one could be attached to any block.
    let is_agreed = (certificate.height, certificate.value) == (height, id)
        && certificate.verify(validators, &tip.header.mesh).is_ok();
    match is_agreed {
        true => FollowOutcome::Committed,
        false => FollowOutcome::Disagreed,
    }
}

/// Whether the certificate proves that its block, of a height after the next one, exists: validators of the next height
/// with more than a third of the power signed it.
pub(super) fn proves_existence(tip: &Tip, (block, certificate): &Certified) -> bool {
    (certificate.height, certificate.value) == (block.header.height, block.header.id())
        && tip
            .state
            .validators()
            .is_some_and(|validators| certificate.verify_existence(validators, &tip.header.mesh).is_ok())
}

#[cfg(test)]
mod tests;
