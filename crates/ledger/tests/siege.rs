//! The economic simulation (`examples/siege`) with a few seeds, without its table; and with a defence off each time, so that
//! the attack succeeds.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]
#![allow(dead_code, reason = "the attacks' own tests use the rest of what is shared")]

#[path = "../examples/siege/attacks.rs"]
mod attacks;
#[path = "../examples/siege/field.rs"]
mod field;
#[path = "attacks/mesh.rs"]
mod mesh;

use attacks::{ATTACKS, Attack};
use field::{Report, Start, params};
use mesh::TOKEN;
use nervure_ledger::{params::Params, spec::MeshSpec};

/// Runs an attack with a few seeds.
fn run(name: &str) -> Vec<(Start, Report)> {
    let attack: &Attack = ATTACKS.iter().find(|attack| attack.name == name).unwrap();
    let starts = [1, 20].into_iter().flat_map(|percent| (0..3).map(move |seed| Start { seed, percent }));
    let reports: Vec<_> = starts.map(|start| (start, (attack.run)(start))).collect();
    if attack.is_bounded {
        let within = |blocks| reports.iter().map(|(_, report)| report.within(blocks).0).sum::<u64>();
        assert!(
            reports.iter().all(|(_, report)| report.within(3).1 > 5),
            "the honest user paid: {reports:?}"
        );
        // A bid that was too low three times in a row is rare, and is in one of the next blocks.
        assert!(within(3) * 100 >= within(u64::MAX) * 97, "{name}: {reports:?}");
        assert_eq!(within(6), within(u64::MAX), "{name}: {reports:?}");
    }
    reports
}

#[test]
fn spam_is_paid_for_and_keeps_no_transfer_out() {
    for (_, report) in run("spam") {
        assert!(report.paid > report.full * report.dearest, "{report:?}");
    }
}

/// It buys nearly whole blocks, at a base fee that rises by an eighth with each, and the honest user is in the part that goes
/// by age. Without that part it is in none of them (`mempool/tests.rs`).
#[test]
fn outbidding_each_bid_costs_whole_blocks() {
    for (_, report) in run("outbids each bid") {
        assert!(report.full > 20 && report.paid > TOKEN, "{report:?}");
    }
    let limit = 20_000_000;
    let rising = |funds| attacks::blocks_until_broke(funds, limit, |fee| fee + fee / 8);
    let fixed = |funds| attacks::blocks_until_broke(funds, limit, |fee| fee);
    let (one, twenty) = (80_000 * TOKEN, 1_600_000 * TOKEN);
    assert!(rising(twenty) < 160 && rising(one) < 140, "{} {}", rising(one), rising(twenty));
    assert!(fixed(one) > 10_000_000 - 1, "with a base fee at its floor, four years: {}", fixed(one));
}

#[test]
fn dust_validators_lock_a_thousand_tokens_each_and_are_jailed() {
    for (_, report) in run("dust validators") {
        assert!(report.gain > 0, "the attack took place");
        assert!(report.locked >= report.gain * params().min_self_stake, "{report:?}");
    }
    // Without a minimum, six tokens take all places.
    let start = Start { seed: 0, percent: 1 };
    let free = attacks::places(start, Params { min_self_stake: 1, ..params() }, 59);
    assert!(free.gain == 59 && free.locked < 7 * TOKEN, "{free:?}");
}

#[test]
fn state_grows_at_a_price() {
    for (_, report) in run("state growth") {
        assert!(report.gain > 10 && report.paid + report.locked > 0, "{report:?}");
    }
}

#[test]
fn a_fifth_of_the_supply_votes_nothing_to_itself() {
    for (start, report) in run("vote capture") {
        assert_eq!(report.gain, 0, "{start:?}");
        assert!(report.locked > 70_000 * TOKEN, "it voted with its stake: {report:?}");
        // A mean over those who vote gives it everything, because no other stake votes.
        assert_eq!(attacks::mean_of_voters(report.locked, 0), 1_000);
    }
}

#[test]
fn no_epoch_is_later_than_twice_its_tempo() {
    for (start, report) in run("epoch alignment") {
        assert!((100..=200).contains(&report.gain), "{start:?} {report:?}");
    }
}

#[test]
fn the_lane_has_room_for_the_smallest_validator() {
    for (start, report) in run("lane of validators") {
        assert!(report.gain <= 3, "{start:?} {report:?}");
    }
    let start = Start { seed: 0, percent: 20 };
    let unbounded = attacks::lane_with_quota(start, Params { lane_quota: 1_000, ..params() });
    assert!(unbounded.gain > 20, "without a quota, larger validators keep it out: {unbounded:?}");
}

/// The stake is there for as long as a client may believe what its owner signs.
#[test]
fn who_signs_another_history_is_slashed_while_clients_could_believe_it() {
    for (start, report) in run("long range") {
        assert_eq!(report.gain, 0, "{start:?} {report:?}");
        assert!(report.paid > start.percent * 3_000 * TOKEN, "{report:?}");
    }
    // An unbonding that is over before the evidence: nothing is there to be slashed.
    let short = Params { unbonding: 1, ..params() };
    let escaped = (0..3)
        .any(|seed| attacks::long_range_with_times(Start { seed, percent: 20 }, short.clone()).gain > 0);
    assert!(escaped);
    // The times of a public mesh are in this order, which the check of every spec demands.
    let public = MeshSpec::public("order");
    let trusting = public.consensus.trusting_period().unwrap().as_millis();
    let block_time = u128::from(public.consensus.block_milliseconds);
    let Params { evidence_window, unbonding, election_interval, .. } = public.economy;
    assert!(trusting < u128::from(evidence_window) * block_time);
    assert!(evidence_window + election_interval <= unbonding);
    const {
        assert!(
            attacks::TRUSTING_PERIOD < field::EVIDENCE_WINDOW && field::EVIDENCE_WINDOW < field::UNBONDING
        )
    };
}
