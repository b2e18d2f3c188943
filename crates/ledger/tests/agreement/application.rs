//! The ledger as the application of the simulation: what a node does with blocks, its mempool and evidence, in memory.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    rc::Rc,
    sync::Arc,
};

use nervure_consensus::{
    bft::{
        Application, Block, BlockStamp, CommitError, Equivocation, SignedVote, Turn,
        simulation::{Outcome, run},
    },
    checkpoint::{CommitCertificate, ValidatorSet},
};
use nervure_ledger::{
    block,
    chain::{Next, Tip},
    proposals::Proposals,
    testing::simulated,
    transaction::SignedTransaction,
    tree::MemoryTree,
};
use nervure_primitives::{Envelope, Hash, MeshId, NodeId, NodeKey, UnixMillis};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    owners,
    scenario::{Defences, INTERVAL, Scenario},
    watch::{Seen, Watch},
};

/// What the nodes of a run share: the network that carries transactions, and the observer of all.
struct Mesh {
    id: MeshId,
    /// Transactions that were gossiped, with the height before. Each node hears of most of them before it proposes. Their
    /// signatures are verified once for all nodes, which would find the same.
    gossip: Vec<(u64, SignedTransaction)>,
    /// Blocks of the last heights that some node executed, with what came out.
    executed: BTreeMap<Hash, Next>,
    watch: Watch,
}

impl Mesh {
    fn gossip(&mut self, height: u64, envelopes: Vec<Envelope>) {
        self.gossip.retain(|(sent, _)| sent + owners::LIFETIME > height);
        let verified = envelopes.into_iter().map(|envelope| SignedTransaction::verify(envelope, &self.id));
        self.gossip.extend(verified.map(|signed| (height, signed)));
    }
}

/// Plays a scenario.
pub(crate) fn play(mut scenario: Scenario) -> (Outcome, Seen) {
    let spec = scenario.spec();
    scenario.plan.mesh = spec.mesh_id();
    let (tip, update) = match Tip::genesis(&spec) {
        Ok(genesis) => genesis,
        Err(error) => panic!("a drawn mesh has no genesis: {error}"),
    };
    let mut tree = MemoryTree::default();
    tree.accept(update);
    let scenario = Rc::new(scenario);
    let watch = Watch::new(scenario.clone(), &tip.state);
    let mut mesh = Mesh { id: spec.mesh_id(), gossip: Vec::new(), executed: BTreeMap::new(), watch };
    mesh.gossip(0, scenario.wishes(&tip.state));
    let mesh = Rc::new(RefCell::new(mesh));
    let outcome = run(&scenario.plan, |genesis| {
        let Some((key, behaviour)) = scenario.key_of(genesis.salt as usize) else {
            unreachable!("instances are those of the plan")
        };
        Ledger {
            scenario: scenario.clone(),
            mesh: mesh.clone(),
            key: key.clone(),
            is_honest: behaviour.is_honest(),
            rng: ChaCha8Rng::seed_from_u64(scenario.plan.seed ^ genesis.salt << 48),
            instance: genesis.salt,
            chain: Proposals::new(tip.clone(), None, NonZeroUsize::MIN),
            last_commit: None,
            tree: tree.clone(),
            evidence: Vec::new(),
            former: None,
        }
    });
    let seen = mesh.borrow_mut().watch.finish();
    (outcome, seen)
}

/// A node's ledger.
struct Ledger {
    scenario: Rc<Scenario>,
    mesh: Rc<RefCell<Mesh>>,
    key: NodeKey,
    is_honest: bool,
    rng: ChaCha8Rng,
    instance: u64,
    chain: Proposals,
    last_commit: Option<CommitCertificate>,
    tree: MemoryTree,
    /// Equivocations that it found and the ledger has not punished.
    evidence: Vec<Equivocation>,
    /// The validators before the last election, in a node that applies elections too late.
    former: Option<Arc<ValidatorSet>>,
}

impl Ledger {
    fn defences(&self) -> Defences {
        self.scenario.defences
    }

    /// Hears of a part of what was gossiped.
    fn listen(&mut self) {
        let mesh = self.mesh.clone();
        for (_, signed) in &mesh.borrow().gossip {
            if !self.chain.pool().contains(&signed.checked().id()) && self.rng.random_bool(0.8) {
                // The pool may well refuse it.
                let _ = self.chain.insert_verified(signed.clone());
            }
        }
    }

