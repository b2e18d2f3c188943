//! Crashes, replays, and signatures of an earlier process.

use super::*;
use crate::{
    bft::{MessageError, TimerKind},
    checkpoint::SignatureList,
};

/// Runs a round until a node has prevoted. Returns the nodes and the index of that node.
fn prevoted() -> (Vec<TestNode>, usize) {
    let mut nodes: Vec<_> = (1..=4).map(TestNode::new).collect();
    nodes.iter_mut().for_each(|node| node.start(1, 4, Vec::new()));
    let proposals: Vec<_> = nodes.iter_mut().flat_map(|node| std::mem::take(&mut node.sent)).collect();
    for message in proposals {
        nodes.iter_mut().for_each(|node| node.receive(message.clone()));
    }
    let at = nodes.iter().position(|node| node.sent.len() == 1).unwrap();
    (nodes, at)
}

#[test]
fn a_replay_leads_to_the_same_state_and_signs_nothing_new() {
    let (mut nodes, at) = prevoted();
    let n = u8::try_from(at).unwrap() + 1;
    let sent = nodes[at].sent.clone();
    let (log, record) = (nodes[at].log.clone(), nodes[at].record);
    let mut again = TestNode::with(n, config(), record);
    again.start(1, 4, log.clone());
    assert_eq!(again.sent, sent, "the same vote, sent again");
    assert_eq!((again.record, &again.log), (record, &log), "no signature or log entry is added");
    assert_eq!(again.engine.position(), nodes[at].engine.position());
    nodes[at] = again;
    deliver(&mut nodes);
    assert!(nodes.iter().all(|node| node.decided.len() == 1), "and takes part again");
}

#[test]
fn a_lost_unsynced_tail_is_signed_and_logged_again() {
    let (nodes, at) = prevoted();
    let n = u8::try_from(at).unwrap() + 1;
    let mut log = nodes[at].log.clone();
    let lost = log.pop().unwrap();
    assert!(matches!(lost, WalEntry::Vote(vote) if vote.signer == node(n)), "our own vote is lost");
    let mut again = TestNode::with(n, config(), SignerRecord::default());
    again.start(1, 4, log);
    assert_eq!(again.sent, nodes[at].sent, "the same statement is signed again");
    assert_eq!((&again.log, again.record), (&nodes[at].log, nodes[at].record));
}

#[test]
fn a_lost_record_is_recovered_from_the_log() {
    let (nodes, at) = prevoted();
    let mut again = TestNode::with(u8::try_from(at).unwrap() + 1, config(), SignerRecord::default());
    again.start(1, 4, nodes[at].log.clone());
    assert_eq!(again.record, nodes[at].record);
}

#[test]
fn a_validator_without_its_log_signs_nothing_at_the_height() {
    let (nodes, at) = prevoted();
    let mut again = TestNode::with(u8::try_from(at).unwrap() + 1, config(), nodes[at].record);
    again.start(1, 4, Vec::new());
    assert!(again.other.contains(&Effect::Silenced { through: BlockHeight(1), key_used_twice: false }));
    again.fire(TimerKind::Propose);
    again.fire(TimerKind::Rebroadcast);
    assert!(again.sent.is_empty(), "{:?}", again.sent);
    again.start(2, 4, Vec::new());
    again.fire(TimerKind::Propose);
    assert!(!again.sent.is_empty(), "but signs at the next height");
}

/// A proposer that may not sign must not wait for its own proposal.
#[test]
fn a_suspended_proposer_does_not_wait_for_itself() {
    let n = proposer(4, 1, 0);
    let mut suspended = TestNode::new(n);
    let mut engine = Engine::new(config(), Signer::new(key(n), MESH, SignerRecord::default()));
    let start = Input::Start {
        height: BlockHeight(1),
        validators: validators(4),
        silent: Default::default(),
        log: Vec::new(),
        now: NOW,
    };
    let asked = engine.handle(start).unwrap();
    assert!(asked.iter().any(|effect| matches!(effect, Effect::Propose { .. })));
    std::mem::swap(&mut suspended.engine, &mut engine);
    suspended.receive(vote(n, 3, VoteKind::Precommit, None));
    let (height, round) = (BlockHeight(1), Round(0));
    suspended.give(Input::Proposed { height, round, value: block(height, round) });
    assert!(suspended.sent.is_empty(), "{:?}", suspended.sent);
    suspended.fire(TimerKind::Propose);
    let others = (1..=4).filter(|other| *other != n);
    others.for_each(|other| suspended.receive(vote(other, 0, VoteKind::Prevote, None)));
    let others = (1..=4).filter(|other| *other != n);
    others.for_each(|other| suspended.receive(vote(other, 0, VoteKind::Precommit, None)));
    suspended.fire(TimerKind::Precommit);
    assert_eq!(suspended.engine.position(), Some((BlockHeight(1), Round(1))));
}

