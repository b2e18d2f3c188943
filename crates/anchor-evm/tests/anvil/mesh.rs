//! Keys that sign checkpoints of a mesh.

use nervure_anchor::{
    AnchorAddress, AnchorCheckpoint, AnchorDomain, AnchorKey, AnchorSet, AnchoredBlock, Attestation,
    MetagraphRoot, Submission,
};
use nervure_primitives::{BlockHeight, Hash, MeshId, Netuid};

pub(crate) const MESH: MeshId = MeshId::from_bytes([3; 32]);

pub(crate) fn key(n: u8) -> AnchorKey {
    AnchorKey::from_secret(&[n; 32]).unwrap()
}

pub(crate) fn address(n: u8) -> AnchorAddress {
    key(n).address()
}

/// The set of these keys with these powers.
pub(crate) fn set(powers: &[(u8, u64)]) -> AnchorSet {
    AnchorSet::new(powers.iter().map(|(n, power)| (address(*n), *power))).unwrap()
}

pub(crate) fn four() -> AnchorSet {
    set(&[(1, 10), (2, 10), (3, 10), (4, 10)])
}

pub(crate) fn block(height: u64) -> AnchoredBlock {
    let hash = |what: &str| Hash::of(what, &[&height.to_be_bytes()]);
    AnchoredBlock { mesh: MESH, height: BlockHeight(height), block: hash("block"), state: hash("state") }
}

/// A checkpoint whose epoch has the root of `what`, so that one height can have two.
pub(crate) fn variant(height: u64, epoch: u64, next: &AnchorSet, what: &str) -> AnchorCheckpoint {
    let root = Hash::of(what, &[&epoch.to_be_bytes()]);
    let metagraphs = [1, 2].map(|netuid| MetagraphRoot { netuid: Netuid(netuid), epoch, root });
    AnchorCheckpoint::new(block(height), metagraphs.to_vec(), next.hash()).unwrap()
}

pub(crate) fn checkpoint(height: u64, next: &AnchorSet) -> AnchorCheckpoint {
    variant(height, height, next, "metagraph")
}

/// `checkpoint` as `signers` of `validators` submit it.
pub(crate) fn signed(
    domain: &AnchorDomain,
    checkpoint: &AnchorCheckpoint,
    validators: &AnchorSet,
    signers: &[u8],
) -> Submission {
    let sign = |n: &u8| Attestation::sign(&key(*n), checkpoint, domain, &validators.hash());
    let mut signed: Vec<_> = signers.iter().map(sign).collect();
    signed.sort_by_key(|one| one.signer);
    let signatures = signed.into_iter().map(|one| one.signature).collect();
    Submission { checkpoint: checkpoint.clone(), validators: validators.clone(), signatures }
}
