use proptest::prelude::*;

use super::*;

/// A row that differs from every other in all of its fields.
fn row(uid: u16) -> MetagraphRow {
    let number = u64::from(uid);
    MetagraphRow {
        netuid: Netuid(7),
        epoch: 3,
        uid: Uid(uid),
        node: NodeId::from_bytes([uid as u8; 32]),
        owner: NodeId::from_bytes([100 + uid as u8; 32]),
        stake: 1_000_000_007 * (number + 1),
        registered: 10 + number,
        last_update: 20 + number,
        permit: uid.is_multiple_of(2),
        consensus: 1_000 + uid,
        incentive: 2_000 + uid,
        dividends: 3_000 + uid,
        validator_trust: 4_000 + uid,
        emission: 5_000_000_000 + number,
    }
}

fn metagraph(rows: u16) -> Metagraph {
    Metagraph::from_rows(3, (0..rows).map(row).collect())
}

/// Roots and one proof made by OpenZeppelin's own library; see `tests/vectors/metagraph/make.mjs`.
#[test]
fn trees_are_those_of_openzeppelin() {
    let text = include_str!("../../../tests/vectors/metagraph/openzeppelin.json");
    let cases: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
    assert!(cases.len() >= 4);
    for case in cases {
        let tree = metagraph(case["rows"].as_u64().unwrap() as u16);
        assert_eq!(format!("0x{}", tree.root().root), case["root"].as_str().unwrap());
        let uid = Uid(case["uid"].as_u64().unwrap() as u16);
        let (_, proof) = tree.prove(uid).unwrap();
        let siblings: Vec<String> = proof.siblings.iter().map(|hash| format!("0x{hash}")).collect();
        assert_eq!(serde_json::json!(siblings), case["proof"]);
    }
}

#[test]
fn no_neurons_have_a_root_too() {
    assert_eq!(metagraph(0).root().root, Hash::from_bytes([0; 32]));
    assert!(metagraph(0).prove(Uid(0)).is_none());
}

proptest! {
    #[test]
    fn every_row_is_proven_and_no_other(rows in 1u16..40, at: prop::sample::Index, field in 0usize..6, step: prop::sample::Index, bit in 0usize..256) {
        let tree = metagraph(rows);
        let uid = at.index(usize::from(rows)) as u16;
        let (row, proof) = tree.prove(Uid(uid)).unwrap();
        prop_assert!(proof.verify(row, &tree.root()));
        let mut lie = row.clone();
        match field {
            0 => lie.incentive += 1,
            1 => lie.emission -= 1,
            2 => lie.node = lie.owner,
            3 => lie.uid = Uid(uid + 1),
            4 => lie.permit = !lie.permit,
            _ => lie.epoch += 1,
        }
        prop_assert!(!proof.verify(&lie, &tree.root()));
        if !proof.siblings.is_empty() {
            let mut forged = proof.clone();
            let place = step.index(forged.siblings.len());
            let mut bytes = *forged.siblings[place].as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            forged.siblings[place] = Hash::from_bytes(bytes);
            prop_assert!(!forged.verify(row, &tree.root()));
        }
    }
}
