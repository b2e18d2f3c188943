//! The built-in application: it counts blocks, and its validators change with the height.

use std::sync::Arc;

use nervure_primitives::{BlockHeight, Hash};

use super::Genesis;
use crate::{
    bft::{Application, Block, CommitError, Round},
    checkpoint::{CommitCertificate, ValidatorSet},
};

/// Bytes of a block body: height, parent, salt and round.
const BODY_BYTES: usize = 8 + 32 + 8 + 4;

/// Counts blocks. Its state root covers every block committed.
#[derive(Clone, Debug)]
pub struct Tally {
    /// The validators of even and odd heights.
    sets: [Arc<ValidatorSet>; 2],
    height: BlockHeight,
    tip: Hash,
    root: Hash,
    /// Makes blocks of different nodes and attempts differ.
    salt: u64,
}

impl Tally {
    /// The state before the first block.
    pub fn new(genesis: &Genesis) -> Self {
        let zero = Hash::of("nervure/simulation/genesis", &[]);
        let (sets, salt) = (genesis.validators.clone(), genesis.salt);
        Self { sets, height: BlockHeight(0), tip: zero, root: zero, salt }
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

    fn propose(&mut self, round: Round) -> Block {
        self.salt = self.salt.wrapping_add(1 << 16);
        let mut body = self.next().0.to_be_bytes().to_vec();
        body.extend_from_slice(self.tip.as_bytes());
        body.extend_from_slice(&self.salt.to_be_bytes());
        body.extend_from_slice(&round.0.to_be_bytes());
        Block { id: Hash::of("nervure/simulation/block", &[&body]), body }
    }

    fn id_of(&self, body: &[u8]) -> Option<Hash> {
        (body.len() == BODY_BYTES).then(|| Hash::of("nervure/simulation/block", &[body]))
    }

    fn validate(&mut self, body: &[u8]) -> bool {
        body.len() == BODY_BYTES
            && body[..8] == self.next().0.to_be_bytes()
            && body[8..40] == *self.tip.as_bytes()
    }

    fn commit(&mut self, certificate: &CommitCertificate, body: &[u8]) -> Result<(), CommitError> {
        self.root = Hash::of("nervure/simulation/state", &[self.root.as_bytes(), body]);
        self.height = certificate.height;
        self.tip = certificate.value;
        Ok(())
    }

    fn state_root(&self) -> Hash {
        self.root
    }

    fn restart(&mut self) {}
}
