//! Another owner key takes over: everything goes with it as it is, and what answers for a node still does.

use nervure_ledger::transaction::{
    Call, FundsRejection, Holding, JoinValidators, MAX_HOLDINGS, MoveStake, NodeRejection, Outcome,
    Rejection, ReportEquivocation, RotateOwner, RotateOwnerOutcome, SetTake, Stake, StakeRejection,
    SubnetRejection, Unstake, owner_consent,
};
use nervure_primitives::{Amount, BlockHeight, Envelope, Netuid, NodeId, NodeKey};

use crate::{
    equivocation::equivocation,
    random::settled,
    world::{World, node, owner, units},
};

fn id(index: u8) -> NodeId {
    node(index).node_id()
}

/// The key that takes over.
fn new() -> NodeKey {
    NodeKey::from_seed(&[77; 32])
}

fn consent(world: &World, of: &NodeKey, old: &NodeKey) -> Envelope {
    owner_consent(of, &old.node_id(), &world.state.mesh()).unwrap()
}

fn rotation(world: &World, old: u8, holdings: &[Holding]) -> Call {
    let consent = consent(world, &new(), &owner(old));
    Call::RotateOwner(RotateOwner { consent, holdings: holdings.to_vec(), account: None })
}

fn staked(world: &World, on: u8, who: &NodeKey) -> u64 {
    world.state.nodes().stake_of(&id(on), &who.node_id()).base_units()
}

#[test]
fn nodes_stakes_subnets_and_what_is_unbonding_change_hands_as_they_are() {
    let mut world = settled();
    world.call(&owner(0), Call::Stake(Stake { node: id(1), amount: units(5_000) })).unwrap();
    world.call(&owner(0), Call::Unstake(Unstake { node: id(1), amount: units(2_000) })).unwrap();
    let free = BlockHeight(world.state.height().0 + world.state.params().unbonding);
    world.call(&owner(0), Call::JoinValidators(JoinValidators { node: id(0) })).unwrap();
    let own = staked(&world, 0, &owner(0));
    let holdings = [
        Holding::Node(id(0)),
        Holding::Stake(id(0)),
        Holding::Stake(id(1)),
        Holding::Subnet(Netuid(2)),
        Holding::Unbonding(free),
    ];
    let call = rotation(&world, 0, &holdings);
    let done = world.call(&owner(0), call).unwrap();
    assert_eq!(done, Outcome::OwnerRotated(RotateOwnerOutcome { owner: new().node_id(), holdings: 5 }));
    let state = &world.state;
    assert_eq!(state.nodes().get(&id(0)).unwrap().owner, new().node_id());
    assert_eq!(world.subnet(2).owner, Some(new().node_id()));
    assert!(staked(&world, 0, &new()) >= own, "no dividend is lost");
    assert_eq!(staked(&world, 0, &owner(0)), 0);
    assert!(staked(&world, 1, &new()) >= 3_000);
    assert_eq!(state.unbonding_of(&owner(0).node_id()).count(), 0);
    assert_eq!(state.unbonding_of(&new().node_id()).collect::<Vec<_>>(), [(free, units(2_000))]);
    assert!(
        state.roster().has_joined(&id(0)) && state.self_stake(&id(0)) >= units(own),
        "it stays a validator"
    );
    // The former key has nothing to say any more.
    let take = Call::SetTake(SetTake { node: id(0), take: 1 });
    assert_eq!(world.refusal(&owner(0), take), NodeRejection::NotOwner { node: id(0) }.into());
    let again = rotation(&world, 0, &[Holding::Stake(id(0))]);
    assert_eq!(world.refusal(&owner(0), again), StakeRejection::NotStaked { staked: Amount::ZERO }.into());
    world.wait(free.0.saturating_sub(world.state.height().0));
    assert!(world.balance(&new()) >= 2_000);
}

