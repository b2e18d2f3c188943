use std::num::NonZeroUsize;

use nervure_primitives::{Amount, Envelope, Hash, Netuid, NodeKey};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use nervure_consensus::checkpoint::CommitCertificate;
use nervure_ledger::{
    chain::Draft,
    snapshot::Assembly,
    spec::{AccountSpec, NodeSpec, Role},
    subnet::EpochInputs,
    transaction::{Call, Transaction, Transfer},
    tree::{Key, Record, StateTree},
};

mod batch;
mod crash;
mod damage;
#[path = "../../tests/simulation/disk.rs"]
mod disk;
mod history;

/// A mesh with a few accounts, a validator and a miner, and an epoch every five blocks.
fn spec() -> MeshSpec {
    let mut spec = MeshSpec::test("store");
    spec.economy.subnet.tempo = 5;
    for seed in 0..4 {
        let owner = key(seed).node_id();
        spec.accounts.push(AccountSpec::new(owner, Amount::from_base_units(1_000_000_000)));
    }
    let listed = |seed, role, stake| {
        NodeSpec::new(key(seed).node_id(), role)
            .in_subnets(spec.subnets.iter().map(|subnet| subnet.netuid))
            .with_stake(Amount::from_base_units(stake))
    };
    spec.nodes = vec![listed(10, Role::Validator, 5_000), listed(11, Role::Miner, 0)];
    spec
}

fn key(seed: u8) -> NodeKey {
    NodeKey::from_seed(&[seed; 32])
}

/// A transfer of one unit, so that every block changes some accounts.
fn pay(tip: &Tip, from: u8, to: u8) -> Envelope {
    let from = key(from);
    let amount = Amount::from_base_units(1);
    let call = Call::Transfer(Transfer { to: key(to).node_id(), amount, memo: None });
    let nonce = tip.state.accounts().get(&from.node_id()).nonce;
    let (fee, expiry) = (Amount::from_base_units(100_000), BlockHeight(tip.header.height.0 + 100));
    Transaction { nonce, fee, tip: Amount::ZERO, expiry, call }.seal(&from, &tip.header.mesh).unwrap()
}

/// The block after `tip`: a transfer to a new account each time.
fn next(store: &Store, tip: &Tip) -> Next {
    let height = tip.header.height.0 as u8;
    let transactions = vec![pay(tip, height % 4, 20 + height), pay(tip, (height + 1) % 4, 0)];
    let height = tip.header.height;
    // The only validator signs.
    let certify =
        || CommitCertificate::sign(&tip.header.mesh, (height, tip.header.id()), [&key(10)]).unwrap();
    let last_commit = (height.0 > 0).then(certify);
    let draft = Draft { last_commit, ..Draft::uncertified(tip, transactions) };
    tip.next(&store.read().unwrap(), draft, NonZeroUsize::MIN).unwrap()
}

/// Commits `blocks` blocks; the tips from the first one on, with that of the beginning.
fn grow(store: &Store, tip: Tip, blocks: usize) -> Vec<Tip> {
    let mut tips = vec![tip];
    for _ in 0..blocks {
        let next = next(store, &tips[tips.len() - 1]);
        store.commit(&next, Some(b"certificate")).unwrap();
        tips.push(next.tip());
    }
    tips
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("chain.redb")
    }

    fn open(&self) -> Result<(Store, Tip), StoreError> {
        Store::open(&self.file(), &spec(), StoreOptions { retain: 5, ..StoreOptions::default() })
    }
}

#[test]
fn reopening_gives_the_last_block_and_everything_before_it() {
    let place = Place::new();
    let (store, tip) = place.open().unwrap();
    let tips = grow(&store, tip, 12);
    drop(store);
    let (store, tip) = place.open().unwrap();
    assert_eq!(tip, tips[12]);
    let reader = store.read().unwrap();
    for tip in &tips[1..] {
        let height = tip.header.height;
        let block = reader.block(height).unwrap().unwrap();
        assert_eq!(block.header, tip.header);
        assert_eq!(block.transactions.len(), 2);
        assert!(reader.events(height).unwrap().unwrap().len() >= 2);
        assert_eq!(reader.certificate(height).unwrap().unwrap(), b"certificate");
    }
    assert_eq!(reader.block(BlockHeight(13)).unwrap(), None);
    assert_eq!(grow(&store, tip, 3).len(), 4, "and the chain continues");
}

