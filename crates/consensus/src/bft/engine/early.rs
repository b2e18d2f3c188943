//! Messages for heights that have not started, verified and kept in bounds.
//!
//! Validators are rarely at the same height at the same moment. What the faster ones say about the
//! next heights is kept until the slower ones come there: for [`HEIGHTS`] heights, from the
//! validators of the current one, [`PER_SIGNER`] statements each. A Byzantine validator fills its
//! own share and nobody else's.

use std::collections::BTreeMap;

use nervure_primitives::{BlockHeight, NodeId};

use crate::bft::Message;

/// How many heights are kept for, the one being listened to included.
pub(super) const HEIGHTS: u64 = 3;

/// Statements per validator and height: a proposal and both votes of two rounds, and some more.
const PER_SIGNER: usize = 8;

/// Statements of heights to come.
#[derive(Default)]
pub(super) struct Early {
    heights: BTreeMap<BlockHeight, BTreeMap<NodeId, Vec<Message>>>,
}

/// Whether there is room for a statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Room {
    Free,
    Known,
    Full,
}

impl Early {
    /// Whether `message` by `signer` could be kept; asked before it is verified.
    pub(super) fn room(&self, signer: &NodeId, message: &Message) -> Room {
        let kept = self.heights.get(&message.height()).and_then(|signers| signers.get(signer));
        match kept {
            Some(kept) if kept.contains(message) => Room::Known,
            Some(kept) if kept.len() >= PER_SIGNER => Room::Full,
            _ => Room::Free,
        }
    }

    /// Keeps a verified message that there is room for.
    pub(super) fn keep(&mut self, signer: NodeId, message: Message) {
        self.heights.entry(message.height()).or_default().entry(signer).or_default().push(message);
    }

    /// Forgets what was kept for heights before `height`.
    pub(super) fn forget_before(&mut self, height: BlockHeight) {
        self.heights = self.heights.split_off(&height);
    }

    /// What was kept for `height`; forgets it and everything before it.
    pub(super) fn take(&mut self, height: BlockHeight) -> Vec<Message> {
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
    use crate::bft::{Round, Signed, Vote, VoteKind};

    fn vote(height: u64, round: u32) -> Message {
        let statement =
            Vote { height: BlockHeight(height), round: Round(round), kind: VoteKind::Prevote, value: None };
        let signer = NodeId::from_bytes([1; 32]);
        Message::Vote(Signed { statement, signer, signature: Signature::from_bytes([1; 64]) })
    }

    #[test]
    fn one_signer_fills_only_its_own_share() {
        let (mut early, one, two) =
            (Early::default(), NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
        for round in 0..8 {
            assert_eq!(early.room(&one, &vote(5, round)), Room::Free);
            early.keep(one, vote(5, round));
        }
        assert_eq!(early.room(&one, &vote(5, 0)), Room::Known);
        assert_eq!(early.room(&one, &vote(5, 8)), Room::Full);
        assert_eq!(early.room(&two, &vote(5, 8)), Room::Free);
        early.keep(one, vote(6, 0));
        assert_eq!(early.take(BlockHeight(5)).len(), 8);
        assert_eq!(early.take(BlockHeight(6)), [vote(6, 0)]);
        assert!(early.heights.is_empty());
    }
}
