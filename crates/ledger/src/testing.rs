//! A small chain with certificates, for tests: keys, stakes and blocks are the same in every run.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

pub mod simulated;

use std::num::NonZeroUsize;

use nervure_consensus::{
    checkpoint::{CommitCertificate, ValidatorSet},
    yuma::Cell,
};
use nervure_primitives::{Amount, BlockHeight, Envelope, Netuid, NodeKey, UnixMillis};

use crate::{
    block::Block,
    chain::{Draft, Next, Tip},
    checkpoint::Checkpoint,
    spec::{AccountSpec, MeshSpec, NodeSpec, Role},
    state::EpochRecord,
    transaction::{Call, JoinValidators, SetWeights, SignerKey, Stake, Transaction, Unstake},
    tree::{Fact, Key, MemoryTree, StateTree},
};

/// The only subnet.
pub const SUBNET: Netuid = Netuid(1);

/// What each of the first validators stakes, in base units.
const STAKE: u64 = 1_000_000_000;

/// From one block to the next, in milliseconds.
pub const BLOCK_TIME: u64 = 1_000;

/// Keys of which validators are made; each owns itself.
const VALIDATORS: u8 = 12;

/// The key of a validator.
pub fn validator(index: u8) -> NodeKey {
    NodeKey::from_seed(&[50 + index; 32])
}

/// The key of a miner.
pub fn miner(index: u8) -> NodeKey {
    NodeKey::from_seed(&[150 + index; 32])
}

/// Blocks with their certificates, from the genesis on.
pub struct Chain {
    /// What the chain begins with.
    pub spec: MeshSpec,
    /// The genesis, and the state after it.
    pub genesis: Tip,
    /// The last block, and the state after it.
    pub tip: Tip,
    /// All blocks, that of height 1 first.
    pub blocks: Vec<Block>,
    /// The checkpoints of all blocks, that of height 1 first.
    pub checkpoints: Vec<Checkpoint>,
    /// What the last epochs were computed from.
    pub epochs: Vec<EpochRecord>,
    tree: MemoryTree,
    waiting: Vec<Envelope>,
}

impl Chain {
    /// The first `staked` validators have stake, and there are three miners. Weights are plain, epochs end every five
    /// blocks, validators are elected every four.
    pub fn new(staked: u8) -> Self {
        let mut spec = MeshSpec::test("light");
        let economy = &mut spec.economy;
        (economy.subnet.tempo, economy.election_interval) = (5, 4);
        (economy.subnet.commit_reveal, economy.subnet.weights_interval) = (false, 0);
        // What a block adds to a stake while it is being taken back goes with it.
        economy.min_stake = STAKE;
        let listed = |key: NodeKey, role, stake| {
            NodeSpec::new(key.node_id(), role).in_subnets([SUBNET]).with_stake(Amount::from_base_units(stake))
        };
        for index in 0..VALIDATORS {
            let stake = if index < staked { STAKE } else { 0 };
            spec.nodes.push(listed(validator(index), Role::Validator, stake));
            let owner = validator(index).node_id();
            spec.accounts.push(AccountSpec::new(owner, Amount::from_base_units(STAKE * 10)));
        }
        spec.nodes.extend((0..3).map(|index| listed(miner(index), Role::Miner, 0)));
        Self::of(spec)
    }

