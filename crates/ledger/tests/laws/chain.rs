//! Blocks with headers, and snapshots of what they made.

use std::num::NonZeroUsize;

use nervure_consensus::checkpoint::{CertificateError, CommitCertificate};
use nervure_ledger::{
    block::Block,
    chain::{BlockError, Draft, Next, Tip},
    snapshot::{self, SnapshotError},
    spec::MeshSpec,
    tree::MemoryTree,
};
use nervure_primitives::{BlockHeight, Envelope, Hash, MeshId, NodeId, NodeKey, UnixMillis};
use proptest::prelude::*;

use crate::{
    random,
    world::{World, node, owner, units},
};

const ONE: NonZeroUsize = NonZeroUsize::MIN;

/// The chain of a small mesh, its tree, and what signs for it.
struct Chain {
    tip: Tip,
    tree: MemoryTree,
    world: World,
}

impl Chain {
    fn new() -> Self {
        let world = World::new();
        let (tip, update) = Tip::genesis(&world.spec).unwrap();
        let mut tree = MemoryTree::default();
        tree.accept(update);
        Self { tip, tree, world }
    }

    fn next(&self, transactions: Vec<Envelope>) -> Next {
        let draft = Draft { last_commit: self.certificate(), ..Draft::uncertified(&self.tip, transactions) };
        self.tip.next(&self.tree, draft, ONE).unwrap()
    }

    /// The certificate of the tip, by all of its validators.
    fn certificate(&self) -> Option<CommitCertificate> {
        self.sign(self.tip.header.id(), |_| true).filter(|_| self.tip.header.height.0 > 0)
    }

    /// Precommits for `block` by the validators of the tip that `wanted` names.
    fn sign(&self, block: Hash, wanted: impl Fn(&NodeId) -> bool) -> Option<CommitCertificate> {
        let (header, set) = (&self.tip.header, self.tip.state.last_validators()?);
        let signs = |key: &NodeKey| set.contains(&key.node_id()) && wanted(&key.node_id());
        let keys: Vec<_> = (0..=255).map(node).filter(signs).collect();
        CommitCertificate::sign(&header.mesh, (header.height, block), &keys).ok()
    }

    fn accept(&mut self, next: Next) {
        self.tip = next.tip();
        self.world.state = next.state;
        self.tree.accept(next.update);
    }

    fn grow(&mut self, blocks: &[Vec<random::Wish>]) {
        for wishes in blocks {
            let transactions = random::sign(&self.world, wishes);
            self.accept(self.next(transactions));
        }
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        snapshot::write(&self.tip, Some(b"certificate"), &mut bytes).unwrap();
        bytes
    }

    fn read(&self, bytes: &[u8]) -> Result<snapshot::Imported, SnapshotError> {
        snapshot::read(&self.world.spec, Some(&self.tip.header.id()), &mut &*bytes)
    }
}

fn transfer(chain: &Chain) -> Envelope {
    use nervure_ledger::transaction::{Call, Transfer};
    let call = Call::Transfer(Transfer { to: owner(1).node_id(), amount: units(7), memo: None });
    chain.world.sign(&owner(0), call, 0)
}

#[test]
fn a_block_is_made_and_checked_alike() {
    let mut chain = Chain::new();
    let next = chain.next(vec![transfer(&chain)]);
    let checked = chain.tip.check(&chain.tree, &next.block, NonZeroUsize::new(3).unwrap()).unwrap();
    assert_eq!((&checked.block, &checked.state, &checked.events), (&next.block, &next.state, &next.events));
    let parent = chain.tip.header.id();
    chain.accept(next);
    assert_eq!((chain.tip.header.parent, chain.tip.header.height), (parent, BlockHeight(1)));
    assert_eq!(Some(chain.tip.header.state), chain.tree.root());
}

