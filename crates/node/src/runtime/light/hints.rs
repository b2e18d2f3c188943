//! Which records concern a subject. A client proves each of them, so that a list is only a hint where to look.

use std::collections::BTreeSet;

use nervure_ledger::{accounts::UnbondingKey, nodes::MovedKey, state::LedgerState, tree::Key};
use nervure_primitives::{Netuid, NodeId, Uid};
use nervure_protocol::light::KeysOf;

/// The keys of the records of a subject, each once.
pub(super) fn keys(state: &LedgerState, of: KeysOf) -> BTreeSet<Key> {
    match of {
        KeysOf::Owner(owner) => owner_keys(state, owner),
        KeysOf::Node(node) => node_keys(state, node),
        KeysOf::Subnets => state.subnets().keys().flat_map(|netuid| subnet_ends(state, *netuid)).collect(),
        KeysOf::Subnet(netuid) => subnet_keys(state, netuid),
        KeysOf::Validators => validators(state),
    }
}

/// Everything that an account's document shows, except the deposits of its slots in subnets.
fn owner_keys(state: &LedgerState, owner: NodeId) -> BTreeSet<Key> {
    let (accounts, nodes, proxies) = (state.accounts(), state.nodes(), state.proxies());
    let mut keys = BTreeSet::from([Key::Account(owner)]);
    keys.extend(accounts.unbonding(&owner).map(|(key, _)| Key::Unbonding(key)));
    keys.extend(accounts.vesting(&owner).map(|(key, _)| Key::Vesting(key)));
    keys.extend(proxies.of(owner).map(|(proxy, _)| Key::Proxy(owner, proxy)));
    keys.extend(proxies.announced(&owner).map(|(id, _)| Key::Announcement(owner, id)));
    keys.extend(nodes.retired_of(owner).map(|(key, _)| Key::Retired(key)));
    keys.extend(nodes.of_owner(owner).map(|(node, _)| Key::Node(node)));
    for (node, _) in nodes.stakes_of(owner) {
        keys.extend(stake_keys(state, node, owner));
    }
    for (moved, _) in nodes.moved_by(owner) {
        let MovedKey { from, to, .. } = moved;
        keys.insert(Key::Moved(moved));
        keys.extend([from, to].into_iter().filter_map(|number| nodes.key_of(number)).map(Key::Node));
    }
    let owned = state.subnets().iter().filter(|(_, subnet)| subnet.owner == Some(owner));
    keys.extend(owned.map(|(netuid, _)| Key::Subnet(*netuid)));
    // The node that an unstaked amount answers for.
    let answering = accounts.unbonding(&owner).filter_map(|(UnbondingKey { node, .. }, _)| node);
    keys.extend(answering.filter_map(|number| nodes.key_of(number)).map(Key::Node));
    keys
}

/// A stake and its node.
fn stake_keys(state: &LedgerState, node: NodeId, staker: NodeId) -> Vec<Key> {
    let number = state.nodes().get(&node).map(|found| found.number);
    let stake = number.map(|number| Key::Stake(number, staker));
    std::iter::once(Key::Node(node)).chain(stake).collect()
}

/// A node as a validator: its own record, its standing, and what its owner stakes on it.
fn node_keys(state: &LedgerState, node: NodeId) -> BTreeSet<Key> {
    let mut keys = BTreeSet::from([Key::Node(node), Key::Validator(node)]);
    if let Some(found) = state.nodes().get(&node) {
        keys.extend(stake_keys(state, node, found.owner));
    }
    let in_office = state.roster().liveness().filter(|(_, liveness)| liveness.node == node);
    keys.extend(in_office.map(|(member, _)| Key::Liveness(*member)));
    let slots = state.subnets().iter().filter_map(|(netuid, subnet)| Some((*netuid, subnet.uid_of(&node)?)));
    keys.extend(slots.map(|(netuid, uid)| Key::Neuron(netuid, uid)));
    keys
}