#[test]
fn a_decision_in_the_log_is_emitted_again() {
    let mut nodes: Vec<_> = (1..=4).map(TestNode::new).collect();
    nodes.iter_mut().for_each(|node| node.start(1, 4, Vec::new()));
    deliver(&mut nodes);
    let mut again = TestNode::with(1, config(), nodes[0].record);
    again.start(1, 4, nodes[0].log.clone());
    assert_eq!(again.decided, nodes[0].decided);
}

#[test]
fn records_are_saved_before_messages_are_sent() {
    let mut engine = Engine::new(config(), Signer::new(key(1), MESH, SignerRecord::default()));
    let start = Input::Start {
        height: BlockHeight(1),
        validators: validators(1),
        silent: Default::default(),
        log: Vec::new(),
        now: NOW,
    };
    let mut effects = engine.handle(start).unwrap();
    let value = block(BlockHeight(1), Round(0));
    let proposed = Input::Proposed { height: BlockHeight(1), round: Round(0), value };
    effects.extend(engine.handle(proposed).unwrap());
    let at = |wanted: fn(&Effect) -> bool| effects.iter().position(wanted).unwrap();
    let saved = at(|effect| matches!(effect, Effect::SaveSigner(_)));
    let synced = at(|effect| matches!(effect, Effect::Sync));
    let sent = at(|effect| matches!(effect, Effect::Broadcast(_)));
    assert!(saved < synced && synced < sent);
    let last = effects.iter().rposition(|effect| matches!(effect, Effect::Append(_))).unwrap();
    assert!(last < synced, "one sync serves all");
}

fn listening(n: u8, record: SignerRecord) -> TestNode {
    let mut node = TestNode::with(n, Config::new(Timeouts::local(), Duration::from_secs(1)), record);
    node.start(1, 4, Vec::new());
    node
}

#[test]
fn signs_nothing_before_listening_is_over() {
    let mut node = listening(1, SignerRecord::default());
    node.receive(vote(2, 0, VoteKind::Prevote, None));
    assert!(node.sent.is_empty() && node.log.is_empty());
    node.fire(TimerKind::Listen);
    assert!(node.log.iter().any(|entry| matches!(entry, WalEntry::Vote(v) if v.signer == super::node(2))));
}

#[test]
fn listening_continues_at_the_next_height_and_restarts_after_catching_up() {
    let mut node = listening(1, SignerRecord::default());
    let listens = |node: &TestNode| {
        let timers = node.timers.keys().filter(|timer| timer.kind == TimerKind::Listen);
        timers.map(|timer| timer.height.0).collect::<Vec<_>>()
    };
    // Others decide heights faster than the listening period. A restart at each would never end.
    (2..=5).for_each(|height| node.start(height, 4, Vec::new()));
    assert_eq!(listens(&node), [1]);
    // After catching up, an earlier process may have signed at this height.
    node.start(9, 4, Vec::new());
    assert_eq!(listens(&node), [9]);
    node.start(10, 4, Vec::new());
    assert!(node.sent.is_empty());
    node.fire(TimerKind::Listen);
    node.receive(vote(2, 0, VoteKind::Prevote, None));
    assert!(!node.errors().contains(&MessageError::NotStarted));
    node.start(11, 4, Vec::new());
    assert!(listens(&node).is_empty(), "it has listened");
}

