//! Proposals are prevoted when their block names the proposer of the round and a time close to the clock.

use super::*;
use crate::bft::{Synchrony, TimerKind};

const HEIGHT: BlockHeight = BlockHeight(1);

/// A validator that proposes in none of the first rounds, and the proposers of those.
fn receiver() -> (u8, [u8; 3]) {
    let proposers = [0, 1, 2].map(|round| proposer(4, 1, round));
    ((1..=4).find(|n| !proposers.contains(n)).unwrap(), proposers)
}

/// A receiver that sees blocks with this stamp, and the proposers of the first rounds.
fn with_stamp(stamp: (UnixMillis, Option<NodeId>)) -> (TestNode, [u8; 3]) {
    with_config(config(), stamp)
}

fn with_config(config: Config, stamp: (UnixMillis, Option<NodeId>)) -> (TestNode, [u8; 3]) {
    let (me, proposers) = receiver();
    let mut node = TestNode::with(me, config, SignerRecord::default());
    node.stamp = stamp;
    node.start(1, 4, Vec::new());
    (node, proposers)
}

/// What the node prevoted in a round; none when it did not.
fn prevote(node: &TestNode, round: u32) -> Option<Option<Hash>> {
    let votes = node.sent.iter().filter_map(|message| match message {
        Message::Vote(vote) => Some(vote.statement),
        Message::Proposal(_) | Message::Polka(_) | Message::Round(_) => None,
    });
    votes.into_iter().find(|v| v.round == Round(round) && v.kind == VoteKind::Prevote).map(|v| v.value)
}

fn value() -> Hash {
    Hash::of("block", &[b"one"])
}

/// One millisecond further ahead than is accepted.
fn too_far_ahead() -> UnixMillis {
    NOW.plus(Synchrony::DEFAULT.precision + Duration::from_millis(1))
}

#[test]
fn a_block_whose_time_is_close_is_prevoted_and_another_is_not() {
    let Synchrony { precision, message_delay } = Synchrony::DEFAULT;
    let oldest = NOW.0 - (precision + message_delay).as_millis() as u64;
    for (time, accepted) in [
        (NOW.plus(precision), true),
        (too_far_ahead(), false),
        (UnixMillis(oldest), true),
        (UnixMillis(oldest - 1), false),
    ] {
        let (mut node, [first, ..]) = with_stamp((time, None));
        node.receive(proposal(first, 0, None, value()));
        assert_eq!(prevote(&node, 0), Some(accepted.then_some(value())), "{time:?}");
        let untimely = |effect: &Effect| matches!(effect, Effect::Untimely { round: Round(0), .. });
        assert_eq!(node.other.iter().any(untimely), !accepted);
    }
}

/// The defence off: any time is prevoted, so a proposer sets the time of the mesh.
#[test]
fn without_the_check_a_proposer_chooses_any_time() {
    let (mut node, [first, ..]) = with_config(config().without_time_check(), (UnixMillis(u64::MAX), None));
    node.receive(proposal(first, 0, None, value()));
    assert_eq!(prevote(&node, 0), Some(Some(value())));
}

/// Otherwise the proposer of a round could have a block decided that another validator answers for, or take what is
/// paid to the proposer of a block.
#[test]
fn a_new_block_by_another_validator_than_the_rounds_proposer_is_not_prevoted() {
    let (mut node, [first, second, _]) = with_stamp((NOW, None));
    node.stamp.1 = Some(super::node(second));
    node.receive(proposal(first, 0, None, value()));
    assert_eq!(prevote(&node, 0), Some(None));
    // Its own proposer has it prevoted, although it was refused before.
    next_round(&mut node, 0);
    node.receive(proposal(second, 1, None, value()));
    assert_eq!(prevote(&node, 1), Some(Some(value())));
}

/// Lets the others end a round without a decision.
fn next_round(node: &mut TestNode, round: u32) {
    let me = receiver().0;
    for other in (1..=4).filter(|other| *other != me) {
        node.receive(vote(other, round, VoteKind::Precommit, None));
    }
    if node.engine.position() == Some((HEIGHT, Round(round))) {
        node.fire(TimerKind::Precommit);
    }
    assert_eq!(node.engine.position(), Some((HEIGHT, Round(round + 1))));
}

/// A block that was refused is refused again when it is proposed as a new one, although the core knows it to be valid.
#[test]
fn a_refused_block_is_judged_again_in_each_round() {
    let (mut node, [first, second, _]) = with_stamp((too_far_ahead(), None));
    node.stamp.1 = Some(super::node(first));
    node.receive(proposal(first, 0, None, value()));
    assert_eq!(prevote(&node, 0), Some(None));
    next_round(&mut node, 0);
    // Waits for its round, in which it would be prevoted at once if the core had it.
    node.receive(proposal(receiver().1[2], 2, None, value()));
    node.receive(proposal(second, 1, None, value()));
    assert_eq!(prevote(&node, 1), Some(None));
    next_round(&mut node, 1);
    assert_eq!(prevote(&node, 2), Some(None));
}

