//! The first state: what the mesh spec says, and who holds tokens from the beginning.

use std::sync::Arc;

use imbl::OrdMap;
use nervure_primitives::{Amount, Netuid};

use super::LedgerState;
use crate::{
    accounts::Accounts,
    anchors::{Anchors, RegisteredKey},
    block_weight::BlockWeight,
    economics::{base_fee::BaseFee, emission::CAP, lock::LastLock},
    governance::{Governance, ProposalId},
    lane::Lane,
    nodes::Nodes,
    proxies::Proxies,
    roster::Roster,
    spec::{MeshSpec, NodeSpec, Role, SubnetSpec},
    subnet::{Neuron, Subnet},
    upgrade::Upgrades,
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
    /// The spec's nodes, slots and anchor keys have no deposits: who writes a spec decides how many there are, and they have
    /// nothing to take a deposit from.
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
        let Listed { accounts, nodes, anchors, roster } = Listed::of(spec);
        let listed = spec.subnets.iter().map(|listed| (listed.netuid, subnet(spec, listed)));
        let subnets: OrdMap<Netuid, Subnet> = listed.collect();
        let next_netuid = subnets.get_max().map_or(1, |(netuid, _)| u32::from(netuid.0) + 1);
        let mut state = Self {
            mesh: spec.mesh_id(),
            last_lock: LastLock { amount: spec.economy.lock.floor, block: 0 },
            params: spec.economy.clone().into(),
            consensus: spec.consensus.clone(),
            upgrades: Upgrades::new(spec.upgrades.clone()).into(),
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
            resting: OrdMap::new(),
            votes: OrdMap::new(),
            validators: None,
            last_validators: None,
            anchors,
            roster,
            governance: Governance { next: ProposalId(1), ..Governance::default() },
            proxies: Proxies::default(),
        };
        state.restore_shares();
        // Both need the nodes, subnets and anchor keys of the spec, so they come last.
        state.elect(&mut Vec::new());
        state.hand_over();
        state.last_validators.clone_from(&state.validators);
        Ok(state)
    }
}

/// What a spec lists.
#[derive(Default)]
struct Listed {
    accounts: Accounts,
    nodes: Nodes,
    anchors: Anchors,
    roster: Roster,
}

impl Listed {
    fn of(spec: &MeshSpec) -> Self {
        let mut listed = Self::default();
        for account in &spec.accounts {
            // Whatever it is: the spec's check refuses what is too small for an account.
            let _ = listed.accounts.credit(account.owner, account.balance.base_units(), 0);
            if let Some(vesting) = &account.vesting {
                // The first one, for which there is a place.
                let _ = listed.accounts.vest(account.owner, account.owner, vesting.record());
            }
        }
        spec.nodes.iter().for_each(|node| listed.add(node));
        listed
    }

    fn add(&mut self, node: &NodeSpec) {
        let owner = node.owner.unwrap_or(node.id);
        self.nodes.register(node.id, owner);
        // All stakes were checked against the cap before, so that they fit into a pool.
        let stake = node.stake.base_units();
        let _ = stake > 0 && self.nodes.add_stake(node.id, owner, stake);
        if node.role == Role::Validator {
            // The first election removes those without the minimum self-stake again.
            self.roster.join(node.id, 0);
        }
        if let Some(address) = node.anchor {
            // The spec's check refuses an address that is there twice; unchecked, the first counts.
            let _ = self.anchors.insert(node.id, RegisteredKey { address, block: 0, deposit: Amount::ZERO });
        }
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
