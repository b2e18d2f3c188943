//! The metagraph of an epoch as a Merkle tree that a contract can check.
//!
//! A row per neuron, ABI-encoded and hashed twice with keccak-256; the leaves sorted by hash; pairs
//! hashed in sorted order: the form of OpenZeppelin's `StandardMerkleTree`, whose `MerkleProof.verify`
//! an EVM contract uses to check one row against the root. A client of the ledger uses
//! [`StateProof`](crate::tree::StateProof) instead; this tree is for contracts, which do not know the ledger's SHA-256 tree.

use nervure_primitives::{Hash, Netuid, NodeId, Uid};
use serde::{Deserialize, Serialize};
use sha3::{Digest, Keccak256};

use super::Subnet;
use crate::nodes::Nodes;

/// Maximum number of steps of a proof: 2^16 rows.
pub const MAX_PROOF_STEPS: usize = 16;

/// Words of 32 bytes in an encoded row.
const WORDS: usize = 14;

/// A neuron after an epoch of its subnet, as a contract sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetagraphRow {
    /// The subnet.
    pub netuid: Netuid,
    /// The number of its epoch.
    pub epoch: u64,
    /// The slot.
    pub uid: Uid,
    /// The node in it.
    pub node: NodeId,
    /// The key that owns the node; the node's own key when the ledger does not know the node.
    pub owner: NodeId,
    /// Its stake with that of its stakers after the epoch was paid, in base units.
    pub stake: u64,
    /// The block at which it got the slot.
    pub registered: u64,
    /// The block of its last weights.
    pub last_update: u64,
    /// Whether it has a validator permit from now on.
    pub permit: bool,
    /// Its consensus weight, of 65,535.
    pub consensus: u16,
    /// Its share of the miners' emission, of 65,535.
    pub incentive: u16,
    /// Its share of the validators' emission, of 65,535.
    pub dividends: u16,
    /// The part of its weights that consensus did not clip, of 65,535.
    pub validator_trust: u16,
    /// Its emission in the epoch, in base units.
    pub emission: u64,
}

impl MetagraphRow {
    /// `abi.encode` of the fields in their order: `uint16 netuid, uint64 epoch, uint16 uid, bytes32 node,
    /// bytes32 owner, uint64 stake, uint64 registered, uint64 lastUpdate, bool permit, uint16 consensus,
    /// uint16 incentive, uint16 dividends, uint16 validatorTrust, uint64 emission`.
    pub fn abi_encode(&self) -> Vec<u8> {
        let words: [[u8; 32]; WORDS] = [
            word(self.netuid.0.into()),
            word(self.epoch),
            word(self.uid.0.into()),
            *self.node.as_bytes(),
            *self.owner.as_bytes(),
            word(self.stake),
            word(self.registered),
            word(self.last_update),
            word(self.permit.into()),
            word(self.consensus.into()),
            word(self.incentive.into()),
            word(self.dividends.into()),
            word(self.validator_trust.into()),
            word(self.emission),
        ];
        words.concat()
    }

    /// Its leaf: the hash of the hash, so that no inner node can be taken for a row.
    fn leaf(&self) -> [u8; 32] {
        keccak(&[&keccak(&[&self.abi_encode()])])
    }
}

/// The root of a metagraph, as the ledger keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MetagraphRoot {
    /// The number of the subnet's epoch.
    pub epoch: u64,
    /// The keccak-256 root; of no rows, 32 zero bytes.
    pub root: Hash,
}

/// The rows of an epoch with their tree.
#[derive(Clone, Debug)]
pub struct Metagraph {
    epoch: u64,
    rows: Vec<MetagraphRow>,
    /// A complete binary tree: the root first, the children of `i` at `2i + 1` and `2i + 2`.
    tree: Vec<[u8; 32]>,
    /// Where the leaf of each row is in `tree`.
    places: Vec<usize>,
}

