//! What simulated nodes have in common that agree on blocks of the ledger, wherever they keep its tree.

use nervure_consensus::bft::{Block, BlockStamp, Turn};
use nervure_primitives::Hash;

use crate::{block, proposals::Proposals, tree::StateTree};

/// The block of `chain` for a proposer's turn. `tree` is that of the tip.
///
/// # Panics
/// When no block can be made: the tree is damaged.
pub fn propose(chain: &mut Proposals, tree: &impl StateTree, turn: Turn) -> Block {
    let (id, body) = chain.make(tree, (turn.proposer, turn.now)).unwrap();
    // Without a body it was made before, and is kept.
    let body = body.unwrap_or_else(|| chain.get(&id).unwrap().block.encode().unwrap());
    Block { id, body }
}

/// The id of the block with this body.
pub fn id_of(body: &[u8]) -> Option<Hash> {
    Some(block::Block::decode(body).ok()?.header.id())
}

/// What the block with this body says about its making.
pub fn stamp_of(body: &[u8]) -> Option<BlockStamp> {
    let header = block::Block::decode(body).ok()?.header;
    Some(BlockStamp { proposer: header.proposer, time: header.time })
}
