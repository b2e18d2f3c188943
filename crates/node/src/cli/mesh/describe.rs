//! What a mesh is, from its spec: supply, stakes, validators, times, subnets and what they pay for, and what cannot work.

use nervure_ledger::spec::{MAX_SUPPLY_TOKENS, MeshSpec, Recovered, Role, SubnetSpec};
use nervure_primitives::{Amount, MeshId, Netuid, NodeId};
use serde::Serialize;

use crate::cli::output;

/// A mesh, as its spec says.
#[derive(Serialize)]
pub(in crate::cli) struct MeshInfo {
    mesh: MeshId,
    name: String,
    scope: &'static str,
    /// Milliseconds from one block to the next.
    block_milliseconds: u32,
    /// What exists at the genesis: balances, vested amounts and stakes.
    premine: Amount,
    /// The most that will ever exist, in tokens.
    max_supply_tokens: u64,
    accounts: usize,
    staked: Amount,
    validators: Vec<ValidatorInfo>,
    miners: usize,
    gateways: usize,
    subnets: Vec<SubnetInfo>,
    bootstrap: Vec<String>,
    endpoints: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovered: Option<Recovered>,
    /// What in the spec cannot work.
    problems: Vec<String>,
}

#[derive(Serialize)]
struct ValidatorInfo {
    node: NodeId,
    stake: Amount,
}

#[derive(Serialize)]
struct SubnetInfo {
    netuid: Netuid,
    name: String,
    mechanism: Option<String>,
    pays_for: String,
}

/// What a mechanism pays for, in words.
pub(in crate::cli) fn pays_for(mechanism: Option<&str>) -> String {
    match mechanism {
        None => "nothing: its validators set no tasks".into(),
        Some("next-byte") => {
            "models that predict the next byte, such as builtin:NAME; a chat server (openai:URL) earns nothing".into()
        }
        Some("exact-answer") => "models that answer questions, such as chat servers (openai:URL)".into(),
        Some("embedding") => "models that embed texts (openai:URL with the capability embedding)".into(),
        Some("reference") => "one model that its owner names, served as builtin:NAME or openai:URL".into(),
        Some("preference") => {
            "models that answer open questions as its validators' references do, such as chat servers (openai:URL)".into()
        }
        Some(other) => format!("what its validators know as '{other}'; this program does not"),
    }
}

impl MeshInfo {
    /// Of a spec.
    pub(in crate::cli) fn of(spec: &MeshSpec) -> Self {
        let count = |role| spec.nodes.iter().filter(|node| node.role == role).count();
        let validators = spec.nodes.iter().filter(|node| node.role == Role::Validator);
        let validators = validators.map(|node| ValidatorInfo { node: node.id, stake: node.stake }).collect();
        let staked = sum(spec.nodes.iter().map(|node| node.stake));
        let balances = spec.accounts.iter().map(|account| account.balance);
        let vested =
            spec.accounts.iter().filter_map(|account| account.vesting.as_ref()).map(|one| one.amount);
        Self {
            mesh: spec.mesh_id(),
            name: spec.mesh.name.clone(),
            scope: match spec.mesh.scope {
                nervure_ledger::spec::Scope::Local => "local",
                nervure_ledger::spec::Scope::Public => "public",
            },
            block_milliseconds: spec.consensus.block_milliseconds,
            premine: sum(balances.chain(vested).chain([staked])),
            max_supply_tokens: MAX_SUPPLY_TOKENS,
            accounts: spec.accounts.len(),
            staked,
            validators,
            miners: count(Role::Miner),
            gateways: count(Role::Gateway),
            subnets: spec.subnets.iter().map(subnet).collect(),
            bootstrap: spec.network.bootstrap.clone(),
            endpoints: spec.network.endpoints.clone(),
            recovered: spec.recovered.clone(),
            problems: if spec.recovered.is_some() { Vec::new() } else { problems(spec) },
        }
    }

    /// Prints it.
    pub(in crate::cli) fn show(&self) -> anyhow::Result<()> {
        self.lines().iter().try_for_each(|line| output::line(line))?;
        self.problems.iter().for_each(|problem| output::note(&format!("warning: {problem}")));
        Ok(())
    }

