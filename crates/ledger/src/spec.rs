//! The mesh spec: one commented TOML file that defines a mesh.
//!
//! The definition (name, scope, timing, economy, subnets, accounts, registered nodes) is hashed into the [`MeshId`].
//! The `[network]` section is not: bootstrap addresses may change without changing the mesh.
//!
//! A spec comes from a file or a URL and is not trusted: [`MeshSpec::parse`] bounds its size and refuses an
//! inconsistent spec, with the place and the reason.

mod builder;
mod check;
mod error;
mod recovered;
mod registry;
mod toml_text;
mod vesting;

use std::time::Duration;

use nervure_anchor::{AnchorAddress, AnchorDomain};
use nervure_consensus::synchrony::Synchrony;
use nervure_primitives::{Amount, Hash, MechanismSpec, MeshId, Netuid, NodeId, UnixMillis, cbor};
use serde::{Deserialize, Serialize};

use crate::{params::Params, upgrade::Upgrade};

pub(crate) use check::{check_rules, is_name};
pub use error::SpecError;
pub use recovered::{Recovered, RecoveredValidator};
pub use registry::Registry;
pub use vesting::VestingSpec;

/// Largest spec that is read, in bytes: about 10,000 nodes.
pub const MAX_SPEC_LEN: usize = 2 << 20;

/// Maximum supply of a mesh, in tokens. Source: the economics of the mesh, "Emission".
pub const MAX_SUPPLY_TOKENS: u64 = 21_000_000;

/// Endpoints in a spec.
pub const MAX_ENDPOINTS: usize = 16;

/// Validators and miners of one subnet.
pub const SLOTS: usize = 256;

/// Shortest time between two blocks, in milliseconds.
pub const MIN_BLOCK_MILLISECONDS: u32 = 100;

/// Validators of one subnet.
pub const VALIDATOR_SLOTS: usize = 64;

/// The definition of a mesh.
///
/// ```
/// use nervure_ledger::spec::MeshSpec;
///
/// let mut spec = MeshSpec::local("example");
/// let id = spec.mesh_id();
/// assert_eq!(MeshSpec::parse(&spec.to_toml())?, spec);
/// // Bootstrap addresses are not part of the id; everything else is.
/// spec.consensus.block_milliseconds = 2_000;
/// assert_ne!(spec.mesh_id(), id);
/// # Ok::<(), nervure_ledger::spec::SpecError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeshSpec {
    /// Name and scope.
    pub mesh: MeshSection,
    /// Settings of the directory.
    pub directory: DirectorySection,
    /// Settings of block production.
    pub consensus: ConsensusSection,
    /// Fees, prices, slots and intervals.
    pub economy: Params,
    /// How to find the mesh; not part of its id.
    #[serde(default)]
    pub network: NetworkSection,
    /// The heights at which other versions of the rules become active; not part of the mesh's id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upgrades: Vec<Upgrade>,
    /// The mesh that this one continues; none for a mesh that begins with its own lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered: Option<Recovered>,
    /// The subnets at genesis.
    #[serde(default)]
    pub subnets: Vec<SubnetSpec>,
    /// The accounts with tokens at genesis.
    #[serde(default)]
    pub accounts: Vec<AccountSpec>,
    /// The registered nodes at genesis.
    #[serde(default)]
    pub nodes: Vec<NodeSpec>,
}

/// Name and scope of a mesh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeshSection {
    /// Its name: 1 to 64 lower-case letters, digits and hyphens.
    pub name: String,
    /// Where its nodes may be.
    pub scope: Scope,
}

/// Where the nodes of a mesh may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// One machine or one network: loopback and private addresses are dialled.
    Local,
    /// The internet: private addresses that a peer names are never dialled.
    Public,
}

/// Settings of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectorySection {
    /// Seconds after which a record expires unless it is renewed; at least 1.
    pub record_expiry_seconds: u32,
}

