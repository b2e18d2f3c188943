//! Checks that a spec is consistent.

use std::collections::BTreeSet;

use nervure_primitives::{Amount, Netuid};

use super::{
    AccountSpec, ConsensusSection, MAX_ENDPOINTS, MIN_BLOCK_MILLISECONDS, MeshSpec, NodeSpec, Role, Scope,
    SpecError,
};
use crate::{
    economics::emission::CAP,
    params::{Params, within},
};

/// The longest lifetime of a transaction, in milliseconds.
const MILLISECONDS_PER_DAY: u64 = 86_400_000;

/// Longest name of a mesh or subnet, in bytes.
const MAX_NAME_LEN: usize = 64;

impl MeshSpec {
    /// Refuses a spec that contradicts itself or the limits of a mesh.
    pub(super) fn check(&self) -> Result<(), SpecError> {
        check_name("mesh.name".into(), &self.mesh.name)?;
        if self.directory.record_expiry_seconds == 0 {
            return Err(SpecError::Zero { place: "directory.record_expiry_seconds" });
        }
        if self.network.endpoints.len() > MAX_ENDPOINTS {
            return Err(SpecError::Endpoints);
        }
        check_rules(&self.economy, &self.consensus)?;
        // Validators of a public mesh are strangers: trust in them ends with their stake.
        if self.consensus.trusting_period().is_none() && self.mesh.scope == Scope::Public {
            return Err(SpecError::Zero { place: "consensus.trusting_period_seconds" });
        }
        self.check_upgrades()?;
        let netuids = self.check_subnets()?;
        self.check_nodes(&netuids)?;
        match &self.recovered {
            Some(recovered) => {
                recovered.validator_set().map_err(SpecError::RecoveredValidators)?;
            }
            // The lists of a recovered mesh are not what it begins with.
            None => netuids.iter().try_for_each(|netuid| self.check_slots(*netuid))?,
        }
        self.check_accounts()
    }

    /// Upgrades follow each other in height and in version, after the genesis and version 1.
    fn check_upgrades(&self) -> Result<(), SpecError> {
        let (mut height, mut version) = (0, 1);
        for upgrade in &self.upgrades {
            if upgrade.height.0 <= height || upgrade.version <= version {
                return Err(SpecError::Upgrades { height: upgrade.height, version: upgrade.version });
            }
            (height, version) = (upgrade.height.0, upgrade.version);
        }
        Ok(())
    }

    fn check_subnets(&self) -> Result<BTreeSet<Netuid>, SpecError> {
        let mut seen = BTreeSet::new();
        for subnet in &self.subnets {
            check_name(format!("name of subnet {}", subnet.netuid), &subnet.name)?;
            if !seen.insert(subnet.netuid) {
                return Err(SpecError::DuplicateSubnet { netuid: subnet.netuid });
            }
            if subnet.mechanism.as_ref().is_some_and(|mechanism| !mechanism.is_well_formed()) {
                return Err(SpecError::BadMechanism { netuid: subnet.netuid });
            }
        }
        Ok(seen)
    }

