//! A validator in office fills the free lane, so that smaller validators cannot set weights.

use nervure_ledger::{
    params::Params,
    transaction::{Call, CommitWeights, SignerKey, VoteSubnets},
};
use nervure_primitives::{Hash, Netuid, NodeKey};
use rand::Rng;

use crate::{
    field::{Field, Report, Start, Terrain, VALIDATORS, honest_validator, params},
    mesh::{Offer, TOKEN, key},
};

/// Blocks of an attack.
const BLOCKS: u64 = 30;

const FREE: Offer = Offer { nonce: 0, fee: 0, tip: 0 };

/// With the quota of the mesh.
pub(crate) fn lane(start: Start) -> Report {
    with_quota(start, params())
}

/// Its nodes in the subnet send commits and votes in every block. The longest that a commit of an honest validator, with less
/// stake than any of them, waits.
pub(crate) fn with_quota(start: Start, economy: Params) -> Report {
    let nodes: Vec<NodeKey> = (8_000..8_004).map(key).collect();
    let each = start.percent * 15_000 * TOKEN;
    let staked: Vec<(NodeKey, u64)> = nodes.iter().map(|node| (node.clone(), each)).collect();
    // Room for some 57 commits in the lane of a block: six times what the quota allows four nodes.
    let terrain = Terrain { economy, nodes: staked, block_milliseconds: 250, ..Terrain::default() };
    let mut field = Field::with(start, terrain);
    let small = honest_validator(VALIDATORS - 1);
    let (mut longest, mut since, mut next) = (0, None, field.rng.random_range(0..4));
    let commit = |number: u64| {
        let hash = Hash::of("commit", &[&number.to_be_bytes()]);
        Call::CommitWeights(CommitWeights { netuid: Netuid(1), hash })
    };
    for block in 0..BLOCKS {
        field.besieged(|field| {
            for node in &nodes {
                let first = field.mesh.nonce(node, SignerKey::Node);
                for nonce in first..first + 16 {
                    let call = match nonce % 2 {
                        0 => commit(nonce),
                        _ => Call::VoteSubnets(VoteSubnets { weights: vec![(Netuid(1), 1)] }),
                    };
                    let _ = field.mesh.send(node, Offer { nonce, ..FREE }, call);
                }
            }
        });
        let nonce = field.mesh.nonce(&small, SignerKey::Node);
        if let Some((sent, before)) = since
            && nonce > before
        {
            longest = longest.max(block - sent);
            since = None;
        }
        if since.is_none() && block >= next {
            let _ = field.mesh.send(&small, Offer { nonce, ..FREE }, commit(block));
            since = Some((block, nonce));
            next = block + 4;
        }
    }
    let waits = since.map_or(0, |(sent, _)| BLOCKS - sent);
    field.finish(longest.max(waits))
}