#[test]
fn stakes_of_both_keys_on_one_node_become_one() {
    let mut world = settled();
    for who in [0, 1] {
        world
            .call(&owner(who), Call::Stake(Stake { node: id(2), amount: units(1_000 * u64::from(who + 1)) }))
            .unwrap();
    }
    let before = staked(&world, 2, &owner(0)) + staked(&world, 2, &owner(1));
    let consent = consent(&world, &owner(1), &owner(0));
    let call =
        Call::RotateOwner(RotateOwner { consent, holdings: vec![Holding::Stake(id(2))], account: None });
    world.call(&owner(0), call).unwrap();
    assert!(staked(&world, 2, &owner(1)).abs_diff(before) <= 1);
}

/// What the staker of an equivocator has in the end, on it and in its account: the staker, or the key that took over.
fn slashed(takes_over: bool) -> (u64, u64) {
    let mut world = settled();
    world.call(&owner(0), Call::JoinValidators(JoinValidators { node: id(0) })).unwrap();
    world.call(&owner(2), Call::Stake(Stake { node: id(0), amount: units(50_000) })).unwrap();
    world.next_election();
    assert!(world.elected().contains(&id(0)));
    let at = world.state.height().0;
    world.call(&owner(2), Call::Unstake(Unstake { node: id(0), amount: units(20_000) })).unwrap();
    let free = BlockHeight(world.state.height().0 + world.state.params().unbonding);
    if takes_over {
        let call = rotation(&world, 2, &[Holding::Stake(id(0)), Holding::Unbonding(free)]);
        world.call(&owner(2), call).unwrap();
    } else {
        world.wait(1);
    }
    let evidence = equivocation(&world.state.mesh(), &node(0), at + 1);
    world.call(&node(3), Call::ReportEquivocation(ReportEquivocation { evidence: evidence.into() })).unwrap();
    let holder = if takes_over { new() } else { owner(2) };
    let before = world.balance(&holder);
    world.wait(free.0.saturating_sub(world.state.height().0));
    (staked(&world, 0, &holder), world.balance(&holder) - before)
}

#[test]
fn nothing_escapes_a_slash_by_changing_hands() {
    let (kept, given) = (slashed(false), slashed(true));
    assert_eq!(kept.1, 20_000 - 20_000 * World::new().state.params().slash_permille / 1_000);
    assert_eq!(kept, given);
}

#[test]
fn stake_that_answers_for_another_node_does_not_change_hands() {
    let mut world = settled();
    world.call(&owner(2), Call::Stake(Stake { node: id(0), amount: units(50_000) })).unwrap();
    let amount = units(20_000);
    world.call(&owner(2), Call::MoveStake(MoveStake { from: id(0), to: id(1), amount })).unwrap();
    let bound = rotation(&world, 2, &[Holding::Stake(id(1))]);
    assert_eq!(world.refusal(&owner(2), bound), StakeRejection::StakeBound { bound: amount }.into());
    let rest = rotation(&world, 2, &[Holding::Stake(id(0))]);
    world.call(&owner(2), rest).unwrap();
}

