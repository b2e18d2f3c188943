//! Bounds on the messages of peers.

use super::*;
use crate::{
    bft::{MessageError, PolkaCertificate, RoundCertificate, RoundReason, RoundVote},
    checkpoint::{CertificateError, SignatureList},
};

fn started() -> TestNode {
    let mut node = TestNode::new(1);
    node.start(1, 4, Vec::new());
    node.other.clear();
    node
}

fn value() -> Hash {
    Hash::of("v", &[])
}

#[test]
fn errors_name_the_reason_and_the_blame() {
    let other = if proposer(4, 1, 0) == 2 { 3 } else { 2 };
    let forged = match vote(2, 0, VoteKind::Prevote, None) {
        Message::Vote(mut vote) => {
            vote.signer = node(3);
            Message::Vote(vote)
        }
        message => message,
    };
    let cases = [
        (vote(9, 0, VoteKind::Prevote, None), MessageError::NotAValidator(node(9)), false),
        (vote(2, 11, VoteKind::Prevote, None), MessageError::FutureRound, false),
        (vote(2, u32::MAX, VoteKind::Prevote, None), MessageError::InvalidRound, true),
        (proposal(other, 0, None, value()), MessageError::NotProposer(node(other)), false),
        (proposal(other, 3, Some(3), value()), MessageError::InvalidRound, true),
        (forged, MessageError::InvalidSignature(node(3)), true),
    ];
    for (message, reason, blame) in cases {
        let mut node = started();
        node.receive(message);
        assert_eq!(node.errors(), std::slice::from_ref(&reason));
        assert_eq!(reason.blames_sender(), blame, "{reason}");
        assert!(
            node.log.iter().all(|entry| !matches!(entry, WalEntry::Vote(v) if v.signer != super::node(1)))
        );
    }
}

#[test]
fn refuses_messages_of_decided_heights_and_before_the_first_height() {
    let mut early = TestNode::new(1);
    early.receive(vote(2, 0, VoteKind::Prevote, None));
    assert_eq!(early.errors(), [MessageError::NotStarted]);
    let mut late = TestNode::new(1);
    late.start(2, 4, Vec::new());
    late.other.clear();
    late.receive(vote(2, 0, VoteKind::Prevote, None));
    assert_eq!(late.errors(), [MessageError::OldHeight(BlockHeight(1))]);
}

#[test]
fn a_duplicate_costs_no_verification() {
    let mut node = started();
    node.receive(vote(2, 0, VoteKind::Prevote, None));
    let logged = node.log.len();
    // The signature is invalid, but it is not verified.
    if let Message::Vote(mut vote) = vote(2, 0, VoteKind::Prevote, None) {
        vote.signature = nervure_primitives::Signature::from_bytes([7; 64]);
        node.receive(Message::Vote(vote));
    }
    assert_eq!((node.errors(), node.log.len()), (vec![MessageError::Duplicate], logged));
}

#[test]
fn statements_for_later_heights_are_verified_in_bounded_number() {
    let at = |n: u8, height: u64, round: u32| {
        let (height, round) = (BlockHeight(height), Round(round));
        let vote = Vote { kind: VoteKind::Prevote, height, round, value: None };
        SignedStatement::sign(&key(n), &MESH, vote).unwrap()
    };
    // A stranger invents a vote: it has a valid signature of no one.
    let forged = |n: u8, height: u64, round: u32| {
        let signature = nervure_primitives::Signature::from_bytes([7; 64]);
        Message::Vote(SignedStatement { signature, ..at(n, height, round) })
    };
    let invalid = |n: u8| vec![MessageError::InvalidSignature(super::node(n))];
    let mut node = started();
    node.receive(forged(2, 2, 0));
    assert_eq!(node.errors(), invalid(2), "it would be kept, so that it is verified");
    for round in 0..8 {
        node.receive(Message::Vote(at(2, 2, round)));
    }
    assert!(node.errors().is_empty());
    let behind = |node: &TestNode, height| {
        let behind = Effect::Behind { peer: super::node(99), height: BlockHeight(height) };
        node.other.contains(&behind)
    };
    // All that is kept of this validator is there: neither an old one nor an invented one is verified again.
    for message in [Message::Vote(at(2, 2, 3)), forged(2, 2, 8)] {
        node.receive(message);
        assert!(behind(&node, 2), "it still shows that others are ahead");
        assert_eq!(node.errors(), [MessageError::Duplicate]);
    }
    // Beyond the heights that are kept, one statement of each validator and height is verified.
    node.receive(forged(3, 50, 0));
    assert_eq!(node.errors(), invalid(3));
    node.receive(Message::Vote(at(3, 50, 0)));
    assert!(behind(&node, 50));
    node.other.clear();
    for message in [Message::Vote(at(3, 50, 0)), forged(3, 50, 1), forged(3, 40, 0)] {
        node.receive(message);
        assert_eq!(node.errors(), [MessageError::Duplicate]);
    }
    node.receive(forged(3, 51, 0));
    assert_eq!(node.errors(), invalid(3));
    // Statements of our own key always are: they show a second process with it.
    node.receive(forged(1, 50, 0));
    assert_eq!(node.errors(), invalid(1));
    node.receive(Message::Vote(at(1, 50, 0)));
    assert_eq!(node.record.silent_through, Some(BlockHeight(50)));
    node.errors();
    node.receive(forged(1, 50, 0));
    assert_eq!(node.errors(), invalid(1));
}