/// Settings of block production.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsensusSection {
    /// Milliseconds from one block to the next; at least 100.
    pub block_milliseconds: u32,
    /// How far the clocks of two validators may be apart, in milliseconds, 1 to 60,000; default 500. Too small, and
    /// blocks of honest validators are refused; too large, and a proposer shifts the time of the mesh by as much.
    pub precision_milliseconds: u32,
    /// How long a proposal may travel between two validators, in milliseconds, at most 600,000; default 15,000. Too
    /// small, and blocks of slow proposers are refused; too large, and a block may be dated back by as much.
    pub message_delay_milliseconds: u32,
    /// How long a light client trusts a block and the genesis, in seconds; shorter than the unbonding. Default 14 days;
    /// 0 is for ever, which only a local mesh may say, whose validators are known: validators that have their stake
    /// back can sign another history without losing anything.
    pub trusting_period_seconds: u32,
    /// The time of the genesis, in milliseconds since 1970. The first block is later; a light client trusts the genesis
    /// for the trusting period from then on.
    pub genesis_unix_milliseconds: u64,
}

impl ConsensusSection {
    /// The bounds on block times.
    pub const fn synchrony(&self) -> Synchrony {
        Synchrony {
            precision: Duration::from_millis(self.precision_milliseconds as u64),
            message_delay: Duration::from_millis(self.message_delay_milliseconds as u64),
        }
    }

    /// How long a light client trusts a block; none is for ever.
    pub fn trusting_period(&self) -> Option<Duration> {
        let seconds = self.trusting_period_seconds;
        (seconds > 0).then(|| Duration::from_secs(seconds.into()))
    }

    /// The time of the genesis.
    pub const fn genesis_time(&self) -> UnixMillis {
        UnixMillis(self.genesis_unix_milliseconds)
    }
}

/// How to find the mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSection {
    /// Multiaddresses of the bootstrap nodes, each ending in `/p2p/ID`.
    #[serde(default)]
    pub bootstrap: Vec<String>,
    /// URLs of HTTP APIs that anyone may ask, for commands without a node; what they give is proven.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// The contract that stores checkpoints; without one, nodes store them in files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<AnchorPlace>,
}

/// A contract that stores checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorPlace {
    /// The id of the chain (EIP-155).
    pub chain: u64,
    /// The address of the contract.
    pub contract: AnchorAddress,
    /// The block of the chain that the contract was deployed in.
    #[serde(default)]
    pub since: u64,
}

impl AnchorPlace {
    /// The domain of the signatures for this contract.
    pub const fn domain(&self) -> AnchorDomain {
        AnchorDomain { chain: self.chain, contract: self.contract }
    }
}

/// One subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubnetSpec {
    /// Its number.
    pub netuid: Netuid,
    /// Its name, under the same rule as the mesh's name.
    pub name: String,
    /// The owner, who sets its hyperparameters and gets the owner's share; optional.
    #[serde(default)]
    pub owner: Option<NodeId>,
    /// How its validators set tasks; without one, they set none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<MechanismSpec>,
}

impl SubnetSpec {
    /// A subnet without an owner.
    pub fn new(netuid: Netuid, name: impl Into<String>, mechanism: Option<MechanismSpec>) -> Self {
        Self { netuid, name: name.into(), owner: None, mechanism }
    }
}

/// The balance of an account at genesis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSpec {
    /// The owner key.
    pub owner: NodeId,
    /// The balance, in base units.
    pub balance: Amount,
    /// What it gets beside its balance, little by little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vesting: Option<VestingSpec>,
}

/// One registered node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    /// Its key.
    pub id: NodeId,
    /// The key that owns it and its stake; its own key when absent.
    #[serde(default)]
    pub owner: Option<NodeId>,
    /// Its role.
    pub role: Role,
    /// The subnets that it is registered in.
    #[serde(default)]
    pub netuids: Vec<Netuid>,
    /// Its stake, in base units.
    #[serde(default)]
    pub stake: Amount,
    /// The address of the key that it signs anchored checkpoints with. Not verified: the author of the spec has to make
    /// sure that it is the node's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<AnchorAddress>,
}

