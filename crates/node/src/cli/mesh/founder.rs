//! What a founder says of a new mesh by flags: accounts, nodes, subnets and addresses. A mesh that cannot work is refused.

use std::{fmt, str::FromStr};

use nervure_ledger::spec::{MeshSpec, NodeSpec, Role, SubnetSpec};
use nervure_primitives::{Amount, MechanismSpec, Netuid, NodeId};
use nervure_subnet::mechanism::Mechanisms;

use super::describe::problems;

/// Who and what a mesh begins with.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct FounderArgs {
    /// An account and its balance at the genesis; can be given several times
    #[arg(long, value_name = "OWNER=TOKENS")]
    account: Vec<Holding>,
    /// A validator in all subnets and its stake; its owner is the key that may move the stake [default: the node itself];
    /// can be given several times
    #[arg(long, value_name = "NODE=TOKENS[,OWNER]")]
    validator: Vec<Holding>,
    /// A miner in all subnets, and its owner; can be given several times
    #[arg(long, value_name = "NODE[,OWNER]")]
    miner: Vec<Member>,
    /// A gateway, and its owner; can be given several times
    #[arg(long, value_name = "NODE[,OWNER]")]
    gateway: Vec<Member>,
    /// A subnet with its mechanism and its owner, instead of those of the preset; can be given several times
    #[arg(long, value_name = "NUMBER=NAME,MECHANISM[,OWNER]")]
    subnet: Vec<Founded>,
    /// Where others find the mesh: the address of a node that is always reachable, with its id; can be given several times
    #[arg(long, value_name = "MULTIADDR")]
    bootstrap: Vec<String>,
    /// An HTTP API that anyone may ask; can be given several times
    #[arg(long, value_name = "URL")]
    endpoint: Vec<String>,
}

/// A key with an amount: an account, or a validator with its stake.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Holding {
    member: Member,
    amount: Amount,
}

/// A node, or an account, and the key that owns it where it is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    id: NodeId,
    owner: Option<NodeId>,
}

/// A subnet of the new mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Founded(SubnetSpec);

impl FromStr for Holding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, rest) = text.split_once('=').ok_or("expected KEY=TOKENS")?;
        let (amount, owner) = optional_owner(rest)?;
        let member = Member { id: key(id)?, owner };
        Ok(Self { member, amount: amount.parse().map_err(display)? })
    }
}

impl FromStr for Member {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, owner) = optional_owner(text)?;
        Ok(Self { id: key(id)?, owner })
    }
}

impl FromStr for Founded {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected NUMBER=NAME,MECHANISM, such as 18=text-api,exact-answer";
        let (netuid, rest) = text.split_once('=').ok_or(expected)?;
        let (name, rest) = rest.split_once(',').ok_or(expected)?;
        let (mechanism, owner) = optional_owner(rest)?;
        let mechanism = MechanismSpec::named(mechanism);
        Mechanisms::built_in().build(&mechanism).map_err(display)?;
        let netuid = netuid.parse().map(Netuid).map_err(|error| format!("{netuid}: {error}"))?;
        Ok(Self(SubnetSpec { owner, ..SubnetSpec::new(netuid, name, Some(mechanism)) }))
    }
}

/// What stands before the comma, and the owner behind it.
fn optional_owner(text: &str) -> Result<(&str, Option<NodeId>), String> {
    match text.split_once(',') {
        None => Ok((text, None)),
        Some((first, owner)) => Ok((first, Some(key(owner)?))),
    }
}

fn key(text: &str) -> Result<NodeId, String> {
    text.parse().map_err(|error| format!("'{text}' is no key: {error}"))
}

fn display(error: impl fmt::Display) -> String {
    error.to_string()
}

impl FounderArgs {
    /// `spec` with what the flags say. Without flags it is a template, and stays as it is.
    ///
    /// # Errors
    /// When the mesh cannot work; the error names what is missing and the flag for it.
    pub(super) fn complete(self, mut spec: MeshSpec) -> anyhow::Result<MeshSpec> {
        if self.is_empty() {
            return Ok(spec);
        }
        if !self.subnet.is_empty() {
            spec.subnets = self.subnet.into_iter().map(|Founded(subnet)| subnet).collect();
        }
        let netuids: Vec<_> = spec.subnets.iter().map(|subnet| subnet.netuid).collect();
        for Holding { member: Member { id, owner }, amount } in self.account {
            anyhow::ensure!(owner.is_none(), "an account has no other owner: --account OWNER=TOKENS");
            spec = spec.with_account(id, amount);
        }
        let validators = self.validator.into_iter().map(|one| (one.member, Role::Validator, one.amount));
        let miners = self.miner.into_iter().map(|member| (member, Role::Miner, Amount::ZERO));
        let gateways = self.gateway.into_iter().map(|member| (member, Role::Gateway, Amount::ZERO));
        for (Member { id, owner }, role, stake) in validators.chain(miners).chain(gateways) {
            // A gateway answers no tasks, so it needs no place in a subnet.
            let netuids = if role == Role::Gateway { &[][..] } else { &netuids };
            let node = NodeSpec::new(id, role).in_subnets(netuids.iter().copied()).with_stake(stake);
            spec.nodes.push(NodeSpec { owner, ..node });
        }
        spec.network.bootstrap.extend(self.bootstrap);
        spec.network.endpoints.extend(self.endpoint);
        refuse_what_cannot_work(&spec)?;
        Ok(spec)
    }

