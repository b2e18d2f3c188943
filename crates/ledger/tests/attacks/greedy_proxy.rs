//! Attacks of a proxy on the owner that trusts it a little.
//!
//! Defence: what leaves the owner's balance is counted at the balance, for every call, in the state that the calls before
//! it left; what would widen a grant has no scope; an owner cancels what was announced. Each test shows a rule without
//! this, which lets the attack through.

use nervure_ledger::{
    proxies::{ProxyGrant, ProxyScope},
    subnet::Hyperparameter,
    transaction::{
        AnnounceCall, Call, CallRejection, CancelAnnouncement, Outcome, ProxyRejection, RegisterNode,
        Rejection, SetHyperparameter, SetProxy, Transfer,
    },
};
use nervure_primitives::Netuid;

use crate::{
    proxies::{by_proxy, grant, set_proxy, with_proxy},
    shared::{batch, pay},
    world::{World, node, owner, units},
};

/// What the owner lost beyond its own fees, which it does not pay here.
fn lost(world: &World, before: u64) -> u64 {
    before - world.balance(&owner(0))
}

/// 1,000 base units in ten blocks: no batch of small amounts gets more.
#[test]
fn many_small_calls_in_one_batch_do_not_exceed_the_limit() {
    let mut world = with_proxy(grant());
    let before = world.balance(&owner(0));
    let calls = || (0..4).map(|_| by_proxy(pay(1, 300)));
    let refused = world.refusal(&owner(1), batch(calls()));
    let Rejection::Call(CallRejection::Batch { call: 4, why }) = refused else { panic!("{refused:?}") };
    assert_eq!((*why, lost(&world, before)), (ProxyRejection::Limit { left: units(100) }.into(), 0));
    // A rule that compares each call with the limit as it was before the batch takes all four.
    let limit = grant().limit.unwrap().amount;
    assert!(calls().all(|_| units(300) <= limit));
    for amount in [400, 300, 300] {
        world.call(&owner(1), by_proxy(pay(1, amount))).unwrap();
    }
    for _ in 0..3 {
        assert!(matches!(
            world.refusal(&owner(1), by_proxy(pay(1, 1))),
            Rejection::Call(CallRejection::Proxy(ProxyRejection::Limit { .. }))
        ));
    }
    assert_eq!(lost(&world, before), 1_000);
}

/// A vested transfer spends too: a rule that reads the amount of plain transfers does not see it.
#[test]
fn what_is_spent_is_counted_whatever_the_call_is_named() {
    let mut world = with_proxy(grant());
    let before = world.balance(&owner(0));
    let (to, end) = (owner(1).node_id(), nervure_primitives::BlockHeight(1_000));
    let vested = Call::TransferVested(nervure_ledger::transaction::TransferVested {
        to,
        amount: units(5_000),
        start: end.min(nervure_primitives::BlockHeight(1)),
        cliff: end.min(nervure_primitives::BlockHeight(1)),
        end,
    });
    let by_name = |call: &Call| match call {
        Call::Transfer(Transfer { amount, .. }) => amount.base_units(),
        _ => 0,
    };
    assert_eq!(by_name(&vested), 0, "nothing, by the rule that knows one kind");
    let refused = world.refusal(&owner(1), by_proxy(vested));
    assert_eq!(refused, ProxyRejection::Limit { left: units(1_000) }.into());
    assert_eq!(lost(&world, before), 0);
}

