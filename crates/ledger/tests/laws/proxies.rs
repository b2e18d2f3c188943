//! Proxies and vested amounts: what is carried out, refused, and kept.

use nervure_ledger::{
    deposits::RecordKind,
    proxies::{MAX_ANNOUNCEMENTS, MAX_PROXIES, ProxyGrant, ProxyScope, SpendingLimit},
    transaction::{
        AnnounceCall, Call, CallRejection, CancelAnnouncement, ClaimVested, FundsRejection,
        InclusionRejection, Memo, Outcome, ProxyCall, ProxyRejection, RegisterNode, Rejection, RemoveProxy,
        SetProxy, Stake, SwapKey, Transfer, TransferVested,
    },
    vesting::MAX_VESTINGS,
};
use nervure_primitives::{BlockHeight, Hash, NodeId};

use crate::{
    shared::{approved, batch, held_by, pay, team},
    world::{World, node, owner, params, units},
};

/// Transfers and staking, at most 1,000 base units in 10 blocks.
pub(crate) fn grant() -> ProxyGrant {
    ProxyGrant {
        scopes: [ProxyScope::Transfers, ProxyScope::Staking].into(),
        limit: Some(SpendingLimit { amount: units(1_000), interval: 10 }),
        delay: 0,
        expiry: BlockHeight(10_000),
    }
}

/// Owner 1 is a proxy of owner 0.
pub(crate) fn with_proxy(grant: ProxyGrant) -> World {
    let mut world = World::new();
    world.call(&owner(0), set_proxy(1, grant)).unwrap();
    world
}

pub(crate) fn set_proxy(proxy: u8, grant: ProxyGrant) -> Call {
    Call::SetProxy(SetProxy { proxy: owner(proxy).node_id(), grant })
}

/// For owner 0.
pub(crate) fn by_proxy(call: Call) -> Call {
    Call::Proxy(ProxyCall { owner: owner(0).node_id(), call: call.into() })
}

fn announce(call: Call) -> Call {
    Call::Announce(AnnounceCall { owner: owner(0).node_id(), call: call.into() })
}

fn cancel(id: Hash) -> Call {
    Call::CancelAnnouncement(CancelAnnouncement { owner: owner(0).node_id(), id })
}

fn announced(outcome: Outcome) -> (Hash, BlockHeight) {
    let Outcome::Announced(announced) = outcome else { panic!("{outcome:?}") };
    (announced.id, announced.ready)
}

#[test]
fn a_proxy_acts_for_the_owner_and_pays_for_it() {
    let mut world = with_proxy(grant());
    let before = (world.balance(&owner(0)), world.balance(&owner(1)));
    let outcome = world.call(&owner(1), by_proxy(pay(2, 400))).unwrap();
    let Outcome::ProxyApplied(did) = outcome else { panic!() };
    assert!(did.owner == owner(0).node_id() && matches!(*did.outcome, Outcome::Transferred(_)));
    let after = (world.balance(&owner(0)), world.balance(&owner(1)));
    assert_eq!(after, (before.0 - 400, before.1 - world.paid));
    let node = world.register(0, 5);
    world.call(&owner(1), by_proxy(Call::Stake(Stake { node, amount: units(500) }))).unwrap();
    assert_eq!(world.state.nodes().stake_of(&node, &owner(0).node_id()), units(500));
    let left = world.refusal(&owner(1), by_proxy(pay(2, 101)));
    assert_eq!(left, ProxyRejection::Limit { left: units(100) }.into());
    world.call(&owner(0), Call::RemoveProxy(RemoveProxy { proxy: owner(1).node_id() })).unwrap();
    let gone = world.refusal(&owner(1), by_proxy(pay(2, 1)));
    assert_eq!(gone, ProxyRejection::NoProxy { proxy: owner(1).node_id() }.into());
}

#[test]
fn a_proxy_acts_until_it_expires_and_in_its_scopes() {
    let staking = [ProxyScope::Staking].into();
    let mut world = with_proxy(ProxyGrant { scopes: staking, expiry: BlockHeight(4), ..grant() });
    assert_eq!(world.refusal(&owner(1), by_proxy(pay(2, 1))), ProxyRejection::Scope.into());
    let node = world.register(0, 5);
    let stake = || by_proxy(Call::Stake(Stake { node, amount: units(100) }));
    assert_eq!(world.state.height(), BlockHeight(3));
    world.call(&owner(1), stake()).unwrap();
    let expired = world.refusal(&owner(1), stake());
    assert_eq!(expired, ProxyRejection::Expired { expiry: BlockHeight(4) }.into());
    assert!(matches!(
        world.refusal(&owner(2), stake()),
        Rejection::Call(CallRejection::Proxy(ProxyRejection::NoProxy { .. }))
    ));
}