impl Metagraph {
    /// The metagraph of `subnet` after `epoch`.
    pub fn of(nodes: &Nodes, netuid: Netuid, epoch: u64, subnet: &Subnet) -> Self {
        let row = |(uid, neuron): (u16, &super::Neuron)| {
            let node = nodes.get(&neuron.node);
            MetagraphRow {
                netuid,
                epoch,
                uid: Uid(uid),
                node: neuron.node,
                owner: node.map_or(neuron.node, |node| node.owner),
                stake: node.map_or(0, |node| node.stake().base_units()),
                registered: neuron.registered,
                last_update: neuron.last_update,
                permit: neuron.permit,
                consensus: neuron.consensus,
                incentive: neuron.incentive,
                dividends: neuron.dividends,
                validator_trust: neuron.validator_trust,
                emission: neuron.emission,
            }
        };
        let neurons = subnet.neurons.iter().map(AsRef::as_ref);
        Self::from_rows(epoch, (0u16..).zip(neurons).map(row).collect())
    }

    /// The tree of `rows`.
    pub fn from_rows(epoch: u64, rows: Vec<MetagraphRow>) -> Self {
        let mut leaves: Vec<([u8; 32], usize)> =
            rows.iter().enumerate().map(|(index, row)| (row.leaf(), index)).collect();
        leaves.sort_unstable();
        let size = (2 * leaves.len()).saturating_sub(1);
        let mut tree = vec![[0; 32]; size];
        let mut places = vec![0; leaves.len()];
        for (order, (leaf, index)) in leaves.iter().enumerate() {
            // Leaves from the end, in reverse: the layout of OpenZeppelin's `makeMerkleTree`.
            let place = size - 1 - order;
            tree[place] = *leaf;
            places[*index] = place;
        }
        for place in (0..size.saturating_sub(leaves.len())).rev() {
            tree[place] = pair(&tree[2 * place + 1], &tree[2 * place + 2]);
        }
        Self { epoch, rows, tree, places }
    }

    /// Its root.
    pub fn root(&self) -> MetagraphRoot {
        let root = self.tree.first().copied().unwrap_or_default();
        MetagraphRoot { epoch: self.epoch, root: Hash::from_bytes(root) }
    }

    /// The rows by uid.
    pub fn rows(&self) -> &[MetagraphRow] {
        &self.rows
    }

    /// The row of `uid` and the proof that it is in the tree.
    pub fn prove(&self, uid: Uid) -> Option<(&MetagraphRow, MetagraphProof)> {
        let index = usize::from(uid.0);
        let (row, mut place) = (self.rows.get(index)?, *self.places.get(index)?);
        let mut siblings = Vec::new();
        while place > 0 {
            let sibling = if place % 2 == 1 { place + 1 } else { place - 1 };
            siblings.push(Hash::from_bytes(self.tree[sibling]));
            place = (place - 1) / 2;
        }
        Some((row, MetagraphProof { siblings }))
    }
}

/// A Merkle proof of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetagraphProof {
    /// The sibling hashes, from the leaf up: the `bytes32[] proof` of a contract.
    pub siblings: Vec<Hash>,
}

impl MetagraphProof {
    /// Whether `row` is in the tree with this `root`.
    #[must_use]
    pub fn verify(&self, row: &MetagraphRow, root: &MetagraphRoot) -> bool {
        // The order within a pair follows from the hashes, so a proof needs no left and right.
        let top = self.siblings.iter().fold(row.leaf(), |below, sibling| pair(&below, sibling.as_bytes()));
        self.siblings.len() <= MAX_PROOF_STEPS && row.epoch == root.epoch && top == *root.root.as_bytes()
    }
}

/// A number as a word of the ABI.
fn word(value: u64) -> [u8; 32] {
    let mut word = [0; 32];
    word[24..].copy_from_slice(&value.to_be_bytes());
    word
}

fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

fn pair(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    keccak(&[low, high])
}

#[cfg(test)]
mod tests;
