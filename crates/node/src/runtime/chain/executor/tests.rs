use nervure_ledger::testing::Chain;
use nervure_store::StoreOptions;
use tempfile::TempDir;

use super::*;
use crate::runtime::chain::{
    blocks::tests::forged,
    sync::{FollowOutcome, verify_next},
};

/// An executor at the genesis of `chain`, and the directory of its files.
fn executor(chain: &Chain) -> (BlockExecutor, TempDir) {
    let home = tempfile::tempdir().unwrap();
    let (store, tip) =
        Store::open(&home.path().join("chain.redb"), &chain.spec, StoreOptions::default()).unwrap();
    let (wal, _) = Wal::open(&home.path().join("consensus.wal")).unwrap();
    let deps = ExecutorDeps {
        store: Arc::new(store),
        wal,
        proposed: Arc::default(),
        receipts: Arc::default(),
        metrics: ChainMetrics::default(),
        threads: NonZeroUsize::MIN,
    };
    (BlockExecutor::new(tip, deps), home)
}

/// A chain of so many blocks that three validators agreed on, and the blocks as they come from a peer.
fn chain(blocks: usize) -> (Chain, Vec<Certified>) {
    let mut chain = Chain::new(3);
    chain.grow(blocks);
    let certificates = chain.checkpoints.iter().map(|checkpoint| checkpoint.certificate.clone());
    let certified = chain.blocks.iter().cloned().zip(certificates).collect();
    (chain, certified)
}

#[test]
fn a_proposed_block_is_kept_and_logged_until_it_is_committed() {
    let (chain, blocks) = chain(1);
    let (mut executor, home) = executor(&chain);
    let (proposer, now) = (blocks[0].0.header.proposer, blocks[0].0.header.time);
    let id = executor.propose(proposer, now).unwrap();
    assert!(executor.holds(&id) && executor.proposed.get(&id).is_some());
    assert_eq!(executor.propose(proposer, now).unwrap(), id, "the same transactions make the same block");
    let next = executor.take(&id).unwrap();
    assert_eq!(next.block, blocks[0].0);
    executor.commit(&next, &blocks[0].1).unwrap();
    assert_eq!((executor.height(), executor.proposed.get(&id)), (BlockHeight(2), None));
    assert_eq!(executor.store.read().unwrap().head(), &executor.tip().header);
    drop(executor);
    let (_, recovered) = Wal::open(&home.path().join("consensus.wal")).unwrap();
    assert_eq!(recovered.blocks, [blocks[0].0.encode().unwrap()], "once");
}

#[test]
fn a_block_that_does_not_follow_is_refused_and_not_kept() {
    let (chain, blocks) = chain(1);
    let (mut executor, _home) = executor(&chain);
    let mut block = blocks[0].0.clone();
    block.header.state = Hash::from_bytes([7; 32]);
    assert!(matches!(executor.validate(&block).unwrap(), Err(BlockError::Field { field: "state", .. })));
    assert!(!executor.holds(&block.header.id()));
    executor.validate(&blocks[0].0).unwrap().unwrap();
    assert!(executor.holds(&blocks[0].0.header.id()));
}

#[test]
fn a_restart_takes_back_the_blocks_of_this_height_alone() {
    let (chain, blocks) = chain(2);
    let (mut executor, _home) = executor(&chain);
    let [first, second] = [0, 1].map(|at: usize| blocks[at].0.encode().unwrap());
    executor.recover(&[second, b"not a block".to_vec(), first]).unwrap();
    assert!(executor.holds(&blocks[0].0.header.id()) && !executor.holds(&blocks[1].0.header.id()));
    assert!(executor.proposed.get(&blocks[0].0.header.id()).is_some());
}

#[test]
fn blocks_of_others_are_committed_up_to_the_first_without_agreement() {
    let (chain, mut blocks) = chain(4);
    let (mut executor, _home) = executor(&chain);
    assert!(executor.follow(&blocks[0].0, &blocks[0].1).unwrap());
    blocks[3].1 = blocks[2].1.clone();
    let mut tips = Vec::new();
    let note = |tip: &Tip, of: &CommitCertificate| {
        assert_eq!((of.height, of.value), (tip.header.height, tip.header.id()));
        tips.push(tip.header.height);
    };
    let followed = executor.follow_all(&blocks, KeptStates::All, note).unwrap();
    assert_eq!(followed, Followed { round: Some(Round(0)), is_disagreed: true });
    assert_eq!(tips, [BlockHeight(2), BlockHeight(3)], "the first is old, the last is refused");
    assert_eq!(executor.store.read().unwrap().head().height, BlockHeight(3));
    let again = executor.follow_all(&blocks, KeptStates::All, |_, _| ()).unwrap();
    assert_eq!(again, Followed { round: None, is_disagreed: true });
    let old = executor.follow_all(&blocks[..3], KeptStates::All, |_, _| ()).unwrap();
    assert_eq!(old, Followed::default(), "old blocks are no lie");
    let later = executor.follow_all(&[], KeptStates::All, |_, _| ()).unwrap();
    assert_eq!(later, Followed::default());
}

/// Blocks over two elections, of which a peer left one out.
#[test]
fn blocks_over_elections_are_followed_and_a_gap_is_no_lie() {
    let (chain, blocks) = chain(12);
    let (mut executor, _home) = executor(&chain);
    let mut with_a_gap = blocks.clone();
    with_a_gap.remove(9);
    let followed = executor.follow_all(&with_a_gap, KeptStates::Last, |_, _| ()).unwrap();
    assert_eq!(followed, Followed { round: Some(Round(0)), is_disagreed: false });
    assert_eq!(executor.height(), BlockHeight(10));
    let followed = executor.follow_all(&blocks, KeptStates::All, |_, _| ()).unwrap();
    assert_eq!(followed, Followed { round: Some(Round(0)), is_disagreed: false });
    assert_eq!(executor.tip(), &chain.tip);
    let store = executor.store.read().unwrap();
    for (block, certificate) in &blocks[..11] {
        let height = block.header.height;
        let stored = CommitCertificate::decode(&store.certificate(height).unwrap().unwrap()).unwrap();
        assert_eq!((stored.height, stored.value), (height, certificate.value));
    }
}

#[test]
fn an_agreed_block_that_is_computed_differently_stops_the_node() {
    let (chain, blocks) = chain(1);
    let (mut executor, _home) = executor(&chain);
    let mut block = blocks[0].0.clone();
    block.header.state = Hash::from_bytes([7; 32]);
    let error = executor.follow(&block, &blocks[0].1).unwrap_err();
    assert!(matches!(error, HostError::Contradicted { height: BlockHeight(1), .. }));
    assert_eq!(executor.height(), BlockHeight(1));
}

/// What a body that was not bound to its header would do: the certificate holds, and the node believes that validators
/// contradict it. [`Block::decode`] refuses such a body, so that it never gets this far.
#[test]
fn without_the_binding_a_forged_body_would_stop_the_node() {
    let (chain, blocks) = chain(1);
    let (mut executor, _home) = executor(&chain);
    let certificate = &blocks[0].1;
    let forged = forged(&blocks[0].0);
    assert!(Block::decode(&forged.encode().unwrap()).is_err());
    assert_eq!(verify_next(executor.tip(), &forged, certificate), FollowOutcome::Committed);
    let error = executor.follow(&forged, certificate).unwrap_err();
    assert!(matches!(error, HostError::Contradicted { .. }));
    assert!(executor.follow(&blocks[0].0, certificate).unwrap(), "the honest body");
}
