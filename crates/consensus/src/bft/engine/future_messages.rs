//! Verified messages for heights that have not started, in bounded number.
//!
//! Validators are rarely at the same height at the same moment. Statements of faster validators are
//! kept until this node reaches their height: for [`MAX_FUTURE_HEIGHTS`] heights, from validators of
//! the current height, [`MAX_STATEMENTS_PER_SIGNER`] statements each. A Byzantine validator can only
//! fill its own share.

use std::collections::BTreeMap;

use nervure_primitives::{BlockHeight, NodeId, UnixMillis};

use crate::bft::Message;

/// For how many heights messages are kept, counted from the current one, whose messages wait while
/// the engine listens.
pub(super) const MAX_FUTURE_HEIGHTS: u64 = 3;

/// Statements per validator and height: a proposal and both votes of two rounds, and two more.
const MAX_STATEMENTS_PER_SIGNER: usize = 8;

/// Statements by height and signer.
#[derive(Default)]
pub(super) struct FutureMessages {
    heights: BTreeMap<BlockHeight, BTreeMap<NodeId, Vec<(Message, UnixMillis)>>>,
}

/// Whether a statement can be kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Capacity {
    Free,
    Duplicate,
    Full,
}

impl FutureMessages {
    /// Whether `message` by `signer` could be kept. Called before the message is verified.
    pub(super) fn capacity_for(&self, signer: &NodeId, message: &Message) -> Capacity {
        let kept = self.heights.get(&message.height()).and_then(|signers| signers.get(signer));
        match kept {
            // Compares the signature too. A validator that signs one statement twice only fills its own
            // share.
            Some(kept) if kept.iter().any(|(one, _)| one == message) => Capacity::Duplicate,
            Some(kept) if kept.len() >= MAX_STATEMENTS_PER_SIGNER => Capacity::Full,
            _ => Capacity::Free,
        }
    }

    /// Keeps a verified message that arrived `at`. The caller has checked the capacity.
    pub(super) fn keep(&mut self, signer: NodeId, message: Message, at: UnixMillis) {
        let height = self.heights.entry(message.height()).or_default();
        height.entry(signer).or_default().push((message, at));
    }

    /// Drops the messages for heights before `height`.
    pub(super) fn forget_before(&mut self, height: BlockHeight) {
        self.heights = self.heights.split_off(&height);
    }

    /// Removes and returns the messages for `height`, with the times at which they arrived; drops those before it.
    pub(super) fn take(&mut self, height: BlockHeight) -> Vec<(Message, UnixMillis)> {
        // Messages of skipped heights go at the same time: no later call would ask for them.
        let later = self.heights.split_off(&BlockHeight(height.0.saturating_add(1)));
        let mut past = std::mem::replace(&mut self.heights, later);
        let now = past.remove(&height).unwrap_or_default();
        now.into_values().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::Signature;

    use super::*;
    use crate::bft::{Round, SignedStatement, Vote, VoteKind};

    const AT: UnixMillis = UnixMillis(7);

    fn vote(height: u64, round: u32) -> Message {
        let statement =
            Vote { height: BlockHeight(height), round: Round(round), kind: VoteKind::Prevote, value: None };
        let signer = NodeId::from_bytes([1; 32]);
        Message::Vote(SignedStatement { statement, signer, signature: Signature::from_bytes([1; 64]) })
    }

    #[test]
    fn a_signer_fills_only_its_own_share() {
        let (mut messages, one, two) =
            (FutureMessages::default(), NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
        for round in 0..8 {
            assert_eq!(messages.capacity_for(&one, &vote(5, round)), Capacity::Free);
            messages.keep(one, vote(5, round), AT);
        }
        assert_eq!(messages.capacity_for(&one, &vote(5, 0)), Capacity::Duplicate);
        assert_eq!(messages.capacity_for(&one, &vote(5, 8)), Capacity::Full);
        assert_eq!(messages.capacity_for(&two, &vote(5, 8)), Capacity::Free);
        messages.keep(one, vote(6, 0), AT);
        assert_eq!(messages.take(BlockHeight(5)).len(), 8);
        assert_eq!(messages.take(BlockHeight(6)), [(vote(6, 0), AT)]);
        assert!(messages.heights.is_empty());
    }
}
