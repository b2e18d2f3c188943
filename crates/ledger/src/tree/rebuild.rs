//! A state from its records.
//!
//! Only the root shows whether they are the right ones: a caller that rebuilds a state computes the root of
//! the records and compares it with one that is certified.

use std::{collections::BTreeMap, sync::Arc};

use imbl::OrdMap;
use nervure_primitives::{Netuid, NodeId, Uid};

use super::record::{Chain, Key, Record};
use crate::{
    accounts::{Accounts, UnbondingKey},
    anchors::{Anchors, Sets},
    block_weight::BlockWeight,
    economics::{base_fee::BaseFee, lock::LastLock},
    governance::{Ballots, Governance, ProposalStatus, Rulebook, StakeVoteKey},
    lane::Lane,
    nodes::{MovedKey, Node, NodeNumber, Nodes},
    proxies::Proxies,
    roster::Roster,
    spec::MeshSpec,
    state::{LedgerState, RestingNumber},
    subnet::{Neuron, Subnet},
    upgrade::{Upgrade, Upgrades},
    vesting::VestingKey,
};

/// Why records are not a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RebuildError {
    /// Nothing says what height it is.
    #[error("the record of the chain is missing")]
    NoChain,
    /// Nothing says what the parameters are.
    #[error("the record of the parameters is missing")]
    NoParams,
    /// A stake on a node, or a neuron in a subnet, that is not there.
    #[error("{0:?} belongs to nothing: its node or subnet is missing")]
    Orphan(Key),
    /// A record that comes twice.
    #[error("{0:?} occurs twice")]
    Twice(Key),
    /// Slots that are not numbered from 0 on.
    #[error("subnet {netuid} has no neuron in slot {missing}, but in higher ones")]
    Gap {
        /// The subnet.
        netuid: Netuid,
        /// The first slot that is missing.
        missing: Uid,
    },
}

/// A record of a stake, kept until its node is known.
struct StakePart {
    node: NodeNumber,
    staker: NodeId,
    shares: u128,
}

/// Records as they come in, in any order.
#[derive(Default)]
struct Parts {
    chain: Option<Chain>,
    accounts: Accounts,
    nodes: Nodes,
    stakes: Vec<StakePart>,
    votes: OrdMap<NodeId, crate::state::SubnetVote>,
    subnets: OrdMap<Netuid, Subnet>,
    resting: OrdMap<Netuid, RestingNumber>,
    neurons: BTreeMap<(Netuid, Uid), Neuron>,
    anchors: Anchors,
    roster: Roster,
    lane: Lane,
    rules: Option<(Rulebook, Vec<Upgrade>)>,
    governance: Governance,
    ballots: Ballots,
    proxies: Proxies,
}

impl LedgerState {
    /// The state of the mesh of `spec` that `records` describe.
    ///
    /// # Errors
    /// When they describe none.
    pub fn from_records(
        spec: &MeshSpec,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<Self, RebuildError> {
        let mut parts = Parts::default();
        records.into_iter().try_for_each(|record| parts.take(record))?;
        parts.assemble(spec)
    }

    /// A ledger of the same mesh that holds nothing.
    pub(super) fn nothing(like: &Self) -> Self {
        Self {
            mesh: like.mesh,
            params: like.params.clone(),
            consensus: like.consensus.clone(),
            upgrades: like.upgrades.clone(),
            limit: like.limit,
            height: 0,
            issuance: 0,
            carry: 0,
            base_fee: BaseFee(0),
            lane: Lane::default(),
            accounts: Accounts::default(),
            nodes: Nodes::default(),
            subnets: OrdMap::new(),
            next_netuid: 0,
            resting: OrdMap::new(),
            last_lock: LastLock { amount: 0, block: 0 },
            votes: OrdMap::new(),
            validators: None,
            last_validators: None,
            anchors: Anchors::default(),
            roster: Roster::default(),
            governance: Governance::default(),
            proxies: Proxies::default(),
        }
    }
}

impl Parts {
    fn take(&mut self, record: Record) -> Result<(), RebuildError> {
        let key = record.key();
        let twice = match record {
            Record::Chain(chain) => self.chain.replace(chain).is_some(),
            Record::Account { owner, account } => self.accounts.held.insert(owner, account).is_some(),
            Record::Unbonding { free, owner, node, unbonding } => {
                self.accounts.insert_unbonding(UnbondingKey { free, owner, node }, unbonding)
            }
            Record::Node { node, number, owner, take, take_raised, nonce, deposit, pool } => {
                let twice = self.nodes.get(&node).is_some() || self.nodes.key_of(number).is_some();
                self.nodes.insert(node, Node { number, owner, take, take_raised, nonce, deposit, pool });
                twice
            }
            Record::Stake { node, staker, shares } => {
                self.stakes.push(StakePart { node, staker, shares });
                false
            }
            Record::Retired { node, key } => self.nodes.retired.insert(node, key),
            Record::Vote { node, vote } => self.votes.insert(node, vote).is_some(),
            Record::Subnet { netuid, subnet } => self.subnets.insert(netuid, *subnet).is_some(),
            Record::Neuron { netuid, uid, neuron } => self.neurons.insert((netuid, uid), *neuron).is_some(),
            // A key that two nodes have counts as twice, too.
            Record::AnchorKey { node, key } => {
                self.anchors.key_of(&node).is_some() || !self.anchors.insert(node, key)
            }
            Record::Validator { node, standing } => self.roster.standings.insert(node, standing).is_some(),
            Record::Liveness { member, liveness } => self.roster.liveness.insert(member, *liveness).is_some(),
            Record::Term { member, term } => self.roster.terms.insert(member, term).is_some(),
            Record::AnchorSets { signers, successors } => {
                let sets = Sets { signers: signers.map(Arc::new), successors: Arc::new(successors) };
                self.anchors.sets.replace(sets).is_some()
            }
            Record::RestingNumber { netuid, number } => self.resting.insert(netuid, number).is_some(),
            Record::Proxy { owner, proxy, granted } => {
                self.proxies.active.insert((owner, proxy), granted).is_some()
            }
            Record::Announcement { owner, id, announcement } => {
                self.proxies.announced.insert((owner, id), announcement).is_some()
            }
            Record::Vesting { to, from, number, vesting } => {
                let key = VestingKey { to, from, number };
                self.accounts.vesting.insert(key, vesting).is_some()
            }
            Record::Lane { scope, node, used } => self.lane.used.insert((scope, node), used).is_some(),
            Record::Moved { free, staker, from, to, moved } => {
                !self.nodes.moved.insert(MovedKey { free, staker, from, to }, moved)
            }
            Record::Params { rules, upgrades } => self.rules.replace((*rules, upgrades)).is_some(),
            Record::Proposal { id, proposal } => self.governance.proposals.insert(id, *proposal).is_some(),
            Record::Ballots { node, ballots } => self.ballots.boxes.insert(node, ballots).is_some(),
            Record::StakeVote { proposal, node, staker, vote } => {
                self.ballots.votes.insert(StakeVoteKey { proposal, node, staker }, vote).is_some()
            }
        };
        if twice { Err(RebuildError::Twice(key)) } else { Ok(()) }
    }