#[test]
fn only_ones_own_holdings_go_to_a_key_that_agrees() {
    let mut world = settled();
    let refused = |world: &mut World, call: Call| world.refusal(&owner(1), call);
    let of = |world: &World, holdings: &[Holding]| rotation(world, 1, holdings);
    let mut cases = vec![
        (vec![Holding::Node(id(0))], Rejection::from(NodeRejection::NotOwner { node: id(0) })),
        (
            vec![Holding::Node(id(1)), Holding::Node(id(0))],
            Rejection::from(NodeRejection::NotOwner { node: id(0) }),
        ),
        (vec![Holding::Node(id(9))], Rejection::from(NodeRejection::NoSuchNode { node: id(9) })),
        (
            vec![Holding::Subnet(Netuid(2))],
            Rejection::from(SubnetRejection::NotSubnetOwner { netuid: Netuid(2) }),
        ),
        (
            vec![Holding::Subnet(Netuid(8))],
            Rejection::from(SubnetRejection::NoSuchSubnet { netuid: Netuid(8) }),
        ),
        (
            vec![Holding::Unbonding(BlockHeight(900))],
            Rejection::from(NodeRejection::NothingUnbonds { block: BlockHeight(900) }),
        ),
        (vec![], Rejection::from(NodeRejection::Holdings)),
        (vec![Holding::Node(id(1)); 2], Rejection::from(NodeRejection::Holdings)),
    ];
    let many = (0..=MAX_HOLDINGS as u64).map(|block| Holding::Unbonding(BlockHeight(block))).collect();
    cases.push((many, Rejection::from(NodeRejection::Holdings)));
    for (holdings, rejection) in cases {
        let call = of(&world, &holdings);
        assert_eq!(refused(&mut world, call), rejection, "{holdings:?}");
    }
    assert_eq!(world.state.nodes().get(&id(1)).unwrap().owner, owner(1).node_id(), "all or nothing");
    let node = vec![Holding::Node(id(1))];
    let foreign = consent(&world, &new(), &owner(0));
    let call = Call::RotateOwner(RotateOwner { consent: foreign, holdings: node.clone(), account: None });
    assert_eq!(
        refused(&mut world, call),
        NodeRejection::ConsentForAnother { owner: owner(0).node_id() }.into()
    );
    let own = consent(&world, &owner(1), &owner(1));
    let call = Call::RotateOwner(RotateOwner { consent: own, holdings: node.clone(), account: None });
    assert_eq!(refused(&mut world, call), NodeRejection::SameOwner.into());
    // A node's consent to belong to an owner is none to take over from it.
    let other = world.consent(&new(), &owner(1).node_id());
    let call = Call::RotateOwner(RotateOwner { consent: other, holdings: node, account: None });
    let refusal = refused(&mut world, call);
    assert!(matches!(refusal, Rejection::Node(NodeRejection::Consent { .. })), "{refusal}");
}

#[test]
fn a_threshold_account_takes_over_what_vests_too() {
    use nervure_ledger::transaction::{MultisigCall, TransferVested};

    use crate::shared::{approved, funded, pay, team};
    let mut world = funded();
    let account = team();
    let [start, end] = [BlockHeight(0), BlockHeight(1_000)];
    let vest = TransferVested { to: owner(3).node_id(), amount: units(5_000), start, cliff: start, end };
    world.call(&owner(2), Call::TransferVested(vest)).unwrap();
    let held = Holding::Vested(owner(2).node_id());
    let rotate = |member: u8, holdings: Vec<Holding>| {
        let consent = owner_consent(&owner(member), &owner(3).node_id(), &world.state.mesh()).unwrap();
        Call::RotateOwner(RotateOwner { consent, holdings, account: Some(account.clone()) })
    };
    let (stranger, nothing, good) =
        (rotate(3, vec![held]), rotate(1, vec![Holding::Vested(owner(1).node_id())]), rotate(1, vec![held]));
    assert!(matches!(
        world.refusal(&owner(3), stranger),
        Rejection::Node(NodeRejection::ConsentForAnother { .. })
    ));
    assert_eq!(world.refusal(&owner(3), nothing), FundsRejection::NothingVested.into());
    world.call(&owner(3), good).unwrap();
    assert_eq!(world.state.accounts().vesting(&owner(3).node_id()).count(), 0);
    let vested: Vec<_> = world.state.accounts().vesting(&account.id()).map(|(key, _)| key.from).collect();
    assert_eq!(vested, [owner(2).node_id()]);
    // And the account can claim it.
    let claim = nervure_ledger::transaction::ClaimVested { from: owner(2).node_id() };
    let call: MultisigCall = approved(&world, Call::ClaimVested(claim), &[0, 1]);
    world.call(&owner(0), Call::Multisig(call)).unwrap();
    let call = approved(&world, pay(1, 1), &[1, 2]);
    world.call(&owner(0), Call::Multisig(call)).unwrap();
}