    fn is_empty(&self) -> bool {
        let Self { account, validator, miner, gateway, subnet, bootstrap, endpoint } = self;
        let nodes = [validator.is_empty(), miner.is_empty(), gateway.is_empty()];
        let others = [account.is_empty(), subnet.is_empty(), bootstrap.is_empty(), endpoint.is_empty()];
        nodes.into_iter().chain(others).all(|empty| empty)
    }
}

fn refuse_what_cannot_work(spec: &MeshSpec) -> anyhow::Result<()> {
    let problems = problems(spec);
    anyhow::ensure!(
        problems.is_empty(),
        "this mesh cannot work:\n  {}\nadd what is missing: --validator NODE=TOKENS, --account OWNER=TOKENS, --bootstrap \
         MULTIADDR, --subnet NUMBER=NAME,MECHANISM; without any of them, a commented spec to fill in is written",
        problems.join("\n  ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use nervure_primitives::NodeKey;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        founder: FounderArgs,
    }

    fn id(seed: u8) -> NodeId {
        NodeKey::from_seed(&[seed; 32]).node_id()
    }

    fn founded(args: &[String]) -> anyhow::Result<MeshSpec> {
        let args = std::iter::once("new").chain(args.iter().map(String::as_str));
        Line::try_parse_from(args)?.founder.complete(MeshSpec::public("new"))
    }

    fn whole() -> Vec<String> {
        vec![
            format!("--validator={}=1000,{}", id(1), id(2)),
            format!("--account={}=50.5", id(2)),
            format!("--miner={}", id(3)),
            format!("--gateway={},{}", id(4), id(2)),
            format!("--bootstrap=/ip4/8.8.4.4/udp/4001/quic-v1/p2p/{}", id(1)),
        ]
    }

    #[test]
    fn flags_make_a_mesh_that_can_work_and_is_a_genesis() {
        let spec = founded(&whole()).unwrap();
        assert_eq!(MeshSpec::parse(&spec.to_toml()).as_ref(), Ok(&spec));
        let state = nervure_ledger::state::LedgerState::genesis(&spec).unwrap();
        assert_eq!(state.accounts().get(&id(2)).balance, "50.5".parse().unwrap());
        let roles: Vec<_> =
            spec.nodes.iter().map(|node| (node.role, node.owner, node.netuids.len())).collect();
        let all = spec.subnets.len();
        let expected =
            [(Role::Validator, Some(id(2)), all), (Role::Miner, None, all), (Role::Gateway, Some(id(2)), 0)];
        assert_eq!(roles, expected);
    }

    #[test]
    fn subnets_are_those_that_are_named() {
        let more =
            [format!("--subnet=18=text-api,exact-answer,{}", id(9)), "--subnet=21=vectors,embedding".into()];
        let spec = founded(&[&whole()[..], &more].concat()).unwrap();
        let subnets: Vec<_> = spec.subnets.iter().map(|subnet| (subnet.netuid.0, subnet.owner)).collect();
        assert_eq!(subnets, [(18, Some(id(9))), (21, None)]);
    }

    #[test]
    fn a_mesh_that_cannot_work_is_refused_with_the_flag_that_is_missing() {
        for missing in ["--validator", "--account", "--bootstrap"] {
            let args: Vec<_> = whole().into_iter().filter(|arg| !arg.starts_with(missing)).collect();
            let error = founded(&args).unwrap_err().to_string();
            assert!(error.contains("cannot work") && error.contains(missing), "{error}");
        }
        let poor = format!("--validator={}=0.5", id(1));
        let args: Vec<_> = whole().into_iter().skip(1).chain([poor]).collect();
        assert!(founded(&args).unwrap_err().to_string().contains("no block will be made"));
    }

    #[test]
    fn mistakes_are_named() {
        for (argument, part) in [
            ("--account=x=1", "is no key"),
            ("--account=x", "expected KEY=TOKENS"),
            ("--subnet=1=a,longest", "the mechanisms are next-byte"),
            ("--subnet=1=a", "such as 18=text-api,exact-answer"),
            ("--subnet=one=a,next-byte", "one: "),
        ] {
            let error = founded(&[argument.into()]).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        let owned = format!("--account={}=1,{}", id(1), id(2));
        assert!(founded(&[owned]).unwrap_err().to_string().contains("no other owner"));
    }

    #[test]
    fn without_flags_the_template_stays() {
        assert_eq!(founded(&[]).unwrap(), MeshSpec::public("new"));
    }
}
