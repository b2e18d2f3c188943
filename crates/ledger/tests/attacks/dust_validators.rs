//! One owner fills the validator set with 60 nodes that have next to no stake and never run: every round that falls to
//! one of them is lost.

use std::collections::BTreeSet;

use nervure_ledger::{
    block::BlockContext,
    event::Event,
    params::Params,
    spec::MeshSpec,
    state::LedgerState,
    transaction::{
        Call, Checked, JoinValidators, RegisterNode, Rejection, Stake, Transaction, ValidatorRejection,
        consent,
    },
};
use nervure_primitives::{Amount, BlockHeight, NodeId, NodeKey};

/// Nodes of the attacker: with the four real validators they fill the set.
const DUST: u8 = 60;

/// What the attacker stakes on each: 0.1 token, the minimum stake.
const STAKE: u64 = 100_000_000;

fn key(seed: u8) -> NodeKey {
    NodeKey::from_seed(&[seed; 32])
}

fn tokens(tokens: u64) -> Amount {
    Amount::from_tokens(tokens).unwrap()
}

/// A public mesh with this minimum self-stake and four validators with 10,000 tokens each, after the attacker has
/// registered, staked and joined as often as it could. Returns its rejections too.
fn attacked(min_self_stake: u64) -> (LedgerState, Vec<Rejection>) {
    let attacker = key(50);
    let spec = (1..5)
        .fold(MeshSpec::public("attack"), |spec, seed| {
            spec.with_validator(key(seed).node_id(), tokens(10_000))
        })
        .with_account(attacker.node_id(), tokens(1_000));
    let economy =
        Params { min_self_stake, election_interval: 10, liveness_window: 40, ..spec.economy.clone() };
    let mut state = LedgerState::genesis(&MeshSpec { economy, ..spec }).unwrap();
    let mut rejections = Vec::new();
    for seed in 100..100 + DUST {
        let node = key(seed).node_id();
        let consent = consent(&key(seed), &attacker.node_id(), &state.mesh()).unwrap();
        let calls = [
            Call::RegisterNode(RegisterNode { consent }),
            Call::Stake(Stake { node, amount: Amount::from_base_units(STAKE) }),
            Call::JoinValidators(JoinValidators { node }),
        ];
        for call in calls {
            rejections.extend(one_block(&mut state, &attacker, call));
        }
    }
    while !state.height().0.is_multiple_of(10) {
        state.advance(&BlockContext::default(), &[]).unwrap();
    }
    (state, rejections)
}

/// A block with one call; its rejection.
fn one_block(state: &mut LedgerState, signer: &NodeKey, call: Call) -> Option<Rejection> {
    let nonce = state.accounts().get(&signer.node_id()).nonce;
    // Far above any price here.
    let fee = Amount::from_base_units(10_000_000);
    let expiry = BlockHeight(state.height().0 + 10);
    let transaction = Transaction { nonce, fee, tip: Amount::ZERO, expiry, call };
    let mesh = state.mesh();
    let checked = Checked::new(&transaction.seal(signer, &mesh).unwrap(), &mesh);
    state.advance(&BlockContext::default(), &[checked]).unwrap().into_iter().find_map(|event| match event {
        Event::Rejected { rejection, .. } => Some(rejection),
        _ => None,
    })
}

fn dead(state: &LedgerState) -> usize {
    let real: BTreeSet<NodeId> = (1..5).map(|seed| key(seed).node_id()).collect();
    state.validators().unwrap().members().iter().filter(|member| !real.contains(&member.node)).count()
}

#[test]
fn the_minimum_self_stake_keeps_dust_out() {
    let least = Params::default().min_self_stake;
    let (state, rejections) = attacked(least);
    assert_eq!(rejections.len(), usize::from(DUST));
    assert!(
        rejections
            .iter()
            .all(|rejection| matches!(rejection, Rejection::Validator(ValidatorRejection::SelfStake { .. }))),
        "{rejections:?}"
    );
    assert_eq!(dead(&state), 0);
    // 60 places cost 60,000 tokens that are locked, of which the unbonding time and any slashing take their part.
    assert_eq!(u64::from(DUST) * least, tokens(60_000).base_units());
}

#[test]
fn without_a_minimum_6_tokens_take_60_of_64_places() {
    let (state, rejections) = attacked(1);
    assert_eq!(rejections, []);
    assert_eq!(dead(&state), usize::from(DUST));
}

/// Even where dust gets in, it does not stay, and costs one round per height at most until it is out.
#[test]
fn dust_that_does_not_sign_is_silent_and_then_jailed() {
    let (mut state, _) = attacked(1);
    let signers = (1..5).map(|seed| key(seed).node_id()).collect();
    let context = BlockContext { signers, ..BlockContext::default() };
    for _ in 0..9 {
        state.advance(&context, &[]).unwrap();
    }
    assert_eq!(state.silent_validators().len(), usize::from(DUST), "all propose last");
    for _ in 0..30 {
        state.advance(&context, &[]).unwrap();
    }
    assert_eq!(dead(&state), 0, "jailed");
    let (mut unjailed, _) = attacked(1);
    for _ in 0..39 {
        unjailed.advance(&BlockContext::default(), &[]).unwrap();
    }
    assert_eq!(dead(&unjailed), usize::from(DUST), "where no missed heights are counted, they stay");
}
