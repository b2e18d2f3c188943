//! Who makes blocks: joining and leaving, elections, missed heights and jail.

use std::collections::BTreeSet;

use nervure_consensus::checkpoint::MAX_VALIDATORS;
use nervure_ledger::{
    event::Event,
    params::Params,
    roster::{SILENT_HEIGHTS, Standing},
    spec::MeshSpec,
    state::LedgerState,
    transaction::{
        Call, JoinValidators, JoinValidatorsOutcome, LeaveValidators, LeaveValidatorsOutcome, NodeRejection,
        Outcome, Rejection, Stake, StakeOutcome, SwapKey, Transfer, Unstake, ValidatorRejection,
    },
};
use nervure_primitives::{BlockHeight, NodeId};
use proptest::prelude::*;

use crate::world::{KEYS, World, node, owner, params, units};

fn join(node: NodeId) -> Call {
    Call::JoinValidators(JoinValidators { node })
}

fn leave(node: NodeId) -> Call {
    Call::LeaveValidators(LeaveValidators { node })
}

fn stake(node: NodeId, amount: u64) -> Call {
    Call::Stake(Stake { node, amount: units(amount) })
}

/// The validator of the genesis.
fn genesis() -> NodeId {
    node(200).node_id()
}

/// The nodes of all owners have joined, each with `amounts` from its owner, and are elected.
fn validators(amounts: [u64; KEYS as usize]) -> World {
    validators_with(amounts, params())
}

fn validators_with(amounts: [u64; KEYS as usize], params: Params) -> World {
    let mut world = World::with(params);
    for (who, amount) in (0..KEYS).zip(amounts) {
        let id = world.register(who, who);
        world.call(&owner(who), stake(id, amount)).unwrap();
        world.call(&owner(who), join(id)).unwrap();
    }
    world.next_election();
    world
}

fn id(index: u8) -> NodeId {
    node(index).node_id()
}

#[test]
fn only_the_joined_are_elected_and_each_has_its_whole_stake_as_power() {
    let mut world = World::new();
    assert_eq!(world.elected(), [genesis()], "validators of the spec have joined");
    let id = world.register(1, 1);
    let done = world.call(&owner(2), stake(id, 9_000_000)).unwrap();
    let powerless = StakeOutcome { node: id, amount: units(9_000_000), validates: false };
    assert_eq!(done, Outcome::Staked(powerless));
    world.call(&owner(1), stake(id, 1_000)).unwrap();
    world.next_election();
    assert_eq!(world.elected(), [genesis()], "stake alone elects no node");
    let election = world.state.next_election();
    let done = world.call(&owner(1), join(id)).unwrap();
    assert_eq!(done, Outcome::ValidatorJoined(JoinValidatorsOutcome { node: id, election }));
    let done = world.call(&owner(1), stake(id, 1)).unwrap();
    assert!(matches!(done, Outcome::Staked(StakeOutcome { validates: true, .. })));
    world.next_election();
    assert_eq!(world.state.height(), election);
    assert_eq!(world.elected().len(), 2);
    assert_eq!(world.state.validators().unwrap().power_of(&id), Some(9_001_001));
}

/// More nodes with the same stake than there are places: a newcomer takes none, whatever its key. By their keys, which a
/// newcomer can draw until one is before all others, another one would be left out.
#[test]
fn of_equal_stakes_the_earlier_nodes_are_elected() {
    let mut spec = MeshSpec::test("equal");
    let keys: Vec<NodeId> = (0..70).map(|seed| node(seed).node_id()).collect();
    for key in &keys {
        spec = spec.with_validator(*key, units(1_000));
    }
    let state = LedgerState::genesis(&spec).unwrap();
    let elected: BTreeSet<NodeId> =
        state.validators().unwrap().members().iter().map(|member| member.node).collect();
    assert_eq!(elected, keys[..MAX_VALIDATORS].iter().copied().collect());
    let by_key: BTreeSet<NodeId> =
        keys.iter().copied().collect::<BTreeSet<_>>().into_iter().take(MAX_VALIDATORS).collect();
    assert_ne!(elected, by_key);
}

