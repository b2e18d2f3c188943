//! The first state: what the mesh spec says, and who holds tokens from the beginning.

use std::collections::BTreeMap;

use nervure_primitives::{Amount, Netuid, NodeId};

use super::State;
use crate::{
    accounts::Accounts,
    economics::{emission::CAP, lock::LastLock},
    nodes::{Node, Nodes},
    params::Params,
    spec::{MeshSpec, Role},
    subnet::{Neuron, Subnet},
};

/// Why there is no first state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// Stakes and balances add up to more than there may ever be.
    #[error("the genesis holds {held} base units, more than the cap of {CAP}")]
    OverCap {
        /// What stakes and balances add up to, in base units.
        held: u128,
    },
}

impl State {
    /// The state before the first block. A node of the spec is its own owner: its key also holds its
    /// account and its stake.
    ///
    /// # Errors
    /// When more tokens would exist than may.
    pub fn genesis(
        spec: &MeshSpec,
        params: Params,
        balances: &BTreeMap<NodeId, Amount>,
    ) -> Result<Self, GenesisError> {
        let (mut accounts, mut nodes) = (Accounts::default(), Nodes::default());
        let staked = spec.nodes.iter().map(|node| node.stake);
        let held =
            staked.chain(balances.values().copied()).map(|amount| u128::from(amount.base_units())).sum();
        let issuance = match u64::try_from(held) {
            Ok(issuance) if issuance <= CAP => issuance,
            _ => return Err(GenesisError::OverCap { held }),
        };
        for (owner, balance) in balances {
            accounts.credit(*owner, balance.base_units());
        }
        for listed in &spec.nodes {
            let mut node = Node::new(listed.id, 0);
            node.add_stake(listed.id, listed.stake.base_units());
            nodes.insert(listed.id, node);
        }
        let subnets = subnets(spec, &params);
        let next_netuid = subnets.last_key_value().map_or(1, |(netuid, _)| u32::from(netuid.0) + 1);
        Ok(Self {
            mesh: spec.mesh_id(),
            last_lock: LastLock { amount: params.lock.floor, block: 0 },
            params,
            height: 0,
            issuance,
            carry: 0,
            accounts,
            nodes,
            subnets,
            next_netuid,
            votes: BTreeMap::new(),
        })
    }
}

/// The subnets of the spec: nobody owns them, and their validators have permits from the beginning.
fn subnets(spec: &MeshSpec, params: &Params) -> BTreeMap<Netuid, Subnet> {
    let with_neurons = |netuid: Netuid, name: &str| {
        let mut subnet = Subnet::new(netuid, name.to_owned(), 0, params);
        let members = spec.nodes.iter().filter(|node| node.netuids.contains(&netuid));
        subnet.neurons = members
            .map(|node| Neuron { permit: node.role == Role::Validator, ..Neuron::new(node.id, 0) })
            .collect();
        subnet
    };
    spec.subnets.iter().map(|listed| (listed.netuid, with_neurons(listed.netuid, &listed.name))).collect()
}
