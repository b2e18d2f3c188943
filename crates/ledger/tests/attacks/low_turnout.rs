//! A minority decides while all others are asleep.

use nervure_ledger::governance::{Action, Choice, Verdict, VoteRules};

use crate::{
    parliament::{count, found, parliament, propose, stake, try_vote, vote},
    world::World,
};

/// What becomes of a proposal that only the attacker votes for, with `attacker` of a thousand.
fn alone(attacker: u64) -> (Verdict, VoteRules, nervure_ledger::governance::Tally) {
    let mut world = parliament([attacker, 1_000 - attacker - 200, 100, 100]);
    let id = propose(&mut world, Action::Text);
    vote(&mut world, 0, id, Choice::Yes);
    let rules = found(&world, id).rules;
    let (verdict, tally) = count(&mut world, id);
    (verdict, rules, tally)
}

#[test]
fn a_fifth_of_the_stake_passes_nothing_alone() {
    let (verdict, rules, tally) = alone(200);
    assert_eq!(verdict, Verdict::NoQuorum);
    // Without the quorum, it would decide for all.
    assert_eq!(tally.verdict(&VoteRules { quorum_permille: 0, ..rules }), Verdict::Passed);
    assert_eq!(alone(410).0, Verdict::Passed, "the quorum is no majority: others have to vote against it");
}

/// The others have the whole voting period, and a third of the votes is a veto.
#[test]
fn a_veto_of_a_third_of_the_votes_stops_a_majority_and_takes_its_deposit() {
    let mut world = parliament([600, 310, 45, 45]);
    let id = propose(&mut world, Action::Text);
    vote(&mut world, 0, id, Choice::Yes);
    vote(&mut world, 1, id, Choice::Veto);
    let rules = found(&world, id).rules;
    let (verdict, tally) = count(&mut world, id);
    assert_eq!(verdict, Verdict::Vetoed);
    assert_eq!(tally.verdict(&VoteRules { veto_permille: 1_000, ..rules }), Verdict::Passed);
}

/// A validator cannot vote with stake whose stakers disagree with it.
#[test]
fn stakers_take_their_votes_back_from_their_validator() {
    let delegated = || -> World {
        let mut world = parliament([100, 300, 100, 100]);
        stake(&mut world, 2, 0, 400);
        world
    };
    let mut world = delegated();
    let id = propose(&mut world, Action::Text);
    vote(&mut world, 0, id, Choice::Yes);
    assert_eq!(count(&mut world, id).0, Verdict::Passed, "500 of 1,000, with those of its staker");
    let mut world = delegated();
    let id = propose(&mut world, Action::Text);
    vote(&mut world, 0, id, Choice::Yes);
    try_vote(&mut world, (2, &[0]), id, Choice::No).unwrap();
    assert_eq!(count(&mut world, id).0, Verdict::Refused);
}