/// The role of a registered node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Scores miners.
    Validator,
    /// Serves experts.
    Miner,
    /// Routes queries for others.
    Gateway,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Validator => "validator",
            Self::Miner => "miner",
            Self::Gateway => "gateway",
        })
    }
}

impl MeshSpec {
    /// A mesh on one machine: short intervals, private addresses are dialled.
    pub fn local(name: &str) -> Self {
        Self::preset(name, Scope::Local, Params::local())
    }

    /// A mesh on the internet.
    pub fn public(name: &str) -> Self {
        Self::preset(name, Scope::Public, Params::default())
    }

    fn preset(name: &str, scope: Scope, economy: Params) -> Self {
        let next_byte = MechanismSpec::named("next-byte");
        let next_byte = match scope {
            // Tasks every two seconds, on one machine: small ones.
            Scope::Local => next_byte
                .with("contexts", 8)
                .with("cell", 64)
                .with("completions", 1)
                .with("completion_share", 300)
                .with("user_mix", 0)
                .with("reuse", 1),
            Scope::Public => next_byte,
        };
        let subnet = SubnetSpec::new(Netuid(1), "text-generation", Some(next_byte));
        let (record_expiry_seconds, block_milliseconds, trusting_period_seconds) = match scope {
            Scope::Local => (30, 1_000, 0),
            Scope::Public => (900, 12_000, 14 * 24 * 3_600),
        };
        Self {
            mesh: MeshSection { name: name.into(), scope },
            directory: DirectorySection { record_expiry_seconds },
            consensus: ConsensusSection {
                block_milliseconds,
                precision_milliseconds: 500,
                message_delay_milliseconds: 15_000,
                trusting_period_seconds,
                genesis_unix_milliseconds: 0,
            },
            economy,
            network: NetworkSection::default(),
            upgrades: Vec::new(),
            recovered: None,
            subnets: vec![subnet],
            accounts: Vec::new(),
            nodes: Vec::new(),
        }
    }

