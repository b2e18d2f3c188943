//! The rules for storing.

use super::*;
use nervure_consensus::checkpoint::Quorum;

#[test]
fn checkpoints_follow_one_another_and_validators_hand_over() {
    let (mut store, five) = (empty_store(), set(&[(1, 10), (2, 10), (3, 10), (4, 10), (5, 30)]));
    assert_eq!(store.submit(&submission(&checkpoint(5, &five), &four(), &[1, 2, 3])), Ok(true));
    assert_eq!((store.latest(), store.validators()), (BlockHeight(5), five.hash()));
    let old = submission(&checkpoint(6, &four()), &four(), &[1, 2, 3]);
    let refused = CheckpointRejection::OtherValidators { expected: five.hash(), submitted: four().hash() };
    assert_eq!(store.submit(&old), Err(refused));
    let few = submission(&checkpoint(6, &four()), &five, &[1, 2, 3, 4]);
    let refused = SubmissionError::TooLittlePower { signed: 40, total: 70 };
    assert_eq!(store.submit(&few), Err(refused.into()));
    assert_eq!(store.submit(&submission(&checkpoint(6, &four()), &five, &[1, 2, 5])), Ok(true));
    assert_eq!(store.metagraph(Netuid(1), 5), Some(checkpoint(5, &five).metagraphs()[0].root));
}

#[test]
fn a_repeated_checkpoint_is_accepted_and_another_one_is_rejected() {
    let mut store = empty_store();
    let first = submission(&checkpoint(5, &four()), &four(), &[1, 2, 3]);
    assert_eq!(store.submit(&first), Ok(true));
    assert_eq!(store.submit(&first), Ok(false));
    let others = submission(&checkpoint(5, &four()), &four(), &[2, 3, 4]);
    assert_eq!(store.submit(&others), Ok(false), "the same checkpoint, by other signers");
    let before = store.clone();
    let conflict = submission(&checkpoint(5, &set(&[(9, 1)])), &four(), &[1, 2, 3, 4]);
    assert!(matches!(store.submit(&conflict), Err(CheckpointRejection::Conflict { .. })));
    let stale = submission(&checkpoint(4, &four()), &four(), &[1, 2, 3, 4]);
    assert!(matches!(store.submit(&stale), Err(CheckpointRejection::Stale { .. })));
    let root = Hash::from_bytes([1; 32]);
    let block = AnchoredBlock { mesh: MESH, height: BlockHeight(7), block: root, state: root };
    let metagraphs = vec![MetagraphRoot { netuid: Netuid(1), epoch: 5, root }];
    let rewritten = AnchorCheckpoint::new(block, metagraphs.clone(), root).unwrap();
    let refused = store.submit(&submission(&rewritten, &four(), &[1, 2, 3]));
    assert!(matches!(refused, Err(CheckpointRejection::ConflictingMetagraph { .. })));
    let mesh = MeshId::from_bytes([9; 32]);
    let elsewhere = AnchorCheckpoint::new(AnchoredBlock { mesh, ..block }, Vec::new(), root).unwrap();
    let refused = store.submit(&submission(&elsewhere, &four(), &[1, 2, 3]));
    assert_eq!(refused, Err(CheckpointRejection::OtherMesh(mesh)));
    assert_eq!(store, before, "a rejected submission changed the store");
}

/// Submissions that no store may accept, each with its name.
fn attacks() -> Vec<(&'static str, Submission)> {
    let five = checkpoint(5, &four());
    let good = submission(&five, &four(), &[1, 2, 3]);
    let changed = |change: fn(&mut Submission)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed
    };
    vec![
        ("sub-quorum", submission(&five, &four(), &[1, 2])),
        ("a stranger", submission(&five, &four(), &[1, 2, 9])),
        ("twice", changed(|one| one.signatures[1] = one.signatures[0])),
        ("unsorted", changed(|one| one.signatures.reverse())),
        ("forged", changed(|one| one.signatures[0] = AnchorSignature::from_bytes([0; 64]))),
        ("for another checkpoint", changed(|one| one.checkpoint = checkpoint(6, &four()))),
        ("none", changed(|one| one.signatures.clear())),
    ]
}

#[test]
fn rejects_a_submission_without_a_quorum() {
    for (what, attack) in attacks() {
        assert!(matches!(empty_store().submit(&attack), Err(CheckpointRejection::Quorum(_))), "{what}");
    }
}

#[test]
fn a_store_with_a_lower_quorum_is_caught() {
    let broken = || empty_store().with_quorum(Quorum::ONE_THIRD);
    let taken: Vec<_> =
        attacks().into_iter().filter(|(_, attack)| broken().submit(attack) == Ok(true)).collect();
    assert_eq!(taken.iter().map(|(what, _)| *what).collect::<Vec<_>>(), ["sub-quorum"]);
}