#[test]
fn a_delayed_call_is_announced_and_can_be_cancelled() {
    let mut world = with_proxy(ProxyGrant { delay: 5, ..grant() });
    assert_eq!(world.refusal(&owner(1), by_proxy(pay(2, 9))), ProxyRejection::NotAnnounced.into());
    let (id, ready) = announced(world.call(&owner(1), announce(pay(2, 9))).unwrap());
    assert_eq!(ready.0, world.state.height().0 + 5);
    assert_eq!(world.refusal(&owner(1), announce(pay(2, 9))), ProxyRejection::AlreadyAnnounced { id }.into());
    assert_eq!(
        world.refusal(&owner(1), by_proxy(pay(2, 9))),
        ProxyRejection::NotReady { from: ready }.into()
    );
    assert_eq!(world.refusal(&owner(2), cancel(id)), ProxyRejection::NotAnnounced.into(), "another's");
    world.wait(ready.0 - world.state.height().0 - 1);
    let before = world.balance(&owner(2));
    assert_eq!(
        world.refusal(&owner(1), by_proxy(pay(2, 10))),
        ProxyRejection::NotAnnounced.into(),
        "another call"
    );
    world.call(&owner(1), by_proxy(pay(2, 9))).unwrap();
    assert_eq!(world.balance(&owner(2)), before + 9);
    assert_eq!(world.refusal(&owner(1), by_proxy(pay(2, 9))), ProxyRejection::NotAnnounced.into(), "once");
    for canceller in [0, 1] {
        let (id, _) = announced(world.call(&owner(1), announce(pay(2, 9))).unwrap());
        world.call(&owner(canceller), cancel(id)).unwrap();
        world.wait(5);
        assert_eq!(world.refusal(&owner(1), by_proxy(pay(2, 9))), ProxyRejection::NotAnnounced.into());
    }
    // A new grant, or none, cancels what was announced under the old one.
    world.call(&owner(1), announce(pay(2, 9))).unwrap();
    world.call(&owner(0), set_proxy(1, ProxyGrant { delay: 6, ..grant() })).unwrap();
    assert_eq!(world.state.proxies().announced(&owner(0).node_id()).count(), 0);
    world.call(&owner(0), set_proxy(1, grant())).unwrap();
    assert_eq!(world.refusal(&owner(1), announce(pay(2, 9))), ProxyRejection::NoDelay.into());
}

#[test]
fn proxies_and_announcements_are_bounded() {
    let mut world = with_proxy(ProxyGrant { delay: 5, ..grant() });
    let stranger = |n: u8| NodeId::from_bytes([n + 1; 32]);
    for n in 1..MAX_PROXIES as u8 {
        world.call(&owner(0), Call::SetProxy(SetProxy { proxy: stranger(n), grant: grant() })).unwrap();
    }
    let one_more = Call::SetProxy(SetProxy { proxy: stranger(20), grant: grant() });
    assert_eq!(world.refusal(&owner(0), one_more), ProxyRejection::TooManyProxies.into());
    world.call(&owner(0), set_proxy(1, ProxyGrant { delay: 7, ..grant() })).unwrap();
    for amount in 1..=MAX_ANNOUNCEMENTS as u64 {
        world.call(&owner(1), announce(pay(2, amount))).unwrap();
    }
    assert_eq!(world.refusal(&owner(1), announce(pay(2, 99))), ProxyRejection::TooManyAnnouncements.into());
    assert_eq!(world.refusal(&owner(0), set_proxy(0, grant())), ProxyRejection::Grant.into(), "oneself");
    let expired = ProxyGrant { expiry: BlockHeight(2), ..grant() };
    assert_eq!(world.refusal(&owner(0), set_proxy(2, expired)), ProxyRejection::Grant.into());
    let nested = by_proxy(by_proxy(pay(2, 1)));
    for call in [nested, by_proxy(batch([pay(2, 1)])), announce(batch([pay(2, 1)]))] {
        assert!(matches!(
            world.refusal(&owner(1), call),
            Rejection::Inclusion(InclusionRejection::Malformed { .. })
        ));
    }
}

#[test]
fn a_threshold_account_can_be_a_proxy_and_have_one() {
    let mut world = World::new();
    let team = team().id();
    world.call(&owner(0), Call::SetProxy(SetProxy { proxy: team, grant: grant() })).unwrap();
    let before = world.balance(&owner(2));
    let call = approved(&world, batch([by_proxy(pay(2, 5)), by_proxy(pay(2, 6))]), &[0, 1]);
    world.call(&owner(3), Call::Multisig(call)).unwrap();
    assert_eq!(world.balance(&owner(2)), before + 11);
    let fund = Transfer { to: team, amount: units(10_000), memo: Some(Memo::new("for the team")) };
    world.call(&owner(3), Call::Transfer(fund)).unwrap();
    let call = approved(&world, set_proxy(3, grant()), &[1, 2]);
    world.call(&owner(3), Call::Multisig(call)).unwrap();
    let spend = ProxyCall { owner: team, call: pay(3, 100).into() };
    world.call(&owner(3), Call::Proxy(spend)).unwrap();
    let deposit = params().deposit(RecordKind::Proxy);
    assert_eq!(held_by(&world, &team), 10_000 - deposit - 100);
}

