//! A mesh that lost more than a third of its power continues with other validators and the same holdings.

use std::{collections::BTreeSet, num::NonZeroUsize};

use nervure_consensus::checkpoint::CommitCertificate;
use nervure_ledger::{
    chain::{BlockError, Draft, StartError, Tip, first_header},
    governance::{Action, Choice, ParameterValue, ProposalId},
    recovery::{self, RecoveryError},
    snapshot::{self, SnapshotError},
    spec::MeshSpec,
    testing::{BLOCK_TIME, Chain, miner, validator},
    transaction::{Call, SubmitProposal, Transaction, Transfer, VoteProposal},
    tree::MemoryTree,
    upgrade::Upgrade,
};
use nervure_primitives::{Amount, BlockHeight, NodeId, NodeKey, PROTOCOL_VERSION, UnixMillis};

fn chain() -> Chain {
    let mut chain = Chain::new(4);
    chain.grow(9);
    chain
}

/// The two validators that are left.
fn left() -> Vec<NodeKey> {
    vec![validator(0), validator(1)]
}

fn ids(keys: &[NodeKey]) -> BTreeSet<NodeId> {
    keys.iter().map(NodeKey::node_id).collect()
}

fn recover(chain: &Chain) -> MeshSpec {
    recovery::recover(&chain.spec, &chain.tip, &ids(&left()), None).unwrap()
}

/// The file of the last certified state.
fn file(chain: &Chain) -> Vec<u8> {
    let certificate = chain.checkpoints.last().unwrap().certificate.encode().unwrap();
    let mut bytes = Vec::new();
    snapshot::write(&chain.tip, Some(&certificate), &mut bytes).unwrap();
    bytes
}

/// The first state of the recovered mesh, from a file as a node reads it.
fn begin(spec: &MeshSpec, bytes: &[u8]) -> Result<Tip, RecoveryError> {
    let imported = snapshot::read_certified(spec, &mut &*bytes).unwrap();
    recovery::check_certified(&imported.tip, imported.certificate.as_deref())?;
    recovery::begin(spec, &imported.tip)
}

#[test]
fn the_same_inputs_give_the_same_spec_and_the_file_its_first_state() {
    let (chain, again) = (chain(), chain());
    let spec = recover(&chain);
    assert_eq!(spec.to_toml(), recover(&again).to_toml(), "operators compare mesh ids");
    assert_eq!(MeshSpec::parse(&spec.to_toml()).as_ref(), Ok(&spec));
    assert_ne!(spec.mesh_id(), chain.spec.mesh_id());
    let first = begin(&spec, &file(&chain)).unwrap();
    assert_eq!(
        (first.header.clone(), first.state.validators().map(|set| set.as_ref().clone())),
        first_header(&spec).unwrap()
    );
    assert_eq!((first.header.height, first.header.parent), (BlockHeight(9), chain.tip.header.id()));
    let (before, after) = (&chain.tip.state, &first.state);
    assert_eq!((before.held(), before.issuance()), (after.held(), after.issuance()));
    assert_eq!(before.accounts(), after.accounts());
    assert_eq!(before.nodes(), after.nodes(), "stakes stay, also those on lost validators");
    let members: Vec<NodeId> = after.validators().unwrap().members().iter().map(|one| one.node).collect();
    assert_eq!(members.into_iter().collect::<BTreeSet<_>>(), ids(&left()));
    assert!(
        !after.roster().has_joined(&validator(2).node_id()),
        "who is lost is not elected again by itself"
    );
}

/// More than the existential deposit.
const PAID: Amount = Amount::from_base_units(1_000_000_000);

#[test]
fn the_recovered_mesh_makes_blocks_and_takes_no_transaction_of_the_former_one() {
    let chain = chain();
    let spec = recover(&chain);
    let mut tip = begin(&spec, &file(&chain)).unwrap();
    let mut tree = MemoryTree::of(&tip.state).unwrap();
    let pay = |mesh, nonce| {
        let call = Call::Transfer(Transfer { to: miner(0).node_id(), amount: PAID, memo: None });
        let (fee, tip) = (Amount::from_base_units(1_000_000), Amount::ZERO);
        let transaction = Transaction { nonce, fee, tip, expiry: BlockHeight(50), call };
        transaction.seal(&validator(5), &mesh).unwrap()
    };
    let nonce = tip.state.accounts().get(&validator(5).node_id()).nonce;
    let replayed = Draft {
        time: UnixMillis(tip.header.time.0 + BLOCK_TIME),
        ..Draft::uncertified(&tip, vec![pay(chain.spec.mesh_id(), nonce)])
    };
    assert!(matches!(tip.next(&tree, replayed, NonZeroUsize::MIN), Err(BlockError::Transaction(_))));
    let mut certificate = None;
    for (height, transactions) in [(10, vec![pay(spec.mesh_id(), nonce)]), (11, Vec::new()), (12, Vec::new())]
    {
        let time = UnixMillis(tip.header.time.0 + BLOCK_TIME);
        let draft = Draft { time, last_commit: certificate.take(), ..Draft::uncertified(&tip, transactions) };
        let block = tip.next(&tree, draft, NonZeroUsize::MIN).unwrap().block;
        // As another validator checks it.
        let next = tip.check(&tree, &block, NonZeroUsize::MIN).unwrap();
        assert_eq!(block.header.height, BlockHeight(height));
        certificate = Some(
            CommitCertificate::sign(&spec.mesh_id(), (block.header.height, block.header.id()), &left())
                .unwrap(),
        );
        tree.accept(next.update.clone());
        tip = next.tip();
        assert_eq!(tip.state.held(), u128::from(tip.state.issuance()));
    }
    assert_eq!(tip.state.accounts().get(&miner(0).node_id()).balance, PAID);
    // Elections passed: who is left stays in office.
    assert_eq!(tip.state.validators().unwrap().len(), 2);
}