#[test]
fn the_owner_joins_with_the_minimum_of_its_own_stake() {
    let mut world = World::new();
    let id = world.register(1, 1);
    let least = units(params().min_self_stake);
    world.call(&owner(2), stake(id, 9_000_000)).unwrap();
    world.call(&owner(1), stake(id, 999)).unwrap();
    let refusal = world.refusal(&owner(1), join(id));
    assert_eq!(refusal, ValidatorRejection::SelfStake { least, staked: units(999) }.into());
    world.call(&owner(1), stake(id, 1)).unwrap();
    assert_eq!(world.refusal(&owner(2), join(id)), NodeRejection::NotOwner { node: id }.into());
    let unknown = node(9).node_id();
    assert_eq!(world.refusal(&owner(1), join(unknown)), NodeRejection::NoSuchNode { node: unknown }.into());
    assert_eq!(world.refusal(&owner(1), leave(id)), ValidatorRejection::NotValidator { node: id }.into());
    world.call(&owner(1), join(id)).unwrap();
    assert_eq!(world.refusal(&owner(1), join(id)), ValidatorRejection::AlreadyValidator { node: id }.into());
    assert_eq!(world.refusal(&owner(2), leave(id)), NodeRejection::NotOwner { node: id }.into());
}

#[test]
fn who_leaves_or_takes_out_its_own_stake_is_out_at_the_next_election() {
    let mut world = validators([10_000; 4]);
    assert_eq!(world.elected().len(), 5);
    let last = world.state.next_election();
    let done = world.call(&owner(1), leave(id(1))).unwrap();
    assert_eq!(done, Outcome::ValidatorLeft(LeaveValidatorsOutcome { node: id(1), last }));
    world.call(&owner(3), stake(id(2), 50_000)).unwrap();
    world.call(&owner(2), Call::Unstake(Unstake { node: id(2), amount: units(9_001) })).unwrap();
    assert_eq!(world.elected().len(), 5, "until the election all stay in office");
    let events = world.wait_without(&[], last.0 - world.state.height().0);
    let removed = Event::ValidatorRemoved { node: id(2), self_stake: units(999) };
    assert!(events.contains(&removed), "{events:?}");
    let elected = world.elected();
    assert!(elected.len() == 3 && !elected.contains(&id(1)) && !elected.contains(&id(2)));
    // The stake of others does not keep it, and more of its own does not bring it back without a word.
    world.call(&owner(2), stake(id(2), 9_001)).unwrap();
    world.next_election();
    assert!(!world.elected().contains(&id(2)));
    world.call(&owner(2), join(id(2))).unwrap();
    world.next_election();
    assert!(world.elected().contains(&id(2)));
}

#[test]
fn without_a_joined_validator_those_in_office_stay() {
    let mut world = World::with(params());
    // The validator of the genesis owns itself and has no tokens for a fee: it gets some.
    let fee = Call::Transfer(Transfer { to: genesis(), amount: units(100), memo: None });
    world.call(&owner(0), fee).unwrap();
    world.call(&node(200), leave(genesis())).unwrap();
    world.next_election();
    assert_eq!((world.elected(), world.state.roster().has_joined(&genesis())), (vec![genesis()], false));
    assert!(world.state.roster().liveness_of(&genesis()).is_some(), "what it misses still counts");
    let id = world.register(1, 1);
    world.call(&owner(1), stake(id, 1_000)).unwrap();
    world.call(&owner(1), join(id)).unwrap();
    world.next_election();
    assert_eq!(world.elected(), [id]);
}

#[test]
fn who_misses_more_than_half_of_the_window_is_jailed_and_returns_after_a_rest() {
    let mut world = validators([10_000_000; 4]);
    let interval = params().election_interval;
    // Half of the window is no reason yet.
    world.wait_without(&[id(1)], 4);
    world.wait_without(&[], interval);
    assert!(world.elected().contains(&id(1)));
    let until = BlockHeight(world.state.height().0 + 2 * interval + params().jail_time);
    let events = world.wait_without(&[id(1)], 2 * interval);
    let jailed = |event: &Event| matches!(event, Event::ValidatorJailed { node, .. } if *node == id(1));
    assert_eq!(events.iter().filter(|event| jailed(event)).count(), 1, "{events:?}");
    assert!(!world.elected().contains(&id(1)));
    assert_eq!(world.state.roster().standing(&id(1)), Some(Standing::Jailed { until: until.0 }));
    assert_eq!(
        world.refusal(&owner(1), join(id(1))),
        ValidatorRejection::Jailed { node: id(1), until }.into()
    );
    assert_eq!(
        world.refusal(&owner(1), leave(id(1))),
        ValidatorRejection::NotValidator { node: id(1) }.into()
    );
    let rest = until.0 - world.state.height().0;
    world.wait_without(&[], rest);
    world.call(&owner(1), join(id(1))).unwrap();
    world.next_election();
    assert!(world.elected().contains(&id(1)));
    assert_eq!(world.state.roster().liveness_of(&id(1)).unwrap().missed.count(), 0);
}

