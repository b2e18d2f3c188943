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

fn peer(number: u8) -> NodeId {
    NodeId::from_bytes([number; 32])
}

#[test]
fn another_peer_is_asked_only_when_the_first_is_slow_and_no_peer_is_asked_twice() {
    let (mut sync, now) = (BlockSync::default(), Instant::now());
    assert!(sync.on_claim(peer(1), now));
    assert!(!sync.on_claim(peer(2), now), "the first request runs");
    let later = now + HEDGE_DELAY;
    assert!(!sync.on_claim(peer(1), later), "it was asked");
    assert!(sync.on_claim(peer(2), later), "the first one is slow");
    assert!(sync.on_claim(peer(3), later + HEDGE_DELAY));
    assert!(!sync.on_claim(peer(4), later + 2 * HEDGE_DELAY), "no more than three at once");
    assert!(sync.on_claim(peer(1), now + SYNC_TIMEOUT), "its request is lost");
    assert_eq!(sync.on_response(peer(2), &[], BlockHeight(1), now), None);
}

#[test]
fn a_peer_that_claims_blocks_and_has_none_does_not_keep_others_from_being_asked() {
    let (mut sync, now) = (BlockSync::default(), Instant::now());
    assert!(sync.on_claim(peer(1), now));
    sync.on_response(peer(1), &[], BlockHeight(1), now);
    assert!(!sync.on_claim(peer(1), now), "its next claim is not worth a request yet");
    assert!(sync.on_claim(peer(2), now));
    sync.on_response(peer(2), &[certified(&chain(1), 1)], BlockHeight(1), now);
    assert!(sync.on_claim(peer(1), now + EMPTY_CLAIM_PAUSE));
    // A peer that was polled and has nothing new is honest.
    sync.on_response(peer(3), &[], BlockHeight(1), now);
    assert!(!sync.paused(now).contains(&peer(3)));
}

#[test]
fn a_peer_that_sent_invalid_blocks_is_not_asked_for_a_time_and_the_list_is_bounded() {
    let (mut sync, now) = (BlockSync::default(), Instant::now());
    assert!(sync.on_claim(peer(1), now));
    sync.on_fault(peer(1), now);
    assert!(sync.on_claim(peer(2), now), "its request has ended");
    sync.on_response(peer(2), &[], BlockHeight(1), now);
    assert!(sync.paused(now).contains(&peer(1)) && !sync.on_claim(peer(1), now + 2 * EMPTY_CLAIM_PAUSE));
    assert!(sync.on_claim(peer(1), now + FAULT_PAUSE));
    for number in 0..2 * MAX_PAUSED_PEERS as u64 {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        sync.on_fault(NodeId::from_bytes(id), now);
    }
    assert_eq!(sync.paused(now).len(), MAX_PAUSED_PEERS);
}

#[test]
fn a_response_with_several_next_blocks_is_followed_by_another_request() {
    let (mut sync, now, chain) = (BlockSync::default(), Instant::now(), chain(3));
    let blocks: Vec<_> = (1..=3).map(|height| certified(&chain, height)).collect();
    assert_eq!(sync.on_response(peer(1), &blocks, BlockHeight(1), now), Some(BlockHeight(4)));
    assert!(!sync.on_claim(peer(2), now), "that request runs");
    assert_eq!(sync.on_response(peer(1), &[], BlockHeight(4), now), None, "there were no more");
    assert!(sync.paused(now).is_empty(), "it claimed none");
    assert_eq!(sync.on_response(peer(1), &blocks, BlockHeight(2), now), None, "they are not the next ones");
    assert_eq!(sync.on_response(peer(1), &blocks[..1], BlockHeight(1), now), None, "one block is the last");
}

#[test]
fn it_is_behind_until_it_has_the_highest_block_that_was_proved() {
    let (mut sync, now) = (BlockSync::default(), Instant::now());
    sync.on_claim(peer(1), now);
    assert!(sync.behind().is_none() && sync.is_live(BlockHeight(0)), "a claim proves nothing");
    sync.on_proof(BlockHeight(5));
    sync.on_proof(BlockHeight(3));
    assert_eq!(sync.behind(), Some(BlockHeight(5)));
    assert!(!sync.is_live(BlockHeight(4)) && sync.is_live(BlockHeight(5)));
    sync.on_commit(BlockHeight(4));
    assert_eq!(sync.behind(), Some(BlockHeight(5)));
    sync.on_commit(BlockHeight(5));
    assert_eq!(sync.behind(), None);
}

#[test]
fn a_later_block_exists_when_more_than_a_third_of_the_known_power_signed_it() {
    let chain = chain(3);
    let (block, certificate) = certified(&chain, 3);
    let signed_by = |signatures: Vec<_>| {
        let signatures = SignatureList::collect(signatures).unwrap();
        (block.clone(), CommitCertificate { signatures, ..certificate.clone() })
    };
    let all: Vec<_> = certificate.signatures.iter().copied().collect();
    assert!(proves_existence(&chain.genesis, &signed_by(all.clone())));
    assert!(proves_existence(&chain.genesis, &signed_by(all[..2].to_vec())));
    assert!(!proves_existence(&chain.genesis, &signed_by(all[..1].to_vec())), "a third is not enough");
    // A stranger's signature counts for nothing, and does not spoil the others.
    let mut with_a_stranger = all[..2].to_vec();
    with_a_stranger.push((validator(9).node_id(), all[0].1));
    with_a_stranger.sort_by_key(|(signer, _)| *signer);
    assert!(proves_existence(&chain.genesis, &signed_by(with_a_stranger)));
    let mut forged = all[..2].to_vec();
    forged[1].1 = forged[0].1;
    assert!(!proves_existence(&chain.genesis, &signed_by(forged)));
    // The highest height that can be written, with the certificate of another block.
    let mut impossible = block.clone();
    impossible.header.height = BlockHeight(u64::MAX);
    assert!(!proves_existence(&chain.genesis, &(impossible, certificate.clone())));
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

#[test]
fn a_peer_without_the_next_block_is_asked_again_when_this_node_gets_to_its_blocks() {
    let (mut sync, now) = (BlockSync::default(), Instant::now());
    assert!(sync.on_claim(peer(1), now));
    sync.on_pruned(peer(1), BlockHeight(9));
    sync.on_pruned(peer(2), BlockHeight(5));
    assert_eq!(sync.pruned_from(), Some(BlockHeight(5)));
    assert!(sync.not_asked(now).contains(&peer(1)) && sync.paused(now).is_empty(), "it is no fault");
    assert!(!sync.on_claim(peer(1), now), "its claim is of no use");
    assert!(sync.on_claim(peer(3), now), "another one is asked at once");
    sync.on_response(peer(3), &[], BlockHeight(1), now);
    sync.on_commit(BlockHeight(4));
    assert!(sync.on_claim(peer(2), now), "the next block is one of its");
    assert_eq!(sync.pruned_from(), Some(BlockHeight(9)));
    sync.on_commit(BlockHeight(8));
    assert_eq!((sync.pruned_from(), sync.not_asked(now).contains(&peer(1))), (None, false));
    for number in 0..2 * MAX_PAUSED_PEERS as u64 {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        sync.on_pruned(NodeId::from_bytes(id), BlockHeight(u64::MAX));
    }
    assert_eq!(sync.not_asked(now).len(), MAX_PAUSED_PEERS + 1, "the list is bounded");
}
