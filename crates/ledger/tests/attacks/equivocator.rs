//! A validator takes its stake back right after an election, equivocates while it still has its power, and is reported as
//! late as possible: by then its tokens should be gone.

use nervure_consensus::statement::{Equivocation, Round, SignedStatement, Vote, VoteKind};
use nervure_ledger::{
    block::BlockContext,
    event::Event,
    governance::GovernanceRules,
    params::Params,
    spec::{MeshSpec, NodeSpec, Role},
    state::LedgerState,
    subnet::Hyperparameters,
    transaction::{
        Call, Checked, Rejection, ReportEquivocation, SignerKey, Transaction, Unstake, ValidatorRejection,
    },
};
use nervure_primitives::{Amount, BlockHeight, Hash, NodeKey};

/// Blocks between elections.
const INTERVAL: u64 = 10;

/// Blocks in which an equivocation can be reported.
const WINDOW: u64 = 30;

/// What the attacker stakes, in tokens.
const STAKE: u64 = 10_000;

fn key(seed: u8) -> NodeKey {
    NodeKey::from_seed(&[seed; 32])
}

fn tokens(tokens: u64) -> Amount {
    Amount::from_tokens(tokens).unwrap()
}

/// Rules that keep a stake answerable for everything that it gave power for.
fn rules() -> Params {
    let economy = MeshSpec::public("attack").economy;
    let subnet = Hyperparameters { tempo: INTERVAL, ..economy.subnet.clone() };
    Params {
        unbonding: WINDOW + INTERVAL,
        evidence_window: WINDOW,
        election_interval: INTERVAL,
        min_tempo: INTERVAL,
        max_tempo: INTERVAL,
        subnet,
        governance: GovernanceRules::local(),
        ..economy
    }
}

/// What the attacker lost beside the fee, and why the report was rejected, if it was. The report comes `delay` blocks
/// after the offence, which is in the last height before the second election.
fn attacked(economy: Params, delay: u64) -> (Amount, Option<Rejection>) {
    let (attacker, honest, owner) = (key(1), key(2), key(50));
    let spec = MeshSpec::public("attack").with_validator(honest.node_id(), tokens(100_000));
    let node = NodeSpec::new(attacker.node_id(), Role::Validator).with_stake(tokens(STAKE));
    let mut spec = spec.with_account(owner.node_id(), tokens(1));
    spec.nodes.push(NodeSpec { owner: Some(owner.node_id()), ..node });
    let mut state = LedgerState::genesis(&MeshSpec { economy, ..spec }).unwrap();
    assert!(state.validators().unwrap().contains(&attacker.node_id()));
    let unstake = Unstake { node: attacker.node_id(), amount: tokens(STAKE) };
    assert_eq!(block(&mut state, Some((&owner, Call::Unstake(unstake)))), None);
    let all = tokens(STAKE).checked_add(state.accounts().get(&owner.node_id()).balance).unwrap();
    while state.height().0 < INTERVAL - 1 {
        block(&mut state, None);
    }
    assert!(state.validators().unwrap().contains(&attacker.node_id()), "powers stay between elections");
    let vote = |value| {
        let vote = Vote { height: BlockHeight(INTERVAL), round: Round(0), kind: VoteKind::Precommit, value };
        SignedStatement::sign(&attacker, &state.mesh(), vote).unwrap()
    };
    let evidence = Equivocation::votes(vote(None), vote(Some(Hash::of("block", &[])))).unwrap();
    while state.height().0 < INTERVAL + delay - 1 {
        block(&mut state, None);
    }
    let report = Call::ReportEquivocation(ReportEquivocation { evidence: evidence.into() });
    let rejection = block(&mut state, Some((&honest, report)));
    (0..WINDOW + INTERVAL).for_each(|_| drop(block(&mut state, None)));
    assert_eq!(state.held(), u128::from(state.issuance()));
    (all.checked_sub(state.accounts().get(&owner.node_id()).balance).unwrap(), rejection)
}

/// A block with at most one call; its rejection.
fn block(state: &mut LedgerState, call: Option<(&NodeKey, Call)>) -> Option<Rejection> {
    let mesh = state.mesh();
    let checked = call.map(|(signer, call)| {
        let node = state.nodes().get(&signer.node_id());
        // A validator reports for free.
        let (nonce, fee) = match call.signer() {
            SignerKey::Node => (node.map_or(0, |node| node.nonce), Amount::ZERO),
            SignerKey::Owner => (state.accounts().get(&signer.node_id()).nonce, tokens(1)),
        };
        let expiry = BlockHeight(state.height().0 + 9);
        let transaction = Transaction { nonce, fee, tip: Amount::ZERO, expiry, call };
        Checked::new(&transaction.seal(signer, &mesh).unwrap(), &mesh)
    });
    let events = state.advance(&BlockContext::default(), checked.as_slice()).unwrap();
    events.into_iter().find_map(|event| match event {
        Event::Rejected { rejection, .. } => Some(rejection),
        _ => None,
    })
}

/// The slash: a twentieth of the stake.
fn punishment() -> Amount {
    tokens(STAKE / 20)
}

#[test]
fn who_unstakes_right_after_the_election_is_slashed_until_the_window_is_over() {
    assert_eq!(rules().check(), Ok(()));
    for delay in [1, 2, INTERVAL, WINDOW] {
        assert_eq!(attacked(rules(), delay), (punishment(), None), "{delay} blocks later");
    }
    let (lost, rejection) = attacked(rules(), WINDOW + 1);
    assert_eq!(
        (lost, rejection),
        (Amount::ZERO, Some(ValidatorRejection::EvidenceTooOld { oldest: BlockHeight(INTERVAL + 1) }.into()))
    );
}

#[test]
fn with_an_unbonding_time_that_forgets_the_interval_the_tokens_are_gone() {
    // The window alone is not enough: the stake was taken back an interval before the offence.
    let short = Params { unbonding: WINDOW, ..rules() };
    assert_eq!(short.check().unwrap_err().place, "unbonding");
    assert_eq!(attacked(short.clone(), WINDOW), (Amount::ZERO, None), "jailed, and nothing lost");
    assert_eq!(attacked(short, 1).0, punishment(), "only a quick report helps");
    let shorter = Params { unbonding: 2, ..rules() };
    assert_eq!(attacked(shorter, 1).0, Amount::ZERO);
}

#[test]
fn with_a_short_evidence_window_it_hides_until_it_is_over() {
    let short = Params { evidence_window: 3, ..rules() };
    let (lost, rejection) = attacked(short, 4);
    assert_eq!(lost, Amount::ZERO);
    assert!(
        matches!(rejection, Some(Rejection::Validator(ValidatorRejection::EvidenceTooOld { .. }))),
        "{rejection:?}"
    );
}
