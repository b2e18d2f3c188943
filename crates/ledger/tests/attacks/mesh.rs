//! A mesh with one honest proposer: its mempool, its blocks, and who signs for it. The simulation `examples/siege` has it too.

use std::num::NonZeroUsize;

use nervure_consensus::checkpoint::CommitCertificate;
use nervure_ledger::{
    chain::{BlockError, Draft, Next, Tip},
    event::Event,
    mempool::MempoolError,
    proposals::Proposals,
    spec::{AccountSpec, MeshSpec, NodeSpec, Role},
    transaction::{Call, SignerKey, Transaction, Transfer},
    tree::MemoryTree,
};
use nervure_primitives::{Amount, BlockHeight, Envelope, Hash, Netuid, NodeId, NodeKey, UnixMillis};

/// Base units of a token.
pub(crate) const TOKEN: u64 = 1_000_000_000;

/// Tokens that exist when an attack begins.
pub(crate) const SUPPLY: u64 = 8_000_000;

pub(crate) fn key(number: u64) -> NodeKey {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    NodeKey::from_seed(&seed)
}

pub(crate) fn units(units: u64) -> Amount {
    Amount::from_base_units(units)
}

/// The validator, which owns itself.
pub(crate) fn validator() -> NodeKey {
    key(1)
}

/// Who wants to pay another user.
pub(crate) fn honest() -> NodeKey {
    key(2)
}

pub(crate) fn pay(amount: u64) -> Call {
    Call::Transfer(Transfer { to: key(3).node_id(), amount: units(amount), memo: None })
}

/// The chain of a mesh with a validator, an honest account, and `others`.
pub(crate) struct Mesh {
    pub(crate) proposals: Proposals,
    pub(crate) tree: MemoryTree,
    /// Who signs a block, as far as they are in office. The first one proposes.
    signers: Vec<NodeKey>,
}

/// The terms of a transaction.
#[derive(Clone, Copy)]
pub(crate) struct Offer {
    pub(crate) nonce: u64,
    pub(crate) fee: u64,
    pub(crate) tip: u64,
}

impl Mesh {
    /// Blocks have room for about a hundred transfers: what holds for small blocks holds for large ones.
    pub(crate) fn new(others: &[(NodeKey, u64)]) -> Self {
        let mut spec = MeshSpec::public("attacked");
        spec.consensus.block_milliseconds = 100;
        let node = NodeSpec::new(validator().node_id(), Role::Validator).in_subnets([Netuid(1)]);
        spec.nodes = vec![node.with_stake(units(1_000 * TOKEN))];
        let accounts = others.iter().map(|(key, balance)| (key.node_id(), *balance));
        let all = accounts.chain([(honest().node_id(), 1_000 * TOKEN), (validator().node_id(), TOKEN)]);
        spec.accounts = all.map(|(owner, balance)| AccountSpec::new(owner, units(balance))).collect();
        Self::of(&spec, vec![validator()])
    }

    /// The chain of a mesh whose blocks `signers` make.
    pub(crate) fn of(spec: &MeshSpec, signers: Vec<NodeKey>) -> Self {
        let (tip, update) = Tip::genesis(spec).unwrap();
        let mut tree = MemoryTree::default();
        tree.accept(update);
        Self { proposals: Proposals::new(tip, None, NonZeroUsize::MIN), tree, signers }
    }

    pub(crate) fn tip(&self) -> &Tip {
        self.proposals.tip()
    }

    /// What a block with these transactions would do, if it is valid.
    pub(crate) fn next(&self, transactions: Vec<Envelope>) -> Result<Next, BlockError> {
        self.tip().next(&self.tree, Draft::uncertified(self.tip(), transactions), NonZeroUsize::MIN)
    }

    /// One block of what waits, as its proposer makes it and as others accept it; what became of its transactions.
    pub(crate) fn block(&mut self) -> Vec<Event> {
        let by = (self.signers[0].node_id(), UnixMillis(1));
        let (id, _) = self.proposals.make(&self.tree, by).unwrap();
        let next = self.proposals.take(&id).unwrap();
        let checked = self.tip().check(&self.tree, &next.block, NonZeroUsize::MIN).unwrap();
        assert_eq!(checked.block, next.block, "an honest proposal is valid");
        self.tree.accept(next.update.clone());
        let header = &next.block.header;
        let in_office = self.tip().state.validators().unwrap();
        let signers = self.signers.iter().filter(|key| in_office.contains(&key.node_id()));
        let signed = CommitCertificate::sign(&header.mesh, (header.height, id), signers).unwrap();
        self.proposals.committed(&next, &signed);
        let state = &self.tip().state;
        assert_eq!(state.held(), u128::from(state.issuance()), "tokens were lost or made");
        next.events.into_iter().filter(|event| !matches!(event, Event::Epoch { .. })).collect()
    }

    pub(crate) fn balance(&self, owner: &NodeId) -> u64 {
        self.tip().state.accounts().get(owner).balance.base_units()
    }

    /// What the ledger says is the next nonce of `key`.
    pub(crate) fn nonce(&self, key: &NodeKey, signer: SignerKey) -> u64 {
        let state = &self.tip().state;
        match signer {
            SignerKey::Owner => state.accounts().get(&key.node_id()).nonce,
            SignerKey::Node => state.nodes().get(&key.node_id()).map_or(0, |node| node.nonce),
        }
    }

    pub(crate) fn seal(&self, key: &NodeKey, offer: Offer, call: Call) -> Envelope {
        let Offer { nonce, fee, tip } = offer;
        let expiry = BlockHeight(self.tip().header.height.0 + 50);
        Transaction { nonce, fee: units(fee), tip: units(tip), expiry, call }
            .seal(key, &self.tip().header.mesh)
            .unwrap()
    }

    pub(crate) fn send(&mut self, key: &NodeKey, offer: Offer, call: Call) -> Result<Hash, MempoolError> {
        let envelope = self.seal(key, offer, call);
        self.proposals.insert(envelope)
    }

    /// The going fee of `call` as a wallet computes it: enough for four full blocks, and a tenth more than the tip that the
    /// last place of a block pays now.
    pub(crate) fn going(&self, call: &Call) -> Offer {
        let state = &self.tip().state;
        let weight = Transaction::greatest_weight(call);
        let rate = self.proposals.pool().going_tip(state);
        let tip = (rate + rate.div_ceil(10)).saturating_mul(weight).div_ceil(1_000);
        Offer { nonce: 0, fee: state.base_fee().after_full_blocks(4).cost(weight).saturating_add(tip), tip }
    }
}
