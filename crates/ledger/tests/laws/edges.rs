//! Every kind of call at the edges of its numbers: nothing, one, the largest; oneself, a stranger, no key at all; empty
//! lists, duplicates, the first and the last height. None panics, none makes or loses a base unit, and what is rejected
//! leaves nothing behind.

use nervure_ledger::{
    event::Event,
    governance::{Action, Choice, ParameterValue, ProposalId},
    proxies::{ProxyGrant, ProxyScope, SpendingLimit},
    subnet::Hyperparameter,
    transaction::{
        AnnounceCall, Call, CancelAnnouncement, ClaimVested, CommitWeights, DeregisterNeuron, DeregisterNode,
        FundsRejection, Holding, InclusionRejection, JoinValidators, LeaveValidators, MoveStake, ProxyCall,
        RegisterNeuron, RegisterSubnet, Rejection, RemoveProxy, RevealWeights, RotateOwner,
        SetHyperparameter, SetMechanism, SetProxy, SetTake, SetWeights, SignerKey, Stake, SubmitProposal,
        SwapKey, Transaction, Transfer, TransferVested, Unstake, VoteProposal, VoteSubnets, owner_consent,
    },
    tree::changes,
    upgrade::Upgrade,
};
use nervure_primitives::{Amount, BlockHeight, Hash, MechanismSpec, Netuid, NodeId, NodeKey, Uid};

use crate::{
    random::settled,
    shared::{approved, batch, pay},
    world::{FEE, World, node, owner, units},
};

const NUMBERS: [u64; 6] = [0, 1, 499, 1 << 63, u64::MAX - 1, u64::MAX];

/// The caller's own node, another's, the validator of the genesis, a key that is none, and no key.
fn nodes() -> [NodeId; 5] {
    let of = |index| node(index).node_id();
    [of(0), of(1), of(200), of(99), NodeId::from_bytes([0; 32])]
}

/// The caller itself, another owner, a stranger, and no key.
fn owners() -> [NodeId; 4] {
    [
        owner(0).node_id(),
        owner(1).node_id(),
        NodeKey::from_seed(&[77; 32]).node_id(),
        NodeId::from_bytes([0; 32]),
    ]
}

/// Calls about tokens and stakes.
fn of_amounts(calls: &mut Vec<Call>) {
    for amount in NUMBERS.map(units) {
        for to in owners() {
            calls.push(Call::Transfer(Transfer { to, amount, memo: None }));
            for (start, cliff, end) in
                [(0, 0, 0), (1, 0, 9), (0, 9, 1), (0, 0, u64::MAX), (u64::MAX, u64::MAX, u64::MAX)]
            {
                let [start, cliff, end] = [start, cliff, end].map(BlockHeight);
                calls.push(Call::TransferVested(TransferVested { to, amount, start, cliff, end }));
            }
        }
        for from in nodes() {
            calls.push(Call::Stake(Stake { node: from, amount }));
            calls.push(Call::Unstake(Unstake { node: from, amount }));
            calls.extend(nodes().map(|to| Call::MoveStake(MoveStake { from, to, amount })));
        }
        for netuid in [0, 1, 2, u16::MAX].map(Netuid) {
            let max_price = Some(amount);
            calls
                .extend(nodes().map(|node| Call::RegisterNeuron(RegisterNeuron { netuid, node, max_price })));
        }
        let name = "edge".to_owned();
        let found = |node| RegisterSubnet { name: name.clone(), node, max_lock: amount, mechanism: None };
        calls.extend(nodes().map(|node| Call::RegisterSubnet(found(node))));
    }
}

/// Calls about nodes, slots and names.
fn of_nodes(world: &World, calls: &mut Vec<Call>) {
    let consent = |key: u8| world.consent(&node(key), &owner(0).node_id());
    for id in nodes() {
        calls.extend([0, u16::MAX].map(|take| Call::SetTake(SetTake { node: id, take })));
        calls.push(Call::JoinValidators(JoinValidators { node: id }));
        calls.push(Call::LeaveValidators(LeaveValidators { node: id }));
        calls.push(Call::DeregisterNode(DeregisterNode { node: id }));
        for netuid in [0, 1, 2, u16::MAX].map(Netuid) {
            calls.push(Call::DeregisterNeuron(DeregisterNeuron { netuid, node: id }));
        }
        // With the key that it has, another's, and a fresh one.
        calls.extend([0, 1, 60].map(|key| Call::SwapKey(SwapKey { old: id, consent: consent(key) })));
    }
    for netuid in [0, 1, 2, u16::MAX].map(Netuid) {
        for value in [0, 1, u64::MAX] {
            for to in [Hyperparameter::Tempo(value), Hyperparameter::MaxValidators(value as u16)] {
                calls.push(Call::SetHyperparameter(SetHyperparameter { netuid, to }));
            }
        }
        for name in ["", "x", "next-byte", "UPPER", "a very long name that is longer than thirty-two bytes"] {
            calls.push(Call::SetMechanism(SetMechanism { netuid, to: MechanismSpec::named(name) }));
        }
    }
}

