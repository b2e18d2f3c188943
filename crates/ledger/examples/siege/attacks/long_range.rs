//! A validator takes its stake back and signs another history of the time when it was in office.
//!
//! A light client believes such a history only within the trusting period, which is shorter than the evidence window, which is
//! shorter than the unbonding. Until the client refuses it, the signatures are evidence against stake that is still there.
//! That clients refuse it later is shown by their own tests (`crates/light/src/client/tests.rs`).

use nervure_consensus::statement::{Equivocation, Round, SignedStatement, Vote, VoteKind};
use nervure_ledger::{
    event::Event,
    params::Params,
    transaction::{Call, Outcome, ReportEquivocation, SignerKey, Unstake},
};
use nervure_primitives::{BlockHeight, Hash};
use rand::Rng;

use crate::{
    field::{EVIDENCE_WINDOW, Field, INTERVAL, Report, Start, Terrain, honest_validator, params},
    mesh::{Offer, SUPPLY, TOKEN, key},
};

/// The trusting period of light clients here, in blocks: shorter than the evidence window.
pub(crate) const TRUSTING_PERIOD: u64 = EVIDENCE_WINDOW - 2;

/// With the times of the mesh: how often it was not slashed for a history that a client could believe.
pub(crate) fn long_range(start: Start) -> Report {
    with_times(start, params())
}

/// With other times.
pub(crate) fn with_times(start: Start, economy: Params) -> Report {
    let attacker = key(9_000);
    let stake = SUPPLY / 100 * start.percent * TOKEN / 8 * 7;
    let mut field =
        Field::with(start, Terrain { economy, nodes: vec![(attacker.clone(), stake)], ..Terrain::default() });
    let owner = field.accounts[0].clone();
    // Right after the first election or the second one, so that it still has its power for an interval.
    let elections = field.rng.random_range(1..3);
    while field.blocks < elections * INTERVAL {
        field.besieged(|_| ());
    }
    let amount = field.state().nodes().stake_of(&attacker.node_id(), &owner.node_id());
    field.carry_out(&owner, Call::Unstake(Unstake { node: attacker.node_id(), amount }));
    // A height at which it is in office: after the unstaking, and before the next election takes its power.
    let height = field.rng.random_range(field.blocks + 1..=(elections + 1) * INTERVAL);
    // The client sees it at some moment of its trusting period, and shows it to a validator.
    let seen = height + field.rng.random_range(1..=TRUSTING_PERIOD);
    while field.blocks < seen {
        field.besieged(|_| ());
    }
    let vote = |value| {
        let vote = Vote { height: BlockHeight(height), round: Round(0), kind: VoteKind::Precommit, value };
        SignedStatement::sign(&attacker, &field.state().mesh(), vote)
    };
    let forged = Some(Hash::of("another history", &[]));
    let (Ok(one), Ok(other)) = (vote(None), vote(forged)) else { return field.finish(0) };
    let Ok(evidence) = Equivocation::votes(one, other) else { return field.finish(0) };
    let reporter = honest_validator(0);
    let call = Call::ReportEquivocation(ReportEquivocation { evidence: Box::new(evidence) });
    let nonce = field.mesh.nonce(&reporter, SignerKey::Node);
    let _ = field.mesh.send(&reporter, Offer { nonce, fee: 0, tip: 0 }, call);
    let before = field.mesh.balance(&owner.node_id());
    let mut slashed = 0;
    let unbonding = field.state().params().unbonding;
    let mut is_reported = false;
    for _ in 0..unbonding + INTERVAL {
        for event in field.besieged(|_| ()) {
            if let Event::Applied { outcome: Outcome::EquivocationReported(report), .. } = event {
                slashed += report.slashed.base_units();
                is_reported = true;
            }
        }
    }
    // What was unbonding is slashed when it is released.
    let back = field.mesh.balance(&owner.node_id()).saturating_sub(before);
    let missing = amount.base_units().saturating_sub(back);
    if is_reported && back > 0 {
        slashed += missing;
    }
    field.report.paid += slashed;
    let escaped = u64::from(slashed < amount.base_units() / 25);
    field.finish(escaped)
}
