//! The price of state can be lowered by a vote, and what a vote holds back follows it.

use nervure_ledger::{
    deposits::{Deposit, DepositFor, RecordKind},
    governance::{Action, Choice, GovernanceRules, ParameterValue},
    params::Params,
    state::ActionError,
};
use nervure_primitives::Amount;

use crate::{
    governance::{assert_rebuilds, passed},
    parliament::{change, count, parliament_with, propose, rules, try_vote},
    world::{node, owner},
};

/// Rules with a price of state, and so much for a vote.
fn priced(vote_deposit: u64) -> Params {
    let governance = GovernanceRules { vote_deposit, ..rules().governance };
    let priced = Params { deposit_per_byte: 100, min_stake: 60_000, governance, ..rules() };
    assert_eq!(priced.check(), Ok(()));
    priced
}

/// Lower, and by half at most: what exists never holds too little, and no vote makes state free.
#[test]
fn the_price_of_state_is_lowered_by_halves_and_never_raised() {
    let mut world = parliament_with([700, 100, 100, 100], priced(10));
    let (deposited, kept) = (world.state.params().deposit(RecordKind::Node), world.balance(&owner(0)));
    assert!(kept > 0);
    for price in [0, 1, 49, 101, u64::MAX] {
        let refused = world.state.check_action(&change("deposit_per_byte", price), 100);
        assert!(
            matches!(refused, Err(ActionError::DepositPerByte { .. } | ActionError::Parameter(_))),
            "{price}: {refused:?}"
        );
    }
    let id = passed(&mut world, change("deposit_per_byte", 50));
    world.wait(1);
    let rules = world.state.params();
    assert_eq!((rules.deposit_per_byte, rules.existential_deposit()), (50, 25_000));
    assert_eq!(world.state.nodes().get(&node(0).node_id()).unwrap().deposit.base_units(), deposited);
    assert_rebuilds(&world);
    let least = Amount::from_base_units(world.state.params().existential_deposit());
    assert!(world.state.accounts().iter().all(|(_, account)| account.balance >= least), "{id}");
    // Without the bound, one vote would make all records free for ever: it could not be taken back.
    let free = [ParameterValue { name: "deposit_per_byte".into(), value: 0 }];
    assert!(world.state.rulebook().with(&free).is_ok());
}

#[test]
fn a_vote_never_holds_back_less_than_its_record_costs() {
    for (vote_deposit, held) in [(0, 50_000), (10, 50_000), (70_000, 70_000)] {
        let mut world = parliament_with([700, 100, 100, 100], priced(vote_deposit));
        let id = propose(&mut world, Action::Text);
        let outcome = try_vote(&mut world, (1, &[1]), id, Choice::Yes).unwrap();
        assert_eq!(outcome.deposit.base_units(), held);
        let deposits: Vec<Deposit> = world.state.deposits_of(owner(1).node_id()).collect();
        let of = DepositFor::StakeVote { proposal: id };
        let vote = Deposit { node: node(1).node_id(), of, amount: Amount::from_base_units(held) };
        assert!(deposits.contains(&vote), "{deposits:?}");
        let own: Vec<Deposit> = world.state.deposits_of(owner(0).node_id()).collect();
        let of = DepositFor::Proposal { proposal: id };
        let amount = Amount::from_base_units(1_000_000);
        assert!(own.contains(&Deposit { node: owner(0).node_id(), of, amount }), "{own:?}");
        // Both are back some blocks after the count.
        count(&mut world, id);
        world.wait(2);
        let left = |who| world.state.deposits_of(owner(who).node_id()).map(|one| one.of).collect::<Vec<_>>();
        assert_eq!([left(0), left(1)], [[DepositFor::Node], [DepositFor::Node]]);
    }
}
