//! A small mesh to try things on: keys, a first state, and blocks of signed transactions.

use nervure_ledger::{
    block::BlockContext,
    economics::{burn::BurnRule, lock::LockRule},
    event::Event,
    governance::GovernanceRules,
    params::Params,
    spec::{AccountSpec, MeshSpec, NodeSpec, Role},
    state::{InvalidTransaction, LedgerState},
    subnet::{Hyperparameters, Subnet},
    transaction::{Call, Checked, Outcome, RegisterNode, Rejection, SignerKey, Transaction, consent},
    tree::{Key, changes},
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
        min_base_fee: 8,
        deposit_per_byte: 1,
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
        max_tempo: 50_400,
        max_registrations: 1_000,
        subnet_share: 500_000,
        share_interval: 5,
        hyperparameter_interval: 3,
        min_tempo: 2,
        election_interval: 4,
        min_self_stake: 1_000,
        liveness_window: 8,
        jail_time: 5,
        governance: GovernanceRules {
            deposit: 1_000,
            vote_deposit: 10,
            voting_period: 12,
            delay: 1,
            // So that a base fee is recycled as a whole.
            treasury_permille: 0,
            ..GovernanceRules::default()
        },
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
    /// What was paid for the transactions of the last block, in base units.
    pub(crate) paid: u64,
    /// The tip of what is signed, in base units.
    pub(crate) tip: u64,
}

/// More than any transaction costs here.
pub(crate) const FEE: u64 = 1_000_000;

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
        let mut accounts: Vec<_> = (0..KEYS).map(rich).collect();
        // They own themselves, and pay for what is not free.
        let own = |index: u8| AccountSpec::new(node(index).node_id(), units(1_000_000_000_000));
        accounts.extend([200, 201].map(own));
        let spec = MeshSpec { nodes, accounts, economy: params, ..MeshSpec::test("laws") };
        let state = LedgerState::genesis(&spec).unwrap();
        Self { spec, state, paid: 0, tip: 0 }
    }

    /// `call`, signed with the nonce that is due after `before` earlier transactions. A validator's is free.
    pub(crate) fn sign(&self, key: &NodeKey, call: Call, before: u64) -> Envelope {
        let id = key.node_id();
        let (nonce, fee) = match call.signer() {
            SignerKey::Owner => (self.state.accounts().get(&id).nonce, FEE),
            SignerKey::Node => {
                let is_free = self.state.lane_scope(&call, &id).is_ok_and(|scope| scope.is_some());
                let nonce = self.state.nodes().get(&id).map_or(0, |node| node.nonce);
                (nonce, if is_free { 0 } else { FEE })
            }
        };
        self.seal(key, Transaction { nonce: nonce + before, fee: units(fee), ..self.terms(call) })
    }

    /// A transaction with the first nonce, that is paid for and has a while to go.
    pub(crate) fn terms(&self, call: Call) -> Transaction {
        let expiry = BlockHeight(self.state.height().0 + 100);
        Transaction { nonce: 0, fee: units(FEE), tip: units(self.tip), expiry, call }
    }

    pub(crate) fn seal(&self, key: &NodeKey, transaction: Transaction) -> Envelope {
        transaction.seal(key, &self.state.mesh()).unwrap()
    }

    pub(crate) fn consent(&self, node: &NodeKey, owner: &NodeId) -> Envelope {
        consent(node, owner, &self.state.mesh()).unwrap()
    }

    /// What the next block would make of the state, unless it is invalid.
    pub(crate) fn try_after(
        &self,
        transactions: &[Envelope],
    ) -> Result<(LedgerState, Vec<Event>), InvalidTransaction> {
        let mut next = self.state.clone();
        let checked: Vec<_> = transactions.iter().map(|one| Checked::new(one, &next.mesh())).collect();
        let events = next.advance(&context(), &checked)?;
        Ok((next, events))
    }

    /// What the next block would make of the state.
    pub(crate) fn after(&self, transactions: &[Envelope]) -> (LedgerState, Vec<Event>) {
        self.try_after(transactions).unwrap()
    }

    /// Empty blocks, each of which says that all validators but `absent` signed the one before. Returns what happened.
    pub(crate) fn wait_without(&mut self, absent: &[NodeId], blocks: u64) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..blocks {
            let members = self.state.roster().liveness().map(|(member, _)| *member);
            let signers = members.filter(|member| !absent.contains(member)).collect();
            let context = BlockContext { signers, ..BlockContext::default() };
            events.extend(self.state.advance(&context, &[]).unwrap());
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
        self.paid = events.iter().map(paid).sum();
        events
    }

    /// Applies one call in a block of its own.
    pub(crate) fn call(&mut self, key: &NodeKey, call: Call) -> Result<Outcome, Rejection> {
        let envelope = self.sign(key, call, 0);
        match self.apply(vec![envelope]).remove(0) {
            Event::Applied { outcome, .. } => Ok(outcome),
            Event::Rejected { rejection, .. } => Err(rejection),
            other => panic!("{other:?}"),
        }
    }

    /// The only call of a block that rejects it, or that it makes invalid.
    pub(crate) fn refusal(&mut self, key: &NodeKey, call: Call) -> Rejection {
        let envelope = self.sign(key, call, 0);
        self.refused(envelope)
    }

    /// The only transaction of a block, which rejects it; checks that nothing is left of it but its nonce and what was
    /// paid for it. Or one that no block may have.
    pub(crate) fn refused(&mut self, envelope: Envelope) -> Rejection {
        match self.try_after(std::slice::from_ref(&envelope)) {
            Err(invalid) => return invalid.reason,
            Ok((after, _)) => self.assert_only_paid(&after, envelope.signer()),
        }
        match self.apply(vec![envelope]).remove(0) {
            Event::Rejected { rejection, .. } => rejection,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Checks that a block with a rejected transaction of `signer` differs from an empty one by its nonce and by what was
    /// paid for it alone.
    pub(crate) fn assert_only_paid(&self, after: &LedgerState, signer: NodeId) {
        let (empty, _) = self.after(&[]);
        let payer = self.state.nodes().get(&signer).map_or(signer, |node| node.owner);
        for key in changes(Some(&empty), after).into_keys() {
            match key {
                Key::Chain => {}
                Key::Account(of) => assert!([payer, signer, proposer()].contains(&of), "{key}"),
                Key::Node(of) | Key::Lane(_, of) => assert_eq!(of, signer, "{key}"),
                other => panic!("a rejected transaction changed {other}"),
            }
        }
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

/// The validator that proposes all blocks; it owns itself.
pub(crate) fn proposer() -> NodeId {
    node(200).node_id()
}

pub(crate) fn context() -> BlockContext {
    BlockContext { proposer: Some(proposer()), ..BlockContext::default() }
}

/// What was paid for the transaction of an event, in base units.
pub(crate) fn paid(event: &Event) -> u64 {
    match event {
        Event::Applied { paid, .. } | Event::Rejected { paid, .. } => paid.base_units(),
        Event::Epoch { .. }
        | Event::EpochFailed { .. }
        | Event::ValidatorJailed { .. }
        | Event::ValidatorRemoved { .. }
        | Event::ProposalCounted { .. }
        | Event::ProposalDone { .. }
        | Event::ProposalFailed { .. } => 0,
    }
}
