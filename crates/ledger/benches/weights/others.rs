//! Batches, threshold accounts, proxies and vested amounts in their worst cases.

use nervure_ledger::{
    multisig::{MAX_MEMBERS, MultisigAccount},
    proxies::{MAX_ANNOUNCEMENTS, ProxyGrant, ProxyScope, SpendingLimit, announcement_id},
    transaction::{
        AnnounceCall, Batch, Call, CancelAnnouncement, ClaimVested, MAX_BATCH_CALLS, MAX_MEMO_BYTES, Memo,
        MultisigCall, ProxyCall, SetProxy, Transfer, TransferVested,
    },
    vesting::MAX_VESTINGS,
};
use nervure_primitives::{Amount, BlockHeight, NodeKey};

use super::{MANY, NamedBlock, World, account, key, tokens};

/// The first account of each group of owners.
const MEMBERS: u64 = 5_000;
const SENDERS: u64 = 6_800;
/// Owners of proxies: those that are set again, those that act, and those that announce.
const FULL: u64 = 7_000;
const ACTING: u64 = 7_200;
const EMPTY: u64 = 7_400;
/// A proxy is so many accounts behind its owner.
const PROXY: u64 = 1_000;
const GIVERS: u64 = 9_000;
const RECIPIENTS: u64 = 9_200;

fn team(n: u64) -> MultisigAccount {
    let first = MEMBERS + n * MAX_MEMBERS as u64;
    let members = (0..MAX_MEMBERS as u64).map(|at| account(first + at).node_id());
    MultisigAccount::new(MAX_MEMBERS as u8, members.collect()).unwrap()
}

fn pay(n: u64) -> Call {
    // As much as a new account has to hold.
    let (to, amount) = (key(950_000 + n).node_id(), Amount::from_base_units(5_000_000));
    Call::Transfer(Transfer { to, amount, memo: Some(Memo::new("x".repeat(MAX_MEMO_BYTES))) })
}

fn grant(proxy: u64) -> Call {
    let grant = ProxyGrant {
        scopes: ProxyScope::ALL.into(),
        limit: Some(SpendingLimit { amount: tokens(5), interval: 10 }),
        delay: 1,
        expiry: BlockHeight(1_000_000),
    };
    Call::SetProxy(SetProxy { proxy: account(proxy).node_id(), grant })
}

/// Call `at` of the owner `n`, of which each is another one.
fn announce(owner: u64, at: u64) -> Call {
    let call = pay(at * MANY + owner).into();
    Call::Announce(AnnounceCall { owner: account(owner).node_id(), call })
}

fn vest(to: u64) -> Call {
    let [start, end] = [1, 1_000].map(BlockHeight);
    let to = account(to).node_id();
    Call::TransferVested(TransferVested { to, amount: tokens(1), start, cliff: start, end })
}

/// What the cases need: accounts that hold something, proxies with announcements, vested amounts.
pub(super) fn prepare(world: &mut World) {
    let fund = |n| Transfer { to: team(n).id(), amount: tokens(1), memo: None };
    let block: Vec<_> =
        (0..MANY).map(|n| world.sign(&account(SENDERS + n), Call::Transfer(fund(n)))).collect();
    world.apply(&block);
    let owners = [FULL, ACTING, EMPTY].into_iter().flat_map(|first| first..first + MANY);
    let block: Vec<_> = owners.map(|owner| world.sign(&account(owner), grant(owner + PROXY))).collect();
    world.apply(&block);
    for at in 0..MAX_ANNOUNCEMENTS as u64 {
        let of = |first: u64| first..first + MANY;
        let last = at + 1 == MAX_ANNOUNCEMENTS as u64;
        let owners = of(FULL).chain(of(ACTING)).filter(|owner| !last || *owner < ACTING);
        let block: Vec<_> =
            owners.map(|owner| world.sign(&account(owner + PROXY), announce(owner, at))).collect();
        world.apply(&block);
    }
    for _ in 0..MAX_VESTINGS {
        let block: Vec<_> =
            (0..MANY).map(|n| world.sign(&account(GIVERS + n), vest(RECIPIENTS + n))).collect();
        world.apply(&block);
    }
}

fn multisig(world: &World, n: u64) -> (NodeKey, Call) {
    let (account_of, mesh) = (team(n), world.0.mesh());
    let mut call = MultisigCall {
        account: account_of,
        nonce: 0,
        expiry: BlockHeight(1_000_000),
        call: pay(n).into(),
        approvals: Vec::new(),
    };
    let members = (0..MAX_MEMBERS as u64).map(|at| account(MEMBERS + n * MAX_MEMBERS as u64 + at));
    let approvals = members.map(|member| call.account.approve(&call.approved(), &member, &mesh));
    let mut approvals: Vec<_> = approvals.map(|approval| approval.unwrap().unwrap()).collect();
    approvals.sort_by_key(|approval| approval.member);
    call.approvals = approvals;
    (account(SENDERS + n), Call::Multisig(call))
}

/// The cases.
pub(super) fn cases(world: &World) -> Vec<NamedBlock> {
    let proxy = |owner: u64| account(owner + PROXY);
    vec![
        (
            "batch",
            world.of_many(|n| {
                let calls = (0..MAX_BATCH_CALLS as u64).map(|at| pay(at * MANY + n)).collect();
                (account(SENDERS + n), Call::Batch(Batch { calls }))
            }),
        ),
        ("multisig", world.of_many(|n| multisig(world, n))),
        ("set proxy", world.of_many(|n| (account(FULL + n), grant(FULL + n + PROXY)))),
        (
            "proxy call",
            world.of_many(|n| {
                let owner = account(ACTING + n).node_id();
                (proxy(ACTING + n), Call::Proxy(ProxyCall { owner, call: pay(ACTING + n).into() }))
            }),
        ),
        ("announce", world.of_many(|n| (proxy(EMPTY + n), announce(EMPTY + n, 0)))),
        (
            "cancel announcement",
            world.of_many(|n| {
                let owner = account(ACTING + n);
                let id = announcement_id(&proxy(ACTING + n).node_id(), &pay(ACTING + n));
                let call = CancelAnnouncement { owner: owner.node_id(), id };
                (owner, Call::CancelAnnouncement(call))
            }),
        ),
        ("transfer vested", world.of_many(|n| (account(SENDERS + n), vest(960_000 + n)))),
        (
            "claim vested",
            world.of_many(|n| {
                let from = account(GIVERS + n).node_id();
                (account(RECIPIENTS + n), Call::ClaimVested(ClaimVested { from }))
            }),
        ),
    ]
}
