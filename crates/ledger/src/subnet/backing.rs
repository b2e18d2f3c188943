//! The stake behind a subnet: how much what its validators find counts outside of it.
//!
//! Anyone can create a subnet, be its only validator and praise its own miners. So the trust that a subnet gives counts
//! elsewhere by the part of the mesh's validators, by power, that validate in it: those with a permit there and recent
//! weights. Half of the power is enough to count in full. The validators of the subnet's owner do not count, neither for
//! the subnet nor in the whole, because an owner cannot vouch for itself; where all validators are the owner's, there is
//! no one else to ask, and the subnet counts in full.
//!
//! The inputs are the validator set of a certified header and records of the state under it, so that a light client
//! computes the same.

use nervure_consensus::yuma::activity_cutoff;
use nervure_primitives::{Netuid, NodeId};

use super::Subnet;
use crate::{params::Params, state::LedgerState};

/// The part of the mesh's validators that stands behind a subnet, by their power.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backing {
    /// The power of the validators that stand behind it.
    pub behind: u64,
    /// The power of all validators that could.
    pub of: u64,
}

impl Backing {
    /// How much it counts outside: the numerator and the denominator of a part of 1.
    pub const fn part(&self) -> (u64, u64) {
        if self.of == 0 {
            return (1, 1);
        }
        let doubled = self.behind.saturating_mul(2);
        (if doubled < self.of { doubled } else { self.of }, self.of)
    }

    /// Counts a validator of this power that could stand behind the subnet.
    pub const fn count(&mut self, power: u64, stands_behind: bool) {
        self.of = self.of.saturating_add(power);
        if stands_behind {
            self.behind = self.behind.saturating_add(power);
        }
    }
}

impl Subnet {
    /// Whether a neuron validates here: it has a permit, and its last weights are recent at `block`. The mesh decides
    /// what is recent, and not the subnet's owner.
    pub fn is_validated_by(&self, permit: bool, last_update: u64, block: u64, params: &Params) -> bool {
        let cutoff = activity_cutoff(params.subnet.activity_milli.into(), params.subnet.tempo);
        // A subnet may have a longer tempo than others, and weights come once in it.
        let cutoff = cutoff.max(self.hyperparameters.tempo.saturating_mul(2));
        permit && last_update.saturating_add(cutoff) >= block
    }
}

impl LedgerState {
    /// The stake behind a subnet; none when there is no such subnet.
    pub fn backing(&self, netuid: Netuid) -> Option<Backing> {
        let subnet = self.subnets().get(&netuid)?;
        let mut backing = Backing::default();
        let members = self.validators().map(|set| set.members().to_vec()).unwrap_or_default();
        for member in members {
            let owner = self.nodes().get(&member.node).map(|node| node.owner);
            if owner.is_some() && owner == subnet.owner {
                continue;
            }
            backing.count(member.power, self.validates(subnet, &member.node));
        }
        Some(backing)
    }

    fn validates(&self, subnet: &Subnet, node: &NodeId) -> bool {
        let neuron = subnet.uid_of(node).and_then(|uid| subnet.neuron(uid));
        neuron.is_some_and(|neuron| {
            subnet.is_validated_by(neuron.permit, neuron.last_update, self.height().0, self.params())
        })
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::{Amount, NodeKey};

    use super::*;
    use crate::spec::{MeshSpec, NodeSpec, Role};

    const SUBNET: Netuid = Netuid(1);

    fn key(seed: u8) -> NodeId {
        NodeKey::from_seed(&[seed; 32]).node_id()
    }

    /// The backing of subnet 1 of the owner of node 1, by validators with these stakes, of which those up to `in_subnet`
    /// have a slot in it.
    fn backing(stakes: &[u64], in_subnet: usize, change: impl FnOnce(&mut MeshSpec)) -> Backing {
        let mut spec = MeshSpec::test("backing");
        spec.subnets.retain(|subnet| subnet.netuid == SUBNET);
        spec.subnets[0].owner = Some(key(101));
        spec.nodes = (1u8..)
            .zip(stakes)
            .map(|(seed, stake)| {
                let netuids = if usize::from(seed) <= in_subnet { vec![SUBNET] } else { vec![] };
                let node = NodeSpec::new(key(seed), Role::Validator).with_owner(key(100 + seed));
                node.in_subnets(netuids).with_stake(Amount::from_base_units(stake * 1_000_000_000))
            })
            .collect();
        change(&mut spec);
        LedgerState::genesis(&spec).unwrap().backing(SUBNET).unwrap()
    }

    fn percent(backing: Backing) -> u64 {
        let (part, whole) = backing.part();
        part * 100 / whole
    }

    #[test]
    fn half_of_the_power_counts_in_full_and_less_in_proportion() {
        assert_eq!(percent(backing(&[10, 10, 10, 10, 10], 5, |_| {})), 100);
        assert_eq!(percent(backing(&[10, 10, 10, 10, 10], 3, |_| {})), 100, "two of four others");
        assert_eq!(percent(backing(&[10, 10, 10, 10, 10], 2, |_| {})), 50, "one of four others");
    }

    #[test]
    fn an_owner_alone_convinces_no_one_however_much_it_has() {
        assert_eq!(percent(backing(&[900, 10, 10], 1, |_| {})), 0);
        let with_its_own = |spec: &mut MeshSpec| spec.nodes[1] = spec.nodes[1].clone().with_owner(key(101));
        assert_eq!(percent(backing(&[10, 900, 10], 2, with_its_own)), 0, "nor with a second node");
        let undefended = |spec: &mut MeshSpec| spec.subnets[0].owner = None;
        assert_eq!(percent(backing(&[900, 10, 10], 1, undefended)), 100, "the variant that counts its stake");
    }

    #[test]
    fn where_all_validators_are_the_owners_its_subnet_counts() {
        assert_eq!(percent(backing(&[10], 1, |_| {})), 100);
        assert_eq!(Backing::default().part(), (1, 1));
    }

    #[test]
    fn old_weights_and_lost_permits_count_no_longer() {
        let spec = MeshSpec::test("backing");
        let state = LedgerState::genesis(&spec).unwrap();
        let (params, subnet) = (state.params(), &state.subnets()[&SUBNET]);
        let cutoff = activity_cutoff(params.subnet.activity_milli.into(), params.subnet.tempo);
        assert!(subnet.is_validated_by(true, 100, 100 + cutoff, params));
        assert!(!subnet.is_validated_by(true, 100, 101 + cutoff, params));
        assert!(!subnet.is_validated_by(false, 100, 100, params));
    }
}