    /// It in lines of text.
    pub(in crate::cli) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("mesh       {} ({}, {})", self.mesh, self.name, self.scope)];
        if let Some(Recovered { mesh, height, block, validators, .. }) = &self.recovered {
            lines.push(format!("continues  block {height} ({block}) of mesh {mesh}"));
            lines.push(format!("begins     with {} validators", validators.len()));
        }
        let seconds = f64::from(self.block_milliseconds) / 1_000.0;
        lines.push(format!("blocks     one every {seconds} s"));
        lines.push(format!(
            "supply     {} tokens at the genesis in {} accounts, of which {} are staked; at most {} ever",
            self.premine, self.accounts, self.staked, self.max_supply_tokens
        ));
        for ValidatorInfo { node, stake } in &self.validators {
            lines.push(format!("validator  {node} with {stake} tokens of stake"));
        }
        let Self { validators, miners, gateways, .. } = self;
        lines.push(format!(
            "nodes      {} validators, {miners} miners, {gateways} gateways at the genesis",
            validators.len()
        ));
        for SubnetInfo { netuid, name, pays_for, .. } in &self.subnets {
            lines.push(format!("subnet     {netuid} ({name}) pays for {pays_for}"));
        }
        lines.push(format!("bootstrap  {}", self.bootstrap.len()));
        if !self.endpoints.is_empty() {
            lines.push(format!("endpoints  {}", self.endpoints.join(", ")));
        }
        lines
    }
}

fn sum(amounts: impl Iterator<Item = Amount>) -> Amount {
    Amount::from_base_units(amounts.map(Amount::base_units).fold(0, u64::saturating_add))
}

fn subnet(spec: &SubnetSpec) -> SubnetInfo {
    let mechanism = spec.mechanism.as_ref().map(|mechanism| mechanism.name.clone());
    SubnetInfo {
        netuid: spec.netuid,
        name: spec.name.clone(),
        pays_for: pays_for(mechanism.as_deref()),
        mechanism,
    }
}

/// What a founder has to correct before the mesh can work.
pub(super) fn problems(spec: &MeshSpec) -> Vec<String> {
    let least = Amount::from_base_units(spec.economy.min_self_stake);
    let has_maker = spec.nodes.iter().any(|node| node.role == Role::Validator && node.stake >= least);
    let can_pay = spec.accounts.iter().any(|account| account.balance > Amount::ZERO);
    let earns = spec.subnets.iter().any(|subnet| subnet.mechanism.is_some());
    let checks = [
        (
            !has_maker,
            format!(
                "no block will be made: no node with role = \"validator\" under [[nodes]] has a stake of {least} tokens or more"
            ),
        ),
        (
            !can_pay,
            "no one could pay for a transaction: add an account with a balance under [[accounts]]".to_owned(),
        ),
        (!earns, "no miner could earn: no subnet under [[subnets]] has a mechanism".to_owned()),
        (
            spec.network.bootstrap.is_empty(),
            "no one could find the mesh: add bootstrap addresses under [network]".to_owned(),
        ),
    ];
    checks.into_iter().filter(|(wrong, _)| *wrong).map(|(_, problem)| problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_that_cannot_work_says_why() {
        let bare = MeshSpec::public("bare");
        let info = MeshInfo::of(&bare);
        for part in ["no block will be made", "pay for a transaction", "bootstrap addresses"] {
            assert!(
                info.problems.iter().any(|problem| problem.contains(part)),
                "{part}: {:?}",
                info.problems
            );
        }
        let owner = nervure_primitives::NodeKey::from_seed(&[1; 32]).node_id();
        let mut whole = bare.clone();
        let stake = Amount::from_base_units(whole.economy.min_self_stake);
        whole =
            whole.with_account(owner, Amount::from_base_units(5_000_000_000)).with_validator(owner, stake);
        whole.network.bootstrap.push("/ip4/8.8.4.4/udp/1/quic-v1/p2p/x".into());
        let info = MeshInfo::of(&whole);
        assert!(info.problems.iter().all(|problem| problem.contains("mechanism")), "{:?}", info.problems);
        assert_eq!(info.premine, Amount::from_base_units(5_000_000_000 + whole.economy.min_self_stake));
    }

    #[test]
    fn a_subnet_says_whether_a_chat_server_earns_there() {
        assert!(pays_for(Some("next-byte")).contains("a chat server (openai:URL) earns nothing"));
        assert!(pays_for(Some("exact-answer")).contains("chat servers"));
        assert!(pays_for(None).starts_with("nothing"));
    }
}