/// With its own grant to give, a proxy of ten tokens is a proxy of everything.
#[test]
fn a_proxy_cannot_widen_what_it_may_do() {
    let all = [ProxyScope::Transfers, ProxyScope::Staking, ProxyScope::Nodes, ProxyScope::Subnets];
    let mut world = with_proxy(ProxyGrant { scopes: all.into(), ..grant() });
    let before = world.balance(&owner(0));
    let wide = ProxyGrant { scopes: all.into(), limit: None, ..grant() };
    for proxy in [1, 2] {
        assert_eq!(
            world.refusal(&owner(1), by_proxy(set_proxy(proxy, wide.clone()))),
            ProxyRejection::Scope.into()
        );
    }
    assert_eq!(lost(&world, before), 0);
    // Without the rule: the same grant, signed by the owner, and then all of the balance.
    world.call(&owner(0), set_proxy(1, wide)).unwrap();
    let rest = world.balance(&owner(0));
    world.call(&owner(1), by_proxy(pay(1, rest))).unwrap();
    assert_eq!(world.balance(&owner(0)), 0);
}

/// A node key under the owner pays its fees, and tips to a proposer that is in the plot, from the owner's balance.
#[test]
fn a_proxy_gets_no_node_key_whose_fees_the_owner_pays() {
    let mut world = with_proxy(ProxyGrant { scopes: [ProxyScope::Nodes].into(), ..grant() });
    let consent = world.consent(&node(9), &owner(0).node_id());
    let register = || Call::RegisterNode(RegisterNode { consent: consent.clone() });
    assert_eq!(world.refusal(&owner(1), by_proxy(register())), ProxyRejection::Scope.into());
    // Without the rule: registered, the key spends more than the limit without any call of the proxy.
    world.call(&owner(0), register()).unwrap();
    let before = world.balance(&owner(0));
    world.tip = 500_000;
    let vote = Call::VoteSubnets(nervure_ledger::transaction::VoteSubnets { weights: vec![(Netuid(1), 1)] });
    let _ = world.call(&node(9), vote);
    assert!(lost(&world, before) > 1_000);
}

/// Until its delay is over, an announced call can be cancelled, and is not carried out then.
#[test]
fn a_cancelled_call_is_not_carried_out() {
    let mut world = with_proxy(ProxyGrant { delay: 3, limit: None, ..grant() });
    let to = owner(0).node_id();
    let announce = |world: &mut World| {
        let call = Call::Announce(AnnounceCall { owner: to, call: pay(1, 900_000).into() });
        let Outcome::Announced(announced) = world.call(&owner(1), call).unwrap() else { panic!() };
        announced.id
    };
    let id = announce(&mut world);
    world.call(&owner(0), Call::CancelAnnouncement(CancelAnnouncement { owner: to, id })).unwrap();
    world.wait(5);
    assert_eq!(world.refusal(&owner(1), by_proxy(pay(1, 900_000))), ProxyRejection::NotAnnounced.into());
    // Without the cancellation the same call goes through.
    announce(&mut world);
    world.wait(3);
    world.call(&owner(1), by_proxy(pay(1, 900_000))).unwrap();
}

/// A proxy's call of the owner's that fails, or spends too much, leaves nothing behind.
#[test]
fn a_call_that_spends_too_much_is_undone() {
    let mut world = with_proxy(grant());
    let before = (world.balance(&owner(0)), world.balance(&owner(1)));
    // `refusal` compares the state with that after an empty block.
    assert!(matches!(
        world.refusal(&owner(1), by_proxy(pay(1, 1_001))),
        Rejection::Call(CallRejection::Proxy(ProxyRejection::Limit { .. }))
    ));
    assert_eq!((world.balance(&owner(0)), world.balance(&owner(1))), (before.0, before.1 - world.paid));
    let foreign = SetHyperparameter { netuid: Netuid(1), to: Hyperparameter::Tempo(9) };
    assert_eq!(
        world.refusal(&owner(1), by_proxy(Call::SetHyperparameter(foreign))),
        ProxyRejection::Scope.into()
    );
    let stolen = Call::SetProxy(SetProxy { proxy: owner(1).node_id(), grant: grant() });
    assert!(matches!(
        world.refusal(&owner(2), by_proxy(stolen)),
        Rejection::Call(CallRejection::Proxy(ProxyRejection::NoProxy { .. }))
    ));
}