/// A subnet, and its last neuron: with the absence of the next one, it proves how many there are.
fn subnet_ends(state: &LedgerState, netuid: Netuid) -> Vec<Key> {
    let neurons = state.subnets().get(&netuid).map_or(0, |subnet| subnet.neurons.len());
    let last = neurons.checked_sub(1).and_then(|last| u16::try_from(last).ok());
    let last = last.map(|last| Key::Neuron(netuid, Uid(last)));
    std::iter::once(Key::Subnet(netuid)).chain(last).collect()
}

fn subnet_keys(state: &LedgerState, netuid: Netuid) -> BTreeSet<Key> {
    let Some(subnet) = state.subnets().get(&netuid) else { return BTreeSet::from([Key::Subnet(netuid)]) };
    let neurons = (0u16..).zip(&subnet.neurons);
    let of = neurons.flat_map(|(uid, neuron)| [Key::Neuron(netuid, Uid(uid)), Key::Node(neuron.node)]);
    std::iter::once(Key::Subnet(netuid)).chain(of).collect()
}

fn validators(state: &LedgerState) -> BTreeSet<Key> {
    let in_office = state.roster().liveness().map(|(_, liveness)| liveness.node);
    let nodes: BTreeSet<NodeId> =
        state.roster().standings().map(|(node, _)| *node).chain(in_office).collect();
    let all = nodes.into_iter().flat_map(|node| node_keys(state, node));
    all.filter(|key| !matches!(key, Key::Neuron(..))).collect()
}

#[cfg(test)]
mod tests {
    use nervure_ledger::{
        testing::{Chain, SUBNET},
        tree::Record,
    };

    use super::*;

    /// The state of the records that a client proves.
    fn proven(chain: &Chain, of: KeysOf, with_neurons: bool) -> LedgerState {
        let hinted = keys(&chain.tip.state, of).into_iter().chain([Key::Chain, Key::Params]);
        let record = |key: Key| {
            let record = chain.fact(&key).check(&chain.tip.header.state, &key).unwrap().cloned();
            record.filter(|record| with_neurons || !matches!(record, Record::Neuron { .. }))
        };
        LedgerState::from_records(&chain.spec, hinted.filter_map(record)).unwrap()
    }

    fn chain() -> Chain {
        let mut chain = Chain::new(4);
        chain.grow(12);
        chain
    }

    #[test]
    fn the_records_of_an_owner_make_its_account() {
        let chain = chain();
        let state = &chain.tip.state;
        let owners: BTreeSet<NodeId> = state.nodes().iter().map(|(_, node)| node.owner).collect();
        assert!(!owners.is_empty());
        for owner in owners {
            let partial = proven(&chain, KeysOf::Owner(owner), false);
            assert_eq!(partial.accounts().get(&owner), state.accounts().get(&owner));
            let stakes = |state: &LedgerState| state.nodes().stakes_of(owner).collect::<Vec<_>>();
            assert_eq!(stakes(&partial), stakes(state));
            assert_eq!(partial.base_fee(), state.base_fee());
        }
    }

    #[test]
    fn the_records_of_a_subnet_and_of_validators_make_their_documents() {
        let chain = chain();
        let state = &chain.tip.state;
        let partial = proven(&chain, KeysOf::Subnet(SUBNET), true);
        assert_eq!(partial.subnets()[&SUBNET].neurons, state.subnets()[&SUBNET].neurons);
        let partial = proven(&chain, KeysOf::Validators, false);
        for (node, standing) in state.roster().standings() {
            assert_eq!(partial.roster().standing(node), Some(*standing));
            assert_eq!(partial.self_stake(node), state.self_stake(node));
        }
        let ends = keys(state, KeysOf::Subnets);
        let last = u16::try_from(state.subnets()[&SUBNET].neurons.len() - 1).unwrap();
        assert!(ends.contains(&Key::Subnet(SUBNET)) && ends.contains(&Key::Neuron(SUBNET, Uid(last))));
    }
}
