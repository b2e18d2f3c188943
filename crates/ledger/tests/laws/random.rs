//! Random blocks: nothing is lost or made, refused transactions leave no trace, the same blocks give
//! the same state.

use std::collections::{BTreeMap, BTreeSet};

use nervure_ledger::{
    event::Event,
    subnet::Hyperparameter,
    transaction::{
        Call, CommitWeights, JoinValidators, LeaveValidators, Outcome, RegisterNeuron, RegisterNode,
        RegisterSubnet, Rejection, ReportEquivocation, RevealWeights, SetHyperparameter, SetMechanism,
        SetTake, SetWeights, Stake, SwapKey, Transfer, Unstake, VoteSubnets, commitment,
    },
};
use nervure_primitives::{Envelope, Hash, MechanismSpec, Netuid, NodeId, NodeKey, Uid};
use proptest::{collection::vec, prelude::*, strategy::ValueTree};

use crate::{
    anchor,
    equivocation::equivocation,
    world::{KEYS, World, node, owner, units},
};

/// One random wish: who, which kind, two keys and an amount.
pub(crate) type Wish = (u8, u8, u8, u8, u64);

pub(crate) fn wishes() -> impl Strategy<Value = Vec<Vec<Wish>>> {
    let amount = prop_oneof![0u64..2_000, 0u64..200_000_000_000, Just(u64::MAX)];
    // Commits and their reveals have to meet, so there are more of them.
    let kind = prop_oneof![3 => 0u8..19, 1 => 9u8..11];
    vec(vec((0..KEYS, kind, 0..KEYS, 0..KEYS, amount), 0..4), 1..25)
}

fn netuid(b: u8) -> Netuid {
    Netuid(u16::from(b % 3) + 1)
}

/// The same weights for the same subnet, so that a later reveal can fit an earlier commit.
fn weights(b: u8) -> RevealWeights {
    let weights = vec![(Uid(1), 7), (Uid(0), 3)];
    RevealWeights { netuid: netuid(b), weights, salt: Hash::of("salt", &[]), version_key: 0 }
}

/// Who signs: the validator of the genesis or a spare node key for what nodes sign.
fn signer(wish: Wish) -> NodeKey {
    match wish {
        (_, 9..=12 | 15 | 18, 0, ..) => node(200),
        (who, 9..=12 | 15 | 18, ..) => node(who),
        (who, ..) => owner(who),
    }
}

fn hyperparameter(which: u8, value: u64) -> Hyperparameter {
    match which {
        0 => Hyperparameter::Tempo(2 + value % 9),
        1 => Hyperparameter::MaxValidators(value as u16 % 9),
        _ => Hyperparameter::CommitReveal(value.is_multiple_of(3)),
    }
}

/// A new kind takes the next number: raise the range in [`wishes`]. One that a node key signs also goes into [`signer`].
fn call(world: &World, wish: Wish) -> Call {
    let (who, kind, a, b, amount) = wish;
    // Mostly the signer's own node, as registered at first.
    let target: NodeId = node(if a < 2 { who } else { a }).node_id();
    let consent = |key: u8| world.consent(&node(key), &owner(who).node_id());
    match kind {
        0 => Call::Transfer(Transfer { to: owner(b).node_id(), amount: units(amount) }),
        1 => Call::RegisterNode(RegisterNode { consent: consent(b + 10) }),
        2 => Call::SwapKey(SwapKey { old: target, consent: consent(b + 10) }),
        3 => Call::SetTake(SetTake { node: target, take: amount as u16 }),
        4 => Call::Stake(Stake { node: target, amount: units(amount) }),
        5 => Call::Unstake(Unstake { node: target, amount: units(amount) }),
        6 => Call::RegisterSubnet(RegisterSubnet {
            name: "random".into(),
            node: target,
            max_lock: units(u64::MAX),
            mechanism: amount.is_multiple_of(2).then(|| mechanism(amount)),
        }),
        7 | 8 => Call::RegisterNeuron(RegisterNeuron { netuid: netuid(b), node: target, max_price: None }),
        9 => {
            let hash = commitment(&world.state.mesh(), &signer(wish).node_id(), &weights(b));
            Call::CommitWeights(CommitWeights { netuid: netuid(b), hash })
        }
        10 => Call::RevealWeights(weights(b)),
        11 => Call::VoteSubnets(VoteSubnets { weights: vec![(netuid(b), amount as u16), (Netuid(1), 9)] }),
        12 => {
            let weights = vec![(Uid(0), amount as u16)];
            Call::SetWeights(SetWeights { netuid: netuid(b), weights, version_key: 0 })
        }
        13 => Call::SetMechanism(SetMechanism { netuid: netuid(b), to: mechanism(amount) }),
        16 => Call::JoinValidators(JoinValidators { node: target }),
        17 => Call::LeaveValidators(LeaveValidators { node: target }),
        18 => {
            let culprit = if a == 0 { node(200) } else { node(a) };
            let height = (world.state.height().0 + 1).saturating_sub(amount % 8);
            let evidence = equivocation(&world.state.mesh(), &culprit, height);
            Call::ReportEquivocation(ReportEquivocation { evidence: evidence.into() })
        }
        15 => anchor::registration(world, &signer(wish), b),
        _ => Call::SetHyperparameter(SetHyperparameter { netuid: netuid(b), to: hyperparameter(a, amount) }),
    }
}