/// Calls about owners: rotation, proxies, proposals, votes.
fn of_owners(world: &World, calls: &mut Vec<Call>) {
    let mesh = world.state.mesh();
    let own = Holding::Node(node(0).node_id());
    let lists = [
        vec![],
        vec![own, own],
        vec![Holding::Stake(NodeId::from_bytes([0; 32]))],
        vec![Holding::Unbonding(BlockHeight(u64::MAX))],
        vec![Holding::Subnet(Netuid(u16::MAX))],
        vec![own; 65],
    ];
    for to in [0, 1, 3] {
        let consent = owner_consent(&owner(to), &owner(0).node_id(), &mesh).unwrap();
        for holdings in lists.clone() {
            let consent = consent.clone();
            calls.push(Call::RotateOwner(RotateOwner { consent, holdings, account: None }));
        }
    }
    for proxy in owners() {
        for number in [0, 1, u64::MAX] {
            let limit = Some(SpendingLimit { amount: units(number), interval: number });
            let (scopes, expiry) = (ProxyScope::ALL.into(), BlockHeight(number));
            let grant = ProxyGrant { scopes, limit, delay: number, expiry };
            calls.push(Call::SetProxy(SetProxy { proxy, grant }));
        }
        let none = ProxyGrant { scopes: [].into(), limit: None, delay: 0, expiry: BlockHeight(u64::MAX) };
        calls.push(Call::SetProxy(SetProxy { proxy, grant: none }));
        calls.push(Call::RemoveProxy(RemoveProxy { proxy }));
        calls.push(Call::Proxy(ProxyCall { owner: proxy, call: pay(0, 1).into() }));
        calls.push(Call::Announce(AnnounceCall { owner: proxy, call: pay(0, 1).into() }));
        let id = Hash::from_bytes([0; 32]);
        calls.push(Call::CancelAnnouncement(CancelAnnouncement { owner: proxy, id }));
        calls.push(Call::ClaimVested(ClaimVested { from: proxy }));
    }
    let value = |name: &str, value| ParameterValue { name: name.into(), value };
    let mut actions = vec![
        Action::Params { values: vec![] },
        Action::Params { values: vec![value("", 1)] },
        Action::Params { values: vec![value("min_stake", 1), value("min_stake", 1)] },
        Action::Params { values: vec![value("min_stake", 1_000); 33] },
        Action::Payment { to: owner(0).node_id(), amount: Amount::ZERO },
        Action::Payment { to: NodeId::from_bytes([0; 32]), amount: units(u64::MAX) },
    ];
    for (height, version) in [(0, 0), (0, 2), (u64::MAX, u32::MAX), (u64::MAX, 2)] {
        actions.push(Action::Upgrade { upgrade: Upgrade { height: BlockHeight(height), version } });
    }
    for name in nervure_ledger::governance::PARAMETERS {
        actions.extend([0, 1, u64::MAX].map(|to| Action::Params { values: vec![value(name, to)] }));
    }
    let propose = |title: &str, action| {
        Call::SubmitProposal(SubmitProposal { title: title.into(), document: None, action })
    };
    calls.extend(actions.into_iter().map(|action| propose("edge", action)));
    calls.push(propose("", Action::Text));
    for proposal in [0, 1, u64::MAX].map(ProposalId) {
        for list in [vec![], vec![node(0).node_id(); 2], nodes().to_vec(), vec![node(200).node_id(); 200]] {
            calls.push(Call::VoteProposal(VoteProposal { proposal, choice: Choice::Yes, nodes: list }));
        }
    }
}

/// Calls that a node signs.
fn of_node_keys() -> Vec<Call> {
    let mut calls = Vec::new();
    let rows: [Vec<(Uid, u16)>; 6] = [
        vec![],
        vec![(Uid(0), 0)],
        vec![(Uid(0), u16::MAX), (Uid(0), 1)],
        vec![(Uid(u16::MAX), 1)],
        (0..256).map(|uid| (Uid(uid), u16::MAX)).collect(),
        (0..6).map(|uid| (Uid(uid), 0)).collect(),
    ];
    for netuid in [0, 1, 2, u16::MAX].map(Netuid) {
        let hash = Hash::from_bytes([0; 32]);
        calls.push(Call::CommitWeights(CommitWeights { netuid, hash }));
        for weights in rows.clone() {
            let (salt, version_key) = (hash, u64::MAX);
            calls.push(Call::SetWeights(SetWeights { netuid, weights: weights.clone(), version_key }));
            calls.push(Call::RevealWeights(RevealWeights { netuid, weights, salt, version_key }));
        }
    }
    let votes = [
        vec![],
        vec![(Netuid(0), 0)],
        vec![(Netuid(1), u16::MAX), (Netuid(1), 1)],
        vec![(Netuid(u16::MAX), 1)],
        (0..600).map(|netuid| (Netuid(netuid), 1)).collect(),
    ];
    calls.extend(votes.map(|weights| Call::VoteSubnets(VoteSubnets { weights })));
    calls
}

