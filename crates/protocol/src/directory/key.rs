//! Keys of the directory, and the epochs and shards that are part of them.

use std::time::Duration;

use nervure_primitives::{Capability, Hash, MeshId, Netuid, NodeId, UnixMillis};

use super::{COPIES, EPOCH, SHARDS};
use crate::domains;

/// The number of the epoch that `now` is in.
pub fn epoch(now: UnixMillis) -> u64 {
    now.0 / EPOCH.as_millis() as u64
}

/// The epochs under which a record that is valid at `now` may have been published: the current one, and the one before
/// while records of that time, which live for `expiry`, have not expired.
pub fn epochs(now: UnixMillis, expiry: Duration) -> impl Iterator<Item = u64> {
    let current = epoch(now);
    let start = UnixMillis(current * EPOCH.as_millis() as u64);
    let before = (now.since(start) < expiry).then(|| current.saturating_sub(1));
    std::iter::once(current).chain(before)
}

/// The shard that `node`'s experts are in.
pub fn shard(node: &NodeId) -> u8 {
    Hash::of(domains::DIRECTORY_SHARD, &[node.as_bytes()]).as_bytes()[0] % SHARDS
}

/// A key of the experts of `shard` whose capability `capability` covers. The nodes closest to it are responsible for
/// them.
pub fn key(
    mesh: &MeshId,
    (netuid, capability): (Netuid, Option<&Capability>),
    shard: u8,
    epoch: u64,
    copy: u8,
) -> Hash {
    let capability = capability.map_or("", Capability::as_str);
    let parts: [&[u8]; 6] = [
        mesh.as_bytes(),
        &netuid.0.to_be_bytes(),
        capability.as_bytes(),
        &[shard],
        &epoch.to_be_bytes(),
        &[copy],
    ];
    Hash::of(domains::DIRECTORY_KEY, &parts)
}

/// The keys under which `node` publishes an expert in epoch `epoch`: those of each prefix, and those for everything.
pub fn keys(
    mesh: &MeshId,
    (node, netuid): (&NodeId, Netuid),
    capability: &Capability,
    epoch: u64,
) -> Vec<Hash> {
    let shard = shard(node);
    let prefixes = capability.prefixes().map(Some).chain([None]);
    let of_prefix = |prefix: Option<Capability>| {
        (0..COPIES).map(move |copy| key(mesh, (netuid, prefix.as_ref()), shard, epoch, copy))
    };
    prefixes.flat_map(of_prefix).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, MESH};

    #[test]
    fn keys_differ_in_every_part_and_cover_every_prefix() {
        let node = testing::key(1).node_id();
        let capability: Capability = "text.generate.rust".parse().unwrap();
        let of = keys(&MESH, (&node, Netuid(1)), &capability, 7);
        assert_eq!(of.len(), 4 * usize::from(COPIES));
        let asked: Capability = "text.generate".parse().unwrap();
        for copy in 0..COPIES {
            assert!(of.contains(&key(&MESH, (Netuid(1), Some(&asked)), shard(&node), 7, copy)));
            assert!(of.contains(&key(&MESH, (Netuid(1), None), shard(&node), 7, copy)));
        }
        let others = [
            key(&MeshId::from_bytes([9; 32]), (Netuid(1), Some(&asked)), shard(&node), 7, 0),
            key(&MESH, (Netuid(2), Some(&asked)), shard(&node), 7, 0),
            key(&MESH, (Netuid(1), Some(&asked)), shard(&node) + 1, 7, 0),
            key(&MESH, (Netuid(1), Some(&asked)), shard(&node), 8, 0),
            key(&MESH, (Netuid(1), Some(&asked)), shard(&node), 7, COPIES),
        ];
        assert!(others.iter().all(|other| !of.contains(other)));
    }

    #[test]
    fn the_previous_epoch_counts_for_one_expiry() {
        let expiry = Duration::from_secs(30);
        let start = UnixMillis(5 * EPOCH.as_millis() as u64);
        assert_eq!(epochs(start, expiry).collect::<Vec<_>>(), [5, 4]);
        assert_eq!(epochs(start.plus(expiry), expiry).collect::<Vec<_>>(), [5]);
    }
}
