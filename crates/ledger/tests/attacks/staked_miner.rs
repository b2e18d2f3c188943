//! A stranger stakes on a miner, which runs no validator: more than a third of the power would be silent for ever, and no
//! block could take the stake out again.

use std::{collections::BTreeSet, num::NonZeroUsize};

use nervure_consensus::checkpoint::ValidatorSet;
use nervure_ledger::{
    chain::{Draft, Tip},
    spec::{MeshSpec, Role},
    state::LedgerState,
    transaction::{Call, Stake, Transaction},
    tree::MemoryTree,
};
use nervure_primitives::{Amount, BlockHeight, NodeId, NodeKey};

fn key(seed: u8) -> NodeKey {
    NodeKey::from_seed(&[seed; 32])
}

fn tokens(tokens: u64) -> Amount {
    Amount::from_tokens(tokens).unwrap()
}

/// Four validators with 1,000 tokens each and a miner; the attacker stakes 2,100 tokens on the miner, and there are 25
/// blocks.
fn staked_miner() -> LedgerState {
    let (miner, attacker) = (key(9).node_id(), key(50));
    let spec = (1..5)
        .fold(MeshSpec::local("attack"), |spec, seed| spec.with_validator(key(seed).node_id(), tokens(1_000)))
        .with_node(miner, Role::Miner, Amount::ZERO)
        .with_account(attacker.node_id(), tokens(2_101));
    let (mut tip, update) = Tip::genesis(&spec).unwrap();
    let mut tree = MemoryTree::default();
    tree.accept(update);
    let call = Call::Stake(Stake { node: miner, amount: tokens(2_100) });
    // Far above any price here.
    let fee = Amount::from_base_units(100_000_000);
    let stake = Transaction { nonce: 0, fee, tip: Amount::ZERO, expiry: BlockHeight(100), call };
    let mut transactions = vec![stake.seal(&attacker, &tip.header.mesh).unwrap()];
    for _ in 0..25 {
        let draft = Draft::uncertified(&tip, std::mem::take(&mut transactions));
        let next = tip.next(&tree, draft, NonZeroUsize::MIN).unwrap();
        tree.accept(next.update.clone());
        tip = next.tip();
    }
    assert!(tip.state.nodes().get(&miner).unwrap().stake() >= tokens(2_100), "the attack took place");
    tip.state
}

/// Whether the validators that run, all but `miner`, can still make a block with `set`.
fn goes_on(set: &ValidatorSet, miner: &NodeId) -> bool {
    let silent = u128::from(set.power_of(miner).unwrap_or(0));
    silent * 3 < u128::from(set.total_power())
}

/// The rule without opt-in: nodes with a permit in some subnet and the largest stakes.
fn elected_by_permit(state: &LedgerState) -> ValidatorSet {
    let neurons = state.subnets().values().flat_map(|subnet| &subnet.neurons);
    let permitted: BTreeSet<NodeId> =
        neurons.filter(|neuron| neuron.permit).map(|neuron| neuron.node).collect();
    let stake = |node: NodeId| (node, state.nodes().get(&node).unwrap().stake().base_units());
    ValidatorSet::from_stakes(permitted.into_iter().map(stake)).unwrap()
}

#[test]
fn stake_of_others_makes_no_validator_of_a_miner() {
    let (state, miner) = (staked_miner(), key(9).node_id());
    let set = state.validators().unwrap();
    assert_eq!((set.len(), set.power_of(&miner)), (4, None));
    assert!(goes_on(set, &miner));
}

#[test]
fn with_permits_instead_of_opt_in_the_same_stake_halts_the_mesh() {
    let (state, miner) = (staked_miner(), key(9).node_id());
    assert!(!goes_on(&elected_by_permit(&state), &miner));
}
