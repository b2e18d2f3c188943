//! The contract verifies rows of a metagraph of the ledger.

use nervure_anchor::{Anchor, AnchorCheckpoint, MetagraphRoot};
use nervure_anchor_evm::{NeuronProof, anvil::AnvilOptions};
use nervure_ledger::subnet::{Metagraph, MetagraphRow};
use nervure_primitives::{Netuid, NodeId, Uid};

use crate::{
    chain::{Chain, run},
    mesh::{block, four, signed},
};

fn row(uid: u16) -> MetagraphRow {
    let n = u64::from(uid);
    MetagraphRow {
        netuid: Netuid(7),
        epoch: 3,
        uid: Uid(uid),
        node: NodeId::from_bytes([uid as u8; 32]),
        owner: NodeId::from_bytes([uid as u8 ^ 0xff; 32]),
        stake: 1_000_000_007 * (n + 1),
        registered: 10 + n,
        last_update: u64::MAX - n,
        permit: uid.is_multiple_of(2),
        consensus: 1_000 + uid,
        incentive: 2_000 + uid,
        dividends: u16::MAX - uid,
        validator_trust: 4_000 + uid,
        emission: 5_000_000_000 + n,
    }
}

#[test]
fn a_row_of_the_ledger_is_verified_and_a_tampered_one_is_not() {
    run(async {
        let Some(chain) = Chain::start(AnvilOptions::default()).await else { return };
        let (anchor, domain) = (chain.anchor(0).await, chain.contract.domain);
        let metagraph = Metagraph::from_rows(3, (0..13).map(row).collect());
        let root = MetagraphRoot { netuid: Netuid(7), epoch: 3, root: metagraph.root().root };
        let checkpoint = AnchorCheckpoint::new(block(10), vec![root], four().hash()).unwrap();
        anchor.submit(&signed(&domain, &checkpoint, &four(), &[1, 2, 3])).await.unwrap();

        let proof = |uid: u16| {
            let (row, proof) = metagraph.prove(Uid(uid)).unwrap();
            NeuronProof { epoch: 3, row: row.abi_encode(), siblings: proof.siblings }
        };
        for uid in 0..13 {
            assert!(anchor.verify_neuron(&proof(uid)).await.unwrap(), "uid {uid}");
        }
        let good = proof(5);
        // The lowest byte of each of the fourteen words; the eighth word is a bool, so that it stays 0 or 1.
        for word in 0..14 {
            let mut tampered = good.clone();
            tampered.row[32 * word + 31] ^= 1;
            assert!(!anchor.verify_neuron(&tampered).await.unwrap(), "word {word}");
        }
        let shorter = NeuronProof { siblings: good.siblings[1..].to_vec(), ..good.clone() };
        let another_epoch = NeuronProof { epoch: 4, ..good.clone() };
        let anothers = NeuronProof { siblings: proof(6).siblings, ..good };
        for (what, wrong) in [("shorter", shorter), ("epoch", another_epoch), ("another's", anothers)] {
            assert!(!anchor.verify_neuron(&wrong).await.unwrap(), "{what}");
        }
    });
}
