//! The state tree: the root says everything, proofs hold for what is there and for nothing else.

use nervure_ledger::{
    nodes::RetiredKey,
    params::Params,
    spec::MeshSpec,
    state::LedgerState,
    tree::{Key, MemoryTree, Record, StateProof, StateTree, changes},
};
use nervure_primitives::{Amount, Hash, Netuid, NodeId, Uid, cbor};
use proptest::prelude::*;

use crate::{
    random,
    world::{World, params, units},
};

/// The world after some blocks, its tree grown block by block, and its spec.
fn grown(blocks: &[Vec<random::Wish>]) -> (World, MemoryTree) {
    let mut world = random::settled();
    let mut tree = MemoryTree::of(&world.state).unwrap();
    for wishes in blocks {
        let before = world.state.clone();
        let transactions = random::sign(&world, wishes);
        world.apply(transactions);
        tree.write(&changes(Some(&before), &world.state)).unwrap();
    }
    (world, tree)
}

/// All records of a state.
fn records(state: &LedgerState) -> Vec<Record> {
    changes(None, state).into_values().flatten().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_tree_grown_block_by_block_is_the_tree_of_the_state(blocks in random::wishes()) {
        let (world, tree) = grown(&blocks);
        prop_assert_eq!(tree.root(), MemoryTree::of(&world.state).unwrap().root());
    }

    #[test]
    fn a_state_is_its_records(blocks in random::wishes()) {
        let (world, _) = grown(&blocks);
        let rebuilt = LedgerState::from_records(&world.spec, records(&world.state)).unwrap();
        prop_assert_eq!(rebuilt, world.state);
    }

    #[test]
    fn every_record_is_proven_and_no_other(blocks in random::wishes(), at: prop::sample::Index, bit: prop::sample::Index) {
        let (world, tree) = grown(&blocks);
        let root = tree.root().unwrap();
        let all = records(&world.state);
        let record = at.get(&all);
        let (found, proof) = tree.prove(&record.key()).unwrap();
        prop_assert_eq!(found.as_ref(), Some(record));
        prop_assert_eq!(proof.verify(&root, record), Ok(()));
        prop_assert!(proof.verify_absence(&root, &record.key()).is_err(), "it is there");
        prop_assert!(proof.verify(&Hash::of("other root", &[]), record).is_err());
        prop_assert!(proof.verify(&root, &another(record)).is_err(), "another record");
        let mut bytes = cbor::encode(&proof).unwrap();
        let place = bit.index(bytes.len() * 8);
        bytes[place / 8] ^= 1 << (place % 8);
        if let Ok(forged) = cbor::decode::<StateProof>(&bytes, cbor::Limits::new(bytes.len())) {
            prop_assert!(forged.verify(&root, record).is_err(), "a forged proof");
        }
    }

    #[test]
    fn proves_absence(blocks in random::wishes(), who: [u8; 32]) {
        let (_, tree) = grown(&blocks);
        let root = tree.root().unwrap();
        let absent = [Key::Account(NodeId::from_bytes(who)), Key::Neuron(Netuid(1), Uid(500)), Key::Subnet(Netuid(99))];
        for key in absent {
            let (found, proof) = tree.prove(&key).unwrap();
            prop_assert!(found.is_none());
            prop_assert_eq!(proof.verify_absence(&root, &key), Ok(()));
            prop_assert!(proof.verify_absence(&root, &Key::Chain).is_err(), "about another key");
        }
    }
}

/// The record with one number changed.
fn another(record: &Record) -> Record {
    let more = |amount: Amount| units(amount.base_units() + 1);
    let mut record = record.clone();
    match &mut record {
        Record::Chain(chain) => chain.issuance += 1,
        Record::Account { account, .. } => account.balance = more(account.balance),
        Record::Unbonding { unbonding, .. } => unbonding.amount = more(unbonding.amount),
        Record::Stake { shares, .. } => *shares += 1,
        Record::Node { nonce, .. } => *nonce += 1,
        Record::Vote { vote, .. } => vote.block += 1,
        Record::Subnet { subnet, .. } => subnet.price += 1,
        Record::Neuron { neuron, .. } => neuron.incentive ^= 1,
        Record::AnchorKey { key, .. } => key.block += 1,
        other => {
            let node = NodeId::from_bytes([77; 32]);
            let key = RetiredKey { owner: node, free: None, deposit: units(1) };
            *other = Record::Retired { node, key };
        }
    }
    record
}

/// Debug and release builds, this machine and others: the same blocks, the same root. A change that affects
/// the encoding of a record or a rule of the ledger changes it, and has to say so.
#[test]
fn the_root_of_a_known_history_is_frozen() {
    let root = |params| {
        let mut world = World::with(params);
        world.register(0, 0);
        world.wait(20);
        MemoryTree::of(&world.state).unwrap().root().unwrap().to_string()
    };
    assert_eq!(root(params()), "050835ffaaaa46df47b448c5bd0afbeee87ae299bdc099bc2072a847dd590b1f");
    // A mesh from before there was peer prediction keeps its root.
    let before = Params { peer_prediction: None, ..params() };
    assert_eq!(root(before), "a8084a37528712fedea4b421aed882f6d202893b6d81d38e3a970a7158f61ce3");
}

#[test]
fn records_that_are_no_state_are_refused() {
    let world = random::settled();
    let all = records(&world.state);
    let without = |gone: fn(&Record) -> bool| {
        let left = all.iter().filter(|record| !gone(record)).cloned();
        LedgerState::from_records(&world.spec, left).unwrap_err().to_string()
    };
    assert_eq!(without(|record| matches!(record, Record::Chain(_))), "the record of the chain is missing");
    assert!(without(|record| matches!(record, Record::Node { .. })).contains("belongs to nothing"));
    assert!(without(|record| matches!(record, Record::Subnet { .. })).contains("belongs to nothing"));
    let first = |record: &Record| matches!(record, Record::Neuron { uid: Uid(0), .. });
    assert_eq!(without(first), "subnet 1 has no neuron in slot 0, but in higher ones");
    for record in &all {
        let twice = all.iter().cloned().chain([record.clone()]);
        assert!(LedgerState::from_records(&world.spec, twice).unwrap_err().to_string().contains("twice"));
    }
    let spec = MeshSpec::test("laws");
    assert!(LedgerState::from_records(&spec, []).is_err());
}