/// One that may be no mechanism by its form.
fn mechanism(amount: u64) -> MechanismSpec {
    MechanismSpec::named(if amount.is_multiple_of(5) { "Not one" } else { "next-byte" })
        .with("contexts", amount)
}

/// A mesh where every owner has a node in subnet 1 and one has a subnet.
pub(crate) fn settled() -> World {
    let mut world = World::new();
    world.tip = 7;
    for who in 0..KEYS {
        let id = world.register(who, who);
        let join = RegisterNeuron { netuid: Netuid(1), node: id, max_price: None };
        world.call(&owner(who), Call::RegisterNeuron(join)).unwrap();
        world.call(&owner(who), Call::Stake(Stake { node: id, amount: units(1_000) })).unwrap();
    }
    let found = RegisterSubnet {
        name: "two".into(),
        node: node(0).node_id(),
        max_lock: units(u64::MAX),
        mechanism: None,
    };
    world.call(&owner(0), Call::RegisterSubnet(found)).unwrap();
    let plain = SetHyperparameter { netuid: Netuid(2), to: Hyperparameter::CommitReveal(false) };
    world.call(&owner(0), Call::SetHyperparameter(plain)).unwrap();
    world
}

/// Signs the wishes of a block, as far as it may have them: a node may be unknown by now.
pub(crate) fn sign(world: &World, wishes: &[Wish]) -> Vec<Envelope> {
    let (mut sent, mut block) = (BTreeMap::new(), Vec::new());
    for wish in wishes {
        let (key, call) = (signer(*wish), call(world, *wish));
        let before = sent.entry((call.signer(), key.node_id())).or_insert(0);
        block.push(world.sign(&key, call, *before));
        match world.try_after(&block) {
            Ok(_) => *before += 1,
            Err(_) => drop(block.pop()),
        }
    }
    block
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nothing_is_lost_and_a_rejection_leaves_nothing_but_its_nonce_and_payment(blocks in wishes()) {
        let mut world = settled();
        for wishes in &blocks {
            let transactions = sign(&world, wishes);
            for alone in &transactions {
                match world.try_after(std::slice::from_ref(alone)) {
                    Ok((after, events)) if matches!(events[0], Event::Refused { .. }) => {
                        world.assert_only_paid(&after, alone.signer());
                    }
                    // Applied, or not the first of its signer.
                    Ok(_) | Err(_) => {}
                }
            }
            let again = world.after(&transactions);
            let events = world.apply(transactions);
            prop_assert_eq!(&again, &(world.state.clone(), events));
        }
    }

    #[test]
    fn no_bytes_make_a_block_panic(bytes in vec(any::<u8>(), 0..200)) {
        let world = World::new();
        let sealed = Envelope::seal(&owner(0), nervure_ledger::transaction::DOMAIN, &world.state.mesh(), &bytes);
        let invalid = world.try_after(&[sealed.unwrap()]).unwrap_err();
        let is_malformed = matches!(invalid.reason, Rejection::Malformed { .. });
        prop_assert!(is_malformed);
    }
}

/// The kind of an outcome: its name without its fields.
fn kind(outcome: &Outcome) -> String {
    format!("{outcome:?}").split([' ', '{']).next().unwrap().to_owned()
}

#[test]
fn the_random_blocks_carry_out_every_kind_of_transaction() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut kinds = BTreeSet::new();
    for _ in 0..80 {
        let mut world = settled();
        for wishes in wishes().new_tree(&mut runner).unwrap().current() {
            let transactions = sign(&world, &wishes);
            for event in world.apply(transactions) {
                if let Event::Applied { outcome, .. } = event {
                    kinds.insert(kind(&outcome));
                }
            }
        }
    }
    // What the decoder expects: every outcome by its name.
    let error = serde_json::from_str::<Outcome>("\"none\"").unwrap_err().to_string();
    let all = error.split('`').skip(3).step_by(2).count();
    assert_eq!(kinds.len(), all, "{kinds:?}, of: {error}");
}
