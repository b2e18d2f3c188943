//! What state takes on a disk, against what it locks.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::path::Path;

use nervure_ledger::{
    deposits::ACCOUNT_BYTES,
    spec::{AccountSpec, MeshSpec},
};
use nervure_primitives::{Amount, NodeId};
use nervure_store::{Store, StoreOptions};

/// The size of a new store of a mesh with so many accounts, in bytes.
fn size(path: &Path, accounts: u32) -> u64 {
    let mut spec = MeshSpec::public("cost");
    // Scattered like real keys; the balance takes as many bytes as any.
    let owner = |index: u32| {
        NodeId::from_bytes(*nervure_primitives::Hash::of("account", &[&index.to_be_bytes()]).as_bytes())
    };
    let account = |index| AccountSpec::new(owner(index), Amount::from_base_units(100_000_000_000));
    spec.accounts = (0..accounts).map(account).collect();
    drop(Store::open(path, &spec, StoreOptions::default()).unwrap());
    std::fs::metadata(path).unwrap().len()
}

#[test]
fn an_account_takes_less_of_the_disk_than_it_pays_for() {
    let dir = tempfile::tempdir().unwrap();
    let (few, many) = (size(&dir.path().join("few"), 10_000), size(&dir.path().join("many"), 60_000));
    let each = (many - few) / 50_000;
    println!("{each} bytes of the file for each account, which pays for {ACCOUNT_BYTES}");
    assert!(each <= ACCOUNT_BYTES, "{each}");
}
