//! The checkpoint of an election: what validators sign with their anchor keys.

use nervure_anchor::{AnchorCheckpoint, AnchorSet, AnchoredBlock, MAX_METAGRAPHS, MetagraphRoot};
use nervure_primitives::Hash;

use super::LedgerState;
use crate::{anchors::Anchors, block::Header};

impl LedgerState {
    /// Anchor keys, and who signs checkpoints with them.
    pub fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    /// The checkpoint of the block of `header`, if this is the state after it and the block is one with an
    /// election, and who signs it. It has the metagraphs of the epochs that ended since the election before;
    /// of a subnet that had several, the last. Beyond [`MAX_METAGRAPHS`] subnets the higher numbers are left out.
    pub fn anchor_checkpoint(&self, header: &Header) -> Option<(AnchorCheckpoint, &AnchorSet)> {
        let interval = self.params.election_interval;
        if header.height != self.height() || !self.height.is_multiple_of(interval) {
            return None;
        }
        let (signers, next) = (self.anchors.signers()?, self.anchors.successors()?);
        // Strictly after the election before: a metagraph of that block is in its checkpoint.
        let since = self.height.saturating_sub(interval);
        let ended = self.subnets.iter().filter(|(_, subnet)| subnet.last_step > since);
        let metagraph = |(netuid, subnet): (_, &crate::subnet::Subnet)| {
            let kept = subnet.metagraph.filter(|kept| kept.root != Hash::from_bytes([0; 32]))?;
            Some(MetagraphRoot { netuid, epoch: kept.epoch, root: kept.root })
        };
        let metagraphs =
            ended.filter_map(|(netuid, subnet)| metagraph((*netuid, subnet))).take(MAX_METAGRAPHS).collect();
        let block = AnchoredBlock {
            mesh: header.mesh,
            height: header.height,
            block: header.id(),
            state: header.state,
        };
        Some((AnchorCheckpoint::new(block, metagraphs, next.hash()).ok()?, signers))
    }
}
