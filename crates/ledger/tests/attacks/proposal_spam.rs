//! All places of proposals are taken, so that no other proposal can be made.

use nervure_ledger::governance::{Action, GovernanceRules, Verdict};

use crate::{
    parliament::{count, parliament, rules, try_propose},
    world::owner,
};

#[test]
fn taking_all_places_costs_255_times_one_proposal_and_lasts_one_voting_period() {
    let mut world = parliament([400, 300, 200, 100]);
    let GovernanceRules { deposit, most_open, .. } = rules().governance;
    let before = world.balance(&owner(1));
    let mut fees = 0;
    let mut first = None;
    for _ in 0..most_open {
        let id = try_propose(&mut world, 1, Action::Text).unwrap().proposal;
        first.get_or_insert(id);
        fees += world.paid;
    }
    let lost = before - world.balance(&owner(1)) - fees;
    assert_eq!(lost, deposit * 255);
    assert!(try_propose(&mut world, 0, Action::Text).is_err(), "no place for an honest one");
    // No stake votes on junk: its deposit is lost, and its place is free.
    assert_eq!(count(&mut world, first.unwrap()).0, Verdict::NoQuorum);
    world.wait(rules().governance.voting_period);
    assert_eq!(before - world.balance(&owner(1)) - fees, lost, "nothing comes back");
    assert_eq!(try_propose(&mut world, 0, Action::Text).unwrap().deposit.base_units(), deposit);
    // With a deposit that does not double, all places would cost as much as eight honest proposals.
    assert!(lost > 30 * deposit * u64::from(most_open));
}

/// The same at the rules of a public mesh: 25,500 tokens for a week without other proposals.
#[test]
fn in_a_public_mesh_it_costs_25500_tokens_a_week() {
    let GovernanceRules { deposit, most_open, .. } = GovernanceRules::default();
    let all: u64 = (0..most_open).map(|place| deposit << place).sum();
    assert_eq!(all, 25_500 * 1_000_000_000);
}
