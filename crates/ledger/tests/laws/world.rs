//! A small mesh to try things on: keys, a first state, and blocks of signed transactions.

use std::collections::BTreeMap;

use nervure_ledger::{
    block::{Block, Event},
    params::Params,
    spec::{MeshSpec, NodeSpec, Role},
    state::State,
    transaction::{Call, Outcome, Refusal, Transaction, consent},
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
    Params { min_fee: 10, min_stake: 100, unbonding: 3, take_interval: 4, ..Params::default() }
}

/// A mesh with a validator and a miner, and owners with 1,000 tokens each.
pub(crate) struct World {
    pub(crate) state: State,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(params())
    }

    pub(crate) fn with(params: Params) -> Self {
        let listed = |index: u8, role, stake| NodeSpec {
            id: node(200 + index).node_id(),
            role,
            netuids: vec![Netuid(1)],
            stake: units(stake),
        };
        let nodes = vec![listed(0, Role::Validator, 1_000_000), listed(1, Role::Miner, 0)];
        let spec = MeshSpec { nodes, ..MeshSpec::local("laws") };
        let balances: BTreeMap<_, _> =
            (0..KEYS).map(|index| (owner(index).node_id(), units(1_000_000_000_000))).collect();
        Self { state: State::genesis(&spec, params, &balances).unwrap() }
    }

    /// `call`, signed with the nonce that is due after `before` earlier transactions.
    pub(crate) fn sign(&self, key: &NodeKey, call: Call, before: u64) -> Envelope {
        let nonce = self.state.accounts().get(&key.node_id()).nonce + before;
        Transaction { nonce, fee: units(10), expiry: BlockHeight(u64::MAX), call }
            .seal(key, &self.state.mesh())
            .unwrap()
    }

    pub(crate) fn consent(&self, node: &NodeKey, owner: &NodeId) -> Envelope {
        consent(node, owner, &self.state.mesh()).unwrap()
    }

    pub(crate) fn block(&self, transactions: Vec<Envelope>) -> Block {
        Block { height: BlockHeight(self.state.height().0 + 1), transactions }
    }

    /// Applies a block and checks that nothing was lost or minted beyond the reward.
    pub(crate) fn apply(&mut self, transactions: Vec<Envelope>) -> Vec<Event> {
        let (next, events) = self.state.apply(&self.block(transactions)).unwrap();
        assert_eq!(next.held(), u128::from(next.issuance()), "conservation at block {}", next.height());
        self.state = next;
        events
    }

    /// Applies one call in a block of its own.
    pub(crate) fn call(&mut self, key: &NodeKey, call: Call) -> Result<Outcome, Refusal> {
        let envelope = self.sign(key, call, 0);
        match self.apply(vec![envelope]).remove(0) {
            Event::Applied { outcome, .. } => Ok(outcome),
            Event::Refused { refusal, .. } => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn balance(&self, key: &NodeKey) -> u64 {
        self.state.accounts().get(&key.node_id()).balance.base_units()
    }
}