    /// Gives the stakes to their nodes, and the neurons to their subnets. After all records are in: they come in any order,
    /// and a stake can come before its node.
    fn place(&mut self) -> Result<(), RebuildError> {
        for StakePart { node, staker, shares } in std::mem::take(&mut self.stakes) {
            if self.nodes.key_of(node).is_none() {
                return Err(RebuildError::Orphan(Key::Stake(node, staker)));
            }
            if self.nodes.stakes.contains_key(&(node, staker)) {
                return Err(RebuildError::Twice(Key::Stake(node, staker)));
            }
            self.nodes.set_shares(node, staker, shares);
        }
        for ((netuid, uid), neuron) in std::mem::take(&mut self.neurons) {
            let subnet = self.subnets.get_mut(&netuid);
            let subnet = subnet.ok_or(RebuildError::Orphan(Key::Neuron(netuid, uid)))?;
            let next = subnet.neurons.len();
            // A map by (subnet, uid) is ascending, so a missing slot shows at the first one behind it.
            if next != usize::from(uid.0) {
                return Err(RebuildError::Gap { netuid, missing: Uid(next as u16) });
            }
            subnet.neurons.push(Arc::new(neuron));
        }
        Ok(())
    }

    fn assemble(mut self, spec: &MeshSpec) -> Result<LedgerState, RebuildError> {
        self.place()?;
        let Chain {
            height,
            issuance,
            carry,
            base_fee,
            next_netuid,
            next_node,
            account_nonce,
            node_nonce,
            last_lock,
            validators,
            last_validators,
            next_proposal,
            treasury,
        } = self.chain.ok_or(RebuildError::NoChain)?;
        (self.nodes.next_number, self.nodes.block) = (next_node.0, height.0);
        (self.accounts.first_nonce, self.nodes.first_nonce) = (account_nonce, node_nonce);
        let validators = validators.map(Arc::new);
        let (Rulebook { economy, consensus }, voted) = self.rules.ok_or(RebuildError::NoParams)?;
        (self.governance.next, self.governance.treasury) = (next_proposal, treasury);
        // After the stakes: votes follow each change of a stake, and these are the sums after all of them.
        let voting = self.governance.proposals.iter().filter(|(_, one)| one.status == ProposalStatus::Voting);
        self.ballots.restore(voting.map(|(id, _)| *id).collect());
        self.nodes.ballots = self.ballots;
        Ok(LedgerState {
            mesh: spec.mesh_id(),
            params: Arc::new(economy),
            consensus,
            upgrades: Arc::new(Upgrades::new(spec.upgrades.clone()).with_voted(voted)),
            limit: BlockWeight::limit(spec),
            height: height.0,
            issuance,
            carry,
            base_fee,
            lane: self.lane,
            accounts: self.accounts,
            nodes: self.nodes,
            subnets: self.subnets,
            next_netuid,
            resting: self.resting,
            last_lock,
            votes: self.votes,
            // Without one of its own, the record says that both are the same.
            last_validators: last_validators.map(Arc::new).or_else(|| validators.clone()),
            validators,
            anchors: self.anchors,
            roster: self.roster,
            governance: self.governance,
            proxies: self.proxies,
        })
    }
}