#[test]
fn a_reader_sees_one_moment() {
    let place = Place::new();
    let (store, tip) = place.open().unwrap();
    let tips = grow(&store, tip, 3);
    let before = store.read().unwrap();
    let after = grow(&store, tips[3].clone(), 8);
    assert_eq!(before.tip(&spec()).unwrap(), tips[3]);
    assert_eq!(before.head(), &tips[3].header);
    assert_eq!(store.read().unwrap().tip(&spec()).unwrap(), after[8]);
}

#[test]
fn old_states_are_proven_until_they_are_pruned_and_their_roots_stay() {
    let place = Place::new();
    let (store, tip) = place.open().unwrap();
    let tips = grow(&store, tip, 30);
    let reader = store.read().unwrap();
    let account = Key::Account(key(0).node_id());
    for tip in &tips {
        let (height, root) = (tip.header.height, tip.header.state);
        assert_eq!(reader.root(height).unwrap(), Some(root));
        let kept = height.0 >= 25;
        match reader.prove_at(height, &account) {
            Ok((Some(record), proof)) if kept => {
                assert_eq!(proof.verify(&root, &record), Ok(()));
                let account = tip.state.accounts().get(&key(0).node_id());
                assert_eq!(record, Record::Account { owner: key(0).node_id(), account });
            }
            Err(StoreError::NotKept { oldest: BlockHeight(25), newest: BlockHeight(30), .. }) if !kept => {}
            other => panic!("block {height}: {other:?}"),
        }
    }
    let (record, proof) = reader.prove(&Key::Chain).unwrap();
    assert_eq!(proof.verify(&tips[30].header.state, &record.unwrap()), Ok(()));
}

#[test]
fn the_state_on_disk_stays_as_large_as_what_is_kept() {
    let place = Place::new();
    let (store, tip) = place.open().unwrap();
    let entries = |store: &Store| {
        let transaction = store.db.begin_read().unwrap();
        let count =
            |table| redb::ReadableTableMetadata::len(&transaction.open_table(table).unwrap()).unwrap();
        count(tables::NODES) + count(tables::VALUES) + count(tables::STALE)
    };
    let tips = grow(&store, tip, 40);
    let before = entries(&store);
    grow(&store, tips[40].clone(), 80);
    let more = entries(&store) - before;
    // New accounts: a record and less than two nodes each.
    assert!(more < 80 * 6, "{before} entries and {more} more");
}

#[test]
fn a_file_is_for_one_process_and_one_mesh() {
    let place = Place::new();
    let (store, tip) = place.open().unwrap();
    assert!(matches!(place.open(), Err(StoreError::Locked { .. })));
    assert_eq!(Store::last_height(&place.file()), None, "it is in use");
    drop(store);
    assert_eq!(Store::last_height(&place.file()), Some(tip.header.height));
    assert_eq!(Store::last_height(&place.file().with_extension("none")), None);
    let other = Store::open(&place.file(), &MeshSpec::test("other"), StoreOptions::default());
    assert!(matches!(other, Err(StoreError::OtherMesh { .. })));
    let again = Store::import(&place.file(), tip, None, StoreOptions::default());
    assert!(matches!(again, Err(StoreError::Exists { .. })));
}

