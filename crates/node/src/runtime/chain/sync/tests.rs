use nervure_consensus::checkpoint::SignatureList;
use nervure_ledger::testing::{Chain, validator};

use super::*;

/// A chain of so many blocks that three validators agreed on.
fn chain(blocks: usize) -> Chain {
    let mut chain = Chain::new(3);
    chain.grow(blocks);
    chain
}

/// The block at a height, with its certificate.
fn certified(chain: &Chain, height: usize) -> Certified {
    (chain.blocks[height - 1].clone(), chain.checkpoints[height - 1].certificate.clone())
}

#[test]
fn one_request_runs_at_a_time_until_it_takes_too_long() {
    let (mut sync, now) = (BlockSync::default(), Instant::now());
    assert!(sync.on_peer_ahead(BlockHeight(5), now));
    assert!(!sync.on_peer_ahead(BlockHeight(6), now), "the first request runs");
    assert!(sync.on_peer_ahead(BlockHeight(6), now + SYNC_TIMEOUT));
    assert_eq!(sync.on_response(&[], BlockHeight(1), now), None);
    assert!(sync.on_peer_ahead(BlockHeight(7), now), "the response has come");
}

#[test]
fn a_response_with_several_next_blocks_is_followed_by_another_request() {
    let (mut sync, now, chain) = (BlockSync::default(), Instant::now(), chain(3));
    let blocks: Vec<_> = (1..=3).map(|height| certified(&chain, height)).collect();
    assert_eq!(sync.on_response(&blocks, BlockHeight(1), now), Some(BlockHeight(4)));
    assert!(!sync.on_peer_ahead(BlockHeight(9), now), "that request runs");
    assert_eq!(sync.on_response(&blocks, BlockHeight(2), now), None, "they are not the next ones");
    assert_eq!(sync.on_response(&blocks[..1], BlockHeight(1), now), None, "a single block is the last one");
}

#[test]
fn it_is_behind_until_it_has_the_highest_block_that_was_announced() {
    let (mut sync, now) = (BlockSync::default(), Instant::now());
    assert!(sync.is_live(BlockHeight(0)));
    sync.on_peer_ahead(BlockHeight(5), now);
    sync.on_peer_ahead(BlockHeight(3), now);
    assert_eq!(sync.behind(), Some(BlockHeight(5)));
    assert!(!sync.is_live(BlockHeight(4)) && sync.is_live(BlockHeight(5)));
    sync.on_commit(BlockHeight(4));
    assert_eq!(sync.behind(), Some(BlockHeight(5)));
    sync.on_commit(BlockHeight(5));
    assert_eq!(sync.behind(), None);
}

#[test]
fn a_block_is_followed_when_it_is_next_and_its_validators_agreed() {
    let chain = chain(2);
    let (block, certificate) = certified(&chain, 1);
    assert_eq!(verify_next(&chain.genesis, &block, &certificate), FollowOutcome::Committed);
    let (second, its_certificate) = certified(&chain, 2);
    assert_eq!(verify_next(&chain.genesis, &second, &its_certificate), FollowOutcome::Old);
    assert_eq!(verify_next(&chain.tip, &block, &certificate), FollowOutcome::Old);
    assert_eq!(verify_next(&chain.genesis, &block, &its_certificate), FollowOutcome::Disagreed);
    let two_of_three = certificate.signatures.iter().take(2).copied();
    let weak = CommitCertificate {
        signatures: SignatureList::collect(two_of_three).unwrap(),
        ..certificate.clone()
    };
    assert_eq!(verify_next(&chain.genesis, &block, &weak), FollowOutcome::Disagreed);
}

#[test]
fn an_own_signature_of_a_height_that_began_before_this_process_is_reported_as_such() {
    let (chain, own) = (chain(3), validator(0).node_id());
    let began_here =
        |sync: &BlockSync, height: usize| match sync.own_signature(&certified(&chain, height).1, own) {
            Some(Input::OwnSignature { vote, began_here }) => {
                assert!(vote.signer == own && vote.verify(&chain.tip.header.mesh).is_ok());
                began_here
            }
            other => panic!("{other:?}"),
        };
    let mut sync = BlockSync::default();
    assert!(sync.is_in_handshake() && !began_here(&sync, 3), "no height of a peer is known");
    sync.end_handshake(BlockHeight(1));
    sync.end_handshake(BlockHeight(3));
    assert!(!sync.is_in_handshake());
    assert!(!began_here(&sync, 2), "an earlier process may have signed at the height that was being decided");
    assert!(began_here(&sync, 3));
    assert!(sync.own_signature(&certified(&chain, 3).1, validator(9).node_id()).is_none());
}