#[test]
fn a_recovered_mesh_can_be_recovered_again() {
    let chain = chain();
    let spec = recover(&chain);
    let first = begin(&spec, &file(&chain)).unwrap();
    let tree = MemoryTree::of(&first.state).unwrap();
    let next = first.next(&tree, Draft::uncertified(&first, Vec::new()), NonZeroUsize::MIN).unwrap().tip();
    let again = recovery::recover(&spec, &next, &ids(&[validator(3)]), None).unwrap();
    let recovered = again.recovered.as_ref().unwrap();
    assert_eq!((recovered.mesh, recovered.height), (spec.mesh_id(), BlockHeight(10)));
    assert!(matches!(recovery::recover(&spec, &first, &ids(&left()), None).map(|_| ()), Ok(())));
    assert!(matches!(recovery::check_certified(&first, None), Err(RecoveryError::NoBlock)));
}

/// What a hostile operator can write into the file or the spec.
#[test]
fn another_state_and_other_validators_are_refused() {
    let chain = chain();
    let spec = recover(&chain);
    let mut richer = spec.clone();
    if let Some(recovered) = &mut richer.recovered {
        recovered.state = chain.tip.header.state;
    }
    assert!(matches!(begin(&richer, &file(&chain)), Err(RecoveryError::OtherState { .. })));
    let mut other = spec.clone();
    if let Some(recovered) = &mut other.recovered {
        recovered.validators[0].power += 1;
    }
    assert!(matches!(begin(&other, &file(&chain)), Err(RecoveryError::OtherState { .. })));
    // A later block of the former mesh, and a block without certificate.
    let mut later = Chain::new(4);
    later.grow(10);
    let refused = snapshot::read_certified(&spec, &mut file(&later).as_slice());
    assert!(matches!(refused, Err(SnapshotError::OtherBlock { .. })));
    let mut bare = Vec::new();
    snapshot::write(&chain.tip, None, &mut bare).unwrap();
    assert!(matches!(begin(&spec, &bare), Err(RecoveryError::NotCertified(_))));
    let forged =
        CommitCertificate::sign(&chain.spec.mesh_id(), (BlockHeight(9), chain.tip.header.id()), &left())
            .unwrap();
    let mut weak = Vec::new();
    snapshot::write(&chain.tip, Some(&forged.encode().unwrap()), &mut weak).unwrap();
    assert!(
        matches!(begin(&spec, &weak), Err(RecoveryError::Certificate(_))),
        "two of four did not agree on it"
    );
    assert!(matches!(
        snapshot::read_certified(&chain.spec, &mut weak.as_slice()),
        Err(SnapshotError::NotRecovered)
    ));
    assert!(matches!(Tip::genesis(&spec).map(|_| ()), Err(StartError::NeedsState { .. })));
}

/// What was voted counts in the recovered mesh, and its spec says so to those who know no state.
#[test]
fn voted_parameters_and_upgrades_are_those_of_the_recovered_mesh() {
    let mut chain = chain();
    let upgrade = Upgrade { height: BlockHeight(1_000), version: PROTOCOL_VERSION + 1 };
    let values = vec![ParameterValue { name: "min_base_fee".into(), value: 400 }];
    for (proposal, action) in (1..).zip([Action::Params { values }, Action::Upgrade { upgrade }]) {
        let submit = SubmitProposal { title: "before the loss".into(), document: None, action };
        chain.call(&validator(0), Call::SubmitProposal(submit));
        for one in 0..4 {
            let (proposal, nodes) = (ProposalId(proposal), vec![validator(one).node_id()]);
            let vote = VoteProposal { proposal, choice: Choice::Yes, nodes };
            chain.call(&validator(one), Call::VoteProposal(vote));
        }
    }
    let rules = chain.spec.economy.governance.clone();
    chain.grow((rules.voting_period + rules.delay + 1) as usize);
    assert_eq!(chain.tip.state.upgrades().voted(), [upgrade]);
    let spec = recover(&chain);
    assert_eq!((spec.economy.min_base_fee, spec.upgrades.clone()), (400, vec![upgrade]));
    let first = begin(&spec, &file(&chain)).unwrap();
    assert_eq!((first.state.params(), first.state.consensus()), (&spec.economy, &spec.consensus));
    assert_eq!(first.state.upgrades().next_after(BlockHeight(0)), Some(upgrade));
}

#[test]
fn validators_without_stake_strangers_and_a_time_before_the_last_block_are_refused() {
    let chain = chain();
    let refused =
        |keys: &[NodeKey], time| recovery::recover(&chain.spec, &chain.tip, &ids(keys), time).unwrap_err();
    assert!(matches!(refused(&[validator(0), validator(9)], None), RecoveryError::NoStake(_)));
    let stranger = NodeKey::from_seed(&[9; 32]);
    assert!(matches!(refused(&[stranger], None), RecoveryError::NoSuchNode(_)));
    assert!(matches!(refused(&[], None), RecoveryError::Validators(_)));
    assert!(matches!(refused(&left(), Some(UnixMillis(1))), RecoveryError::Time { .. }));
    let later = UnixMillis(chain.tip.header.time.0 + 5);
    let spec = recovery::recover(&chain.spec, &chain.tip, &ids(&left()), Some(later)).unwrap();
    assert_eq!(first_header(&spec).unwrap().0.time, later);
}
