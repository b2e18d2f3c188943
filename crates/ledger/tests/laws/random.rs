//! Random blocks: nothing is lost or made, refused transactions leave no trace, the same blocks give
//! the same state.

use std::collections::BTreeMap;

use nervure_ledger::{
    block::Event,
    transaction::{
        Call, CommitWeights, RegisterNeuron, RegisterNode, RegisterSubnet, RevealWeights, SetTake, Stake,
        SwapKey, Transfer, Unstake, VoteSubnets, commitment,
    },
};
use nervure_primitives::{Envelope, Hash, Netuid, NodeId, NodeKey, Uid};
use proptest::{collection::vec, prelude::*};

use crate::world::{KEYS, World, node, owner, units};

/// One random wish: who, which kind, two keys and an amount.
type Wish = (u8, u8, u8, u8, u64);

fn wishes() -> impl Strategy<Value = Vec<Vec<Wish>>> {
    let amount = prop_oneof![0u64..2_000, 0u64..200_000_000_000, Just(u64::MAX)];
    vec(vec((0..KEYS, 0u8..12, 0..KEYS, 0..KEYS, amount), 0..8), 1..25)
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
        (who, 9.., 0 | 1, ..) => node(200 + who % 2),
        (_, 9.., a, ..) => node(a),
        (who, ..) => owner(who),
    }
}

fn call(world: &World, wish: Wish) -> Call {
    let (who, kind, a, b, amount) = wish;
    let target: NodeId = if a == 0 { node(200).node_id() } else { node(a).node_id() };
    let consent = |key: u8| world.consent(&node(key), &owner(who).node_id());
    match kind {
        0 => Call::Transfer(Transfer { to: owner(b).node_id(), amount: units(amount) }),
        1 => Call::RegisterNode(RegisterNode { consent: consent(b) }),
        2 => Call::SwapKey(SwapKey { old: target, consent: consent(b) }),
        3 => Call::SetTake(SetTake { node: target, take: amount as u16 }),
        4 => Call::Stake(Stake { node: target, amount: units(amount) }),
        5 => Call::Unstake(Unstake { node: target, amount: units(amount) }),
        6 => Call::RegisterSubnet(RegisterSubnet {
            name: "random".into(),
            node: target,
            max_lock: units(u64::MAX),
        }),
        7 | 8 => Call::RegisterNeuron(RegisterNeuron { netuid: netuid(b), node: target, max_price: None }),
        9 => {
            let hash = commitment(&world.state.mesh(), &signer(wish).node_id(), &weights(b));
            Call::CommitWeights(CommitWeights { netuid: netuid(b), hash })
        }
        10 => Call::RevealWeights(weights(b)),
        _ => Call::VoteSubnets(VoteSubnets { weights: vec![(netuid(b), amount as u16), (Netuid(1), 9)] }),
    }
}

/// Signs the wishes of a block; nonces count on in the hope that none is refused.
fn sign(world: &World, wishes: &[Wish]) -> Vec<Envelope> {
    let mut sent = BTreeMap::new();
    let envelope = |wish: &Wish| {
        let key = signer(*wish);
        let before = sent.entry(key.node_id()).or_insert(0);
        *before += 1;
        world.sign(&key, call(world, *wish), *before - 1)
    };
    wishes.iter().map(envelope).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_is_lost_and_refusals_leave_no_trace(blocks in wishes()) {
        let mut world = World::new();
        for wishes in &blocks {
            let transactions = sign(&world, wishes);
            let before = world.state.clone();
            let block = world.block(transactions.clone());
            let events = world.apply(transactions);
            prop_assert_eq!(before.apply(&block).unwrap(), (world.state.clone(), events.clone()));
            let mut accepted = block;
            let mut refused = events.iter().map(|event| matches!(event, Event::Refused { .. }));
            accepted.transactions.retain(|_| !refused.next().unwrap());
            prop_assert_eq!(before.apply(&accepted).unwrap().0, world.state.clone());
        }
    }

    #[test]
    fn no_bytes_make_a_block_panic(bytes in vec(any::<u8>(), 0..200)) {
        let world = World::new();
        let sealed = Envelope::seal(&owner(0), nervure_ledger::transaction::DOMAIN, &world.state.mesh(), &bytes);
        let (next, _) = world.state.apply(&world.block(vec![sealed.unwrap()])).unwrap();
        prop_assert_eq!(&next, &world.state.apply(&world.block(Vec::new())).unwrap().0);
    }
}
