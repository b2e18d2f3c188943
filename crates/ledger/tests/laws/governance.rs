//! Proposals: votes, counts, effects, deposits.

use nervure_ledger::{
    chain::{BlockError, Draft, Tip},
    event::Event,
    governance::{Action, Choice, MAX_KEPT, ProposalId, ProposalStatus, Rulebook, Verdict},
    state::LedgerState,
    transaction::{Call, GovernanceRejection, Rejection, StakeRejection, ValidatorRejection, VoteProposal},
    tree::{Key, MemoryTree, Record, StateTree, changes},
    upgrade::Upgrade,
};
use nervure_primitives::{BlockHeight, PROTOCOL_VERSION};

use crate::{
    parliament::{
        PART, change, count, found, parliament, parts, propose, rules, stake, try_propose, try_vote, unstake,
        vote, wait_until,
    },
    world::{World, node, owner, units},
};

/// A proposal that passes, up to the block before its effect.
pub(crate) fn passed(world: &mut World, action: Action) -> ProposalId {
    let id = propose(world, action);
    vote(world, 0, id, Choice::Yes);
    assert_eq!(count(world, id).0, Verdict::Passed);
    let ProposalStatus::Passed { effective } = found(world, id).status else { panic!("not passed") };
    wait_until(world, effective - 1);
    id
}

/// The state from its records is the state.
pub(crate) fn assert_rebuilds(world: &World) {
    let records = changes(None, &world.state).into_values().flatten();
    let rebuilt = LedgerState::from_records(&world.spec, records).unwrap();
    assert!(rebuilt == world.state, "the records have all of it");
}

#[test]
fn parameters_change_after_the_count_and_the_delay_and_are_in_the_tree() {
    let mut world = parliament([600, 200, 100, 100]);
    let before = world.balance(&owner(0));
    let outcome = try_propose(&mut world, 0, change("min_stake", 250)).unwrap();
    let rules = world.state.params().governance.clone();
    assert_eq!(outcome.ends.0, world.state.height().0 + rules.voting_period);
    assert_eq!(outcome.effective.0, outcome.ends.0 + rules.delay);
    assert_eq!((outcome.changes[0].from, outcome.changes[0].to), (100, 250));
    let paid = world.paid;
    assert_eq!(world.balance(&owner(0)), before - paid - rules.deposit);
    vote(&mut world, 0, outcome.proposal, Choice::Yes);
    let paid = paid + world.paid;
    assert_rebuilds(&world);
    let (verdict, tally) = count(&mut world, outcome.proposal);
    assert_eq!((verdict, parts(tally.yes), parts(tally.total)), (Verdict::Passed, 600, 1_000));
    assert_eq!(world.balance(&owner(0)), before - paid - rules.vote_deposit, "the deposit is back");
    assert_rebuilds(&world);
    world.wait(1);
    assert_eq!(world.balance(&owner(0)), before - paid, "and that of the vote");
    wait_until(&mut world, outcome.effective.0 - 1);
    assert_eq!(world.state.params().min_stake, 100);
    let root = |world: &World| MemoryTree::of(&world.state).unwrap().root().unwrap();
    let former = world.state.clone();
    let events = wait_until(&mut world, outcome.effective.0);
    assert_eq!(events, [Event::ProposalDone { proposal: outcome.proposal }]);
    assert_eq!(world.state.params().min_stake, 250);
    assert_eq!(found(&world, outcome.proposal).status, ProposalStatus::Done { block: outcome.effective.0 });
    assert!(changes(Some(&former), &world.state).contains_key(&Key::Params), "a change of the tree");
    assert_rebuilds(&world);
    // Nodes that rebuild it have the voted parameters, and not those of the spec.
    let tree = MemoryTree::of(&world.state).unwrap();
    let (record, proof) = tree.prove(&Key::Params).unwrap();
    let record = record.unwrap();
    proof.verify(&root(&world), &record).unwrap();
    let Record::Params { rules, .. } = record else { panic!("another record") };
    assert_eq!(*rules, world.state.rulebook());
}