#[test]
fn heights_decided_by_certificates_do_not_prolong_listening() {
    let value = Hash::of("v", &[]);
    let certificate = |height: u64| {
        let height = BlockHeight(height);
        let vote = Vote { kind: VoteKind::Precommit, height, round: Round(0), value: Some(value) };
        let signed = |n: u8| SignedStatement::sign(&key(n), &MESH, vote).unwrap();
        let signatures = (2..=4).map(|n| (super::node(n), signed(n).signature));
        let signatures = SignatureList::collect(signatures).unwrap();
        CommitCertificate { height, round: Round(0), value, signatures }
    };
    let mut node = listening(1, SignerRecord::default());
    for height in 1..=5 {
        node.give(Input::Certificate { from: super::node(2), certificate: certificate(height) });
        assert_eq!(node.decided.len() as u64, height);
        node.start(height + 1, 4, Vec::new());
        let listens = node.timers.keys().filter(|timer| timer.kind == TimerKind::Listen);
        // A period that began again at each height would not end while blocks come faster than it lasts.
        assert_eq!(listens.map(|timer| timer.height.0).collect::<Vec<_>>(), [1]);
        assert!(node.sent.is_empty());
    }
    node.fire(TimerKind::Listen);
    node.start(7, 4, Vec::new());
    assert!(node.timers.keys().all(|timer| timer.kind != TimerKind::Listen), "it has listened");
}

#[test]
fn a_signature_of_an_earlier_process_suspends_signing() {
    let mut node = listening(1, SignerRecord::default());
    node.receive(vote(1, 3, VoteKind::Precommit, None));
    node.fire(TimerKind::Listen);
    assert!(node.other.contains(&Effect::Silenced { through: BlockHeight(1), key_used_twice: false }));
    for kind in [TimerKind::Propose, TimerKind::Rebroadcast] {
        if node.timers.keys().any(|timer| timer.kind == kind) {
            node.fire(kind);
        }
    }
    assert!(node.sent.is_empty(), "{:?}", node.sent);
    assert_eq!(node.record.silent_through, Some(BlockHeight(1)));
}

#[test]
fn detects_a_second_process_with_our_key() {
    let turn = proposer(4, 1, 0);
    let n = if turn == 1 { 2 } else { 1 };
    let mut node = TestNode::new(n);
    node.start(1, 4, Vec::new());
    node.fire(TimerKind::Propose);
    node.receive(vote(n, 0, VoteKind::Prevote, Some(Hash::of("v", &[]))));
    assert!(node.other.contains(&Effect::Silenced { through: BlockHeight(1), key_used_twice: true }));
}

#[test]
fn own_signatures_in_certificates_reveal_an_old_record_or_a_second_process() {
    let own = |height: u64| {
        let statement = Vote {
            height: BlockHeight(height),
            round: Round(0),
            kind: VoteKind::Precommit,
            value: Some(Hash::of("v", &[])),
        };
        SignedStatement::sign(&key(1), &MESH, statement).unwrap()
    };
    let mut node = listening(1, SignerRecord::default());
    node.give(Input::OwnSignature { vote: own(40), began_here: false });
    assert!(node.other.contains(&Effect::Silenced { through: BlockHeight(40), key_used_twice: false }));
    assert_eq!(node.record.silent_through, Some(BlockHeight(40)));
    // The record contains it now.
    let count = node.other.len();
    node.give(Input::OwnSignature { vote: own(40), began_here: true });
    node.give(Input::OwnSignature { vote: own(7), began_here: true });
    assert_eq!(node.other.len(), count);
    let mut forged = own(99);
    forged.statement.height = BlockHeight(100);
    node.give(Input::OwnSignature { vote: forged, began_here: true });
    assert_eq!(node.other.len(), count, "a forged signature is ignored");

    node.give(Input::OwnSignature { vote: own(41), began_here: true });
    assert!(node.other.contains(&Effect::Silenced { through: BlockHeight(105), key_used_twice: true }));
}

#[test]
fn returns_the_votes_of_a_validator() {
    let mut node = TestNode::new(1);
    node.start(1, 4, Vec::new());
    node.receive(vote(2, 4, VoteKind::Prevote, None));
    let heard = node.engine.votes_by(&super::node(2));
    assert_eq!(
        heard.into_iter().map(Message::Vote).collect::<Vec<_>>(),
        [vote(2, 4, VoteKind::Prevote, None)]
    );
    assert!(node.engine.votes_by(&super::node(3)).is_empty());
    assert_ne!(node.errors(), [MessageError::NotStarted]);
}