/// The others found it timely: a node whose clock is wrong decides it with them.
#[test]
fn a_refused_block_is_decided_when_the_others_precommit_it() {
    let (mut node, [first, ..]) = with_stamp((too_far_ahead(), None));
    node.receive(proposal(first, 0, None, value()));
    assert_eq!(prevote(&node, 0), Some(None));
    let me = receiver().0;
    for kind in [VoteKind::Prevote, VoteKind::Precommit] {
        for other in (1..=4).filter(|other| *other != me) {
            node.receive(vote(other, 0, kind, Some(value())));
        }
    }
    assert_eq!(node.decided.len(), 1);
    assert_eq!(node.decided[0].value, value());
    assert!(!node.other.iter().any(|effect| matches!(effect, Effect::Contradicted(_))));
}

/// A block with a polka is proposed again with the round of its polka. By then it may be old.
#[test]
fn a_block_that_is_proposed_again_after_its_polka_is_not_judged() {
    let (mut node, [first, second, _]) = with_stamp((NOW, None));
    node.stamp.1 = Some(super::node(first));
    node.receive(proposal(first, 0, None, value()));
    let me = receiver().0;
    for other in (1..=4).filter(|other| *other != me) {
        node.receive(vote(other, 0, VoteKind::Prevote, Some(value())));
    }
    next_round(&mut node, 0);
    node.now = NOW.plus(Duration::from_secs(3_600));
    node.receive(proposal(second, 1, Some(0), value()));
    assert_eq!(prevote(&node, 1), Some(Some(value())));
}

/// A polka that does not exist is no way around the check.
#[test]
fn a_claimed_polka_does_not_let_an_untimely_block_pass() {
    let (mut node, [first, second, _]) = with_stamp((too_far_ahead(), None));
    node.receive(proposal(first, 0, None, value()));
    next_round(&mut node, 0);
    node.receive(proposal(second, 1, Some(0), value()));
    assert_eq!(prevote(&node, 1), None, "it waits for the polka of round 0");
    node.fire(TimerKind::Propose);
    assert_eq!(prevote(&node, 1), Some(None));
}

/// What counts is when the proposal arrived, not when its block was fetched and executed.
#[test]
fn the_time_of_receipt_is_that_of_the_proposal() {
    let (me, [first, ..]) = receiver();
    let mut engine = TestNode::new(me).engine;
    let (silent, log) = (BTreeSet::new(), Vec::new());
    engine.handle(Input::Start { height: HEIGHT, validators: validators(4), silent, log, now: NOW }).unwrap();
    let message = proposal(first, 0, None, value());
    engine.handle(Input::Message { from: node(99), message, at: NOW }).unwrap();
    // An hour later by any clock.
    let stamp = Some(BlockStamp { proposer: node(first), time: NOW });
    let effects = engine.handle(Input::Validated { height: HEIGHT, value: value(), stamp }).unwrap();
    let voted = effects.iter().any(|effect| match effect {
        Effect::Broadcast(Message::Vote(vote)) => vote.statement.value == Some(value()),
        _ => false,
    });
    assert!(voted, "{effects:?}");
}

/// A proposal that a crash left without a verdict counts as received at the restart.
#[test]
fn a_proposal_of_the_log_is_judged_by_the_clock_at_the_restart() {
    let (me, [first, ..]) = receiver();
    let message = proposal(first, 0, None, value());
    let Message::Proposal(logged) = message else { unreachable!("it is a proposal") };
    for (now, accepted) in [(NOW, true), (NOW.plus(Duration::from_secs(3_600)), false)] {
        let mut node = TestNode::new(me);
        node.now = now;
        node.start(1, 4, vec![WalEntry::Proposal(logged)]);
        assert_eq!(prevote(&node, 0), Some(accepted.then_some(value())));
    }
}

/// The log leads to the same votes: the early end of the round is in it.
#[test]
fn a_replay_refuses_what_was_refused() {
    let (mut node, [first, ..]) = with_stamp((too_far_ahead(), None));
    node.receive(proposal(first, 0, None, value()));
    let log = node.log.clone();
    let mut again = TestNode::with(receiver().0, config(), node.record);
    // A clock that would accept it now.
    again.now = too_far_ahead();
    again.start(1, 4, log);
    assert_eq!(prevote(&again, 0), Some(None));
}
