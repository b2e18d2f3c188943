//! Whether a spec adds up.

use std::collections::BTreeSet;

use nervure_primitives::{Amount, Netuid};

use super::{MAX_SUPPLY_TOKENS, MeshSpec, NodeSpec, Role, SLOTS, SpecError, VALIDATOR_SLOTS};

/// Longest name of a mesh or subnet, in bytes.
const MAX_NAME_LEN: usize = 64;

impl MeshSpec {
    /// Refuses a spec that contradicts itself or the limits of a mesh.
    pub(super) fn check(&self) -> Result<(), SpecError> {
        check_name("mesh.name".into(), &self.mesh.name)?;
        if self.directory.record_expiry_seconds == 0 {
            return Err(SpecError::Zero { place: "directory.record_expiry_seconds" });
        }
        let netuids = self.check_subnets()?;
        self.check_nodes(&netuids)?;
        netuids.iter().try_for_each(|netuid| self.check_slots(*netuid))?;
        self.check_stake()
    }

    fn check_subnets(&self) -> Result<BTreeSet<Netuid>, SpecError> {
        let mut seen = BTreeSet::new();
        for subnet in &self.subnets {
            check_name(format!("name of subnet {}", subnet.netuid), &subnet.name)?;
            if !seen.insert(subnet.netuid) {
                return Err(SpecError::DuplicateSubnet { netuid: subnet.netuid });
            }
        }
        Ok(seen)
    }

    fn check_nodes(&self, netuids: &BTreeSet<Netuid>) -> Result<(), SpecError> {
        let mut seen = BTreeSet::new();
        for node in &self.nodes {
            if !seen.insert(node.id) {
                return Err(SpecError::DuplicateNode { node: node.id });
            }
            if let Some(netuid) = node.netuids.iter().find(|netuid| !netuids.contains(netuid)) {
                return Err(SpecError::NoSuchSubnet { node: node.id, netuid: *netuid });
            }
            if node.role == Role::Miner && node.netuids.is_empty() {
                return Err(SpecError::Idle { node: node.id });
            }
        }
        Ok(())
    }

    fn check_slots(&self, netuid: Netuid) -> Result<(), SpecError> {
        let count = |wanted: fn(&NodeSpec) -> bool| {
            self.nodes.iter().filter(|node| node.netuids.contains(&netuid) && wanted(node)).count()
        };
        let validators = count(|node| node.role == Role::Validator);
        let all = count(|_| true);
        for (what, count, limit) in [("validators", validators, VALIDATOR_SLOTS), ("nodes", all, SLOTS)] {
            if count > limit {
                return Err(SpecError::TooManyNodes { netuid, what, count, limit });
            }
        }
        Ok(())
    }

    fn check_stake(&self) -> Result<(), SpecError> {
        let limit = Amount::from_tokens(MAX_SUPPLY_TOKENS);
        let total = self.nodes.iter().try_fold(Amount::ZERO, |total, node| total.checked_add(node.stake));
        match (total, limit) {
            (Some(total), Some(limit)) if total <= limit => Ok(()),
            _ => Err(SpecError::TooMuchStake),
        }
    }
}

fn check_name(place: String, name: &str) -> Result<(), SpecError> {
    if is_name(name) {
        Ok(())
    } else {
        Err(SpecError::BadName { place, name: name.chars().take(80).collect() })
    }
}

/// Whether `name` keeps the rule for names of meshes and subnets.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME_LEN
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