#[test]
fn a_stake_votes_as_its_validator_until_it_votes_itself_and_is_counted_once() {
    let mut world = parliament([300, 300, 100, 100]);
    stake(&mut world, 2, 0, 200);
    let id = propose(&mut world, Action::Text);
    let now = |world: &World| {
        let tally = world.state.tally(id);
        [tally.yes, tally.no, tally.abstain, tally.veto, tally.total].map(parts)
    };
    assert_eq!(now(&world), [0, 0, 0, 0, 1_000]);
    vote(&mut world, 0, id, Choice::Yes);
    assert_eq!(now(&world), [500, 0, 0, 0, 1_000], "with the 200 of its staker");
    let outcome = try_vote(&mut world, (2, &[0]), id, Choice::No).unwrap();
    assert_eq!((parts(outcome.staked), outcome.for_nodes.len()), (200, 0));
    assert_eq!(now(&world), [300, 200, 0, 0, 1_000], "moved, and not counted twice");
    vote(&mut world, 0, id, Choice::Veto);
    assert_eq!(now(&world), [0, 200, 0, 300, 1_000], "the owner's second vote replaces its first");
    try_vote(&mut world, (2, &[0, 2]), id, Choice::Abstain).unwrap();
    assert_eq!(now(&world), [0, 0, 300, 300, 1_000]);
    // A stake that grows or goes takes its vote with it.
    stake(&mut world, 2, 0, 50);
    assert_eq!(now(&world), [0, 0, 350, 300, 1_050]);
    unstake(&mut world, 2, 0);
    assert_eq!(now(&world), [0, 0, 100, 300, 800]);
    assert_rebuilds(&world);
}

#[test]
fn only_stake_on_validators_votes_while_the_vote_lasts() {
    let mut world = parliament([400, 300, 200, 100]);
    let idle = world.register(1, 11);
    stake(&mut world, 0, 11, 500);
    let id = propose(&mut world, Action::Text);
    assert_eq!(
        try_vote(&mut world, (0, &[11]), id, Choice::Yes),
        Err(ValidatorRejection::NotValidator { node: idle }.into())
    );
    assert_eq!(
        try_vote(&mut world, (0, &[1]), id, Choice::Yes),
        Err(StakeRejection::NotStaked { staked: units(0) }.into())
    );
    assert_eq!(
        try_vote(&mut world, (0, &[]), id, Choice::Yes),
        Err(GovernanceRejection::VotedNodes { most: 32 }.into())
    );
    assert_eq!(
        try_vote(&mut world, (0, &[0, 0]), id, Choice::Yes),
        Err(GovernanceRejection::VotedNodes { most: 32 }.into())
    );
    let unknown = ProposalId(77);
    assert_eq!(
        try_vote(&mut world, (0, &[0]), unknown, Choice::Yes),
        Err(GovernanceRejection::NoSuchProposal { proposal: unknown }.into())
    );
    let (verdict, tally) = count(&mut world, id);
    assert_eq!((verdict, parts(tally.total)), (Verdict::NoQuorum, 1_000), "without the idle 500");
    let ended = BlockHeight(found(&world, id).ends);
    assert_eq!(
        try_vote(&mut world, (0, &[0]), id, Choice::Yes),
        Err(GovernanceRejection::VotingOver { proposal: id, ended }.into())
    );
}

/// The issuance after an empty block more than it was, and after the block of a count.
#[test]
fn a_deposit_is_lost_below_the_quorum_and_on_a_veto_only() {
    let cases: [(&[(u8, Choice)], Verdict); 4] = [
        (&[(1, Choice::Yes)], Verdict::NoQuorum),
        (&[(0, Choice::Veto), (1, Choice::Yes)], Verdict::Vetoed),
        (&[(0, Choice::No), (1, Choice::Yes)], Verdict::Refused),
        (&[(0, Choice::Yes), (1, Choice::No)], Verdict::Passed),
    ];
    for (votes, expected) in cases {
        let mut world = parliament([400, 300, 200, 100]);
        let id = propose(&mut world, Action::Text);
        for (who, choice) in votes {
            vote(&mut world, *who, id, *choice);
        }
        let (ends, deposit) = (found(&world, id).ends, found(&world, id).deposit.base_units());
        wait_until(&mut world, ends - 1);
        let (balance, issuance) = (world.balance(&owner(0)), world.state.issuance());
        assert_eq!(count(&mut world, id).0, expected);
        let minted = nervure_ledger::economics::emission::block_reward(issuance);
        let back = world.balance(&owner(0)) - balance;
        let burnt = issuance + minted - world.state.issuance();
        assert_eq!((back, burnt), if expected.burns_deposit() { (0, deposit) } else { (deposit, 0) });
    }
}

