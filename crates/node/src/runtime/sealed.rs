//! A sealed miner: who may learn its address, and which settings contradict that.
//!
//! Its contacts are the validators of its subnets, those that make blocks, and the gateways with most stake behind them. It
//! connects to them, and they ask it over these connections. To become one of them costs a permit, or locked stake; its
//! operator can name others instead. What a contact does with the address is not enforced.

use std::{fmt, sync::Arc};

use nervure_ledger::spec::{MeshSpec, Role};
use nervure_p2p::{Admission, Contacts};
use nervure_primitives::NodeId;
use nervure_protocol::AskerClass;

use super::{
    StartError,
    registry::{Askers, LedgerRegistry},
};
use crate::config::NodeConfig;

/// Validators among the contacts, those with most stake first.
const MAX_VALIDATORS: usize = 32;

/// Gateways among the contacts, those with most stake first. With fewer, whose stake is most decides who reaches the
/// miner; with more, it costs an adversary less to be one.
const MAX_GATEWAYS: usize = 16;

/// The contacts that the last block names, or the operator.
pub(crate) struct LedgerContacts {
    registry: LedgerRegistry,
    node: NodeId,
    named: Vec<NodeId>,
}

impl LedgerContacts {
    /// Those of `node`: the `named` ones, or those of the ledger if there are none.
    pub(crate) fn of(registry: LedgerRegistry, node: NodeId, named: &[NodeId]) -> Arc<Self> {
        Arc::new(Self { registry, node, named: named.to_vec() })
    }
}

impl fmt::Debug for LedgerContacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LedgerContacts").field("named", &self.named).finish_non_exhaustive()
    }
}

impl Contacts for LedgerContacts {
    fn current(&self) -> Vec<NodeId> {
        if !self.named.is_empty() {
            return self.named.clone();
        }
        // A permit counts in the miner's subnets only: in a subnet of one's own, anyone permits oneself.
        let askers = Askers::of(self.registry.clone(), self.registry.netuids(&self.node));
        let tip = self.registry.tip();
        let (mut validators, mut gateways) = (Vec::new(), Vec::new());
        for (node, _) in tip.state.nodes().by_stake().filter(|(node, _)| *node != self.node) {
            match askers.standing(&node).class {
                AskerClass::Validator if validators.len() < MAX_VALIDATORS => validators.push(node),
                AskerClass::Staked if gateways.len() < MAX_GATEWAYS && self.is_gateway(&node) => {
                    gateways.push(node);
                }
                AskerClass::Validator
                | AskerClass::Staked
                | AskerClass::Registered
                | AskerClass::Stranger => {}
            }
        }
        validators.into_iter().chain(gateways).collect()
    }
}

impl LedgerContacts {
    /// Whether a node has no slot: another miner is no contact, whatever it staked.
    fn is_gateway(&self, node: &NodeId) -> bool {
        self.registry.role(node) == Some(Role::Gateway)
    }
}

/// Refuses to seal a node whose address other settings would tell.
///
/// # Errors
/// [`StartError::Sealed`] with the first of them.
pub(crate) fn check(config: &NodeConfig, spec: &MeshSpec, node: NodeId) -> Result<(), StartError> {
    let end = format!("/p2p/{node}");
    let contradictions = [
        (config.role != Some(Role::Miner), "only a miner can be sealed: others have to be found"),
        (!config.external.is_empty(), "external tells its address to all"),
        (config.relay_server, "a relay has to be found"),
        (config.mdns, "mdns announces it to the local network"),
        (
            spec.network.bootstrap.iter().any(|address| address.ends_with(&end)),
            "the mesh spec lists its address under [network] bootstrap",
        ),
    ];
    match contradictions.into_iter().find(|(holds, _)| config.sealed && *holds) {
        Some((_, why)) => Err(StartError::Sealed { why }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use nervure_ledger::spec::{NodeSpec, SubnetSpec};
    use nervure_primitives::{Amount, Netuid, NodeKey};

    use super::*;
    use crate::config::Preset;

    fn id(number: u8) -> NodeId {
        NodeKey::from_seed(&[number; 32]).node_id()
    }

    /// A mesh with a validator (1), a sealed miner (2), a miner with stake (3), a gateway with stake (4), one with twice as
    /// much (5), and one without (6).
    fn spec() -> MeshSpec {
        let mut spec = MeshSpec::test("m");
        spec.subnets = vec![SubnetSpec::new(Netuid(1), "a", None)];
        let least = spec.economy.min_stake.max(spec.economy.min_self_stake / 100);
        let stake = |times| Amount::from_base_units(least * times);
        let mut spec = spec.with_validator(id(1), stake(100)).with_miner(id(2));
        spec.nodes.push(NodeSpec::new(id(3), Role::Miner).in_subnets(vec![Netuid(1)]).with_stake(stake(9)));
        for (number, times) in [(4, 1), (5, 2), (6, 0)] {
            spec.nodes.push(NodeSpec::new(id(number), Role::Gateway).with_stake(stake(times)));
        }
        spec
    }

    #[test]
    fn contacts_are_validators_and_gateways_with_stake() {
        let registry = LedgerRegistry::of(&spec()).unwrap();
        let contacts = LedgerContacts::of(registry.clone(), id(2), &[]);
        assert_eq!(contacts.current(), [id(1), id(5), id(4)]);
        let named = LedgerContacts::of(registry, id(2), &[id(6)]);
        assert_eq!(named.current(), [id(6)], "the operator's choice stands in their place");
    }

    #[test]
    fn settings_that_tell_the_address_are_refused() {
        let refused = |spec: &MeshSpec, change: fn(&mut NodeConfig)| {
            let mut config = NodeConfig::new(Preset::Local, "/d".into());
            (config.sealed, config.role) = (true, Some(Role::Miner));
            change(&mut config);
            check(&config, spec, id(2)).err().map(|error| error.to_string())
        };
        let mut listed = spec();
        assert_eq!(refused(&listed, |_| {}), None);
        let external = |config: &mut NodeConfig| {
            config.external.push("/ip4/8.8.4.4/udp/1/quic-v1".parse().unwrap());
        };
        type Change = fn(&mut NodeConfig);
        let contradictions: [(Change, &str); 4] = [
            (external, "external"),
            (|config| config.relay_server = true, "relay"),
            (|config| config.mdns = true, "mdns"),
            (|config| config.role = Some(Role::Validator), "only a miner"),
        ];
        for (change, word) in contradictions {
            assert!(refused(&listed, change).is_some_and(|error| error.contains(word)), "{word}");
        }
        assert_eq!(refused(&listed, |config| (config.sealed, config.mdns) = (false, true)), None);
        listed.network.bootstrap = vec![format!("/ip4/127.0.0.1/udp/1/quic-v1/p2p/{}", id(2))];
        assert!(refused(&listed, |_| {}).is_some_and(|error| error.contains("bootstrap")));
    }
}
