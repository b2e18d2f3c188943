//! The first state: what the mesh spec says, and who holds tokens from the beginning.

use std::sync::Arc;

use imbl::OrdMap;
use nervure_primitives::Netuid;

use super::LedgerState;
use crate::{
    accounts::Accounts,
    anchors::{Anchors, RegisteredKey},
    block_weight::BlockWeight,
    economics::{base_fee::BaseFee, emission::CAP, lock::LastLock},
    lane::Lane,
    nodes::Nodes,
    roster::Roster,
    spec::{MeshSpec, NodeSpec, Role, SubnetSpec},
    subnet::{Neuron, Subnet},
};

/// Why a spec has no valid first state.
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

impl LedgerState {
    /// The state before the first block. A node of the spec that names no owner is its own: its key also
    /// holds its account and its stake.
    ///
    /// # Errors
    /// When more tokens would exist than may.
    pub fn genesis(spec: &MeshSpec) -> Result<Self, GenesisError> {
        // 128 bits: amounts of a spec can add up to more than a u64 before the cap is checked.
        let held = spec.held();
        let issuance = match u64::try_from(held) {
            Ok(issuance) if issuance <= CAP => issuance,
            _ => return Err(GenesisError::OverCap { held }),
        };
        let (mut accounts, mut nodes) = (Accounts::default(), Nodes::default());
        let (mut anchors, mut roster) = (Anchors::default(), Roster::default());
        for account in &spec.accounts {
            accounts.credit(account.owner, account.balance.base_units());
        }
        for listed in &spec.nodes {
            let owner = listed.owner.unwrap_or(listed.id);
            nodes.register(listed.id, owner);
            // All stakes were checked against the cap above, so that they fit into a pool.
            let stake = listed.stake.base_units();
            let _ = stake > 0 && nodes.add_stake(listed.id, owner, stake);
            if listed.role == Role::Validator {
                // The election below removes those without the minimum self-stake again.
                roster.join(listed.id, 0);
            }
            if let Some(address) = listed.anchor {
                // The spec's check refuses an address that is there twice; unchecked, the first counts.
                let _ = anchors.insert(listed.id, RegisteredKey { address, block: 0 });
            }
        }
        let listed = spec.subnets.iter().map(|listed| (listed.netuid, subnet(spec, listed)));
        let subnets: OrdMap<Netuid, Subnet> = listed.collect();
        let next_netuid = subnets.get_max().map_or(1, |(netuid, _)| u32::from(netuid.0) + 1);
        let mut state = Self {
            mesh: spec.mesh_id(),
            last_lock: LastLock { amount: spec.economy.lock.floor, block: 0 },
            params: spec.economy.clone().into(),
            limit: BlockWeight::limit(spec),
            base_fee: BaseFee(spec.economy.min_base_fee),
            lane: Lane::default(),
            height: 0,
            issuance,
            carry: 0,
            accounts,
            nodes,
            subnets,
            next_netuid,
            votes: OrdMap::new(),
            validators: None,
            last_validators: None,
            anchors,
            roster,
        };
        state.restore_shares();
        // Both need the nodes, subnets and anchor keys of the spec, so they come last.
        state.elect(&mut Vec::new());
        state.hand_over();
        state.last_validators.clone_from(&state.validators);
        Ok(state)
    }
}

/// A subnet of the spec: its validators have permits from the beginning.
fn subnet(spec: &MeshSpec, listed: &SubnetSpec) -> Subnet {
    let mut subnet = Subnet::new(listed.netuid, listed.name.clone(), 0, &spec.economy);
    subnet.owner = listed.owner;
    subnet.mechanism.clone_from(&listed.mechanism);
    let members = spec.nodes.iter().filter(|node| node.netuids.contains(&listed.netuid));
    let neuron =
        |node: &NodeSpec| Neuron { permit: node.role == Role::Validator, ..Neuron::new(node.id, 0, 0) };
    subnet.neurons = members.map(|node| Arc::new(neuron(node))).collect();
    subnet
}
