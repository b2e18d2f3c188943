//! The built-in application: it counts blocks, and its validators change with the height.

use std::sync::Arc;

use nervure_primitives::{BlockHeight, Hash, NodeId, UnixMillis};

use super::Genesis;
use crate::{
    bft::{Application, Block, BlockStamp, CommitError, Turn},
    checkpoint::{CommitCertificate, ValidatorSet},
};

/// Bytes of a block body: height, parent, salt, round, time and proposer.
const BODY_BYTES: usize = 8 + 32 + 8 + 4 + 8 + 32;

/// Where the time of a block begins, and its proposer.
const TIME: usize = 8 + 32 + 8 + 4;
const PROPOSER: usize = TIME + 8;

/// Counts blocks. Its state root covers every block committed.
#[derive(Clone, Debug)]
pub struct Tally {
    /// The validators of even and odd heights.
    sets: [Arc<ValidatorSet>; 2],
    height: BlockHeight,
    tip: Hash,
    root: Hash,
    /// The time of the last block.
    time: UnixMillis,
    /// Makes blocks of different nodes and attempts differ.
    salt: u64,
}

impl Tally {
    /// The state before the first block.
    pub fn new(genesis: &Genesis) -> Self {
        let zero = Hash::of("nervure/simulation/genesis", &[]);
        let (sets, salt) = (genesis.validators.clone(), genesis.salt);
        Self { sets, height: BlockHeight(0), tip: zero, root: zero, time: UnixMillis(0), salt }
    }

    fn next(&self) -> BlockHeight {
        BlockHeight(self.height.0.saturating_add(1))
    }
}

impl Application for Tally {
    fn height(&self) -> BlockHeight {
        self.height
    }

    fn validators(&self) -> Arc<ValidatorSet> {
        self.sets[usize::from(self.next().0 % 2 == 1)].clone()
    }

    fn propose(&mut self, turn: Turn) -> Block {
        self.salt = self.salt.wrapping_add(1 << 16);
        let mut body = self.next().0.to_be_bytes().to_vec();
        body.extend_from_slice(self.tip.as_bytes());
        body.extend_from_slice(&self.salt.to_be_bytes());
        body.extend_from_slice(&turn.round.0.to_be_bytes());
        body.extend_from_slice(&turn.now.0.max(self.time.0 + 1).to_be_bytes());
        body.extend_from_slice(turn.proposer.as_bytes());
        Block { id: Hash::of("nervure/simulation/block", &[&body]), body }
    }

    fn id_of(&self, body: &[u8]) -> Option<Hash> {
        (body.len() == BODY_BYTES).then(|| Hash::of("nervure/simulation/block", &[body]))
    }

    fn stamp_of(&self, body: &[u8]) -> Option<BlockStamp> {
        let time = body.get(TIME..PROPOSER)?.try_into().ok()?;
        let proposer = NodeId::from_bytes(body.get(PROPOSER..)?.try_into().ok()?);
        Some(BlockStamp { proposer, time: UnixMillis(u64::from_be_bytes(time)) })
    }

    fn validate(&mut self, body: &[u8]) -> bool {
        body.len() == BODY_BYTES
            && self.stamp_of(body).is_some_and(|stamp| stamp.time > self.time)
            && body[..8] == self.next().0.to_be_bytes()
            && body[8..40] == *self.tip.as_bytes()
    }

    fn commit(&mut self, certificate: &CommitCertificate, body: &[u8]) -> Result<(), CommitError> {
        self.root = Hash::of("nervure/simulation/state", &[self.root.as_bytes(), body]);
        self.height = certificate.height;
        self.tip = certificate.value;
        self.time = self.stamp_of(body).map_or(self.time, |stamp| stamp.time);
        Ok(())
    }

    fn state_root(&self) -> Hash {
        self.root
    }

    fn restart(&mut self) {}
}