    /// Reports what it found, until the ledger has punished it.
    fn report(&mut self) {
        let state = &self.chain.tip().state;
        self.evidence.retain(|evidence| {
            let is_over = state.roster().tombstone(&evidence.culprit()).is_some();
            !is_over && evidence.position().height.0 + 4 * INTERVAL > state.height().0
        });
        let due: Vec<Envelope> = self
            .evidence
            .iter()
            .filter(|evidence| state.alleged_offence(evidence).is_ok())
            .filter_map(|evidence| owners::report(&self.key, evidence, state))
            .collect();
        self.mesh.borrow_mut().gossip(state.height().0, due);
    }
}

impl Application for Ledger {
    fn height(&self) -> nervure_primitives::BlockHeight {
        self.chain.tip().header.height
    }

    fn validators(&self) -> Arc<ValidatorSet> {
        let set = self.chain.tip().state.validators();
        match self.former.as_ref().or(set) {
            Some(validators) => validators.clone(),
            None => unreachable!("every plan has validators with stake"),
        }
    }

    fn silent(&self) -> BTreeSet<NodeId> {
        if !self.defences().order {
            return BTreeSet::new();
        }
        self.chain.tip().state.silent_validators()
    }

    fn late_precommit(&mut self, vote: &SignedVote) {
        self.chain.late_precommit(vote);
    }

    fn equivocation(&mut self, evidence: &Equivocation) {
        self.mesh.borrow_mut().watch.found(evidence.culprit());
        if self.defences().reports && self.evidence.len() < 4 {
            self.evidence.push(*evidence);
        }
    }

    fn propose(&mut self, turn: Turn) -> Block {
        self.listen();
        // Two blocks of an equivocator have to differ.
        let shift = if self.is_honest { 0 } else { self.rng.random_range(0..20) };
        let turn = Turn { now: UnixMillis(turn.now.0 + shift), ..turn };
        simulated::propose(&mut self.chain, &self.tree, turn)
    }

    fn id_of(&self, body: &[u8]) -> Option<Hash> {
        simulated::id_of(body)
    }

    fn stamp_of(&self, body: &[u8]) -> Option<BlockStamp> {
        simulated::stamp_of(body)
    }

    fn validate(&mut self, body: &[u8]) -> bool {
        let Ok(block) = block::Block::decode(body) else { return false };
        let id = block.header.id();
        if self.chain.holds(&id) {
            return true;
        }
        // A signature costs most of a run. Some nodes take what came out for another one that executed the same block
        // on the same state: its header commits to both.
        let follows = block.header.parent == self.chain.tip().header.id();
        if follows && self.mesh.borrow().executed.contains_key(&id) && self.rng.random_bool(0.7) {
            return true;
        }
        let is_valid = self.chain.check(&self.tree, &block).is_ok();
        if let Some(next) = self.chain.get(&id).filter(|_| is_valid) {
            self.mesh.borrow_mut().executed.insert(id, next.clone());
        }
        is_valid
    }

    fn commit(&mut self, certificate: &CommitCertificate, _body: &[u8]) -> Result<(), CommitError> {
        let own = self.chain.take(&certificate.value);
        let Some(next) = own.or_else(|| self.mesh.borrow().executed.get(&certificate.value).cloned()) else {
            return Err(CommitError("a block that was not validated".into()));
        };
        let before = self.chain.tip().clone();
        self.tree.accept(next.update.clone());
        self.chain.committed(&next, certificate);
        self.last_commit = Some(certificate.clone());
        if !self.defences().sets && self.instance % 2 == 1 {
            self.former = before.state.validators().cloned();
        }
        if self.is_honest {
            let is_first = self.mesh.borrow_mut().watch.committed(&before, &next, certificate.round);
            if is_first {
                let wishes = self.scenario.wishes(&next.state);
                let mut mesh = self.mesh.borrow_mut();
                mesh.gossip(next.state.height().0, wishes);
                let height = next.state.height().0;
                mesh.executed.retain(|_, other| other.state.height().0 + 8 > height);
            }
            self.report();
        }
        Ok(())
    }

    fn state_root(&self) -> Hash {
        self.chain.tip().header.state
    }

    fn restart(&mut self) {
        let tip = self.chain.tip().clone();
        self.chain = Proposals::new(tip, self.last_commit.clone(), NonZeroUsize::MIN);
    }
}