#[test]
fn a_rest_cannot_be_dodged_by_leaving_first_or_by_another_key() {
    for dodge in [true, false] {
        let mut world = validators([10_000_000; 4]);
        world.wait_without(&[id(1)], 6);
        let (mut jailed, absent) = (id(1), [id(1), node(50).node_id()]);
        match dodge {
            true => drop(world.call(&owner(1), leave(id(1))).unwrap()),
            false => {
                jailed = node(50).node_id();
                let consent = world.consent(&node(50), &owner(1).node_id());
                world.call(&owner(1), Call::SwapKey(SwapKey { old: id(1), consent })).unwrap();
            }
        }
        let events = world.wait_without(&absent, params().election_interval);
        assert!(
            events
                .iter()
                .any(|event| matches!(event, Event::ValidatorJailed { node, .. } if *node == jailed)),
            "{events:?}"
        );
        assert!(matches!(
            world.refusal(&owner(1), join(jailed)),
            Rejection::Validator(ValidatorRejection::Jailed { .. })
        ));
    }
}

#[test]
fn one_election_jails_less_than_a_third_of_the_power() {
    let mut world = validators([100_000_000_000; 4]);
    let absent = [id(1), id(2), id(3)];
    let set = world.state.validators().unwrap().clone();
    let power: u64 = absent.iter().map(|one| set.power_of(one).unwrap()).sum();
    assert!(power * 3 > set.total_power() * 2, "without the bound less than a third would be left");
    for election in 1..=3 {
        let before = world.elected();
        let events = world.wait_without(&absent, params().election_interval);
        let jailed = events.iter().filter(|event| matches!(event, Event::ValidatorJailed { .. })).count();
        // The first election comes before half of the window is over.
        assert_eq!(jailed, usize::from(election > 1), "election {election}: {events:?}");
        assert_eq!(world.elected().len(), before.len() - jailed);
    }
}

#[test]
fn who_was_not_heard_lately_is_silent_until_it_signs() {
    // No validator is jailed meanwhile.
    let mut world = validators_with([10_000; 4], Params { liveness_window: 100, ..params() });
    assert_eq!(world.state.silent_validators(), BTreeSet::new());
    world.wait_without(&[id(1)], SILENT_HEIGHTS - 1);
    assert_eq!(world.state.silent_validators(), BTreeSet::new());
    world.wait_without(&[id(1)], 1);
    assert_eq!(world.state.silent_validators(), BTreeSet::from([id(1)]));
    world.wait_without(&[], 1);
    assert_eq!(world.state.silent_validators(), BTreeSet::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is missed: the set is never empty, what is left after an election had more than two thirds of the power
    /// before, and a node is jailed only for more than half of the window.
    #[test]
    fn no_pattern_of_absence_empties_the_set(
        amounts in proptest::array::uniform4(1_000u64..2_000_000),
        absences in proptest::collection::vec(proptest::collection::vec(0u8..5, 0..4), 1..60),
    ) {
        let mut world = validators(amounts);
        for absent in absences {
            let before = world.state.validators().unwrap().clone();
            let absent: Vec<_> = absent.into_iter().map(|one| if one == 4 { genesis() } else { id(one) }).collect();
            for event in world.wait_without(&absent, 1) {
                if let Event::ValidatorJailed { missed, .. } = event {
                    prop_assert!(missed > params().liveness_window / 2);
                }
            }
            let after = world.elected();
            let left: u64 = after.iter().filter_map(|member| before.power_of(member)).sum();
            prop_assert!(left * 3 > before.total_power() * 2, "{left} of {}", before.total_power());
        }
    }
}
