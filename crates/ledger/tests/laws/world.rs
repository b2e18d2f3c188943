//! A small mesh to try things on: keys, a first state, and blocks of signed transactions.

use nervure_ledger::{
    block::BlockContext,
    economics::{burn::BurnRule, lock::LockRule},
    event::Event,
    params::Params,
    spec::{AccountSpec, MeshSpec, NodeSpec, Role},
    state::LedgerState,
    subnet::{Hyperparameters, Subnet},
    transaction::{Call, Checked, Outcome, RegisterNode, Rejection, SignerKey, Transaction, consent},
};
use nervure_primitives::{Amount, BlockHeight, Envelope, Netuid, NodeId, NodeKey};

/// How many owners and how many spare node keys there are.
pub(crate) const KEYS: u8 = 4;

pub(crate) fn owner(index: u8) -> NodeKey {
    NodeKey::from_seed(&[100 + index; 32])
}

pub(crate) fn node(index: u8) -> NodeKey {
    NodeKey::from_seed(&[index; 32])
}

pub(crate) fn units(units: u64) -> Amount {
    Amount::from_base_units(units)
}

/// Parameters with short times and low prices.
pub(crate) fn params() -> Params {
    Params {
        min_fee: 10,
        min_stake: 100,
        unbonding: 3,
        take_interval: 4,
        burn: BurnRule { half_life: 10, floor: 1_000, ceiling: 1_000_000, ..BurnRule::default() },
        lock: LockRule { floor: 1_000_000, interval: 10 },
        slots: 14,
        max_subnets: 3,
        subnet_immunity: 6,
        emission_average: 10,
        vote_interval: 2,
        max_commits: 2,
        hyperparameter_interval: 3,
        min_tempo: 2,
        election_interval: 4,
        min_self_stake: 1_000,
        liveness_window: 8,
        jail_time: 5,
        subnet: Hyperparameters {
            tempo: 5,
            activity_milli: 20_000,
            max_validators: 3,
            immunity: 4,
            weights_interval: 2,
            ..Hyperparameters::default()
        },
        ..Params::default()
    }
}

/// A mesh with a validator and a miner, and owners with 1,000 tokens each.
pub(crate) struct World {
    pub(crate) spec: MeshSpec,
    pub(crate) state: LedgerState,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(params())
    }

    pub(crate) fn with(params: Params) -> Self {
        let listed = |index: u8, role, stake| {
            NodeSpec::new(node(200 + index).node_id(), role).in_subnets([Netuid(1)]).with_stake(units(stake))
        };
        let nodes = vec![listed(0, Role::Validator, 1_000_000), listed(1, Role::Miner, 0)];
        let rich = |index| AccountSpec::new(owner(index).node_id(), units(1_000_000_000_000));
        let accounts = (0..KEYS).map(rich).collect();
        let spec = MeshSpec { nodes, accounts, economy: params, ..MeshSpec::test("laws") };
        let state = LedgerState::genesis(&spec).unwrap();
        Self { spec, state }
    }

    /// `call`, signed with the nonce that is due after `before` earlier transactions.
    pub(crate) fn sign(&self, key: &NodeKey, call: Call, before: u64) -> Envelope {
        let (nonce, fee) = if call.signer() == SignerKey::Node {
            (self.state.nodes().get(&key.node_id()).map_or(0, |node| node.nonce), 0)
        } else {
            (self.state.accounts().get(&key.node_id()).nonce, 10)
        };
        Transaction { nonce: nonce + before, fee: units(fee), expiry: BlockHeight(u64::MAX), call }
            .seal(key, &self.state.mesh())
            .unwrap()
    }

    pub(crate) fn consent(&self, node: &NodeKey, owner: &NodeId) -> Envelope {
        consent(node, owner, &self.state.mesh()).unwrap()
    }

    /// What the next block would make of the state.
    pub(crate) fn after(&self, transactions: &[Envelope]) -> (LedgerState, Vec<Event>) {
        let mut next = self.state.clone();
        let checked: Vec<_> = transactions.iter().map(|one| Checked::new(one, &next.mesh())).collect();
        let events = next.advance(&BlockContext::default(), &checked);
        (next, events)
    }

    /// Empty blocks, each of which says that all validators but `absent` signed the one before. Returns what happened.
    pub(crate) fn wait_without(&mut self, absent: &[NodeId], blocks: u64) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..blocks {
            let members = self.state.roster().liveness().map(|(member, _)| *member);
            let signers = members.filter(|member| !absent.contains(member)).collect();
            let context = BlockContext { signers, ..BlockContext::default() };
            events.extend(self.state.advance(&context, &[]));
            assert_eq!(self.state.held(), u128::from(self.state.issuance()));
        }
        events
    }

    /// The validators of the next block.
    pub(crate) fn elected(&self) -> Vec<NodeId> {
        self.state.validators().unwrap().members().iter().map(|member| member.node).collect()
    }

    /// Empty blocks up to the next election.
    pub(crate) fn next_election(&mut self) {
        let blocks = self.state.next_election().0 - self.state.height().0;
        self.wait(blocks);
    }

    /// Applies a block and checks that nothing was lost or minted beyond the reward.
    pub(crate) fn apply(&mut self, transactions: Vec<Envelope>) -> Vec<Event> {
        let (next, events) = self.after(&transactions);
        assert_eq!(next.held(), u128::from(next.issuance()), "conservation at block {}", next.height());
        self.state = next;
        events
    }

    /// Applies one call in a block of its own.
    pub(crate) fn call(&mut self, key: &NodeKey, call: Call) -> Result<Outcome, Rejection> {
        let envelope = self.sign(key, call, 0);
        match self.apply(vec![envelope]).remove(0) {
            Event::Applied { outcome, .. } => Ok(outcome),
            Event::Refused { refusal, .. } => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    /// The only call of a block, refused; checks that it left no trace.
    pub(crate) fn refusal(&mut self, key: &NodeKey, call: Call) -> Rejection {
        let envelope = self.sign(key, call, 0);
        self.refused(envelope)
    }

    /// The only transaction of a block, refused; checks that it left no trace.
    pub(crate) fn refused(&mut self, envelope: Envelope) -> Rejection {
        let (empty, _) = self.after(&[]);
        let Event::Refused { refusal, .. } = self.apply(vec![envelope]).remove(0) else {
            panic!("not refused")
        };
        assert_eq!(self.state, empty, "a refused transaction left a trace");
        refusal
    }

    /// Makes `node(key)` a node of `owner(who)`.
    pub(crate) fn register(&mut self, who: u8, key: u8) -> NodeId {
        let consent = self.consent(&node(key), &owner(who).node_id());
        self.call(&owner(who), Call::RegisterNode(RegisterNode { consent })).unwrap();
        node(key).node_id()
    }

    /// Empty blocks.
    pub(crate) fn wait(&mut self, blocks: u64) {
        (0..blocks).for_each(|_| drop(self.apply(Vec::new())));
    }

    pub(crate) fn subnet(&self, netuid: u16) -> &Subnet {
        &self.state.subnets()[&Netuid(netuid)]
    }

    /// Empty blocks until the next epoch of subnet `netuid` begins.
    pub(crate) fn next_epoch(&mut self, netuid: u16) {
        let epoch = self.subnet(netuid).epoch;
        while self.subnet(netuid).epoch == epoch {
            self.wait(1);
        }
    }

    pub(crate) fn balance(&self, key: &NodeKey) -> u64 {
        self.state.accounts().get(&key.node_id()).balance.base_units()
    }
}
