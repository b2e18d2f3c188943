//! Hyperparameters: who may set them, within which limits, how often; and plain weights.

use nervure_consensus::yuma::Cell;
use nervure_ledger::{
    subnet::Hyperparameter,
    transaction::{
        Call, CommitWeights, FundsRejection, Outcome, RegisterNeuron, RegisterSubnet, Rejection,
        SetHyperparameter, SetHyperparameterOutcome, SetMechanism, SetMechanismOutcome, SetWeights,
        SetWeightsOutcome, Stake, SubnetRejection, WeightsRejection,
    },
};
use nervure_primitives::{Hash, MechanismSpec, Netuid, Uid};

use crate::world::{World, node, owner, params, units};

/// A mesh where owner 0 founded subnet 2 with its node 0, and owner 1's node 1 is in it too.
fn founded() -> World {
    let mut world = World::new();
    let id = world.register(0, 0);
    let found = RegisterSubnet { name: "two".into(), node: id, max_lock: units(u64::MAX), mechanism: None };
    world.call(&owner(0), Call::RegisterSubnet(found)).unwrap();
    let id = world.register(1, 1);
    let join = RegisterNeuron { netuid: Netuid(2), node: id, max_price: None };
    world.call(&owner(1), Call::RegisterNeuron(join)).unwrap();
    world
}

fn set(netuid: u16, to: Hyperparameter) -> Call {
    Call::SetHyperparameter(SetHyperparameter { netuid: Netuid(netuid), to })
}

fn plain(netuid: u16, weights: &[Cell]) -> Call {
    Call::SetWeights(SetWeights { netuid: Netuid(netuid), weights: weights.to_vec(), version_key: 0 })
}

#[test]
fn only_the_owner_sets_a_rule_and_each_only_now_and_then() {
    let mut world = founded();
    let kappa = Hyperparameter::Kappa(40_000);
    assert!(matches!(
        world.refusal(&owner(1), set(2, kappa)),
        Rejection::Subnet(SubnetRejection::NotSubnetOwner { .. })
    ));
    assert!(
        matches!(
            world.refusal(&owner(0), set(1, kappa)),
            Rejection::Subnet(SubnetRejection::NotSubnetOwner { .. })
        ),
        "without an owner"
    );
    assert!(matches!(
        world.refusal(&owner(0), set(9, kappa)),
        Rejection::Subnet(SubnetRejection::NoSuchSubnet { .. })
    ));
    assert!(
        matches!(world.refusal(&node(0), set(2, kappa)), Rejection::Funds(FundsRejection::Balance { .. })),
        "not by a node key"
    );
    let done = world.call(&owner(0), set(2, kappa)).unwrap();
    assert_eq!(done, Outcome::HyperparameterSet(SetHyperparameterOutcome { netuid: Netuid(2), to: kappa }));
    assert_eq!(world.subnet(2).hyperparameters.kappa, 40_000);
    let again = world.refusal(&owner(0), set(2, Hyperparameter::Kappa(50_000)));
    assert!(matches!(again, Rejection::Subnet(SubnetRejection::HyperparameterTooSoon { .. })), "{again}");
    world.call(&owner(0), set(2, Hyperparameter::Immunity(9))).unwrap();
    world.wait(params().hyperparameter_interval);
    world.call(&owner(0), set(2, Hyperparameter::Kappa(50_000))).unwrap();
}

#[test]
fn only_the_owner_sets_the_mechanism_and_only_now_and_then() {
    let mut world = founded();
    let set = |netuid, name| {
        let to = MechanismSpec::named(name).with("contexts", 8);
        Call::SetMechanism(SetMechanism { netuid: Netuid(netuid), to })
    };
    assert!(matches!(
        world.refusal(&owner(1), set(2, "next-byte")),
        Rejection::Subnet(SubnetRejection::NotSubnetOwner { .. })
    ));
    assert!(matches!(
        world.refusal(&owner(0), set(9, "next-byte")),
        Rejection::Subnet(SubnetRejection::NoSuchSubnet { .. })
    ));
    assert_eq!(world.refusal(&owner(0), set(2, "Next byte")), SubnetRejection::Mechanism.into());
    let done = world.call(&owner(0), set(2, "next-byte")).unwrap();
    assert_eq!(done, Outcome::MechanismSet(SetMechanismOutcome { netuid: Netuid(2) }));
    assert_eq!(world.subnet(2).mechanism.as_ref().unwrap().to_string(), "next-byte contexts=8");
    assert!(matches!(
        world.refusal(&owner(0), set(2, "embedding")),
        Rejection::Subnet(SubnetRejection::HyperparameterTooSoon { .. })
    ));
    world.wait(params().hyperparameter_interval);
    world.call(&owner(0), set(2, "embedding")).unwrap();
}