    fn check_nodes(&self, netuids: &BTreeSet<Netuid>) -> Result<(), SpecError> {
        let (mut seen, mut anchors) = (BTreeSet::new(), BTreeSet::new());
        let least = Amount::from_base_units(self.economy.min_self_stake);
        for node in &self.nodes {
            if !seen.insert(node.id) {
                return Err(SpecError::DuplicateNode { node: node.id });
            }
            if node.anchor.is_some_and(|anchor| !anchors.insert(anchor)) {
                return Err(SpecError::DuplicateAnchorKey { node: node.id });
            }
            if let Some(netuid) = node.netuids.iter().find(|netuid| !netuids.contains(netuid)) {
                return Err(SpecError::NoSuchSubnet { node: node.id, netuid: *netuid });
            }
            let begins = self.recovered.is_none();
            if begins && node.role == Role::Validator && !node.stake.is_zero() && node.stake < least {
                return Err(SpecError::ValidatorStake { node: node.id, least });
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
        let validator_slots = usize::from(self.economy.subnet.max_validators);
        let slots = usize::from(self.economy.slots);
        for (what, count, limit) in [("validators", validators, validator_slots), ("nodes", all, slots)] {
            if count > limit {
                return Err(SpecError::TooManyNodes { netuid, what, count, limit });
            }
        }
        Ok(())
    }

    fn check_accounts(&self) -> Result<(), SpecError> {
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.accounts.iter().find(|account| !seen.insert(account.owner)) {
            return Err(SpecError::DuplicateAccount { owner: twice.owner });
        }
        let least = Amount::from_base_units(self.economy.existential_deposit());
        let vested = Amount::from_base_units(self.economy.least_vested());
        let is_wrong =
            |account: &&AccountSpec| account.vesting.as_ref().is_some_and(|one| !one.is_sound(vested));
        if let Some(wrong) = self.accounts.iter().find(is_wrong) {
            return Err(SpecError::Vesting { owner: wrong.owner });
        }
        if let Some(small) = self.accounts.iter().find(|account| account.balance < least) {
            return Err(SpecError::AccountTooSmall { owner: small.owner, least });
        }
        match self.held() <= u128::from(CAP) {
            true => Ok(()),
            false => Err(SpecError::OverCap),
        }
    }

    /// The sum of balances, vested amounts and stakes, in base units.
    pub(crate) fn held(&self) -> u128 {
        let stakes = self.nodes.iter().map(|node| node.stake);
        let balances = self.accounts.iter().map(|account| account.balance);
        let vesting = self.accounts.iter().filter_map(|account| Some(account.vesting.as_ref()?.amount));
        stakes.chain(balances).chain(vesting).map(|amount| u128::from(amount.base_units())).sum()
    }
}

/// Refuses parameters that contradict themselves or each other: of a spec, and what a vote would make of them.
pub(crate) fn check_rules(economy: &Params, consensus: &ConsensusSection) -> Result<(), SpecError> {
    let block_milliseconds = consensus.block_milliseconds;
    if block_milliseconds < MIN_BLOCK_MILLISECONDS {
        return Err(SpecError::BlockTime { given: block_milliseconds });
    }
    check_times(economy, consensus)?;
    economy.check()?;
    let day = MILLISECONDS_PER_DAY / u64::from(block_milliseconds);
    Ok(within("max_lifetime", economy.max_lifetime, 1..=day)?)
}

/// Checks the bounds on block times, and that a light client does not trust validators that have their stake back.
fn check_times(economy: &Params, consensus: &ConsensusSection) -> Result<(), SpecError> {
    let ranges = [
        ("consensus.precision_milliseconds", consensus.precision_milliseconds, 1..=60_000),
        ("consensus.message_delay_milliseconds", consensus.message_delay_milliseconds, 0..=600_000),
    ];
    for (place, given, range) in ranges {
        if !range.contains(&given) {
            return Err(SpecError::TimeBound { place, given, least: *range.start(), most: *range.end() });
        }
    }
    let Some(trusting) = consensus.trusting_period() else { return Ok(()) };
    // The parameters' own check has the other half of the order: the evidence window is shorter than the unbonding.
    let blocks = u128::from(economy.evidence_window);
    let evidence = blocks.saturating_mul(consensus.block_milliseconds.into()) / 1_000;
    match u128::from(trusting.as_secs()) < evidence {
        true => Ok(()),
        false => Err(SpecError::TrustingPeriod { trusting: trusting.as_secs(), evidence }),
    }
}

fn check_name(place: String, name: &str) -> Result<(), SpecError> {
    if is_name(name) { Ok(()) } else { Err(SpecError::BadName { place, name: name.into() }) }
}

/// Whether `name` is a valid name of a mesh or subnet.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME_LEN
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