fn vest(amount: u64, (start, cliff, end): (u64, u64, u64)) -> Call {
    let [start, cliff, end] = [start, cliff, end].map(BlockHeight);
    Call::TransferVested(TransferVested { to: owner(1).node_id(), amount: units(amount), start, cliff, end })
}

fn claim(from: u8) -> Call {
    Call::ClaimVested(ClaimVested { from: owner(from).node_id() })
}

#[test]
fn a_vested_amount_is_claimed_little_by_little() {
    let mut world = World::new();
    let before = (world.balance(&owner(0)), world.balance(&owner(1)));
    world.call(&owner(0), vest(100_000, (0, 5, 10))).unwrap();
    assert_eq!(world.balance(&owner(0)), before.0 - 100_000 - world.paid);
    world.wait(2);
    assert_eq!(world.refusal(&owner(1), claim(0)), FundsRejection::NothingVested.into(), "at block 4");
    let mut fees = world.paid;
    let mut claimed = Vec::new();
    while world.state.accounts().vesting(&owner(1).node_id()).count() > 0 {
        let Outcome::VestedClaimed(did) = world.call(&owner(1), claim(0)).unwrap() else { panic!() };
        fees += world.paid;
        claimed.push(did.amount.base_units());
    }
    assert_eq!(claimed, [50_000, 10_000, 10_000, 10_000, 10_000, 10_000], "from block 5 to block 10");
    assert_eq!(world.balance(&owner(1)), before.1 + 100_000 - fees);
    assert_eq!(world.refusal(&owner(1), claim(0)), FundsRejection::NothingVested.into());
}

#[test]
fn a_vested_amount_has_a_schedule_a_least_amount_and_a_place() {
    let mut world = World::new();
    world.wait(3);
    for schedule in [(5, 4, 9), (5, 9, 8), (5, 5, 5), (0, 0, 4)] {
        assert_eq!(
            world.refusal(&owner(0), vest(1_000, schedule)),
            FundsRejection::Schedule.into(),
            "{schedule:?}"
        );
    }
    let least = units(params().least_vested());
    let small = world.refusal(&owner(0), vest(params().least_vested() - 1, (5, 5, 90)));
    assert_eq!(small, FundsRejection::VestedAmount { least }.into());
    assert!(matches!(
        world.refusal(&owner(0), vest(u64::MAX, (5, 5, 90))),
        Rejection::Funds(FundsRejection::Balance { .. })
    ));
    for _ in 0..MAX_VESTINGS {
        world.call(&owner(0), vest(1_000, (5, 5, 90))).unwrap();
    }
    assert_eq!(world.refusal(&owner(0), vest(1_000, (5, 5, 90))), FundsRejection::TooManyVestings.into());
    world.call(&owner(2), vest(1_000, (5, 5, 90))).unwrap();
    assert_eq!(world.state.accounts().vesting(&owner(1).node_id()).count(), usize::from(MAX_VESTINGS) + 1);
}

#[test]
fn no_proxy_gets_a_node_key_under_its_owner() {
    let all = [ProxyScope::Transfers, ProxyScope::Staking, ProxyScope::Nodes, ProxyScope::Subnets];
    let mut world = with_proxy(ProxyGrant { scopes: all.into(), limit: None, ..grant() });
    let own = world.register(0, 5);
    let consent = |key: u8| world.consent(&node(key), &owner(0).node_id());
    let calls = [
        Call::RegisterNode(RegisterNode { consent: consent(6) }),
        Call::SwapKey(SwapKey { old: own, consent: consent(7) }),
        set_proxy(2, grant()),
        Call::RemoveProxy(RemoveProxy { proxy: owner(1).node_id() }),
    ];
    for call in calls {
        assert_eq!(world.refusal(&owner(1), by_proxy(call)), ProxyRejection::Scope.into());
    }
}

#[test]
fn deposits_for_proxies_and_announcements_come_back() {
    let mut world = World::new();
    let before = (world.balance(&owner(0)), world.balance(&owner(1)));
    let mut paid = (0, 0);
    let of_proxy = params().deposit(RecordKind::Proxy);
    world.call(&owner(0), set_proxy(1, ProxyGrant { delay: 2, ..grant() })).unwrap();
    paid.0 += world.paid;
    assert_eq!(world.balance(&owner(0)), before.0 - paid.0 - of_proxy);
    let announcement = params().deposit(RecordKind::Announcement);
    for amount in [7, 8] {
        world.call(&owner(1), announce(pay(2, amount))).unwrap();
        paid.1 += world.paid;
    }
    assert_eq!(world.balance(&owner(1)), before.1 - paid.1 - 2 * announcement);
    world.wait(1);
    world.call(&owner(1), by_proxy(pay(2, 7))).unwrap();
    paid.1 += world.paid;
    assert_eq!(world.balance(&owner(1)), before.1 - paid.1 - announcement);
    world.call(&owner(0), Call::RemoveProxy(RemoveProxy { proxy: owner(1).node_id() })).unwrap();
    paid.0 += world.paid;
    assert_eq!(world.balance(&owner(0)), before.0 - paid.0 - 7);
    assert_eq!(world.balance(&owner(1)), before.1 - paid.1);
}