#[test]
fn a_proposer_gets_two_blocks_per_round_validated() {
    let turn = (0..10).find(|round| proposer(4, 1, *round) != 1).unwrap();
    let proposer = proposer(4, 1, turn);
    let mut node = started();
    for n in 0..5u8 {
        node.receive(proposal(proposer, turn, None, Hash::of("v", &[&[n]])));
    }
    assert_eq!(node.errors(), vec![MessageError::LimitReached; 3]);
    let verdicts = node.log.iter().filter(|entry| matches!(entry, WalEntry::Verdict(_))).count();
    assert!(verdicts <= 3, "two of the proposer, and perhaps one of ours");
}

#[test]
fn votes_for_later_heights_are_kept_and_used() {
    let mut nodes: Vec<_> = (1..=4).map(TestNode::new).collect();
    nodes.iter_mut().take(3).for_each(|node| node.start(2, 4, Vec::new()));
    nodes[3].start(1, 4, Vec::new());
    let late_proposes = proposer(4, 2, 0) == 4;
    deliver(&mut nodes);
    nodes[3].start(2, 4, Vec::new());
    deliver(&mut nodes);
    assert_eq!(nodes[3].decided.len(), 1, "the late validator proposes: {late_proposes}");
}

#[test]
fn certificates_need_power_order_and_signatures() {
    let sign = |n: u8, kind| match vote(n, 5, kind, Some(value())) {
        Message::Vote(vote) => (vote.signer, vote.signature),
        _ => unreachable!(),
    };
    let polka = |signers: &[u8]| {
        let signatures = signers.iter().map(|n| sign(*n, VoteKind::Prevote));
        let signatures = SignatureList::collect(signatures).unwrap();
        Message::Polka(PolkaCertificate {
            height: BlockHeight(1),
            round: Round(5),
            value: value(),
            signatures,
        })
    };
    let round = |signers: &[u8], reason, kind| {
        let vote = |n: &u8| {
            let (signer, signature) = sign(*n, kind);
            RoundVote { signer, kind, value: Some(value()), signature }
        };
        let mut votes: Vec<_> = signers.iter().map(vote).collect();
        votes.sort_by_key(|vote| vote.signer);
        Message::Round(RoundCertificate { height: BlockHeight(1), round: Round(5), reason, votes })
    };
    let weak = |signed| MessageError::Certificate(CertificateError::TooLittlePower { signed, total: 40 });
    let (skip, precommits) = (RoundReason::Skip, RoundReason::Precommits);
    let mut node = started();
    for (message, error) in [
        (polka(&[2, 3]), Some(weak(20))),
        (round(&[2], skip, VoteKind::Prevote), Some(weak(10))),
        (round(&[2, 3], precommits, VoteKind::Precommit), Some(weak(20))),
        (round(&[2, 3], precommits, VoteKind::Prevote), Some(MessageError::InvalidRound)),
        (round(&[2, 3], skip, VoteKind::Prevote), None),
        (round(&[2, 3], skip, VoteKind::Prevote), Some(MessageError::Duplicate)),
        (polka(&[2, 3, 4]), None),
        (polka(&[2, 3, 4]), Some(MessageError::Duplicate)),
    ] {
        node.receive(message);
        assert_eq!(node.errors(), Vec::from_iter(error));
    }
    assert_eq!(node.engine.position(), Some((BlockHeight(1), Round(5))), "skipped ahead");
}
