//! How a mesh continues after more than a third of its voting power is lost for good.
//!
//! Without two thirds of the power no block is made, and so no election can remove who is gone. Those who are left make
//! another mesh: its spec names the last certified block, and its first state is the state after that block with other
//! validators. Everything else stays: balances, stakes, nonces, subnets, heights. The mesh id is another one, so that no
//! signature of the former mesh counts in it, and no transaction can be replayed.
//!
//! [`recover`] is a function of the former spec, the certified block with its state, and the chosen validators. Who has
//! the same gets the same spec, byte for byte: operators compare mesh ids. [`begin`] computes the first state of such a
//! spec from the certified one, and refuses any other.
//!
//! Hazard: that the validators are lost, and who continues, is a decision of people. Two groups that recover with
//! different validators make two meshes with the same balances. Nothing here can tell which one counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use nervure_consensus::checkpoint::{CertificateError, CommitCertificate, ValidatorSet, ValidatorSetError};
use nervure_primitives::{Hash, Netuid, NodeId, UnixMillis, cbor::CborError};

use crate::{
    block::{Block, Header},
    chain::Tip,
    roster::Standing,
    spec::{MeshSpec, NodeSpec, Recovered, RecoveredValidator, Role, SpecError, SubnetSpec},
    state::LedgerState,
    tree::{MemoryTree, TreeError},
    upgrade::{UnknownVersion, Upgrades},
};

/// Nodes that the spec of a recovered mesh lists for clients that follow no chain. More would not fit into a spec.
const MAX_LISTED_NODES: usize = 8_000;

