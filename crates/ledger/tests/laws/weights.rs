//! Weights, epochs and emission.

use nervure_ledger::{
    economics::shares::WHOLE,
    event::Event,
    transaction::{
        Call, Checked, CommitWeights, InclusionRejection, NodeRejection, Outcome, RegisterSubnet, Rejection,
        RevealWeights, Stake, SubnetRejection, SwapKey, Transaction, VoteSubnets, WeightsRejection,
        commitment,
    },
};
use nervure_primitives::{Hash, Netuid, NodeKey, Uid};

use crate::world::{World, context, node, owner, params, units};

fn weights(cells: &[(Uid, u16)]) -> RevealWeights {
    let salt = Hash::of("salt", &[]);
    RevealWeights { netuid: Netuid(1), weights: cells.to_vec(), salt, version_key: 0 }
}

fn promise(world: &World, key: &NodeKey, cells: &[(Uid, u16)]) -> Call {
    let hash = commitment(&world.state.mesh(), &key.node_id(), &weights(cells));
    Call::CommitWeights(CommitWeights { netuid: Netuid(1), hash })
}

pub(crate) fn commit(world: &mut World, key: &NodeKey, cells: &[(Uid, u16)]) -> Result<Outcome, Rejection> {
    let call = promise(world, key, cells);
    world.call(key, call)
}

pub(crate) fn reveal(world: &mut World, key: &NodeKey, cells: &[(Uid, u16)]) -> Result<Outcome, Rejection> {
    world.call(key, Call::RevealWeights(weights(cells)))
}

const ROW: [(Uid, u16); 1] = [(Uid(1), 5)];

#[test]
fn weights_are_revealed_in_the_next_epoch_and_in_no_other() {
    let validator = node(200);
    let mut world = World::new();
    world.next_epoch(1);
    commit(&mut world, &validator, &ROW).unwrap();
    let early = world.refusal(&validator, Call::RevealWeights(weights(&ROW)));
    assert!(
        matches!(early, Rejection::Weights(WeightsRejection::RevealTime { reveal_in: 2, now: 1 })),
        "{early}"
    );
    world.next_epoch(1);
    let other = world.refusal(&validator, Call::RevealWeights(weights(&[(Uid(1), 6)])));
    assert!(matches!(other, Rejection::Weights(WeightsRejection::NoSuchCommit)));
    reveal(&mut world, &validator, &ROW).unwrap();
    assert_eq!(world.subnet(1).neurons[0].weights, [(Uid(1), u16::MAX)], "scaled to the maximum");
    let twice = world.refusal(&validator, Call::RevealWeights(weights(&ROW)));
    assert!(matches!(twice, Rejection::Weights(WeightsRejection::NoSuchCommit)));
    commit(&mut world, &validator, &[(Uid(1), 7)]).unwrap();
    world.next_epoch(1);
    world.next_epoch(1);
    let late = world.refusal(&validator, Call::RevealWeights(weights(&[(Uid(1), 7)])));
    assert!(matches!(late, Rejection::Weights(WeightsRejection::NoSuchCommit)), "expired: {late}");
    assert_eq!(world.subnet(1).neurons[0].weights, [(Uid(1), u16::MAX)], "the old weights stay");
}

#[test]
fn a_commit_is_revealed_with_the_key_that_replaced_its_own() {
    let mut world = World::new();
    world.next_epoch(1);
    commit(&mut world, &node(200), &ROW).unwrap();
    let consent = world.consent(&node(7), &node(200).node_id());
    world.call(&node(200), Call::SwapKey(SwapKey { old: node(200).node_id(), consent })).unwrap();
    world.next_epoch(1);
    let by_old = world.refusal(&node(200), Call::RevealWeights(weights(&ROW)));
    assert!(matches!(by_old, Rejection::Node(NodeRejection::NoSuchNode { .. })));
    reveal(&mut world, &node(7), &ROW).unwrap();
    assert_eq!(world.subnet(1).neurons[0].weights, [(Uid(1), u16::MAX)]);
}

#[test]
fn a_second_commit_of_an_epoch_is_refused() {
    let validator = node(200);
    let mut world = World::new();
    world.next_epoch(1);
    commit(&mut world, &validator, &ROW).unwrap();
    let second = promise(&world, &validator, &[(Uid(0), 1)]);
    assert!(matches!(
        world.refusal(&validator, second),
        Rejection::Weights(WeightsRejection::AlreadyCommitted { epoch: 1 })
    ));
    world.next_epoch(1);
    // So that there is one to reveal, and no choice. The next epoch has a commit of its own.
    commit(&mut world, &validator, &[(Uid(0), 1)]).unwrap();
    let other = world.refusal(&validator, Call::RevealWeights(weights(&[(Uid(0), 1)])));
    assert!(matches!(other, Rejection::Weights(WeightsRejection::RevealTime { reveal_in: 3, now: 2 })));
    reveal(&mut world, &validator, &ROW).unwrap();
}

