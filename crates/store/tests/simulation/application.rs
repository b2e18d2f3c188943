//! The real ledger as an application of the simulation: blocks of signed transactions, executed, and committed to a
//! real store on a disk that loses what was not synced.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    rc::Rc,
    sync::Arc,
};

use nervure_consensus::{
    bft::{
        Application, Block, BlockStamp, CommitError, SignedVote, Turn,
        simulation::{Genesis, Outcome, Plan, run},
    },
    checkpoint::{CommitCertificate, ValidatorSet},
};
use nervure_ledger::{block, event::Event, proposals::Proposals, spec::MeshSpec, testing::simulated};
use nervure_primitives::{BlockHeight, Hash, NodeId};
use nervure_store::{History, Store, StoreError, StoreOptions};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    crowd::{self, Crowd},
    disk::Disk,
};

/// A store for a few blocks.
const OPTIONS: StoreOptions =
    StoreOptions { retain: 2, history: History::Archive, cache: 1 << 20, durable: true };

/// Plays `plan` with the real ledger, on disks that sync when they say so, or that lie; and what the nodes'
/// blocks did, by kind.
pub(crate) fn run_ledger(mut plan: Plan, honest_disks: bool) -> (Outcome, BTreeMap<String, u64>) {
    let spec = Rc::new(crowd::spec(&plan));
    plan.mesh = spec.mesh_id();
    let (crowd, done) = (Crowd::new(&plan), Rc::default());
    let outcome = run(&plan, |genesis| Ledger::new(&spec, &crowd, genesis, (honest_disks, Rc::clone(&done))));
    (outcome, done.take())
}

/// A node's ledger.
pub(crate) struct Ledger {
    spec: Rc<MeshSpec>,
    crowd: Crowd,
    rng: ChaCha8Rng,
    disk: Disk,
    honest_disk: bool,
    /// What committed blocks did, by kind.
    done: Rc<RefCell<BTreeMap<String, u64>>>,
    /// None only while it is opened.
    open: Option<(Store, Proposals)>,
    started: bool,
}

impl Ledger {
    fn new(
        spec: &Rc<MeshSpec>,
        crowd: &Crowd,
        genesis: &Genesis,
        (honest_disk, done): (bool, Rc<RefCell<BTreeMap<String, u64>>>),
    ) -> Self {
        let seed =
            Hash::of("nervure/simulation/ledger", &[&genesis.salt.to_be_bytes(), spec.mesh_id().as_bytes()]);
        let rng = ChaCha8Rng::from_seed(*seed.as_bytes());
        let disk = Disk::new(Vec::new(), honest_disk);
        let (spec, crowd) = (spec.clone(), crowd.clone());
        let mut ledger = Self { spec, crowd, rng, disk, honest_disk, done, open: None, started: false };
        ledger.open();
        ledger
    }

    /// Opens what is on the disk; a store that is lost begins again, which the simulation finds out.
    fn open(&mut self) {
        let opened = open(&self.disk, &self.spec).or_else(|_| {
            self.disk = Disk::new(Vec::new(), self.honest_disk);
            open(&self.disk, &self.spec)
        });
        self.open = opened.ok();
    }

    fn parts(&self) -> &(Store, Proposals) {
        match &self.open {
            Some(parts) => parts,
            None => unreachable!("an empty disk can be opened"),
        }
    }

    fn parts_mut(&mut self) -> &mut (Store, Proposals) {
        match &mut self.open {
            Some(parts) => parts,
            None => unreachable!("an empty disk can be opened"),
        }
    }

    /// Hears of a part of what people want.
    fn listen(&mut self) {
        let wishes = self.crowd.wishes(&self.parts().1.tip().state);
        for wish in wishes {
            if self.rng.random_bool(0.8) {
                // The pool may well refuse it.
                let _ = self.parts_mut().1.insert(wish);
            }
        }
    }
}

/// What an event is called: the kind of what was carried out, else its own.
fn name(event: &Event) -> String {
    let words = match event {
        Event::Applied { outcome, .. } => format!("{outcome:?}"),
        other => format!("{other:?}"),
    };
    words.chars().take_while(|letter| letter.is_alphanumeric()).collect()
}

fn open(disk: &Disk, spec: &MeshSpec) -> Result<(Store, Proposals), StoreError> {
    let (store, tip) = Store::open_on(disk.clone(), spec, OPTIONS)?;
    let certificate = store.read()?.certificate(tip.header.height)?;
    let certificate = certificate.and_then(|bytes| CommitCertificate::decode(&bytes).ok());
    Ok((store, Proposals::new(tip, certificate, NonZeroUsize::MIN)))
}

impl Application for Ledger {
    fn height(&self) -> BlockHeight {
        self.parts().1.tip().header.height
    }

    fn validators(&self) -> Arc<ValidatorSet> {
        match self.parts().1.tip().state.validators() {
            Some(validators) => validators.clone(),
            None => unreachable!("every plan has validators with stake"),
        }
    }

    fn silent(&self) -> BTreeSet<NodeId> {
        self.parts().1.tip().state.silent_validators()
    }

    fn late_precommit(&mut self, vote: &SignedVote) {
        self.parts_mut().1.late_precommit(vote);
    }

    fn propose(&mut self, turn: Turn) -> Block {
        self.listen();
        let (store, chain) = self.parts_mut();
        match store.read() {
            Ok(reader) => simulated::propose(chain, &reader, turn),
            Err(error) => panic!("the store cannot be read: {error}"),
        }
    }

    fn id_of(&self, body: &[u8]) -> Option<Hash> {
        simulated::id_of(body)
    }

    fn stamp_of(&self, body: &[u8]) -> Option<BlockStamp> {
        simulated::stamp_of(body)
    }

    fn validate(&mut self, body: &[u8]) -> bool {
        let (store, chain) = self.parts_mut();
        let (Ok(block), Ok(reader)) = (block::Block::decode(body), store.read()) else { return false };
        chain.check(&reader, &block).is_ok()
    }

    fn commit(&mut self, certificate: &CommitCertificate, body: &[u8]) -> Result<(), CommitError> {
        let failed = |error: &dyn std::fmt::Display| CommitError(error.to_string());
        let (store, chain) = self.parts_mut();
        let block = block::Block::decode(body).map_err(|error| failed(&error))?;
        let reader = store.read().map_err(|error| failed(&error))?;
        // Those who agreed may have done so while this node did not run.
        if let Err(error) = chain.check(&reader, &block) {
            panic!("validators agreed on a block that does not follow: {error}");
        }
        let proof = certificate.encode().map_err(|error| failed(&error))?;
        if let Some(next) = chain.take(&certificate.value) {
            store.commit(&next, Some(&proof)).map_err(|error| failed(&error))?;
            let elected = chain.tip().header.next_validators != next.block.header.next_validators;
            chain.committed(&next, certificate);
            let state = &chain.tip().state;
            assert_eq!(state.held(), u128::from(state.issuance()), "tokens were lost or made");
            let mut done = self.done.borrow_mut();
            let names = next.events.iter().map(name).chain(elected.then(|| "Elected".to_owned()));
            names.for_each(|name| *done.entry(name).or_default() += 1);
        }
        Ok(())
    }

    fn state_root(&self) -> Hash {
        self.parts().1.tip().header.state
    }

    fn restart(&mut self) {
        if std::mem::replace(&mut self.started, true) {
            let found = self.disk.after_crash(&mut self.rng);
            self.disk = Disk::new(found, self.honest_disk);
            self.open();
        }
    }

    fn power_fails_after(&mut self, writes: u32) {
        self.disk.fails_after(writes as usize);
    }
}