#[test]
fn places_are_few_and_each_costs_twice_the_one_before() {
    let mut world = parliament([400, 300, 200, 100]);
    let (first, most) = (rules().governance.deposit, rules().governance.most_open);
    let mut ids = Vec::new();
    for place in 0..most {
        let outcome = try_propose(&mut world, 1, Action::Text).unwrap();
        assert_eq!(outcome.deposit, units(first << place));
        ids.push(outcome.proposal);
    }
    assert_eq!(
        try_propose(&mut world, 1, Action::Text),
        Err(GovernanceRejection::TooManyProposals { most }.into())
    );
    count(&mut world, ids[0]);
    assert_eq!(try_propose(&mut world, 0, Action::Text).unwrap().deposit, units(first << (most - 1)));
}

#[test]
fn closed_proposals_are_kept_for_a_while() {
    let mut world = parliament([400, 300, 200, 100]);
    let first = propose(&mut world, Action::Text);
    let mut last = first;
    for _ in 0..MAX_KEPT {
        count(&mut world, last);
        last = propose(&mut world, Action::Text);
    }
    assert!(world.state.governance().proposals().contains_key(&first));
    count(&mut world, last);
    assert_eq!(world.state.governance().proposals().len(), MAX_KEPT);
    assert!(!world.state.governance().proposals().contains_key(&first));
}

#[test]
fn the_treasury_gets_a_part_of_the_base_fees_and_only_proposals_pay_from_it() {
    let mut world = parliament([600, 200, 100, 100]);
    let holds = world.state.governance().treasury();
    assert!(holds > 100, "{holds}");
    world
        .call(
            &owner(0),
            Call::VoteProposal(VoteProposal { proposal: ProposalId(9), choice: Choice::Yes, nodes: vec![] }),
        )
        .unwrap_err();
    assert_eq!(world.state.governance().treasury(), holds + world.paid / 2);
    let pay = |amount| Action::Payment { to: owner(9).node_id(), amount: units(amount) };
    let too_much = try_propose(&mut world, 0, pay(1_000_000_000)).unwrap_err();
    assert!(too_much.to_string().contains("the treasury holds"), "{too_much}");
    assert!(try_propose(&mut world, 0, pay(0)).is_err());
    // Two payments of all of it: both pass, and there is nothing left for the second.
    let holds = world.state.governance().treasury();
    let first = propose(&mut world, pay(holds));
    let all = world.state.governance().treasury();
    let second = propose(&mut world, pay(all));
    for id in [first, second] {
        vote(&mut world, 0, id, Choice::Yes);
    }
    let effective = found(&world, second).ends + rules().governance.delay;
    let events = wait_until(&mut world, effective);
    assert_eq!(world.balance(&owner(9)), holds);
    assert!(
        matches!(&events[..], [Event::ProposalFailed { proposal, .. }] if *proposal == second),
        "{events:?}"
    );
    assert!(matches!(found(&world, second).status, ProposalStatus::Failed { .. }));
}