#[test]
fn a_copied_commitment_is_worthless() {
    let (validator, copier) = (node(200), node(201));
    let mut world = World::new();
    world.next_epoch(1);
    let Call::CommitWeights(copied) = promise(&world, &validator, &[(Uid(1), 5)]) else { unreachable!() };
    world.call(&copier, Call::CommitWeights(copied)).unwrap();
    world.next_epoch(1);
    // Self-weight needs no permit, so that only the key stands in the way.
    let refusal = world.refusal(&copier, Call::RevealWeights(weights(&ROW)));
    assert!(matches!(refusal, Rejection::Weights(WeightsRejection::NoSuchCommit)));
}

#[test]
fn weights_that_break_a_rule_are_refused_by_its_name() {
    let (validator, miner) = (node(200), node(201));
    let mut world = World::new();
    let mut refused =
        |key: &NodeKey, cells: &[(Uid, u16)]| world.refusal(key, Call::RevealWeights(weights(cells)));
    let many = [(Uid(0), 1), (Uid(1), 1), (Uid(2), 1)];
    assert!(matches!(
        refused(&validator, &many),
        Rejection::Weights(WeightsRejection::TooManyWeights { given: 3, most: 2 })
    ));
    assert!(matches!(refused(&miner, &[(Uid(0), 1)]), Rejection::Weights(WeightsRejection::NoPermit)));
    assert!(matches!(
        refused(&validator, &[(Uid(1), 1), (Uid(1), 2)]),
        Rejection::Weights(WeightsRejection::Duplicate)
    ));
    assert!(matches!(
        refused(&validator, &[(Uid(7), 1)]),
        Rejection::Weights(WeightsRejection::NoSuchUid { uid: Uid(7) })
    ));
    assert!(matches!(
        refused(&validator, &[]),
        Rejection::Weights(WeightsRejection::TooFewWeights { least: 1 })
    ));
    assert!(matches!(refused(&node(9), &ROW), Rejection::Node(NodeRejection::NoSuchNode { .. })));
    world.next_epoch(1);
    let hash = Hash::of("any", &[]);
    world.call(&validator, Call::CommitWeights(CommitWeights { netuid: Netuid(1), hash })).unwrap();
    let second = promise(&world, &validator, &ROW);
    assert!(matches!(
        world.refusal(&validator, second),
        Rejection::Weights(WeightsRejection::AlreadyCommitted { .. })
    ));
}

#[test]
fn versions_and_stakes_below_the_least_are_refused() {
    let mut rules = params();
    rules.subnet.version_key = 3;
    let mut world = World::with(rules);
    let old = world.refusal(&node(200), Call::RevealWeights(weights(&ROW)));
    assert!(matches!(old, Rejection::Weights(WeightsRejection::Version { least: 3, given: 0 })));
    let mut rules = params();
    rules.weight_stake = 2_000_000;
    let mut world = World::with(rules);
    let poor = promise(&world, &node(200), &ROW);
    assert!(matches!(
        world.refusal(&node(200), poor),
        Rejection::Weights(WeightsRejection::WeightStake { .. })
    ));
}

#[test]
fn a_miner_earns_half_and_the_stakers_the_other_half() {
    let (validator, miner) = (node(200), node(201));
    let mut world = World::new();
    world
        .call(&owner(0), Call::Stake(Stake { node: validator.node_id(), amount: units(1_000_000) }))
        .unwrap();
    world.next_epoch(1);
    commit(&mut world, &validator, &ROW).unwrap();
    world.next_epoch(1);
    reveal(&mut world, &validator, &ROW).unwrap();
    world.next_epoch(1);
    let mined = world.balance(&miner);
    let staked = world.state.nodes().get(&validator.node_id()).unwrap().stake().base_units();
    world.next_epoch(1);
    let mined = world.balance(&miner) - mined;
    let nodes = world.state.nodes();
    let node = nodes.get(&validator.node_id()).unwrap();
    let staked = node.stake().base_units() - staked;
    assert!(mined.abs_diff(2_500_000_000) < 10, "half of five blocks: {mined}");
    assert!(staked.abs_diff(2_500_000_000) < 10, "{staked}");
    // Both staked the same; the validator's owner also has its take of 18 %.
    let (own, staker) = (validator.node_id(), owner(0).node_id());
    let stake_of = |who| nodes.stake_of(&validator.node_id(), who);
    assert!(stake_of(&own) > stake_of(&staker) && world.subnet(1).neurons[1].incentive == u16::MAX);
}

#[test]
fn an_owner_gets_18_percent_and_the_lock_counts_down_by_it() {
    let mut world = World::new();
    let id = world.register(0, 0);
    let found = RegisterSubnet { name: "two".into(), node: id, max_lock: units(u64::MAX), mechanism: None };
    world.call(&owner(0), Call::RegisterSubnet(found)).unwrap();
    world.next_epoch(2);
    let (before, earned) = (world.balance(&owner(0)), world.subnet(2).earned);
    let waiting = world.subnet(2).pending;
    world.next_epoch(2);
    let gained = world.balance(&owner(0)) - before;
    assert_eq!(gained, world.subnet(2).earned - earned);
    let whole = waiting + 2_500_000_000;
    assert!(gained.abs_diff(whole * 11_796 / 65_535) < 10, "{gained} of {whole}: half of five blocks");
}

