//! Heights are decided.

use super::*;
use crate::bft::{Equivocation, MessageError, TimerKind};

#[test]
fn four_validators_decide_every_height() {
    let mut nodes: Vec<_> = (1..=4).map(TestNode::new).collect();
    for height in 1..=5 {
        nodes.iter_mut().for_each(|node| node.start(height, 4, Vec::new()));
        deliver(&mut nodes);
    }
    for node in &nodes {
        assert_eq!(node.decided.len(), 5);
        for (certificate, first) in node.decided.iter().zip(&nodes[0].decided) {
            assert_eq!(certificate.value, first.value);
            assert_eq!(certificate.verify(&validators(4), &MESH), Ok(()));
        }
    }
}

#[test]
fn a_single_validator_decides_alone() {
    let mut nodes = [TestNode::new(1)];
    nodes[0].start(1, 1, Vec::new());
    deliver(&mut nodes);
    assert_eq!(nodes[0].decided.len(), 1);
}

#[test]
fn a_crashed_proposer_costs_a_round() {
    let crashed = proposer(4, 1, 0);
    let mut nodes: Vec<_> = (1..=4).filter(|n| *n != crashed).map(TestNode::new).collect();
    nodes.iter_mut().for_each(|node| node.start(1, 4, Vec::new()));
    for kind in [TimerKind::Propose, TimerKind::Precommit] {
        deliver(&mut nodes);
        nodes.iter_mut().for_each(|node| node.fire(kind));
    }
    deliver(&mut nodes);
    for node in &nodes {
        assert_eq!(node.decided[0].value, block(BlockHeight(1), Round(1)));
        assert!(node.other.iter().any(|e| matches!(e, Effect::RoundStarted { round: Round(1), .. })));
    }
}

#[test]
fn an_invalid_block_is_not_decided() {
    let mut nodes: Vec<_> = (1..=4).map(TestNode::new).collect();
    nodes.iter_mut().for_each(|node| {
        node.valid = false;
        node.start(1, 4, Vec::new());
    });
    deliver(&mut nodes);
    assert!(nodes.iter().all(|node| node.decided.is_empty()));
    let nil = |entry: &WalEntry| matches!(entry, WalEntry::Vote(vote) if vote.statement.value.is_none());
    assert!(nodes[0].log.iter().any(nil), "they vote nil");
}

#[test]
fn a_certificate_decides_without_a_vote() {
    let mut nodes: Vec<_> = (1..=4).map(TestNode::new).collect();
    nodes.iter_mut().take(3).for_each(|node| node.start(1, 4, Vec::new()));
    // The proposer may be the validator that is late.
    if proposer(4, 1, 0) == 4 {
        nodes.iter_mut().take(3).for_each(|node| node.fire(TimerKind::Propose));
        deliver(&mut nodes[..3]);
        nodes.iter_mut().take(3).for_each(|node| node.fire(TimerKind::Precommit));
    }
    deliver(&mut nodes[..3]);
    let certificate = nodes[0].decided[0].clone();
    let late = &mut nodes[3];
    late.start(1, 4, Vec::new());
    late.give(Input::Certificate { from: node(1), certificate: certificate.clone() });
    assert_eq!(late.decided, [certificate]);
}

/// Blocks of the same transactions are the same block, whichever validator proposes them.
#[test]
fn a_proposer_of_an_already_decided_block_decides_it_too() {
    let (first, ours) = (proposer(4, 1, 0), proposer(4, 1, 1));
    assert_ne!(first, ours);
    let mut engine = TestNode::new(ours).engine;
    let mut give = |input| engine.handle(input).unwrap();
    let receive = |message| Input::Message { from: node(99), message, at: NOW };
    let elapsed = |kind| Input::Elapsed(crate::bft::Timer { height: BlockHeight(1), round: Round(0), kind });
    give(Input::Start {
        height: BlockHeight(1),
        validators: validators(4),
        silent: Default::default(),
        log: Vec::new(),
        now: NOW,
    });
    let value = block(BlockHeight(1), Round(0));
    let asked = give(receive(proposal(first, 0, None, value)));
    assert!(asked.iter().any(|effect| matches!(effect, Effect::Validate(_))), "{asked:?}");
    for other in (1..=4).filter(|other| *other != ours) {
        give(receive(vote(other, 0, VoteKind::Precommit, Some(value))));
    }
    // The application is still busy with it when the next round begins, which is ours.
    give(elapsed(TimerKind::Propose));
    let next = give(elapsed(TimerKind::Precommit));
    assert!(next.iter().any(|effect| matches!(effect, Effect::Propose { .. })), "{next:?}");
    let decided = give(Input::Proposed { height: BlockHeight(1), round: Round(1), value });
    assert!(decided.iter().any(|effect| matches!(effect, Effect::Decided(_))), "{decided:?}");
}

#[test]
fn a_message_of_a_later_height_reports_the_node_as_behind() {
    let mut late = TestNode::new(4);
    late.start(1, 4, Vec::new());
    let ahead = Vote { height: BlockHeight(2), round: Round(0), kind: VoteKind::Prevote, value: None };
    late.receive(Message::Vote(SignedStatement::sign(&key(1), &MESH, ahead).unwrap()));
    let behind = Effect::Behind { peer: node(99), height: BlockHeight(2) };
    assert!(late.other.contains(&behind), "{:?}", late.other);
}