/// Why a mesh cannot be recovered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// The last block is the genesis.
    #[error("the mesh has made no block: there is nothing to recover, and its spec can be written again")]
    NoBlock,
    /// The block has no certificate.
    #[error("block {0} has no certificate: validators did not agree on it, as far as is known here")]
    NotCertified(Hash),
    /// The certificate cannot be read.
    #[error("the certificate of the last block: {0}")]
    Unreadable(#[from] CborError),
    /// The certificate does not verify.
    #[error("the certificate of the last block: {0}")]
    Certificate(#[from] CertificateError),
    /// A validator that is no node of the mesh.
    #[error("{0} is not a node of the mesh")]
    NoSuchNode(NodeId),
    /// A validator without stake.
    #[error("{0} has no stake: a validator's power is its stake")]
    NoStake(NodeId),
    /// A validator that equivocated.
    #[error("{0} equivocated and is jailed for good")]
    Tombstoned(NodeId),
    /// Not a validator set.
    #[error(transparent)]
    Validators(#[from] ValidatorSetError),
    /// A time before that of the last block.
    #[error("the time {given} is before that of the last block, {last} (milliseconds since 1970)")]
    Time {
        /// The time of the last block, in milliseconds since 1970.
        last: u64,
        /// The given one, in milliseconds since 1970.
        given: u64,
    },
    /// The spec that comes out is not valid.
    #[error("the spec of the recovered mesh: {0}")]
    Spec(#[from] SpecError),
    /// The spec of a mesh that was not recovered.
    #[error("the mesh was not recovered from another one: its first state follows from its spec")]
    NotRecovered,
    /// Another block than the one that the spec continues.
    #[error("the state is that of block {found}, and the mesh continues block {expected}")]
    OtherBlock {
        /// The block that the spec names.
        expected: Hash,
        /// The given one.
        found: Hash,
    },
    /// The state with the spec's validators is another one than the spec names.
    #[error("with the validators of the spec the state has root {found}, and the spec names {expected}")]
    OtherState {
        /// The root that the spec names.
        expected: Hash,
        /// The root that comes out.
        found: Hash,
    },
    /// The state tree could not be made.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The mesh begins with a version that this program does not know.
    #[error(transparent)]
    UnknownVersion(#[from] UnknownVersion),
}

/// Verifies that validators agreed on the block of `tip`: the state names them, and is under the root in the header.
///
/// # Errors
/// When there is no certificate, or it does not verify.
pub fn check_certified(tip: &Tip, certificate: Option<&[u8]>) -> Result<(), RecoveryError> {
    let (header, block) = (&tip.header, tip.header.id());
    if header.is_genesis() {
        return Err(RecoveryError::NoBlock);
    }
    let validators = tip.state.last_validators().filter(|set| set.hash() == header.validators);
    let (Some(certificate), Some(validators)) = (certificate, validators) else {
        return Err(RecoveryError::NotCertified(block));
    };
    let certificate = CommitCertificate::decode(certificate)?;
    if (certificate.height, certificate.value) != (header.height, block) {
        return Err(RecoveryError::NotCertified(block));
    }
    Ok(certificate.verify(validators, &header.mesh)?)
}

/// The spec of the mesh that continues `certified`, the last block of the mesh of `former`, with `validators`.
///
/// The time of its genesis is that of the block, or `time`: light clients trust it for the trusting period from then on.
///
/// # Errors
/// When one of `validators` cannot make blocks.
pub fn recover(
    former: &MeshSpec,
    certified: &Tip,
    validators: &BTreeSet<NodeId>,
    time: Option<UnixMillis>,
) -> Result<MeshSpec, RecoveryError> {
    let (header, last) = (&certified.header, certified.header.time);
    let time = time.unwrap_or(last);
    if time < last {
        return Err(RecoveryError::Time { last: last.0, given: time.0 });
    }
    let mut state = certified.state.clone();
    state.consensus.genesis_unix_milliseconds = time.0;
    state.continue_with(validators)?;
    let set = state.validators().ok_or(ValidatorSetError::Empty)?;
    let power = |one: &nervure_consensus::checkpoint::Validator| RecoveredValidator {
        node: one.node,
        power: one.power,
    };
    let recovered = Recovered {
        mesh: header.mesh,
        height: header.height,
        block: header.id(),
        certified_state: header.state,
        state: root(&state)?,
        validators: set.members().iter().map(power).collect(),
    };
    let mut spec = MeshSpec { recovered: Some(recovered), ..former.clone() };
    // What was voted counts: clients read the spec before they know a state.
    (spec.economy, spec.consensus) = ((*state.params).clone(), state.consensus.clone());
    spec.upgrades = state.upgrades.listed();
    // A contract knows the former mesh and its validators.
    spec.network.anchor = None;
    (spec.subnets, spec.nodes, spec.accounts) = (subnets(&state), nodes(&state, validators), Vec::new());
    // The name of a subnet, or too many of something: a spec that its own reader refuses would be of no use.
    Ok(MeshSpec::parse(&spec.to_toml())?)
}

/// The first state of a recovered mesh, from the certified state of the mesh before. `certified` was read for `spec`
/// ([`snapshot::read_certified`](crate::snapshot::read_certified)) or for the former one.
///
/// # Errors
/// When it is not the state that the spec continues.
pub fn begin(spec: &MeshSpec, certified: &Tip) -> Result<Tip, RecoveryError> {
    let recovered = spec.recovered.as_ref().ok_or(RecoveryError::NotRecovered)?;
    let found = certified.header.id();
    if found != recovered.block {
        return Err(RecoveryError::OtherBlock { expected: recovered.block, found });
    }
    let mut state = certified.state.clone();
    state.continue_with(&recovered.validators.iter().map(|one| one.node).collect())?;
    state.mesh = spec.mesh_id();
    state.consensus.genesis_unix_milliseconds = spec.consensus.genesis_unix_milliseconds;
    let voted = state.upgrades.voted().to_vec();
    state.upgrades = Arc::new(Upgrades::new(spec.upgrades.clone()).with_voted(voted));
    let found = root(&state)?;
    let header = first_header(spec, recovered)?;
    if found != recovered.state || state.validators_hash() != header.validators {
        return Err(RecoveryError::OtherState { expected: recovered.state, found });
    }
    Ok(Tip { header, state })
}

/// The header that a recovered mesh begins with; it follows from the spec alone.
pub(crate) fn first_header(spec: &MeshSpec, recovered: &Recovered) -> Result<Header, RecoveryError> {
    let validators = recovered.validator_set()?.hash();
    Ok(Header {
        version: Upgrades::new(spec.upgrades.clone()).known_at(recovered.height)?,
        mesh: spec.mesh_id(),
        height: recovered.height,
        parent: recovered.block,
        time: spec.consensus.genesis_time(),
        proposer: Header::NO_PROPOSER,
        last_commit: Block::commit_hash(None),
        transactions: Block::transactions_hash(&[]),
        state: recovered.state,
        validators,
        next_validators: validators,
    })
}

impl LedgerState {
    /// Puts `validators` into office, and takes everyone else out of the roster. Their stakes stay where they are.
    fn continue_with(&mut self, validators: &BTreeSet<NodeId>) -> Result<(), RecoveryError> {
        let mut stakes = BTreeMap::new();
        for node in validators {
            let found = self.nodes.get(node).ok_or(RecoveryError::NoSuchNode(*node))?;
            let stake = found.stake().base_units();
            if stake == 0 {
                return Err(RecoveryError::NoStake(*node));
            }
            if self.roster.tombstone(node).is_some() {
                return Err(RecoveryError::Tombstoned(*node));
            }
            stakes.insert(*node, stake);
        }
        let joined = |(_, standing): &(&NodeId, &Standing)| matches!(standing, Standing::Joined { .. });
        let former: Vec<NodeId> = self.roster.standings().filter(joined).map(|(node, _)| *node).collect();
        former.iter().filter(|node| !validators.contains(node)).for_each(|node| self.roster.leave(node));
        for node in
            validators.iter().filter(|node| !self.roster.has_joined(node)).copied().collect::<Vec<_>>()
        {
            self.roster.join(node, self.height);
        }
        self.take_office(ValidatorSet::from_stakes(stakes)?);
        // No one signed the first block of the new mesh; its second has the certificate of these.
        self.last_validators.clone_from(&self.validators);
        // A new contract begins with those who are elected now.
        self.anchors.sets = None;
        self.hand_over();
        Ok(())
    }
}

fn root(state: &LedgerState) -> Result<Hash, TreeError> {
    Ok(MemoryTree::of(state)?.root().unwrap_or(Hash::from_bytes([0; 32])))
}

/// The subnets of a state, as a spec lists them.
fn subnets(state: &LedgerState) -> Vec<SubnetSpec> {
    let listed = state.subnets.iter().map(|(netuid, subnet)| SubnetSpec {
        netuid: *netuid,
        name: subnet.name.clone(),
        owner: subnet.owner,
        mechanism: subnet.mechanism.clone(),
    });
    listed.collect()
}

/// The nodes of a state, as a spec lists them: the validators first, then those with a slot.
fn nodes(state: &LedgerState, validators: &BTreeSet<NodeId>) -> Vec<NodeSpec> {
    let mut slots: BTreeMap<NodeId, Vec<Netuid>> = BTreeMap::new();
    let mut permitted = validators.clone();
    for (netuid, subnet) in &state.subnets {
        for neuron in &subnet.neurons {
            slots.entry(neuron.node).or_default().push(*netuid);
            if neuron.permit {
                permitted.insert(neuron.node);
            }
        }
    }
    let others = slots.keys().filter(|node| !validators.contains(node));
    let listed = validators.iter().chain(others).take(MAX_LISTED_NODES).filter_map(|id| {
        let node = state.nodes.get(id)?;
        let role = if permitted.contains(id) { Role::Validator } else { Role::Miner };
        let netuids = slots.get(id).into_iter().flatten().copied();
        Some(NodeSpec::new(*id, role).with_owner(node.owner).in_subnets(netuids).with_stake(node.stake()))
    });
    listed.collect()
}
