//! The rules of keeping.

use super::*;
use nervure_consensus::checkpoint::Quorum;

#[test]
fn checkpoints_follow_one_another_and_validators_hand_over() {
    let (mut keeper, five) = (keeper(), set(&[(1, 10), (2, 10), (3, 10), (4, 10), (5, 30)]));
    assert_eq!(keeper.submit(&submission(&checkpoint(5, &five), &four(), &[1, 2, 3])), Ok(true));
    assert_eq!((keeper.latest(), keeper.validators()), (BlockHeight(5), five.hash()));
    let old = submission(&checkpoint(6, &four()), &four(), &[1, 2, 3]);
    let refused = CheckpointRejection::OtherValidators { expected: five.hash(), submitted: four().hash() };
    assert_eq!(keeper.submit(&old), Err(refused));
    let few = submission(&checkpoint(6, &four()), &five, &[1, 2, 3, 4]);
    let refused = SubmissionError::TooLittlePower { signed: 40, total: 70 };
    assert_eq!(keeper.submit(&few), Err(refused.into()));
    assert_eq!(keeper.submit(&submission(&checkpoint(6, &four()), &five, &[1, 2, 5])), Ok(true));
    assert_eq!(keeper.metagraph(Netuid(1), 5), Some(checkpoint(5, &five).metagraphs()[0].root));
}

#[test]
fn the_same_again_is_known_and_anything_else_is_refused() {
    let mut keeper = keeper();
    let first = submission(&checkpoint(5, &four()), &four(), &[1, 2, 3]);
    assert_eq!(keeper.submit(&first), Ok(true));
    assert_eq!(keeper.submit(&first), Ok(false));
    let others = submission(&checkpoint(5, &four()), &four(), &[2, 3, 4]);
    assert_eq!(keeper.submit(&others), Ok(false), "by other signers, but the same");
    let before = keeper.clone();
    let conflict = submission(&checkpoint(5, &set(&[(9, 1)])), &four(), &[1, 2, 3, 4]);
    assert!(matches!(keeper.submit(&conflict), Err(CheckpointRejection::Conflict { .. })));
    let stale = submission(&checkpoint(4, &four()), &four(), &[1, 2, 3, 4]);
    assert!(matches!(keeper.submit(&stale), Err(CheckpointRejection::Stale { .. })));
    let root = Hash::from_bytes([1; 32]);
    let block = AnchoredBlock { mesh: MESH, height: BlockHeight(7), block: root, state: root };
    let metagraphs = vec![MetagraphRoot { netuid: Netuid(1), epoch: 5, root }];
    let rewritten = AnchorCheckpoint::new(block, metagraphs.clone(), root).unwrap();
    let refused = keeper.submit(&submission(&rewritten, &four(), &[1, 2, 3]));
    assert!(matches!(refused, Err(CheckpointRejection::ConflictingMetagraph { .. })));
    let mesh = MeshId::from_bytes([9; 32]);
    let elsewhere = AnchorCheckpoint::new(AnchoredBlock { mesh, ..block }, Vec::new(), root).unwrap();
    let refused = keeper.submit(&submission(&elsewhere, &four(), &[1, 2, 3]));
    assert_eq!(refused, Err(CheckpointRejection::OtherMesh(mesh)));
    assert_eq!(keeper, before, "what was refused left a trace");
}

/// Submissions that no keeper may take, with what each tries.
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
fn what_is_not_signed_by_a_quorum_is_refused() {
    for (what, attack) in attacks() {
        assert!(matches!(keeper().submit(&attack), Err(CheckpointRejection::Quorum(_))), "{what}");
    }
}

#[test]
fn a_keeper_that_asks_for_less_is_caught() {
    let broken = || keeper().with_quorum(Quorum::ONE_THIRD);
    let taken: Vec<_> =
        attacks().into_iter().filter(|(_, attack)| broken().submit(attack) == Ok(true)).collect();
    assert_eq!(taken.iter().map(|(what, _)| *what).collect::<Vec<_>>(), ["sub-quorum"]);
}