#[test]
fn parameters_that_contradict_what_changed_since_fail_and_change_nothing() {
    let mut world = parliament([600, 200, 100, 100]);
    // Each fits to the rules of today; the second does not fit to those that the first one makes.
    let first = propose(&mut world, change("unbonding", 36));
    let second = propose(&mut world, change("evidence_window", 36));
    for id in [first, second] {
        vote(&mut world, 0, id, Choice::Yes);
    }
    let effective = found(&world, second).ends + rules().governance.delay;
    let events = wait_until(&mut world, effective);
    let [Event::ProposalFailed { proposal, why }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(*proposal, second);
    assert!(why.raw().contains("unbonding"), "{why}");
    assert_eq!((world.state.params().unbonding, world.state.params().evidence_window), (36, 30));
    assert_rebuilds(&world);
}

#[test]
fn a_higher_minimum_must_leave_two_thirds_of_the_power_in_office() {
    let mut world = parliament([600, 200, 100, 100]);
    let minimum = |parts: u64| change("min_self_stake", parts * PART);
    assert!(try_propose(&mut world, 0, minimum(201)).is_err());
    assert!(try_propose(&mut world, 0, minimum(200)).is_ok());
}

#[test]
fn an_unbonding_time_waits_for_decisions_under_way() {
    let mut rules = rules();
    (rules.evidence_window, rules.governance.voting_period, rules.governance.delay) = (2, 20, 15);
    let mut world = crate::parliament::parliament_with([600, 200, 100, 100], rules);
    let long = propose(&mut world, Action::Text);
    let shorter = |voting_period| Action::Params {
        values: [("unbonding", 30), ("governance.voting_period", voting_period)]
            .map(|(name, value)| nervure_ledger::governance::ParameterValue { name: name.into(), value })
            .to_vec(),
    };
    let refused = try_propose(&mut world, 0, shorter(10)).unwrap_err();
    assert!(refused.to_string().contains(&format!("before proposal {long} can take effect")), "{refused}");
    world.wait(10);
    assert!(try_propose(&mut world, 0, shorter(10)).is_ok());
}

#[test]
fn missed_heights_are_counted_again_when_the_window_changes() {
    let mut world = parliament([600, 200, 100, 100]);
    let id = passed(&mut world, change("liveness_window", 100));
    let absent = [node(3).node_id()];
    let missed = |world: &World| world.state.roster().liveness_of(&absent[0]).unwrap().missed.count();
    assert_eq!(found(&world, id).ends + rules().governance.delay, world.state.height().0 + 1);
    world.wait_without(&absent, 1);
    assert_eq!((world.state.params().liveness_window, missed(&world)), (100, 0));
    world.wait_without(&absent, 2);
    assert_eq!(missed(&world), 2);
}

#[test]
fn an_upgrade_that_was_voted_stops_programs_that_do_not_know_it_before_its_height() {
    let mut world = parliament([600, 200, 100, 100]);
    let version = PROTOCOL_VERSION + 1;
    let upgrade =
        |height: u64, version| Action::Upgrade { upgrade: Upgrade { height: BlockHeight(height), version } };
    let skipped = try_propose(&mut world, 0, upgrade(1_000, version + 1)).unwrap_err();
    assert!(skipped.to_string().contains("the next version of the rules"), "{skipped}");
    let effective = world.state.height().0 + rules().governance.voting_period + rules().governance.delay;
    let early = try_propose(&mut world, 0, upgrade(effective + 1, version)).unwrap_err();
    assert!(early.to_string().contains("at the earliest"), "{early}");
    let at = effective + 4;
    passed(&mut world, upgrade(at, version));
    assert_eq!(world.state.upgrades().next_after(BlockHeight(0)), None);
    world.wait(1);
    assert_eq!(world.state.upgrades().next_after(BlockHeight(0)).unwrap().height, BlockHeight(at));
    assert_rebuilds(&world);
    let mut header = Tip::genesis(&world.spec).unwrap().0.header;
    let mut tree = MemoryTree::of(&world.state).unwrap();
    header.height = world.state.height();
    let mut tip = Tip { header, state: world.state.clone() };
    // The version of a height follows from the state before it.
    let unknown = loop {
        match tip.next(&tree, Draft::uncertified(&tip, Vec::new()), std::num::NonZeroUsize::MIN) {
            Ok(next) => {
                tree.accept(next.update.clone());
                tip = next.tip();
            }
            Err(error) => break error,
        }
    };
    assert_eq!(tip.header.height, BlockHeight(at - 1), "all blocks before it are made");
    assert!(matches!(unknown, BlockError::UnknownVersion(found) if found.version == version), "{unknown}");
    let again = tip.state.check_action(&upgrade(at + 50, version), at);
    assert!(again.is_err(), "the next one is {}", version + 1);
}

#[test]
fn no_vote_makes_rules_that_a_spec_could_not_have() {
    let mut world = parliament([600, 200, 100, 100]);
    let rules: Rulebook = world.state.rulebook();
    for (name, value) in
        [("min_tempo", 0), ("unbonding", 1), ("slots", 257), ("governance.quorum_permille", 0)]
    {
        let refused = try_propose(&mut world, 0, change(name, value)).unwrap_err();
        assert!(matches!(refused, Rejection::Governance(GovernanceRejection::Action { .. })), "{refused}");
    }
    let many = Action::Params { values: Vec::new() };
    assert!(try_propose(&mut world, 0, many).is_err());
    assert_eq!(world.state.rulebook(), rules);
}
