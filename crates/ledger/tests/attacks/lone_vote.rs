//! One small vote takes the whole emission because no other node votes.

use nervure_ledger::{
    economics::shares::{Ballot, MIN_MOVE, WHOLE, medians, step},
    params::Params,
    transaction::{Call, Checked, Outcome, RegisterSubnet, Stake, VoteSubnets},
};
use nervure_primitives::Netuid;

use crate::world::{World, context, node, owner, params, units};

/// What the owner of the validator of the genesis has staked. It does not vote.
const SILENT: u64 = 400_000_000_000;

/// A mesh in which the attacker has stake, a subnet of its own, and votes for it.
fn attacked(stake: u64) -> World {
    let mut world = World::with(Params { subnet_share: 0, ..params() });
    let silent = Stake { node: node(200).node_id(), amount: units(SILENT) };
    world.call(&owner(1), Call::Stake(silent)).unwrap();
    let id = world.register(0, 0);
    world.call(&owner(0), Call::Stake(Stake { node: id, amount: units(stake) })).unwrap();
    let found = RegisterSubnet { name: "mine".into(), node: id, max_lock: units(u64::MAX), mechanism: None };
    world.call(&owner(0), Call::RegisterSubnet(found)).unwrap();
    let vote = Call::VoteSubnets(VoteSubnets { weights: vec![(Netuid(2), 1)] });
    let tried = Checked::new(&world.sign(&node(0), vote.clone(), 0), &world.state.mesh());
    let tried = world.state.try_transaction(&context(), &tried).unwrap();
    let Outcome::Voted(effect) = tried.outcome else { panic!("not a vote") };
    world.call(&node(0), vote).unwrap();
    assert_eq!(effect.changes.is_empty(), stake <= SILENT, "the effect is known before the step");
    world
}

#[test]
fn a_minority_takes_nothing_from_those_who_do_not_vote() {
    let mut world = attacked(SILENT);
    world.wait(100);
    assert_eq!((world.subnet(1).share, world.subnet(2).share), (WHOLE, 0));
    assert_eq!(world.subnet(2).average, 0, "not one unit of emission");
    // If only votes counted, as in a mean over those who vote, the smallest stake would take everything.
    let vote = Ballot { stake: 1, parts: vec![0, WHOLE] };
    assert_eq!(medians(&[WHOLE, 0], 0, &[vote]), [0, WHOLE]);
}

#[test]
fn a_majority_takes_its_time() {
    let mut world = attacked(SILENT * 2);
    let interval = params().share_interval;
    let before = world.subnet(2).share;
    world.wait(interval);
    assert_eq!(world.subnet(2).share - before, MIN_MOVE, "a thousandth of the emission");
    world.wait(9 * interval);
    assert!(world.subnet(2).share <= 30 * MIN_MOVE, "{}", world.subnet(2).share);
    // Without the bound on a step, it takes everything at once.
    let unbounded = |target: &[u64]| target.to_vec();
    assert_eq!(unbounded(&[0, WHOLE])[1], WHOLE);
    assert!(step(&[WHOLE, 0], &[0, WHOLE])[1] < WHOLE / 100);
}
