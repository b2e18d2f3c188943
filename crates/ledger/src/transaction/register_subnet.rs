//! Founding a subnet.
//!
//! The cost is locked, not spent: it comes back when the subnet is dissolved, less what the owner has
//! earned from it by then.

use nervure_primitives::{Amount, BlockHeight, MechanismSpec, Netuid, NodeId, Uid};
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, SubnetRejection, TransactionKind, swap_key::owned, weight};
use crate::{
    economics::{
        lock::LastLock,
        prune::{self, SubnetRank},
    },
    lane::LaneScope,
    proxies::ProxyScope,
    spec::is_name,
    state::{LedgerState, RestingNumber},
    subnet::{Neuron, Subnet},
};

/// Founds a subnet of the signer, with one of its nodes in slot 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterSubnet {
    /// What people call it: 1 to 64 lower-case letters, digits and hyphens.
    pub name: String,
    /// The owner's node, which never loses its slot.
    pub node: NodeId,
    /// The most that the signer is willing to lock.
    pub max_lock: Amount,
    /// How its validators set tasks; without one, they set none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<MechanismSpec>,
}

/// A new subnet, with its owner's node in slot 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegisterSubnetOutcome {
    /// Its number.
    pub netuid: Netuid,
    /// What it locked.
    pub locked: Amount,
    /// The subnet that was dissolved for it.
    pub dissolved: Option<Netuid>,
}

impl TransactionKind for RegisterSubnet {
    type Outcome = RegisterSubnetOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::REGISTER_SUBNET
    }

    fn spends(&self, state: &LedgerState) -> u64 {
        state.lock_cost()
    }

    fn scope(&self) -> Option<ProxyScope> {
        Some(ProxyScope::Subnets)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        if !is_name(&self.name) {
            return Err(SubnetRejection::Name.into());
        }
        if self.mechanism.as_ref().is_some_and(|mechanism| !mechanism.is_well_formed()) {
            return Err(SubnetRejection::Mechanism.into());
        }
        owned(state, self.node, signer)?;
        let (netuid, epoch) = free_number(state)?;
        let dissolved = giving_way(state)?;
        let cost = state.params.lock.cost(state.last_lock, state.height);
        let locked = Amount::from_base_units(cost);
        if locked > self.max_lock {
            return Err(SubnetRejection::Price { price: locked }.into());
        }
        // The lock is the deposit of the subnet and of its first slot.
        state.spend(&signer, cost)?;
        if let Some(gone) = dissolved {
            dissolve(state, gone);
        }
        let mut subnet = Subnet::new(netuid, self.name.clone(), state.height, &state.params);
        subnet.epoch = epoch;
        subnet.owner = Some(signer);
        subnet.owner_node = Some(self.node);
        subnet.locked = cost;
        subnet.mechanism.clone_from(&self.mechanism);
        let stake_blocks = state.nodes.get(&self.node).map_or(0, |node| node.stake_blocks(state.height));
        subnet.place(Neuron::new(self.node, state.height, stake_blocks), Uid(0));
        state.subnets.insert(netuid, subnet);
        state.admit_to_shares(netuid);
        if state.resting.remove(&netuid).is_none() {
            state.next_netuid += 1;
        }
        state.last_lock = LastLock { amount: cost, block: state.height };
        Ok(RegisterSubnetOutcome { netuid, locked, dissolved })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let RegisterSubnetOutcome { netuid, locked, dissolved } = outcome;
        let instead = dissolved.map(|gone| format!("; subnet {gone} is dissolved")).unwrap_or_default();
        Description {
            future: format!("creates subnet {netuid} and locks {locked} tokens{instead}"),
            past: format!("subnet {netuid} is created, {locked} tokens are locked{instead}"),
        }
    }

    fn hint(&self, rejection: &Rejection) -> &'static str {
        match rejection {
            Rejection::Subnet(SubnetRejection::Price { .. }) => {
                "raise --max-lock, or wait: the lock falls with every block"
            }
            other => other.hint(),
        }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{AMOUNT, NETUID, mechanism, node};
        super::Sample {
            call: Self { name: "code".into(), node: node(), max_lock: AMOUNT, mechanism: Some(mechanism()) },
            call_hash: "e7e1cdabef0b0f1630b43c8e2da70dcd37614e29a660909788d2fc3a0723ba27",
            outcome: RegisterSubnetOutcome { netuid: NETUID, locked: AMOUNT, dissolved: Some(Netuid(2)) },
            outcome_hash: "c7a4386ad69defc7ea2f7bbec96de82c6a6d1ace19e53d229bd9a13cbb91676b",
            future: "creates subnet 3 and locks 1.5 tokens; subnet 2 is dissolved",
            past: "subnet 3 is created, 1.5 tokens are locked; subnet 2 is dissolved",
        }
    }
}

/// The number of a new subnet, and its first epoch: the least number that has rested long enough, or one that no subnet had.
fn free_number(state: &LedgerState) -> Result<(Netuid, u64), Rejection> {
    let mut rested = state.resting.iter().filter(|(_, number)| number.free.0 <= state.height);
    if let Some((netuid, number)) = rested.next() {
        return Ok((*netuid, number.epoch));
    }
    u16::try_from(state.next_netuid)
        .map(|new| (Netuid(new), 0))
        .map_err(|_| Rejection::from(SubnetRejection::NoSubnetPlace))
}

/// The subnet that has to go for another one, if the mesh is full.
fn giving_way(state: &LedgerState) -> Result<Option<Netuid>, Rejection> {
    if state.subnets.len() < usize::from(state.params.max_subnets) {
        return Ok(None);
    }
    let ranks: Vec<SubnetRank> = state
        .subnets
        .iter()
        .map(|(netuid, subnet)| SubnetRank {
            netuid: netuid.0,
            registered: subnet.registered,
            emission: subnet.average,
        })
        .collect();
    let gone = prune::subnet(&ranks, state.params.subnet_immunity, state.height);
    gone.map(|netuid| Some(Netuid(netuid))).ok_or(Rejection::from(SubnetRejection::NoSubnetPlace))
}

/// Removes a subnet. Its lock goes back less what the owner earned, which is recycled; so do the deposits of its slots. Its
/// pot goes to the other subnets with the next block; stakes stay where they are. Its number rests.
fn dissolve(state: &mut LedgerState, netuid: Netuid) {
    let Some(subnet) = state.subnets.remove(&netuid) else { return };
    state.lane.reset(LaneScope::Subnet(netuid));
    let mut refund = 0;
    if let Some(owner) = subnet.owner {
        refund = subnet.locked.saturating_sub(subnet.earned);
        state.credit(owner, refund);
    }
    state.recycle(subnet.locked - refund);
    subnet.neurons.iter().for_each(|neuron| state.give_slot_back(neuron));
    let free = BlockHeight(state.height.saturating_add(state.params.netuid_rest));
    state.resting.insert(netuid, RestingNumber { free, epoch: subnet.epoch.saturating_add(1) });
    state.carry = state.carry.saturating_add(subnet.pending);
    state.restore_shares();
}
