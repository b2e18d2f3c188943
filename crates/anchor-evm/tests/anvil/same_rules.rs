//! The contract and [`CheckpointStore`] decide alike on the same submissions.

use nervure_anchor::{
    Anchor, AnchorError, AnchorSet, AnchorSignature, CheckpointRejection, CheckpointStore, Submission,
};
use nervure_anchor_evm::anvil::AnvilOptions;
use nervure_primitives::BlockHeight;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use crate::{
    chain::{Chain, run},
    mesh::{MESH, four, set, signed, variant},
};

/// A submission, from small numbers: height, the sets that sign and follow, the signers, the flaw.
type Wish = (u64, u8, u8, Vec<u8>, u8);

fn wishes() -> impl Strategy<Value = Vec<Wish>> {
    let signers = prop_oneof![Just(vec![1, 2, 3]), proptest::collection::vec(1u8..6, 0..6)];
    proptest::collection::vec((0u64..8, 0u8..2, 0u8..2, signers, 0u8..8), 40)
}

fn of(which: u8) -> AnchorSet {
    if which == 0 { four() } else { set(&[(1, 7), (2, 1), (3, 6), (5, 3)]) }
}

fn submission(store: &CheckpointStore, (height, by, next, mut signers, flaw): Wish) -> Submission {
    signers.dedup();
    // Mostly valid successors, so that both stores make progress.
    let height = if flaw == 4 { height } else { store.latest().0 + height };
    let by = if flaw != 3 && of(by).hash() != store.validators() { 1 - by } else { by };
    let what = if flaw == 6 { "other" } else { "metagraph" };
    let checkpoint = variant(height, height / 2, &of(next), what);
    let mut submission = signed(&store.domain(), &checkpoint, &of(by), &signers);
    match flaw {
        5 => submission.signatures.reverse(),
        7 => {
            if let Some(one) = submission.signatures.first_mut() {
                *one = AnchorSignature::from_bytes([0; 64]);
            }
        }
        _ => {}
    }
    submission
}

#[test]
fn the_contract_and_the_store_decide_alike() {
    run(async {
        let Some(chain) = Chain::start(AnvilOptions::default()).await else { return };
        let anchor = chain.anchor(0).await;
        let mut store = CheckpointStore::new(chain.contract.domain, MESH, BlockHeight(0), four().hash());
        let mut runner = TestRunner::deterministic();
        let mut outcomes = std::collections::BTreeMap::<String, usize>::new();
        for _ in 0..8 {
            for wish in wishes().new_tree(&mut runner).unwrap().current() {
                let submission = submission(&store, wish);
                let said = chain.show(&chain.contract, &submission).await;
                let expected = store.submit(&submission);
                match (&said, &expected) {
                    (Ok(said), Ok(expected)) if said == expected => {}
                    (Err(AnchorError::Rejected(said)), Err(expected)) if said == expected => {}
                    _ => panic!("{submission:?}: the contract says {said:?}, the store {expected:?}"),
                }
                if expected == Ok(true) {
                    anchor.submit(&submission).await.unwrap();
                }
                *outcomes.entry(kind(&expected)).or_default() += 1;
            }
        }
        assert_eq!(anchor.head().await.unwrap(), (store.latest(), store.validators()));
        assert!(outcomes.len() == 9, "too little was tried: {outcomes:?}");
    });
}

fn kind(outcome: &Result<bool, CheckpointRejection>) -> String {
    match outcome {
        Err(CheckpointRejection::Quorum(why)) => {
            format!("{why:?}").split(['(', ' ']).next().unwrap().to_owned()
        }
        Err(why) => format!("{why:?}").split([' ', '{']).next().unwrap().to_owned(),
        Ok(stored) => stored.to_string(),
    }
}