/// A call in a block of its own, and what it left: `apply` compares what the state holds with what was issued.
fn attempt(world: &World, key: &NodeKey, call: Call) -> bool {
    let envelope = world.sign(key, call.clone(), 0);
    let Ok((after, events)) = world.try_after(std::slice::from_ref(&envelope)) else { return false };
    assert_eq!(after.held(), u128::from(after.issuance()), "{call:?}");
    let least = Amount::from_base_units(after.params().existential_deposit());
    assert!(after.accounts().iter().all(|(_, account)| account.balance >= least), "{call:?}");
    match &events[0] {
        Event::Rejected { .. } => {
            world.assert_only_paid(&after, key.node_id());
            false
        }
        _ => {
            // What it wrote makes the same state again.
            let records = changes(None, &after).into_values().flatten();
            let rebuilt = nervure_ledger::state::LedgerState::from_records(&world.spec, records).unwrap();
            assert!(rebuilt == after, "{call:?}");
            true
        }
    }
}

#[test]
fn no_owners_call_at_an_edge_breaks_anything_alone_in_a_batch_or_for_a_threshold_account() {
    let world = settled();
    let mut calls = Vec::new();
    of_amounts(&mut calls);
    of_nodes(&world, &mut calls);
    of_owners(&world, &mut calls);
    let (mut applied, mut twice) = (0, 0);
    for call in &calls {
        assert_eq!(call.signer(), SignerKey::Owner);
        applied += usize::from(attempt(&world, &owner(0), call.clone()));
        twice += usize::from(attempt(&world, &owner(0), batch([call.clone(), call.clone()])));
        let of_team = approved(&world, call.clone(), &[0, 1]);
        attempt(&world, &owner(3), Call::Multisig(of_team));
        let by_proxy = Call::Proxy(ProxyCall { owner: owner(0).node_id(), call: call.clone().into() });
        assert!(!attempt(&world, &owner(1), by_proxy), "no proxy: {call:?}");
    }
    assert!(
        applied > 20 && twice > 0 && applied < calls.len() / 2,
        "{applied} and {twice} of {}",
        calls.len()
    );
}

#[test]
fn no_node_keys_call_at_an_edge_breaks_anything() {
    let world = settled();
    let (mut applied, calls) = (0, of_node_keys());
    for call in &calls {
        for key in [node(0), node(200), node(99)] {
            applied += usize::from(attempt(&world, &key, call.clone()));
        }
    }
    assert!(applied > 3, "{applied}");
}

#[test]
fn fees_tips_nonces_and_expiries_at_their_edges_are_in_no_block_or_paid() {
    let world = settled();
    let least = world.state.base_fee().cost(Transaction::greatest_weight(&pay(1, 600)));
    for fee in [0, 1, least - 1, least, FEE, u64::MAX] {
        for tip in [0, 1, FEE, u64::MAX] {
            for expiry in [0, world.state.height().0, world.state.height().0 + 1, u64::MAX] {
                for nonce in [0, 1, u64::MAX] {
                    let nonce = world.state.accounts().get(&owner(0).node_id()).nonce.wrapping_add(nonce);
                    let terms = Transaction {
                        nonce,
                        fee: units(fee),
                        tip: units(tip),
                        expiry: BlockHeight(expiry),
                        call: pay(1, 600),
                    };
                    let envelope = world.seal(&owner(0), terms);
                    match world.try_after(std::slice::from_ref(&envelope)) {
                        Ok((after, events)) => {
                            assert_eq!(after.held(), u128::from(after.issuance()));
                            let paid = match &events[0] {
                                Event::Applied { paid, .. } | Event::Rejected { paid, .. } => *paid,
                                other => panic!("{other:?}"),
                            };
                            assert!(!paid.is_zero() && paid <= units(fee), "{paid} of {fee}");
                        }
                        Err(invalid) => assert!(
                            matches!(
                                invalid.reason,
                                Rejection::Funds(FundsRejection::Balance { .. })
                                    | Rejection::Inclusion(
                                        InclusionRejection::Fee { .. }
                                            | InclusionRejection::Nonce { .. }
                                            | InclusionRejection::Expired { .. }
                                            | InclusionRejection::ExpiryTooFar { .. }
                                    )
                            ),
                            "{}",
                            invalid.reason
                        ),
                    }
                }
            }
        }
    }
}