    /// A chain of another spec with the same validators.
    pub fn of(spec: MeshSpec) -> Self {
        let (tip, update) = Tip::genesis(&spec).unwrap();
        let mut tree = MemoryTree::default();
        tree.accept(update);
        let genesis = tip.clone();
        Self {
            spec,
            tip,
            tree,
            genesis,
            blocks: Vec::new(),
            checkpoints: Vec::new(),
            epochs: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// Puts a call into the next block.
    pub fn call(&mut self, key: &NodeKey, call: Call) {
        let node = key.node_id();
        let (accounts, nodes) = (self.tip.state.accounts(), self.tip.state.nodes());
        let (nonce, fee) = match call.signer() {
            SignerKey::Node => (nodes.get(&node).unwrap().nonce, Amount::ZERO),
            SignerKey::Owner => (accounts.get(&node).nonce, Amount::from_base_units(1_000_000)),
        };
        let before = self.waiting.iter().filter(|envelope| envelope.signer() == node).count() as u64;
        let nonce = nonce.saturating_add(before);
        let expiry = BlockHeight(self.tip.header.height.0 + 100);
        let transaction = Transaction { nonce, fee, tip: Amount::ZERO, expiry, call };
        self.waiting.push(transaction.seal(key, &self.tip.header.mesh).unwrap());
    }

    /// Sets the weights of a validator in the next block.
    pub fn weigh(&mut self, index: u8, weights: &[Cell]) {
        let call = SetWeights { netuid: SUBNET, weights: weights.to_vec(), version_key: 0 };
        self.call(&validator(index), Call::SetWeights(call));
    }

    /// The stake of one validator goes, another stakes and joins.
    pub fn move_stake(&mut self, round: usize) {
        let turn = (round / 4) as u8;
        let (out, into) = (turn % VALIDATORS, (turn + 4) % VALIDATORS);
        let node = validator(out).node_id();
        let amount = self.tip.state.nodes().stake_of(&node, &node);
        if !amount.is_zero() && round.is_multiple_of(4) {
            self.call(&validator(out), Call::Unstake(Unstake { node, amount }));
            let (node, amount) = (validator(into).node_id(), Amount::from_base_units(STAKE));
            self.call(&validator(into), Call::Stake(Stake { node, amount }));
            if !self.tip.state.roster().has_joined(&node) {
                self.call(&validator(into), Call::JoinValidators(JoinValidators { node }));
            }
        }
    }

    /// Makes blocks; the first has what waits.
    pub fn grow(&mut self, blocks: usize) {
        for _ in 0..blocks {
            let draft = self.draft();
            let next = self.tip.next(&self.tree, draft, NonZeroUsize::MIN).unwrap();
            let refused =
                next.events.iter().find(|event| matches!(event, crate::event::Event::Rejected { .. }));
            assert_eq!(refused, None);
            self.take(next);
        }
    }

    /// The next block of what waits: by the first validator of the set, a block time after the tip.
    fn draft(&mut self) -> Draft {
        Draft {
            time: UnixMillis(self.tip.header.time.0 + BLOCK_TIME),
            last_commit: self.checkpoints.last().map(|last| last.certificate.clone()),
            ..Draft::uncertified(&self.tip, std::mem::take(&mut self.waiting))
        }
    }

    fn take(&mut self, next: Next) {
        let validators = self.tip.state.validators().unwrap().as_ref().clone();
        let after = next.state.validators().unwrap().as_ref().clone();
        let header = next.block.header.clone();
        let next_validators = (after != validators).then_some(after);
        let certificate = self.certify(&next, &validators);
        self.checkpoints.push(Checkpoint { header, certificate, validators, next_validators });
        self.blocks.push(next.block.clone());
        self.tree.accept(next.update.clone());
        if !next.epochs.is_empty() {
            self.epochs.clone_from(&next.epochs);
        }
        self.tip = next.tip();
    }

    fn certify(&self, next: &Next, validators: &ValidatorSet) -> CommitCertificate {
        let header = &next.block.header;
        let keys: Vec<NodeKey> =
            (0..VALIDATORS).map(validator).filter(|key| validators.contains(&key.node_id())).collect();
        CommitCertificate::sign(&header.mesh, (header.height, header.id()), &keys).unwrap()
    }

    /// The block at `height`, which is at least 1.
    pub fn checkpoint(&self, height: u64) -> Checkpoint {
        self.checkpoints[height as usize - 1].clone()
    }

    /// What the tip's state says about `key`.
    pub fn fact(&self, key: &Key) -> Fact {
        Fact::new(self.tree.prove(key).unwrap())
    }
}
