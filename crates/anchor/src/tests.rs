//! A mesh of keys that sign checkpoints, for the tests of this module.

mod attestation_set;
mod local;
mod message;
mod schedule;
mod store;

use nervure_primitives::{BlockHeight, Hash, MeshId, Netuid};

use super::*;

const MESH: MeshId = MeshId::from_bytes([3; 32]);
const DOMAIN: AnchorDomain = AnchorDomain { chain: 31_337, contract: AnchorAddress::from_bytes([4; 20]) };

fn key(n: u8) -> AnchorKey {
    AnchorKey::from_secret(&[n; 32]).unwrap()
}

/// The set of these keys with these powers.
fn set(powers: &[(u8, u64)]) -> AnchorSet {
    AnchorSet::new(powers.iter().map(|(n, power)| (key(*n).address(), *power))).unwrap()
}

fn four() -> AnchorSet {
    set(&[(1, 10), (2, 10), (3, 10), (4, 10)])
}

fn checkpoint(height: u64, next: &AnchorSet) -> AnchorCheckpoint {
    let hash = |what: &str| Hash::of(what, &[&height.to_be_bytes()]);
    let block =
        AnchoredBlock { mesh: MESH, height: BlockHeight(height), block: hash("block"), state: hash("state") };
    let metagraphs = vec![MetagraphRoot { netuid: Netuid(1), epoch: height, root: hash("metagraph") }];
    AnchorCheckpoint::new(block, metagraphs, next.hash()).unwrap()
}

/// `checkpoint` as `signers` of `validators` submit it.
fn submission(checkpoint: &AnchorCheckpoint, validators: &AnchorSet, signers: &[u8]) -> Submission {
    let sign = |n: &u8| Attestation::sign(&key(*n), checkpoint, &DOMAIN, &validators.hash());
    let mut signed: Vec<_> = signers.iter().map(sign).collect();
    signed.sort_by_key(|one| one.signer);
    let signatures = signed.into_iter().map(|one| one.signature).collect();
    Submission { checkpoint: checkpoint.clone(), validators: validators.clone(), signatures }
}

fn empty_store() -> CheckpointStore {
    CheckpointStore::new(DOMAIN, MESH, BlockHeight(0), four().hash())
}
