use proptest::prelude::*;

use super::*;

fn key(byte: u8) -> NodeId {
    NodeId::from_bytes([byte; 32])
}

/// One node of `owner`, without stake.
fn one(node: NodeId, owner: NodeId) -> Nodes {
    let mut nodes = Nodes::default();
    nodes.register(node, owner);
    nodes
}

#[test]
fn the_owner_keeps_its_take_at_once_and_stakers_get_the_rest_over_time() {
    let [node, owner, a, b] = [9, 1, 2, 3].map(key);
    let mut nodes = one(node, owner);
    nodes.set_take(&node, u16::MAX / 5, 0);
    assert_eq!(nodes.pay_dividends(node, 1_000, 10), 0, "no staker to pay");
    assert!(nodes.add_stake(node, a, 300_000) && nodes.add_stake(node, b, 100_000));
    assert_eq!(nodes.pay_dividends(node, 1_000, 10), 1_000);
    let stakes = |nodes: &Nodes| [owner, a, b].map(|who| nodes.stake_of(&node, &who).base_units());
    assert_eq!(stakes(&nodes), [200, 300_000, 100_000]);
    nodes.block = 5;
    assert_eq!(stakes(&nodes), [200, 300_299, 100_099], "half of 800, less the owner's part");
    nodes.block = 50;
    assert_eq!(stakes(&nodes), [200, 300_599, 100_199]);
    assert_eq!(nodes.total_held(), 401_000);
}

#[test]
fn a_number_stays_with_its_node_and_is_never_used_twice() {
    let mut nodes = one(key(1), key(9));
    assert!(nodes.add_stake(key(1), key(5), 100));
    let before = nodes.stakes.clone();
    let retired = RetiredKey { owner: key(9), free: None, deposit: Amount::ZERO };
    nodes.swap(key(1), key(2), retired);
    nodes.register(key(3), key(9));
    assert_eq!(nodes.stakes, before, "no stake moves");
    assert_eq!(nodes.get(&key(2)).map(|node| node.number), Some(NodeNumber(0)));
    assert_eq!(nodes.get(&key(3)).map(|node| node.number), Some(NodeNumber(1)));
    assert_eq!(nodes.key_of(NodeNumber(0)), Some(key(2)));
    assert_eq!(nodes.stakes_of(key(5)).collect::<Vec<_>>(), [(key(2), Amount::from_base_units(100))]);
}

/// What may happen to stakes: a node, a staker, an amount, which operation.
type Change = (u8, u8, u64, u8);

fn apply(nodes: &mut Nodes, (node, staker, amount, kind): Change) {
    match kind {
        0 | 1 => drop(nodes.add_stake(key(node), key(staker), amount)),
        2 => nodes.take_stake(key(node), key(staker), amount),
        3 => drop(nodes.pay_dividends(key(node), amount, 7)),
        _ => nodes.block += amount % 5,
    }
}

proptest! {
    #[test]
    fn dividends_are_paid_to_the_unit_and_only_to_stakers(dividends in 0u64..1 << 50, take: u16, stakes in proptest::collection::vec(0u64..1 << 50, 0..6)) {
        let mut nodes = one(key(9), key(8));
        nodes.set_take(&key(9), take, 0);
        for (who, stake) in (0u8..).zip(&stakes) {
            prop_assert!(*stake == 0 || nodes.add_stake(key(9), key(who), *stake));
        }
        let before = nodes.total_held();
        let paid = nodes.pay_dividends(key(9), dividends, 10);
        prop_assert_eq!(nodes.total_held(), before + u128::from(paid));
        prop_assert_eq!(paid, if before > 0 { dividends } else { 0 });
        nodes.block = 10;
        let worth = |who: NodeId| u128::from(nodes.stake_of(&key(9), &who).base_units());
        let worth: u128 = nodes.stakers(&key(9)).map(worth).sum();
        let stakers = nodes.stakes.len() as u128;
        prop_assert!(worth <= nodes.total_held() && nodes.total_held() <= worth + stakers, "rounding is below a unit each");
    }

    #[test]
    fn totals_and_orders_follow_every_change(changes in proptest::collection::vec((0u8..4, 0u8..3, 0u64..50, 0u8..5), 0..40)) {
        let mut nodes = Nodes::default();
        (0..4).for_each(|index| nodes.register(key(index), key(9)));
        for change in changes {
            apply(&mut nodes, change);
        }
        nodes.swap(key(0), key(7), RetiredKey { owner: key(9), free: None, deposit: Amount::ZERO });
        for (key, node) in nodes.iter() {
            let shares: u128 = nodes.stakers(key).map(|who| nodes.stakes[&(node.number, who)]).sum();
            prop_assert_eq!(shares, node.pool.shares);
            prop_assert_eq!(nodes.key_of(node.number), Some(*key));
        }
        for staker in 0..10 {
            let listed: Vec<_> = nodes.stakes_of(key(staker)).map(|(node, _)| node).collect();
            let expected = nodes.iter().filter(|(_, node)| nodes.stakes.contains_key(&(node.number, key(staker))));
            let mut expected: Vec<_> = expected.map(|(key, node)| (node.number, *key)).collect();
            expected.sort();
            prop_assert_eq!(listed, expected.into_iter().map(|(_, key)| key).collect::<Vec<_>>());
        }
        nodes.register(key(8), key(6));
        prop_assert!(nodes.remove(&key(1)).is_some() && nodes.of_owner(key(6)).count() == 1);
        let owned: Vec<_> = nodes.of_owner(key(9)).map(|(key, _)| key).collect();
        prop_assert_eq!(owned, [key(7), key(2), key(3)]);
        let mut expected: Vec<_> = nodes.iter().map(|(key, node)| (*key, node.stake())).filter(|(_, stake)| !stake.is_zero()).collect();
        expected.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        prop_assert_eq!(nodes.staked().base_units(), expected.iter().map(|(_, stake)| stake.base_units()).sum::<u64>());
        prop_assert_eq!(nodes.by_stake().collect::<Vec<_>>(), expected);
    }
}