#[test]
fn the_state_of_any_kept_block_comes_in_pages() {
    let place = Place::new();
    let (store, tip) = place.open().unwrap();
    let tips = grow(&store, tip, 12);
    let reader = store.read().unwrap();
    for tip in &tips[7..] {
        for room in [1, 300, 1 << 20] {
            let mut assembly = Assembly::new(tip.header.clone());
            while !assembly.is_complete() {
                let page = reader.page(tip.header.height, assembly.after(), room).unwrap();
                assembly.take(&page).unwrap();
            }
            assert_eq!(assembly.finish(&spec()).unwrap(), *tip);
        }
    }
    let gone = reader.page(BlockHeight(6), None, 1);
    assert!(matches!(gone, Err(StoreError::NotKept { .. })));
}

#[test]
fn only_the_next_block_is_written() {
    let place = Place::new();
    let (store, tip) = place.open().unwrap();
    let next = next(&store, &tip);
    store.commit(&next, None).unwrap();
    assert!(matches!(store.commit(&next, None), Err(StoreError::Order { expected: BlockHeight(2), .. })));
    assert_eq!(store.read().unwrap().certificate(BlockHeight(1)).unwrap(), None);
}

#[test]
fn an_imported_state_goes_on_as_if_it_had_been_here() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let (store, tip) = place.open().unwrap();
    let tips = grow(&store, tip, 7);
    let options = StoreOptions { retain: 5, ..StoreOptions::default() };
    let (copy, tip) = Store::import(&elsewhere.file(), tips[7].clone(), Some(b"it"), options).unwrap();
    assert_eq!(tip, tips[7]);
    assert_eq!(grow(&copy, tip, 8), grow(&store, tips[7].clone(), 8));
    drop(copy);
    let (copy, tip) = elsewhere.open().unwrap();
    assert_eq!(tip.header.height, BlockHeight(15));
    let reader = copy.read().unwrap();
    assert_eq!(reader.certificate(BlockHeight(7)).unwrap().unwrap(), b"it");
    assert_eq!(reader.header(BlockHeight(7)).unwrap(), Some(tips[7].header.clone()));
    assert!(
        reader.block(BlockHeight(7)).unwrap().is_none() && reader.header(BlockHeight(6)).unwrap().is_none()
    );
    let wrong = Tip { header: tips[6].header.clone(), state: tips[7].state.clone() };
    let refused = Store::import(&Place::new().file(), wrong, None, options);
    assert!(matches!(refused, Err(StoreError::Root { .. })));
}

#[test]
fn keeps_epoch_ends_and_their_inputs() {
    let place = Place::new();
    let (store, tip) = place.open().unwrap();
    let tips = grow(&store, tip, 12);
    let reader = store.read().unwrap();
    // Subnet 1 of a tempo of five: blocks 1, 6 and 11.
    let ends = reader.epoch_ends(BlockHeight(u64::MAX), 2).unwrap();
    assert_eq!(ends.iter().map(|end| end.height.0).collect::<Vec<_>>(), [11, 6]);
    assert_eq!(reader.epoch_ends(BlockHeight(10), 9).unwrap().len(), 2);
    let subnet = &tips[11].state.subnets()[&Netuid(1)];
    assert_eq!(ends[0].metagraphs, [(Netuid(1), subnet.metagraph.unwrap())]);
    assert_eq!(reader.epoch_end(BlockHeight(11)).unwrap(), Some(ends[0].clone()));
    assert_eq!(reader.epoch_end(BlockHeight(10)).unwrap(), None);
    let kept = reader.last_epoch(Netuid(1)).unwrap().unwrap();
    assert_eq!(kept.block, BlockHeight(11));
    assert_eq!(Some(EpochInputs::hash(&kept.inputs)), subnet.inputs);
    assert_eq!(reader.last_epoch(Netuid(2)).unwrap(), None);
    let set = tips[12].state.validators().unwrap();
    assert_eq!(reader.validators(&set.hash()).unwrap().as_ref(), Some(set.as_ref()));
    assert_eq!(reader.validators(&Hash::of("unknown", &[])).unwrap(), None);
    assert!(reader.checkpoint(BlockHeight(0)).unwrap().is_none(), "the genesis has no certificate");
    assert!(matches!(reader.checkpoint(BlockHeight(3)), Err(StoreError::Damaged { .. })), "b\"certificate\"");
}