    /// Parses a spec and checks that it is consistent.
    ///
    /// # Errors
    /// The first error, with its place.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        if text.len() > MAX_SPEC_LEN {
            return Err(SpecError::TooLarge { bytes: text.len() });
        }
        let spec: Self = toml::from_str(text).map_err(|error| SpecError::Toml(error.to_string()))?;
        spec.check()?;
        Ok(spec)
    }

    /// The mesh id: the hash of everything but `[network]` and the upgrades, in canonical CBOR.
    pub fn mesh_id(&self) -> MeshId {
        let lists = (&self.subnets, &self.accounts, &self.nodes);
        let defining = (&self.mesh, &self.directory, &self.consensus, &self.economy, lists);
        let recovered = self.recovered.as_ref().map(cbor::encode).transpose();
        match (cbor::encode(&defining), recovered) {
            (Ok(bytes), Ok(recovered)) => {
                // A second part only where there is one: the id of every other mesh stays as it was.
                let parts: Vec<&[u8]> =
                    std::iter::once(&bytes).chain(&recovered).map(Vec::as_slice).collect();
                MeshId::from_bytes(*Hash::of("nervure/mesh/2", &parts).as_bytes())
            }
            _ => unreachable!("strings, integers and byte strings always encode"),
        }
    }

    /// How long an expert record is valid after it was signed.
    pub fn record_expiry(&self) -> Duration {
        Duration::from_secs(u64::from(self.directory.record_expiry_seconds))
    }

    /// The registered nodes and their roles.
    pub fn registry(&self) -> Registry {
        Registry::new(&self.nodes)
    }

    /// The spec as TOML, with a comment above every setting. [`MeshSpec::parse`] reads it back.
    pub fn to_toml(&self) -> String {
        toml_text::render(self)
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::NodeKey;
    use proptest::prelude::*;

    use super::*;

    fn node(seed: u8, role: Role) -> NodeSpec {
        let id = NodeKey::from_seed(&[seed; 32]).node_id();
        NodeSpec::new(id, role).in_subnets([Netuid(1)]).with_stake(Amount::from_base_units(5))
    }

    fn sample() -> MeshSpec {
        let nodes = vec![node(1, Role::Validator), node(2, Role::Miner)];
        let owner = NodeKey::from_seed(&[7; 32]).node_id();
        let accounts = vec![AccountSpec::new(owner, Amount::from_base_units(900))];
        let mut spec = MeshSpec { nodes, accounts, ..MeshSpec::test("sample") };
        spec.subnets[0].owner = Some(owner);
        spec.nodes[1].owner = Some(owner);
        spec
    }

    #[test]
    fn reads_the_text_that_it_writes() {
        for spec in [sample(), MeshSpec::public("wide"), MeshSpec::local("a")] {
            assert_eq!(MeshSpec::parse(&spec.to_toml()), Ok(spec));
        }
    }

    #[test]
    fn anchor_keys_and_the_contract_are_written_and_read() {
        let (key, contract) = (AnchorAddress::from_bytes([5; 20]), AnchorAddress::from_bytes([6; 20]));
        let mut spec = sample();
        let mesh = spec.mesh_id();
        spec.network.anchor = Some(AnchorPlace { chain: 31_337, contract, since: 1 });
        assert_eq!(spec.mesh_id(), mesh, "a contract is deployed for a mesh that has its id");
        spec.nodes[0].anchor = Some(key);
        assert_ne!(spec.mesh_id(), mesh);
        assert_eq!(MeshSpec::parse(&spec.to_toml()).as_ref(), Ok(&spec));
        let state = crate::state::LedgerState::genesis(&spec).unwrap();
        let successors = state.anchors().successors().unwrap();
        assert_eq!(successors.members().iter().map(|one| one.address).collect::<Vec<_>>(), [key]);
        spec.nodes[1].anchor = Some(key);
        let twice = MeshSpec::parse(&spec.to_toml()).unwrap_err();
        assert_eq!(twice, SpecError::DuplicateAnchorKey { node: spec.nodes[1].id });
    }

    #[test]
    fn bootstrap_addresses_do_not_make_another_mesh_and_everything_else_does() {
        let spec = sample();
        let mut moved = spec.clone();
        moved.network.bootstrap.push("/ip4/127.0.0.1/udp/1/quic-v1/p2p/12D3KooW".into());
        moved.network.endpoints.push("https://mesh.example".into());
        assert_eq!(moved.mesh_id(), spec.mesh_id());
        assert_eq!(MeshSpec::parse(&moved.to_toml()).as_ref(), Ok(&moved));
        moved.network.endpoints = vec!["https://mesh.example".into(); MAX_ENDPOINTS + 1];
        assert_eq!(MeshSpec::parse(&moved.to_toml()), Err(SpecError::Endpoints));
        let changes: [fn(&mut MeshSpec); 11] = [
            |s| s.economy.peer_prediction = None,
            |s| s.consensus.block_milliseconds += 1,
            |s| s.economy.min_base_fee += 1,
            |s| s.economy.subnet.commit_reveal = false,
            |s| s.accounts[0].balance = Amount::from_base_units(500),
            |s| s.nodes[1].owner = None,
            |s| s.mesh.name.push('x'),
            |s| s.mesh.scope = Scope::Public,
            |s| s.directory.record_expiry_seconds += 1,
            |s| s.subnets[0].name.push('x'),
            |s| s.nodes[0].stake = Amount::ZERO,
        ];
        for change in changes {
            let mut other = spec.clone();
            change(&mut other);
            assert_ne!(other.mesh_id(), spec.mesh_id());
        }
    }

    #[test]
    fn the_registry_knows_roles_and_subnets() {
        let (spec, registry) = (sample(), sample().registry());
        let (validator, miner) = (spec.nodes[0].id, spec.nodes[1].id);
        let stranger = NodeKey::from_seed(&[9; 32]).node_id();
        assert!(registry.is_registered(&validator) && !registry.is_registered(&stranger));
        assert!(registry.may_advertise(&miner, Netuid(1)));
        assert!(!registry.may_advertise(&miner, Netuid(2)), "not its subnet");
        assert!(!registry.may_advertise(&validator, Netuid(1)), "not a miner");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let text = sample().to_toml().replace("record_expiry_seconds", "record_expiry");
        let error = MeshSpec::parse(&text).unwrap_err().to_string();
        assert!(error.contains("record_expiry") && error.contains("line"), "{error}");
    }

    #[test]
    fn light_clients_stop_trusting_before_evidence_stops_counting() {
        let mut spec = MeshSpec::public("order");
        assert_eq!(spec.check(), Ok(()));
        let blocks = spec.economy.evidence_window;
        let seconds = blocks * u64::from(spec.consensus.block_milliseconds) / 1_000;
        spec.consensus.trusting_period_seconds = seconds as u32;
        assert!(matches!(spec.check(), Err(SpecError::TrustingPeriod { .. })));
        spec.consensus.trusting_period_seconds = seconds as u32 - 1;
        assert_eq!(spec.check(), Ok(()));
        spec.consensus.trusting_period_seconds = 0;
        assert!(matches!(spec.check(), Err(SpecError::Zero { .. })), "no period in a public mesh");
        spec.consensus.precision_milliseconds = 0;
        assert!(matches!(spec.check(), Err(SpecError::TimeBound { .. })));
    }

    #[test]
    fn refuses_inconsistent_specs() {
        let refused = |change: fn(&mut MeshSpec)| {
            let mut spec = sample();
            change(&mut spec);
            MeshSpec::parse(&spec.to_toml()).unwrap_err()
        };
        assert!(matches!(refused(|s| s.mesh.name = "Bad Name".into()), SpecError::BadName { .. }));
        assert!(matches!(refused(|s| s.directory.record_expiry_seconds = 0), SpecError::Zero { .. }));
        assert!(matches!(refused(|s| s.nodes.push(s.nodes[0].clone())), SpecError::DuplicateNode { .. }));
        assert!(matches!(
            refused(|s| s.subnets.push(s.subnets[0].clone())),
            SpecError::DuplicateSubnet { .. }
        ));
        assert!(matches!(refused(|s| s.nodes[0].netuids.push(Netuid(7))), SpecError::NoSuchSubnet { .. }));
        assert!(matches!(refused(|s| s.nodes[1].netuids.clear()), SpecError::Idle { .. }));
        let weak = |s: &mut MeshSpec| s.economy.min_self_stake = 6;
        assert!(matches!(refused(weak), SpecError::ValidatorStake { .. }));
        let too_much = |s: &mut MeshSpec| s.nodes[0].stake = Amount::from_base_units(u64::MAX);
        assert!(matches!(refused(too_much), SpecError::OverCap));
        let too_rich = |s: &mut MeshSpec| s.accounts[0].balance = Amount::from_tokens(21_000_000).unwrap();
        assert!(matches!(refused(too_rich), SpecError::OverCap));
        let dust = |s: &mut MeshSpec| s.accounts[0].balance = Amount::from_base_units(499);
        assert!(matches!(refused(dust), SpecError::AccountTooSmall { .. }));
        assert!(matches!(
            refused(|s| s.accounts.push(s.accounts[0].clone())),
            SpecError::DuplicateAccount { .. }
        ));
        let Err(error) = MeshSpec::parse(&sample().to_toml().replace("tempo = 10", "tempo = 0")) else {
            panic!("a tempo of 0")
        };
        assert_eq!(error.to_string(), "[economy] subnet.tempo = 0: it has to be 5 to 20");
        let too_many = |s: &mut MeshSpec| s.nodes.extend((10..80).map(|seed| node(seed, Role::Validator)));
        assert!(matches!(refused(too_many), SpecError::TooManyNodes { limit: VALIDATOR_SLOTS, .. }));
        assert_eq!(
            MeshSpec::parse(&" ".repeat(MAX_SPEC_LEN + 1)),
            Err(SpecError::TooLarge { bytes: MAX_SPEC_LEN + 1 })
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(\\PC|\n){0,200}") {
            let _ = MeshSpec::parse(&text);
        }
    }
}