#[test]
fn rules_stay_within_their_limits() {
    let mut world = founded();
    let refused = world.refusal(&owner(0), set(2, Hyperparameter::Tempo(1)));
    assert_eq!(refused.to_string(), "tempo = 1: it has to be 2 to 50400");
    assert!(world.call(&owner(0), set(2, Hyperparameter::Tempo(2))).is_ok(), "a refusal does not count");
}

#[test]
fn a_new_tempo_begins_with_the_next_epoch_and_moves_no_reveal() {
    let mut world = founded();
    let due = world.subnet(2).due;
    world.call(&owner(0), set(2, Hyperparameter::Tempo(9))).unwrap();
    assert_eq!(world.subnet(2).due, due);
    world.next_epoch(2);
    let subnet = world.subnet(2);
    assert_eq!((subnet.epoch, subnet.due), (1, due + 9));
}

#[test]
fn a_closed_subnet_rejects_registrations() {
    let mut world = founded();
    world.call(&owner(0), set(2, Hyperparameter::Registrations(false))).unwrap();
    let id = world.register(2, 2);
    let join = Call::RegisterNeuron(RegisterNeuron { netuid: Netuid(2), node: id, max_price: None });
    assert!(matches!(world.refusal(&owner(2), join), Rejection::Subnet(SubnetRejection::Closed { .. })));
}

#[test]
fn plain_weights_are_for_subnets_that_want_them() {
    let mut world = founded();
    let row = [(Uid(1), 5)];
    assert!(matches!(
        world.refusal(&node(0), plain(2, &row)),
        Rejection::Weights(WeightsRejection::CommitFirst { .. })
    ));
    world.call(&owner(0), set(2, Hyperparameter::CommitReveal(false))).unwrap();
    let commit = CommitWeights { netuid: Netuid(2), hash: Hash::of("any", &[]) };
    assert!(matches!(
        world.refusal(&node(0), Call::CommitWeights(commit)),
        Rejection::Weights(WeightsRejection::NoCommits { .. })
    ));
    let done = world.call(&node(0), plain(2, &row)).unwrap();
    assert_eq!(done, Outcome::WeightsSet(SetWeightsOutcome { netuid: Netuid(2), uid: Uid(0) }));
    assert_eq!(world.subnet(2).neurons[0].weights, [(Uid(1), u16::MAX)]);
    assert_eq!(world.subnet(2).neurons[0].last_update, world.state.height().0);
    let soon = world.refusal(&node(0), plain(2, &row));
    assert!(matches!(soon, Rejection::Weights(WeightsRejection::WeightsTooSoon { .. })), "{soon}");
    world.wait(1);
    assert!(world.call(&node(0), plain(2, &row)).is_ok());
    assert!(matches!(
        world.refusal(&node(1), plain(2, &[(Uid(0), 1)])),
        Rejection::Weights(WeightsRejection::NoPermit)
    ));
    assert!(world.call(&node(1), plain(2, &[(Uid(1), 1)])).is_ok(), "about itself, any node may");
}

#[test]
fn plain_weights_steer_the_epoch() {
    let mut world = founded();
    world.call(&owner(0), set(2, Hyperparameter::CommitReveal(false))).unwrap();
    world.call(&owner(0), Call::Stake(Stake { node: node(0).node_id(), amount: units(5_000) })).unwrap();
    world.wait(params().subnet.immunity);
    world.call(&node(0), plain(2, &[(Uid(1), 1)])).unwrap();
    world.next_epoch(2);
    assert_eq!(world.subnet(2).neurons[1].incentive, u16::MAX);
    let root = world.subnet(2).metagraph.expect("an epoch leaves its metagraph");
    assert_eq!(root.epoch + 1, world.subnet(2).epoch);
}