#[test]
fn a_header_that_lies_is_refused_by_the_name_of_the_lie() {
    let chain = Chain::new();
    let good = chain.next(vec![transfer(&chain)]).block;
    let other = Hash::of("another", &[]);
    type Lie = (&'static str, fn(&mut Block, Hash));
    let lies: [Lie; 6] = [
        ("mesh", |block, _| block.header.mesh = MeshId::from_bytes([9; 32])),
        ("parent", |block, other| block.header.parent = other),
        ("transactions", |block, _| drop(block.transactions.pop())),
        ("validators", |block, other| block.header.validators = other),
        ("next_validators", |block, other| block.header.next_validators = other),
        ("state", |block, other| block.header.state = other),
    ];
    for (name, lie) in lies {
        let mut block = good.clone();
        lie(&mut block, other);
        match chain.tip.check(&chain.tree, &block, ONE) {
            Err(BlockError::Field { field, .. }) => assert_eq!(field, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    let mut swapped = good.clone();
    swapped.last_commit = CommitCertificate::sign(&good.header.mesh, (BlockHeight(0), other), []).ok();
    let refused = chain.tip.check(&chain.tree, &swapped, ONE);
    assert!(matches!(refused, Err(BlockError::Field { field: "last_commit", .. })));
    let mut late = good;
    late.header.height = BlockHeight(2);
    let refused = chain.tip.check(&chain.tree, &late, ONE);
    assert!(matches!(refused, Err(BlockError::Height { expected: BlockHeight(1), .. })));
}

/// What the tip of `chain` says about the block that `change` makes of an honest one.
fn refusal(chain: &Chain, change: impl FnOnce(&mut Block)) -> BlockError {
    let mut block = chain.next(vec![transfer(chain)]).block;
    change(&mut block);
    block.header.last_commit = Block::commit_hash(block.last_commit.as_ref());
    chain.tip.check(&chain.tree, &block, ONE).unwrap_err()
}

#[test]
fn a_block_is_of_a_known_version_later_than_its_parent_and_by_a_validator() {
    let mut chain = Chain::new();
    chain.accept(chain.next(Vec::new()));
    let refused = refusal(&chain, |block| block.header.version = 0);
    assert_eq!(refused, BlockError::Version { expected: 1, given: 0 });
    let parent = chain.tip.header.time;
    let refused = refusal(&chain, |block| block.header.time = parent);
    assert_eq!(refused, BlockError::Time { parent: parent.0, given: parent.0 });
    let stranger = owner(0).node_id();
    let refused = refusal(&chain, |block| block.header.proposer = stranger);
    assert_eq!(refused, BlockError::Proposer(stranger));
    // A proposer whose clock is behind still makes a later block.
    let slow = Draft { last_commit: chain.certificate(), ..Draft::uncertified(&chain.tip, Vec::new()) };
    let slow = Draft { time: UnixMillis(0), ..slow };
    let block = chain.tip.next(&chain.tree, slow, ONE).unwrap().block;
    assert!(block.header.time > parent && chain.tip.check(&chain.tree, &block, ONE).is_ok());
}

#[test]
fn a_block_has_a_certificate_of_its_parent_by_the_validators_that_agreed_on_it() {
    let mut chain = Chain::new();
    let first = chain.next(Vec::new());
    let early = refusal(&chain, |block| block.last_commit = chain.sign(Hash::of("genesis", &[]), |_| true));
    assert_eq!(early, BlockError::NoCommit, "no one signs the genesis");
    chain.accept(first);
    let parent = chain.tip.header.id();
    let with = |commit: Option<CommitCertificate>| refusal(&chain, |block| block.last_commit = commit);
    assert_eq!(with(None), BlockError::NoCommit);
    assert_eq!(with(chain.sign(Hash::of("another", &[]), |_| true)), BlockError::OtherCommit);
    let none = with(chain.sign(parent, |_| false));
    assert!(matches!(none, BlockError::Commit(CertificateError::TooLittlePower { signed: 0, .. })));
    let strangers = (0..8).map(owner).collect::<Vec<_>>();
    let at = (chain.tip.header.height, parent);
    let strangers = CommitCertificate::sign(&chain.tip.header.mesh, at, &strangers).unwrap();
    assert!(matches!(with(Some(strangers)), BlockError::Commit(CertificateError::UnknownSigner(_))));
}

/// What the certificate in the block is for. Execution alone believes what a proposer says about who signed: here that
/// no one did, so that all others would count as absent. [`Tip::check`] refuses it.
#[test]
fn without_the_check_of_the_certificate_a_proposer_chooses_who_signed() {
    let mut chain = Chain::new();
    chain.accept(chain.next(Vec::new()));
    let claim = Draft::uncertified(&chain.tip, Vec::new());
    let block = chain.tip.next(&chain.tree, claim, ONE).unwrap().block;
    assert!(block.context().signers.is_empty(), "executed without a complaint");
    assert_eq!(chain.tip.check(&chain.tree, &block, ONE).unwrap_err(), BlockError::NoCommit);
    let honest = chain.next(Vec::new()).block.context();
    let validators = chain.tip.state.last_validators().unwrap();
    assert!(validators.members().iter().all(|member| honest.signers.contains(&member.node)));
}

/// The block after an election is certified by the set before it.
#[test]
fn the_validators_that_agreed_on_the_last_block_survive_an_election_and_a_snapshot() {
    let mut chain = Chain::new();
    let mut changes = 0;
    for _ in 0..12 {
        let announced = chain.tip.state.validators().cloned();
        let next = chain.next(Vec::new());
        chain.accept(chain.tip.check(&chain.tree, &next.block, ONE).unwrap());
        assert_eq!(chain.tip.state.last_validators().cloned(), announced);
        changes += usize::from(chain.tip.state.last_validators() != chain.tip.state.validators());
        let imported = chain.read(&chain.snapshot()).unwrap();
        assert_eq!(imported.tip, chain.tip);
    }
    assert!(changes > 0, "emission moves stakes, and an election sees it");
}

#[test]
fn a_header_names_the_validators_of_its_block_and_of_the_next() {
    let mut chain = Chain::new();
    let mut changes = 0;
    for _ in 0..12 {
        let before = chain.tip.header.clone();
        chain.accept(chain.next(Vec::new()));
        assert_eq!(chain.tip.header.validators, before.next_validators);
        let set = chain.tip.state.validators_hash();
        assert_eq!(chain.tip.header.next_validators, set);
        changes += usize::from(chain.tip.header.next_validators != chain.tip.header.validators);
    }
    assert!(changes > 0, "emission moves stakes, and an election sees it");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_same_blocks_make_the_same_headers(blocks in random::wishes()) {
        let mut chain = Chain::new();
        let mut replay = Chain::new();
        for wishes in &blocks {
            let next = chain.next(random::sign(&chain.world, wishes));
            let checked = replay.tip.check(&replay.tree, &next.block, NonZeroUsize::new(2).unwrap()).unwrap();
            prop_assert_eq!(checked.block.header.id(), next.block.header.id());
            chain.accept(next);
            replay.accept(checked);
        }
    }

    #[test]
    fn a_snapshot_is_the_state_and_goes_on_from_there(blocks in random::wishes()) {
        let mut chain = Chain::new();
        chain.grow(&blocks);
        let imported = chain.read(&chain.snapshot()).unwrap();
        prop_assert_eq!(&imported.tip, &chain.tip);
        prop_assert_eq!(imported.certificate.as_deref(), Some(&b"certificate"[..]));
        let tree = MemoryTree::of(&imported.tip.state).unwrap();
        let next = chain.next(Vec::new());
        prop_assert!(imported.tip.check(&tree, &next.block, ONE).is_ok());
    }

    #[test]
    fn a_changed_snapshot_is_refused(blocks in random::wishes(), at: prop::sample::Index, to: u8) {
        let mut chain = Chain::new();
        chain.grow(&blocks);
        let mut bytes = chain.snapshot();
        let place = at.index(bytes.len());
        let before = std::mem::replace(&mut bytes[place], to);
        match chain.read(&bytes) {
            // The certificate is not under the root: its user verifies it.
            Ok(imported) => prop_assert_eq!(&imported.tip, &chain.tip),
            Err(_) => prop_assert_ne!(before, to),
        }
        bytes[place] = before;
        bytes.truncate(place);
        prop_assert!(chain.read(&bytes).is_err());
    }
}

#[test]
fn a_snapshot_of_something_else_is_refused_by_name() {
    let mut chain = Chain::new();
    let genesis = chain.snapshot();
    chain.accept(chain.next(Vec::new()));
    assert!(matches!(chain.read(&genesis), Err(SnapshotError::OtherBlock { .. })));
    let elsewhere = MeshSpec::test("elsewhere");
    assert!(matches!(
        snapshot::read(&elsewhere, None, &mut genesis.as_slice()),
        Err(SnapshotError::OtherMesh { .. })
    ));
    let mut longer = chain.snapshot();
    longer.push(0);
    assert!(matches!(chain.read(&longer), Err(SnapshotError::Trailing)));
    assert!(matches!(chain.read(b"a letter"), Err(SnapshotError::NoSnapshot)));
    let huge = [&b"nervsnp1"[..], &u32::MAX.to_be_bytes()].concat();
    assert!(matches!(chain.read(&huge), Err(SnapshotError::Frame { frame: 0, .. })));
}