#[test]
fn two_votes_at_one_position_are_evidence() {
    let mut nodes: Vec<_> = (1..=4).map(TestNode::new).collect();
    nodes.iter_mut().for_each(|node| node.start(1, 4, Vec::new()));
    let (one, other) = (Hash::of("one", &[]), Hash::of("other", &[]));
    for node in &mut nodes {
        node.receive(vote(2, 7, VoteKind::Prevote, Some(one)));
        node.receive(vote(2, 7, VoteKind::Prevote, Some(other)));
    }
    deliver(&mut nodes);
    for node in &nodes {
        assert_eq!(node.decided.len(), 1);
        let culprits = node.other.iter().filter_map(|effect| match effect {
            Effect::Evidence(pair) => Some(pair.culprit()),
            _ => None,
        });
        assert_eq!(culprits.collect::<Vec<_>>(), [super::node(2)]);
    }
}

#[test]
fn a_precommit_that_comes_after_the_decision_is_passed_on_once() {
    let mut node = TestNode::new(1);
    node.start(1, 4, Vec::new());
    let value = block(BlockHeight(1), Round(0));
    let proposer = proposer(4, 1, 0);
    if proposer != 1 {
        node.receive(proposal(proposer, 0, None, value));
    }
    for kind in [VoteKind::Prevote, VoteKind::Precommit] {
        [2, 3].into_iter().for_each(|n| node.receive(vote(n, 0, kind, Some(value))));
    }
    let certificate = node.decided.first().expect("three of four decide");
    assert!(certificate.signatures.of(&super::node(4)).is_none());
    node.other.clear();
    // Another block, another round, and a damaged signature are none.
    node.receive(vote(4, 0, VoteKind::Precommit, None));
    node.receive(vote(4, 1, VoteKind::Precommit, Some(value)));
    let Message::Vote(signed) = vote(4, 0, VoteKind::Precommit, Some(value)) else { panic!("a vote") };
    node.receive(Message::Vote(SignedStatement { signer: super::node(3), ..signed }));
    let signature = nervure_primitives::Signature::from_bytes([1; 64]);
    node.receive(Message::Vote(SignedStatement { signature, ..signed }));
    let passed = |node: &TestNode| {
        node.other
            .iter()
            .filter(|effect| matches!(effect, Effect::LatePrecommit(_)))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(passed(&node), []);
    node.receive(Message::Vote(signed));
    node.receive(Message::Vote(signed));
    assert_eq!(passed(&node), [Effect::LatePrecommit(signed)]);
    assert!(node.errors().iter().any(|error| matches!(error, MessageError::OldHeight(_))), "the second one");
}

/// A validator that is busy with the block while the others decide it.
#[test]
fn a_validator_that_is_slower_than_two_thirds_precommits_what_they_decided() {
    let proposer = proposer(4, 1, 0);
    let slow = (1..=4).find(|n| *n != proposer).expect("four validators");
    let mut node = TestNode::new(slow);
    node.start(1, 4, Vec::new());
    let value = block(BlockHeight(1), Round(0));
    // The precommits come first: to the core there is nothing left to vote on when the block is there.
    for kind in [VoteKind::Precommit, VoteKind::Prevote] {
        (1..=4).filter(|n| *n != slow).for_each(|n| node.receive(vote(n, 0, kind, Some(value))));
    }
    node.receive(proposal(proposer, 0, None, value));
    assert_eq!(node.decided.len(), 1);
    let ours = vote(slow, 0, VoteKind::Precommit, Some(value));
    assert!(node.sent.contains(&ours), "{:?}", node.sent);
    // It is in the log and in the record before it is sent: a restart decides the same and signs nothing else.
    assert!(
        node.log.iter().any(|entry| matches!(entry, WalEntry::Vote(vote) if Message::Vote(*vote) == ours))
    );
    let mut restarted = TestNode::with(slow, super::config(), node.record);
    restarted.start(1, 4, node.log.clone());
    assert_eq!((restarted.decided.len(), restarted.errors()), (1, vec![]));
    assert!(!restarted.other.iter().any(|effect| matches!(effect, Effect::Silenced { .. })));
}

/// The evidence that a node has found.
fn evidence(node: &mut TestNode) -> Vec<Equivocation> {
    let others = std::mem::take(&mut node.other);
    let found = others.into_iter().filter_map(|effect| match effect {
        Effect::Evidence(pair) => Some(pair),
        _ => None,
    });
    found.collect()
}

#[test]
fn a_proposer_that_forgets_what_it_precommitted_is_found_and_no_other_is() {
    // A later round whose proposer is another validator.
    let round = (1..8).find(|round| proposer(4, 1, *round) != 1).unwrap();
    let who = proposer(4, 1, round);
    let (locked, other) = (Hash::of("locked", &[]), Hash::of("other", &[]));
    let precommit = |value| vote(who, 0, VoteKind::Precommit, value);
    let found = |first: Message, second: Message| {
        let mut node = TestNode::new(1);
        node.start(1, 4, Vec::new());
        node.receive(first);
        node.receive(second);
        evidence(&mut node)
    };
    let forgetful = || proposal(who, round, None, other);
    let guilty = found(precommit(Some(locked)), forgetful());
    assert!(matches!(guilty.as_slice(), [Equivocation::Amnesia(..)]), "{guilty:?}");
    assert_eq!(guilty[0].verify(&MESH), Ok(()));
    // What it is locked on, a block with a later polka, and after a nil vote: all of that is right.
    assert_eq!(found(precommit(Some(locked)), proposal(who, round, None, locked)), []);
    assert_eq!(found(precommit(None), forgetful()), []);
    if round > 1 {
        assert_eq!(found(precommit(Some(locked)), proposal(who, round, Some(1), other)), []);
    }
}