#[test]
fn a_vote_moves_the_reward_step_by_step_and_comes_rarely() {
    let mut world = World::new();
    let id = world.register(0, 0);
    let found = RegisterSubnet { name: "two".into(), node: id, max_lock: units(u64::MAX), mechanism: None };
    world.call(&owner(0), Call::RegisterSubnet(found)).unwrap();
    let pots = |world: &World| (world.subnet(1).average, world.subnet(2).average);
    let vote = |weights: &[(u16, u16)]| {
        let weights = weights.iter().map(|(netuid, weight)| (Netuid(*netuid), *weight)).collect();
        Call::VoteSubnets(VoteSubnets { weights })
    };
    assert!(matches!(
        world.refusal(&node(200), vote(&[(9, 1)])),
        Rejection::Subnet(SubnetRejection::NoSuchSubnet { .. })
    ));
    assert!(matches!(
        world.refusal(&node(200), vote(&[(1, 1), (1, 1)])),
        Rejection::Weights(WeightsRejection::Duplicate)
    ));
    world.wait(params().share_interval - world.state.height().0 % params().share_interval);
    let tried = Checked::new(&world.sign(&node(200), vote(&[(1, 3), (2, 1)]), 0), &world.state.mesh());
    let tried = world.state.try_transaction(&context(), &tried).unwrap();
    let Outcome::Voted(effect) = tried.outcome else { panic!("{tried:?}") };
    world.call(&node(200), vote(&[(1, 3), (2, 1)])).unwrap();
    let shares = |world: &World| [world.subnet(1).share, world.subnet(2).share];
    let half = WHOLE / 2;
    assert!(effect.counts && shares(&world) == [half, half]);
    assert_eq!(
        effect.changes.iter().map(|change| change.next).collect::<Vec<_>>(),
        [half * 11 / 10, half * 9 / 10]
    );
    assert!(matches!(
        world.refusal(&node(200), vote(&[(2, 1)])),
        Rejection::Subnet(SubnetRejection::VoteTooSoon { .. })
    ));
    world.wait(100);
    let (first, second) = pots(&world);
    assert!(first / second == 3 || (first + 1) / second == 2, "{first} to {second}");
    assert_eq!(shares(&world), [WHOLE / 4 * 3, WHOLE / 4]);
    // Taking part in nothing is not a vote: the shares stay.
    world.call(&node(200), vote(&[])).unwrap();
    world.wait(20);
    assert_eq!(shares(&world), [WHOLE / 4 * 3, WHOLE / 4]);
}

#[test]
fn epochs_of_neighbours_are_a_block_apart() {
    let mut world = World::new();
    let id = world.register(0, 0);
    let found = RegisterSubnet { name: "two".into(), node: id, max_lock: units(u64::MAX), mechanism: None };
    world.call(&owner(0), Call::RegisterSubnet(found)).unwrap();
    let mut ran = Vec::new();
    for _ in 0..10 {
        let height = world.state.height().0 + 1;
        for event in world.apply(Vec::new()) {
            if let Event::Epoch { netuid, .. } = event {
                ran.push((netuid.0, height % 5));
            }
        }
    }
    assert_eq!(ran.len(), 4);
    assert!(ran.iter().all(|(netuid, offset)| u64::from(*netuid) == *offset), "{ran:?}");
}

#[test]
fn a_node_that_is_no_validator_pays_from_its_owners_account() {
    let mut world = World::new();
    let id = world.register(0, 0);
    let before = (world.balance(&owner(0)), world.balance(&node(0)));
    let vote = |weights: &[(Netuid, u16)]| Call::VoteSubnets(VoteSubnets { weights: weights.to_vec() });
    world.call(&node(0), vote(&[])).unwrap();
    let paid = world.paid;
    assert!(paid > 0);
    assert_eq!((world.balance(&owner(0)), world.balance(&node(0))), (before.0 - paid, before.1));
    assert_eq!(world.state.nodes().get(&id).unwrap().nonce, 1);
    let free = Transaction { nonce: 1, fee: units(0), ..world.terms(vote(&[])) };
    let free = world.seal(&node(0), free);
    assert!(
        matches!(world.refused(free), Rejection::Inclusion(InclusionRejection::Fee { .. })),
        "it is no validator"
    );
}

#[test]
fn an_owner_key_signs_nothing_of_a_node() {
    let mut world = World::new();
    world.register(0, 0);
    assert!(matches!(
        world.refusal(&owner(0), Call::VoteSubnets(VoteSubnets { weights: vec![] })),
        Rejection::Node(NodeRejection::NoSuchNode { .. })
    ));
}
